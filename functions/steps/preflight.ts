import { DescribeAddonCommand, DescribeClusterCommand, EKSClient, type Cluster } from '@aws-sdk/client-eks';
import { GetDataLakeSettingsCommand, LakeFormationClient } from '@aws-sdk/client-lakeformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations';
import { listReports } from '../../shared/aws/cur.ts';
import { maxPayersPerTarget } from '../../shared/aws/grant-policy.ts';
import type { ErrorCode } from '../../shared/error-catalogue.ts';
import { absentIf, isAwsError, isKnownError } from '../../shared/errors.ts';
import { probeEndpoint } from '../../shared/kubernetes.ts';
import type { Outputs } from '../../shared/outputs.ts';
import type { OnboardingRequest } from '../../shared/request.ts';
import { clusterArnOf, targetOf } from '../../shared/run.ts';
import { stepHandler } from '../../shared/step-handler.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step.ts';
import { listTargetPayers } from '../../shared/target-store.ts';

type Output = Outputs['preflight'];
type PayerFacts = Pick<Output, 'organization' | 'unreservedConcurrency' | 'lakeFormationLocked'>;
type ClusterFacts = Omit<Output, keyof PayerFacts>;

interface Problem {
  code: ErrorCode;
  detail: string;
}

interface Seen {
  problems: Problem[];
  warnings: string[];
  payer: PayerFacts;
  cluster: ClusterFacts | undefined;
}

/** Collects what stands in the way: one answer for all of it. */
class Findings {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];

  add(code: ErrorCode, detail: string): void {
    this.problems.push({ code, detail });
  }

  /** Runs a check; a denial is a finding like others, so that the next checks still run. */
  async look<T>(read: () => Promise<T>, deniedCode: ErrorCode = 'access-denied'): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (isAwsError(error, 'AccessDenied', 'AccessDeniedException')) this.add(deniedCode, error.message);
      // AWS's word for a region that the account has not enabled.
      else if (isAwsError(error, 'UnrecognizedClientException', 'InvalidClientTokenId'))
        this.add('region-not-supported', `the account has not enabled it: ${error.message}`);
      else throw error;
      return undefined;
    }
  }
}

/** How long an endpoint that does not answer is probed again. */
const probeMs = 60_000;

export const preflight = defineStep<'preflight', OnboardingRequest, Seen, never>({
  name: 'preflight',
  summary: 'Checks both accounts, billing access and the cluster, and names everything that stands in the way',
  permissions: {
    table: ['Query'],
    payer: [
      {
        actions: [
          'cur:DescribeReportDefinitions',
          'lakeformation:GetDataLakeSettings',
          'lambda:GetAccountSettings',
          'organizations:DescribeOrganization',
        ],
        resources: ['*'],
      },
    ],
    cluster: [
      {
        actions: ['eks:DescribeAddon', 'eks:DescribeCluster'],
        resources: [
          'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:cluster/${Cluster}',
          'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:addon/${Cluster}/*/*',
        ],
      },
    ],
  },

  input: ({ run }) => run.request,

  async observe(cx, request) {
    const findings = new Findings();
    const [payer, cluster] = await Promise.all([
      enter(findings, cx.payer, () => checkPayer(cx, request, findings)),
      enter(findings, cx.cluster, () => checkCluster(cx, request, findings)),
      checkRoom(request, findings),
    ]);
    const { problems, warnings } = findings;
    return {
      problems: problems.toSorted((a, b) => (a.code < b.code ? -1 : 1)),
      warnings,
      payer: payer ?? { organization: 'none', unreservedConcurrency: 0, lakeFormationLocked: false },
      cluster,
    };
  },

  plan({ dryRun }, { problems, warnings, payer, cluster }, { now, since }): Plan<never, Output> {
    const [first, ...others] = problems;
    // A connection that breaks once says little; whatever else stands in the way is said at once.
    if (first?.code === 'cluster-unreachable' && others.length === 0 && cluster && !dryRun && now - since < probeMs)
      return {
        kind: 'wait',
        reason: `${cluster.endpoint} to answer`,
        seconds: 10,
        deadlineSeconds: 120,
        overdue: 'cluster-unreachable',
        expected: { ...cluster, ...payer },
      };
    if (first && others.length === 0) return { kind: 'refuse', ...first };
    if (first || !cluster) {
      const detail = problems.map(({ code, detail }) => `${code}: ${detail}`).join('; ');
      return { kind: 'refuse', code: 'preflight-failed', detail };
    }
    return { kind: 'ready', output: { ...cluster, ...payer }, warnings };
  },

  apply: () => Promise.resolve(),
});

/** Checks inside an account make no sense if it cannot be entered. */
async function enter<T>(
  findings: Findings,
  account: StepContext['payer'],
  check: () => Promise<T>,
): Promise<T | undefined> {
  try {
    await account.credentials();
  } catch (error) {
    if (!isKnownError(error) || error.name !== 'UserError') throw error;
    findings.add(error.code, error.message);
    return undefined;
  }
  return check();
}

/** The pod's policies hold so many payers; what is about to go makes room. */
async function checkRoom(request: OnboardingRequest, findings: Findings): Promise<void> {
  const target = targetOf(request);
  const others = (await listTargetPayers(target)).filter(
    ({ state, payerAccountId }) => state !== 'removing' && payerAccountId !== request.payerAccountId,
  );
  if (others.length >= maxPayersPerTarget)
    findings.add('target-full', `${others.length} payers read by ${target.clusterArn} ${target.namespace}`);
}

