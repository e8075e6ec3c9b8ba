/** What preflight checks in the payer account: its place in the organisation, access to billing, Lambda and Lake Formation. */
import * as z from 'zod';
import { callJson } from '../aws/json-call.ts';
import { readConcurrency } from '../aws/lambda-concurrency.ts';
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
    findings.look(() => readDefaults(cx, report.region)),
  ]);
  if (organization === 'member' && !allowMemberAccount)
    findings.add('payer-is-member-account', `account ${payerAccountId} does not manage its organisation`);
  await checkPayerAccess(cx, { request, access, reports: reports ?? [] }, findings);
  const missing = lake && missingGrants(cx, report.region, lake);
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
  const read = () => readConcurrency(cx.payer, report.region);
  return (await absentIf(['AccessDenied', 'AccessDeniedException'], read))?.unreserved;
}

/** The service has one endpoint for all regions. */
const describeOrganization = {
  service: 'organizations',
  region: 'us-east-1',
  target: 'AWSOrganizationsV20161128.DescribeOrganization',
} as const;
const Organization = z.object({ Organization: z.object({ MasterAccountId: z.string() }) });

async function organizationRole(cx: StepContext, accountId: string): Promise<PayerFacts['organization']> {
  const answer = await absentIf(['AWSOrganizationsNotInUseException'], () =>
    callJson(cx.payer, describeOrganization, {}, Organization),
  );
  if (!answer) return 'none';
  return answer.Organization.MasterAccountId === accountId ? 'management' : 'member';
}

const Permissions = z
  .array(z.object({ Principal: z.object({ DataLakePrincipalIdentifier: z.string() }).optional() }))
  .default([]);
const Settings = z.object({
  DataLakeSettings: z.object({
    CreateDatabaseDefaultPermissions: Permissions,
    CreateTableDefaultPermissions: Permissions,
  }),
});
type Permissions = z.infer<typeof Permissions>;
type Defaults = z.infer<typeof Settings>['DataLakeSettings'];

async function readDefaults(cx: StepContext, region: string): Promise<Defaults> {
  const call = { service: 'lakeformation', region, method: 'POST', path: '/GetDataLakeSettings' } as const;
  return (await callJson(cx.payer, call, {}, Settings)).DataLakeSettings;
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

function admitsEverybody(permissions: Permissions): boolean {
  return permissions.some(({ Principal }) => Principal?.DataLakePrincipalIdentifier === 'IAM_ALLOWED_PRINCIPALS');
}
