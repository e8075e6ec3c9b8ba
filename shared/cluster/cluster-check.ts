import { type Cluster, DescribeAddonCommand, DescribeClusterCommand, EKSClient } from '@aws-sdk/client-eks';
import { clusterPattern } from '../aws/names.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import { probeEndpoint } from '../kubernetes/client.ts';
import type { Settings } from '../platform/settings.ts';
import type { Permission, Wait } from '../step/contract.ts';
import type { Problem, ProblemList } from '../step/problem-list.ts';

export const describeClusterPermission: Permission = {
  actions: ['eks:DescribeCluster'],
  resources: [clusterPattern],
};

export const describeAddonPermission: Permission = {
  actions: ['eks:DescribeAddon'],
  resources: ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:addon/${Cluster}/*/*'],
};

/** `gone` if the cluster does not exist; undefined if AWS denies the read. */
export async function findCluster(
  account: TargetAccount,
  { region, name }: { region: string; name: string },
  findings: ProblemList,
): Promise<Cluster | 'gone' | undefined> {
  return findings.look(async () => {
    const answer = await absentIf(['ResourceNotFoundException'], () =>
      account.client(EKSClient, region).send(new DescribeClusterCommand({ name })),
    );
    return answer?.cluster ?? 'gone';
  });
}

/** The endpoint of the cluster's own API, with the authority of its certificates. */
export function apiServerOf({ endpoint = '', certificateAuthority, identity }: Cluster) {
  return {
    endpoint,
    certificateAuthority: certificateAuthority?.data ?? '',
    oidcIssuer: identity?.oidc?.issuer ?? '',
  };
}

/** Auto Mode includes the agent; otherwise it is an add-on. An agent that somebody installed by hand is not found. */
export async function hasPodIdentityAgent(
  account: TargetAccount,
  { region, name }: { region: string; name: string },
  { computeConfig }: Cluster,
  findings: ProblemList,
): Promise<boolean> {
  if (computeConfig?.enabled === true) return true;
  const addon = { clusterName: name, addonName: 'eks-pod-identity-agent' };
  const answer = await findings.look(() =>
    absentIf(['ResourceNotFoundException'], () =>
      account.client(EKSClient, region).send(new DescribeAddonCommand(addon)),
    ),
  );
  return answer?.addon?.status === 'ACTIVE';
}

/** Adds what keeps us from working in the cluster: not active, no access entries, an endpoint that is not allowed or not reachable. */
export async function checkUsable(
  { allowedHostSuffixes, inVpc }: Pick<Settings, 'allowedHostSuffixes' | 'inVpc'>,
  cluster: Cluster,
  arn: string,
  findings: ProblemList,
): Promise<void> {
  const { status, accessConfig, resourcesVpcConfig: network, endpoint, certificateAuthority } = cluster;
  if (status !== 'ACTIVE') {
    findings.add('cluster-not-active', `cluster ${arn} is ${status ?? 'in an unknown state'}`);
    return;
  }
  if (accessConfig?.authenticationMode === 'CONFIG_MAP')
    findings.add('cluster-auth-mode', `cluster ${arn} has authentication mode CONFIG_MAP`);
  if (network?.endpointPublicAccess === false && !inVpc) {
    findings.add('cluster-endpoint-private', `cluster ${arn}`);
    return;
  }
  const cidrs = network?.publicAccessCidrs ?? [];
  if (cidrs.length > 0 && !cidrs.includes('0.0.0.0/0') && !inVpc)
    findings.warnings.push(
      `the cluster’s endpoint is open to ${cidrs.join(', ')} only; the hub’s functions have no fixed address outside a VPC`,
    );
  if (!endpoint || !isAllowedHost(new URL(endpoint).hostname, allowedHostSuffixes)) {
    findings.add('cluster-endpoint-not-allowed', `endpoint ${endpoint ?? 'missing'} of cluster ${arn}`);
    return;
  }
  const unreachable = await probeEndpoint(endpoint, certificateAuthority?.data ?? '');
  if (unreachable !== undefined) findings.add('cluster-unreachable', `${endpoint}: ${unreachable}`);
}

/** How long we try an endpoint again that does not respond. */
const probeMs = 60_000;

/** One failed connection is tried again; any other problem is reported at once. */
export function untilReachable(problems: readonly Problem[], endpoint: string, elapsedMs: number): Wait | undefined {
  const [first, ...others] = problems;
  if (first?.code !== 'cluster-unreachable' || others.length > 0 || elapsedMs >= probeMs) return undefined;
  return {
    reason: `${endpoint} to answer`,
    seconds: 10,
    deadlineSeconds: 120,
    overdue: 'cluster-unreachable',
  };
}

/** A suffix is a whole name or begins at a dot, so that `evil-eks.amazonaws.com` is not taken for `eks.amazonaws.com`. */
function isAllowedHost(host: string, suffixes: readonly string[]): boolean {
  return suffixes.some((suffix) => host === suffix || host.endsWith(suffix.startsWith('.') ? suffix : `.${suffix}`));
}
