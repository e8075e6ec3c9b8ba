import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import {
  apiServerOf,
  checkUsable,
  describeClusterPermission,
  findCluster,
  untilReachable,
} from '../../shared/cluster/cluster-check.ts';
import type { RunRecord } from '../../shared/model/run.ts';
import { type OffboardingRequest, OnboardingRequest } from '../../shared/model/run-requests.ts';
import { type Outputs, parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import { clusterArnOf, targetOf } from '../../shared/model/target.ts';
import type { RunSummary } from '../../shared/runs/run-item.ts';
import { listRuns, readRun, type RunPage } from '../../shared/runs/run-table.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { asOneProblem, type Problem, ProblemList } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, type TargetPayer } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings, type TargetSettings } from '../../shared/targets/target-settings.ts';

interface Observation {
  problems: Problem[];
  /** Undefined if we may not read it. */
  cluster: Outputs['inventory']['cluster'] | undefined;
  settings: TargetSettings | undefined;
  item: TargetPayer | undefined;
  /** The newest run that has chosen a report, otherwise the newest run. */
  onboarding: RunRecord | undefined;
}

/** A payer has few runs. If many failed runs are newer than the one that wrote something, the defaults of the request apply. */
const mostRunsRead = 20;

export const inventory = defineStep<'inventory', OffboardingRequest, Observation>({
  name: 'inventory',
  summary: 'Reads the onboarding of the payer to this cluster, and checks our access to both accounts',
  permissions: {
    table: ['GetItem', 'Query'],
    indexes: true,
    payer: [],
    cluster: [describeClusterPermission],
    // Calls the cluster's API only to learn whether it answers.
    kubernetes: [],
  },
  waits: { 'cluster-unreachable': { seconds: 10, longestSeconds: 120 } },

  input: ({ run }) => run.request,

  async observe(cx, request) {
    const findings = new ProblemList();
    const target = targetOf(request);
    const [, cluster, settings, payers, onboarding] = await Promise.all([
      findings.enter(cx.payer, () => Promise.resolve()),
      findings.enter(cx.cluster, () => readCluster(cx, request, findings)),
      readTargetSettings(target),
      listTargetPayers(target),
      findOnboarding(request),
    ]);
    const item = payers.find(({ payerAccountId }) => payerAccountId === request.payerAccountId);
    return { problems: findings.problems, cluster, settings, item, onboarding };
  },

  plan(request, { problems, cluster, ...known }, { now, since }): Plan<never, Outputs['inventory']> {
    const output = { cluster: cluster ?? null, ...recordedFacts(request, known) };
    const again = cluster && !request.dryRun ? untilReachable(problems, cluster.endpoint, now - since) : undefined;
    if (again) return waitFor(again, output);
    const refused = asOneProblem(problems);
    if (!refused) return { kind: 'ready', output };
    return { kind: 'refuse', ...refused, all: problems, ...(cluster !== undefined && { expected: output }) };
  },
});

/** Null if the cluster does not exist; undefined if we may not read it. */
async function readCluster(
  cx: StepContext<'offboarding'>,
  request: OffboardingRequest,
  findings: ProblemList,
): Promise<Observation['cluster']> {
  const cluster = await findCluster(cx.cluster, request.cluster, findings);
  if (cluster === undefined) return undefined;
  if (cluster === 'gone') return null;
  await checkUsable(cx.deployment, cluster, clusterArnOf(request), findings);
  return apiServerOf(cluster);
}

/** What the table and earlier runs have recorded; otherwise what a request with defaults would have created. */
function recordedFacts(
  request: OffboardingRequest,
  { settings, item, onboarding }: Pick<Observation, 'settings' | 'item' | 'onboarding'>,
): Omit<Outputs['inventory'], 'cluster'> {
  const { payerAccountId, cluster, kubecost } = request;
  const asked = onboarding?.request ?? OnboardingRequest.parse({ payerAccountId, cluster, kubecost });
  const report = outputIn(onboarding, 'cur-report') ?? outputIn(onboarding, 'report-choice');
  const results = outputIn(onboarding, 'athena-results');
  const published = outputIn(onboarding, 'publish');
  return {
    onboardedBy: onboarding?.runId ?? null,
    identityMode: settings?.identityMode ?? asked.identity.mode,
    serviceAccount:
      settings?.serviceAccount ??
      outputIn(onboarding, 'discovery')?.serviceAccount ??
      asked.identity.serviceAccount.name ??
      'kubecost-serviceaccount',
    publishedKey: item?.publishedKey ?? (published?.mode === 'secret' ? published.key : null),
    report: report
      ? {
          reportKind: report.reportKind,
          reportName: report.reportName,
          bucket: report.bucket,
          prefix: report.prefix,
          region: report.region,
        }
      : null,
    athenaWorkgroup: results?.athenaWorkgroup ?? asked.athena.workgroup,
    athenaResultsBucket:
      results?.athenaResultsBucket ??
      (report ? (asked.athena.resultsBucket ?? athenaResultsBucketName(payerAccountId, report.region)) : null),
  };
}

/** The recorded output of a step; undefined if the step has not succeeded or an older release's output cannot be parsed. */
function outputIn<Name extends 'cur-report' | 'report-choice' | 'athena-results' | 'publish' | 'discovery'>(
  run: RunRecord | undefined,
  name: Name,
): Outputs[Name] | undefined {
  return parseOutput(name, run?.steps[name]?.output);
}

async function findOnboarding(request: OffboardingRequest): Promise<RunRecord | undefined> {
  let newest: RunRecord | undefined;
  for (const { runId } of await listOnboardings(request)) {
    const run = await readRun(runId);
    if (run?.kind !== 'onboarding') continue;
    if (outputIn(run, 'report-choice')) return run;
    newest ??= run;
  }
  return newest;
}

/** The onboardings of this payer for this target, newest first. */
async function listOnboardings(request: OffboardingRequest): Promise<RunSummary[]> {
  const found: RunSummary[] = [];
  let start: RunPage['next'];
  do {
    const page = await listRuns({ by: 'payerAccountId', value: request.payerAccountId }, 100, start);
    found.push(...page.runs.filter((run) => isFor(run, request)));
    start = page.next;
  } while (start && found.length < mostRunsRead);
  return found.slice(0, mostRunsRead);
}

function isFor({ kind, request }: RunSummary, wanted: OffboardingRequest): boolean {
  return kind === 'onboarding' && !request.dryRun && targetId(targetOf(request)) === targetId(targetOf(wanted));
}

export const handler = stepHandler(inventory);