async function checkPayer(cx: StepContext, request: OnboardingRequest, findings: Findings): Promise<PayerFacts> {
  const { payerAccountId, report, allowMemberAccount } = request;
  const [organization, , account, lake] = await Promise.all([
    findings.look(() => organizationRole(cx, payerAccountId)),
    findings.look(() => listReports(cx.payer), 'billing-access-not-activated'),
    findings.look(() => cx.payer.client(LambdaClient, report.region).send(new GetAccountSettingsCommand({}))),
    findings.look(() => cx.payer.client(LakeFormationClient, report.region).send(new GetDataLakeSettingsCommand({}))),
  ]);
  if (organization === 'member' && !allowMemberAccount)
    findings.add('payer-is-member-account', `account ${payerAccountId} does not manage its organisation`);
  const byIam = lake?.DataLakeSettings?.CreateDatabaseDefaultPermissions?.some(
    ({ Principal }) => Principal?.DataLakePrincipalIdentifier === 'IAM_ALLOWED_PRINCIPALS',
  );
  if (lake && !byIam)
    findings.warnings.push(
      `Lake Formation governs new databases in ${report.region}: without grants to ${cx.payer.provisionerArn} and the crawler’s role, the crawler stack will fail`,
    );
  return {
    organization: organization ?? 'none',
    unreservedConcurrency: account?.AccountLimit?.UnreservedConcurrentExecutions ?? 0,
    lakeFormationLocked: lake !== undefined && !byIam,
  };
}

async function organizationRole(cx: StepContext, accountId: string): Promise<PayerFacts['organization']> {
  const answer = await absentIf(['AWSOrganizationsNotInUseException'], () =>
    cx.payer.client(OrganizationsClient, 'us-east-1').send(new DescribeOrganizationCommand({})),
  );
  if (!answer) return 'none';
  return answer.Organization?.MasterAccountId === accountId ? 'management' : 'member';
}

async function checkCluster(
  cx: StepContext,
  request: OnboardingRequest,
  findings: Findings,
): Promise<ClusterFacts | undefined> {
  const { cluster: wanted, kubecost, identity } = request;
  if (!cx.deployment.allowedNamespaces.includes(kubecost.namespace))
    findings.add(
      'namespace-not-allowed',
      `namespace ${kubecost.namespace}; allowed are ${cx.deployment.allowedNamespaces.join(', ')}`,
    );
  const eks = cx.cluster.client(EKSClient, wanted.region);
  const clusterArn = clusterArnOf(request);
  const answer = await findings.look(async () => ({
    cluster: await absentIf(['ResourceNotFoundException'], () => describeCluster(eks, wanted.name)),
  }));
  const cluster = answer?.cluster;
  if (answer && !cluster) findings.add('cluster-not-found', clusterArn);
  if (!cluster) return undefined;
  await judgeCluster(cx, cluster, clusterArn, findings);
  const podIdentityAvailable =
    identity.mode === 'pod-identity' &&
    (cluster.computeConfig?.enabled === true || (await findings.look(() => agentIsActive(eks, wanted.name))) === true);
  return {
    clusterArn,
    clusterVersion: cluster.version ?? '',
    endpoint: cluster.endpoint ?? '',
    certificateAuthority: cluster.certificateAuthority?.data ?? '',
    oidcIssuer: cluster.identity?.oidc?.issuer ?? '',
    podIdentityAvailable,
  };
}

async function describeCluster(eks: EKSClient, name: string): Promise<Cluster | undefined> {
  return (await eks.send(new DescribeClusterCommand({ name }))).cluster;
}

async function judgeCluster(cx: StepContext, cluster: Cluster, arn: string, findings: Findings): Promise<void> {
  const { status, accessConfig, resourcesVpcConfig: network, endpoint, certificateAuthority } = cluster;
  if (status !== 'ACTIVE') {
    findings.add('cluster-not-active', `cluster ${arn} is ${status ?? 'in an unknown state'}`);
    return;
  }
  if (accessConfig?.authenticationMode === 'CONFIG_MAP')
    findings.add('cluster-auth-mode', `cluster ${arn} has authentication mode CONFIG_MAP`);
  if (network?.endpointPublicAccess === false && !cx.deployment.inVpc) {
    findings.add('cluster-endpoint-private', `cluster ${arn}`);
    return;
  }
  const cidrs = network?.publicAccessCidrs ?? [];
  if (cidrs.length > 0 && !cidrs.includes('0.0.0.0/0') && !cx.deployment.inVpc)
    findings.warnings.push(
      `the cluster’s endpoint is open to ${cidrs.join(', ')} only; the hub’s functions have no fixed address outside a VPC`,
    );
  if (!endpoint || !isAllowedHost(new URL(endpoint).hostname, cx.deployment.allowedHostSuffixes)) {
    findings.add('cluster-endpoint-not-allowed', `endpoint ${endpoint ?? 'missing'} of cluster ${arn}`);
    return;
  }
  const unreachable = await probeEndpoint(endpoint, certificateAuthority?.data ?? '');
  if (unreachable !== undefined) findings.add('cluster-unreachable', `${endpoint}: ${unreachable}`);
}

/** A suffix is a whole name or begins at a dot, so that `evil-eks.amazonaws.com` is not taken for `eks.amazonaws.com`. */
function isAllowedHost(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(suffix.startsWith('.') ? suffix : `.${suffix}`));
}

/** Auto Mode has the agent built in; elsewhere it is an add-on. One that somebody installed by hand is not seen. */
async function agentIsActive(eks: EKSClient, clusterName: string): Promise<boolean> {
  const answer = await absentIf(['ResourceNotFoundException'], () =>
    eks.send(new DescribeAddonCommand({ clusterName, addonName: 'eks-pod-identity-agent' })),
  );
  return answer?.addon?.status === 'ACTIVE';
}

export const handler = stepHandler(preflight);
