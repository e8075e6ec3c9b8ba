import { covers, parameterProblem, readAccess, readAccessPermission } from '../../shared/access/access-template.ts';
import { maxPayersPerTarget } from '../../shared/access/grant-policy.ts';
import { checkPayer, payerCheckPermissions, type PayerFacts } from '../../shared/access/payer-check.ts';
import {
  apiServerOf,
  checkUsable,
  describeAddonPermission,
  describeClusterPermission,
  findCluster,
  hasPodIdentityAgent,
  untilReachable,
} from '../../shared/cluster/cluster-check.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { clusterArnOf, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { asOneProblem, type Problem, ProblemList } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers } from '../../shared/targets/payers-of-target.ts';

type Output = Outputs['preflight'];
type ClusterFacts = Omit<Output, keyof PayerFacts>;

interface Observation {
  problems: Problem[];
  warnings: string[];
  payer: PayerFacts;
  cluster: ClusterFacts | undefined;
  /** Other payers that the target has. */
  payers: number;
}

/** If the account cannot be entered; a dry run continues. */
const unknownPayer: PayerFacts = {
  organization: null,
  unreservedConcurrency: null,
  lakeFormationLocked: null,
  access: null,
};

export const preflight = defineStep<'preflight', OnboardingRequest, Observation>({
  name: 'preflight',
  summary: 'Checks both accounts, billing access and the cluster, and names every problem',
  permissions: {
    table: ['Query'],
    payer: payerCheckPermissions,
    cluster: [readAccessPermission, describeClusterPermission, describeAddonPermission],
    // Calls the cluster's API only to learn whether it answers.
    kubernetes: [],
  },
  waits: { 'cluster-unreachable': { seconds: 10, longestSeconds: 120 } },

  input: ({ run }) => run.request,

  async observe(cx, request) {
    const findings = new ProblemList();
    const [payer, cluster, payers] = await Promise.all([
      findings.enter(cx.payer, () => checkPayer(cx, request, findings)),
      findings.enter(cx.cluster, () => checkCluster(cx, request, findings)),
      checkRoom(request, findings),
    ]);
    const { problems, warnings } = findings;
    return {
      problems,
      warnings,
      payer: payer ?? unknownPayer,
      cluster,
      payers,
    };
  },

  plan({ dryRun }, { problems, warnings, payer, cluster, payers }, { now, since }): Plan<never, Output> {
    const again = cluster && !dryRun ? untilReachable(problems, cluster.endpoint, now - since) : undefined;
    if (again && cluster) return waitFor(again, { ...cluster, ...payer });
    const refused = asOneProblem(problems);
    const quotas = [
      { quota: 'payers that the cluster’s pod can read', used: payers, adds: 1, limit: maxPayersPerTarget },
    ];
    if (refused || !cluster)
      return {
        kind: 'refuse',
        ...(refused ?? { code: 'preflight-failed', detail: 'no cluster' }),
        all: problems,
        warnings,
        quotas,
        ...(cluster && problems.every(leavesCluster) && { expected: { ...cluster, ...payer } }),
      };
    return { kind: 'ready', output: { ...cluster, ...payer }, warnings, quotas };
  },
});

/** Nothing is planned for a cluster that we must not or cannot call. */
function leavesCluster({ code }: Problem): boolean {
  return !code.startsWith('cluster-') && code !== 'namespace-not-allowed';
}

/** The pod's policies name a limited number of payers; those being removed do not count. */
async function checkRoom(request: OnboardingRequest, findings: ProblemList): Promise<number> {
  const target = targetOf(request);
  const others = (await listTargetPayers(target)).filter(
    ({ state, payerAccountId }) => state !== 'removing' && payerAccountId !== request.payerAccountId,
  );
  if (others.length >= maxPayersPerTarget)
    findings.add('target-full', `${others.length} payers read by ${target.clusterArn} ${target.namespace}`);
  return others.length;
}

async function checkCluster(
  cx: StepContext,
  request: OnboardingRequest,
  findings: ProblemList,
): Promise<ClusterFacts | undefined> {
  const { cluster: wanted, kubecost, identity } = request;
  if (!cx.deployment.allowedNamespaces.includes(kubecost.namespace))
    findings.add(
      'namespace-not-allowed',
      `namespace ${kubecost.namespace}; allowed are ${cx.deployment.allowedNamespaces.join(', ')}`,
    );
  const clusterArn = clusterArnOf(request);
  const access = await readAccess(cx.cluster);
  if (covers(access, 'Cluster', wanted.name) === false) {
    findings.problems.push(parameterProblem('Cluster', wanted.name, `our role may not use cluster ${clusterArn}`));
    return undefined;
  }
  const cluster = await findCluster(cx.cluster, wanted, findings);
  if (cluster === 'gone') findings.add('cluster-not-found', clusterArn);
  if (!cluster || cluster === 'gone') return undefined;
  await checkUsable(cx.deployment, cluster, clusterArn, findings);
  const podIdentityAvailable =
    identity.mode === 'pod-identity' && (await hasPodIdentityAgent(cx.cluster, wanted, cluster, findings));
  return {
    clusterArn,
    clusterVersion: cluster.version ?? '',
    ...apiServerOf(cluster),
    podIdentityAvailable,
  };
}

export const handler = stepHandler(preflight);
