/** What preflight checks in the payer account: its place in the organisation, access to billing, Lambda and Lake Formation. */
import {
  GetDataLakeSettingsCommand,
  LakeFormationClient,
  type PrincipalPermissions,
} from '@aws-sdk/client-lakeformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations';
import { listReports, reportPermissions } from '../billing/report-definition.ts';
import { absentIf } from '../errors/errors.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Permission, StepContext } from '../step/contract.ts';
import type { ProblemList } from '../step/problem-list.ts';
import { accessCheckPermissions, checkPayerAccess } from './access-check.ts';
import { type Access, crawlerGrant, readAccess } from './access-template.ts';
import { payerRoleArnOf } from './payer-role.ts';

export type PayerFacts = Pick<
  Outputs['preflight'],
  'organization' | 'unreservedConcurrency' | 'lakeFormationLocked' | 'access'
>;

export const payerCheckPermissions: readonly Permission[] = [
  reportPermissions.list,
  ...accessCheckPermissions,
  { actions: ['lakeformation:GetDataLakeSettings', 'organizations:DescribeOrganization'], resources: ['*'] },
  { actions: ['lambda:GetAccountSettings'], resources: ['*'], crawler: 'full' },
];

export async function checkPayer(
  cx: StepContext,
  request: OnboardingRequest,
  findings: ProblemList,
): Promise<PayerFacts> {
  const { payerAccountId, report, allowMemberAccount } = request;
  const access = await readAccess(cx.payer);
  const [organization, reports, unreservedConcurrency, lake] = await Promise.all([
    findings.look(() => organizationRole(cx, payerAccountId)),
    findings.look(() => listReports(cx.payer), 'billing-access-not-activated'),
    freeConcurrency(cx, request, access),
    findings.look(() => cx.payer.client(LakeFormationClient, report.region).send(new GetDataLakeSettingsCommand({}))),
  ]);
  if (organization === 'member' && !allowMemberAccount)
    findings.add('payer-is-member-account', `account ${payerAccountId} does not manage its organisation`);
  await checkPayerAccess(cx, { request, access, reports: reports ?? [] }, findings);
  const missing = lake?.DataLakeSettings && missingGrants(cx, report.region, lake.DataLakeSettings);
  findings.warnings.push(...(missing ?? []));
  return {
    organization: organization ?? null,
    unreservedConcurrency: unreservedConcurrency ?? null,
    lakeFormationLocked: missing ? missing.length > 0 : null,
    access,
  };
}

/** Only AWS's crawler template needs Lambda, and a run that may do without the template does without the figure too. */
async function freeConcurrency(
  cx: StepContext,
  { crawler, report }: OnboardingRequest,
  access: Access,
): Promise<number | undefined> {
  if (crawlerGrant(access) !== 'full' || crawler === 'none' || crawler === 'native') return undefined;
  const account = await absentIf(['AccessDenied', 'AccessDeniedException'], () =>
    cx.payer.client(LambdaClient, report.region).send(new GetAccountSettingsCommand({})),
  );
  return account?.AccountLimit?.UnreservedConcurrentExecutions;
}

async function organizationRole(cx: StepContext, accountId: string): Promise<PayerFacts['organization']> {
  const answer = await absentIf(['AWSOrganizationsNotInUseException'], () =>
    cx.payer.client(OrganizationsClient, 'us-east-1').send(new DescribeOrganizationCommand({})),
  );
  if (!answer) return 'none';
  return answer.Organization?.MasterAccountId === accountId ? 'management' : 'member';
}

interface Defaults {
  CreateDatabaseDefaultPermissions?: PrincipalPermissions[] | undefined;
  CreateTableDefaultPermissions?: PrincipalPermissions[] | undefined;
}

/** The grants of Lake Formation that a new table needs, in words. Nothing can be granted on it before it exists. */
function missingGrants(cx: StepContext, region: string, defaults: Defaults): string[] {
  const missing: string[] = [];
  if (!admitsEverybody(defaults.CreateDatabaseDefaultPermissions))
    missing.push(
      `Lake Formation governs new databases in ${region}, because CreateDatabaseDefaultPermissions lacks IAM_ALLOWED_PRINCIPALS. A new table needs the permission CREATE_DATABASE on the catalog for ${cx.payer.provisionerArn}; with AWS’s crawler template also CREATE_TABLE and DESCRIBE on the database for the crawler’s role`,
    );
  if (!admitsEverybody(defaults.CreateTableDefaultPermissions))
    missing.push(
      `Lake Formation governs new tables in ${region}, because CreateTableDefaultPermissions lacks IAM_ALLOWED_PRINCIPALS. Kubecost reads the new table only with the permissions DESCRIBE on the database, and DESCRIBE and SELECT on all its tables, for ${payerRoleArnOf(cx.payer.accountId)}`,
    );
  return missing;
}

function admitsEverybody(permissions: PrincipalPermissions[] | undefined): boolean {
  return (
    permissions?.some(({ Principal }) => Principal?.DataLakePrincipalIdentifier === 'IAM_ALLOWED_PRINCIPALS') ?? false
  );
}
