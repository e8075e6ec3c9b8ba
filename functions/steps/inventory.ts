import { athenaResultsBucketName } from '../../shared/aws/names.ts';
import {
  apiServerOf,
  describeClusterPermission,
  findCluster,
  judgeCluster,
  untilAnswered,
} from '../../shared/cluster/cluster-check.ts';
import { type OffboardingRequest, OnboardingRequest } from '../../shared/model/onboarding-request.ts';
import type { RunRecord } from '../../shared/model/run.ts';
import { type Outputs, parseOutput } from '../../shared/model/step-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import { clusterArnOf, targetOf } from '../../shared/model/target.ts';
import type { RunSummary } from '../../shared/runs/run-item.ts';
import { listRuns, readRun, type RunPage } from '../../shared/runs/run-table.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { Findings, type Problem, refusalOf } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, type TargetPayer } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings, type TargetSettings } from '../../shared/targets/target-settings.ts';

interface Observation {
  problems: Problem[];
  /** Undefined if we may not look. */
  cluster: Outputs['inventory']['cluster'] | undefined;
  settings: TargetSettings | undefined;
  item: TargetPayer | undefined;
  /** The newest run that told which report it uses, else the newest one. */
  onboarding: RunRecord | undefined;
}

/** Runs of a payer are few; where a thousand failed ones lie before the one that did something, the request's defaults must do. */
const mostRunsRead = 20;

export const inventory = defineStep<'inventory', OffboardingRequest, Observation>({
  name: 'inventory',
  summary: 'Finds out what brought the payer to this cluster, and whether both accounts can still be entered',
  permissions: {
    table: ['GetItem', 'Query'],
    indexes: true,
    payer: [],
    cluster: [describeClusterPermission],
    // Calls the cluster's API only to learn whether it answers.
    kubernetes: [],
  },

  input: ({ run }) => run.request,

  async observe(cx, request) {
    const findings = new Findings();
    const target = targetOf(request);
    const [, cluster, settings, payers, onboarding] = await Promise.all([
      findings.enter(cx.payer, () => Promise.resolve()),
      findings.enter(cx.cluster, () => lookAtCluster(cx, request, findings)),
      readTargetSettings(target),
      listTargetPayers(target),
      findOnboarding(request),
    ]);
    const item = payers.find(({ payerAccountId }) => payerAccountId === request.payerAccountId);
    return { problems: findings.problems, cluster, settings, item, onboarding };
  },

  plan(request, { problems, cluster, ...known }, { now, since }): Plan<never, Outputs['inventory']> {
    const output = { cluster: cluster ?? null, ...recollect(request, known) };
    const again = cluster && !request.dryRun ? untilAnswered(problems, cluster.endpoint, now - since) : undefined;
    if (again) return waitFor(again, output);
    const refused = refusalOf(problems);
    if (!refused) return { kind: 'ready', output };
    return { kind: 'refuse', ...refused, all: problems, ...(cluster !== undefined && { expected: output }) };
  },
});

/** Null if the cluster is gone, undefined if nobody may look. */
async function lookAtCluster(
  cx: StepContext<'offboarding'>,
  request: OffboardingRequest,
  findings: Findings,
): Promise<Observation['cluster']> {
  const cluster = await findCluster(cx.cluster, request.cluster, findings);
  if (cluster === undefined) return undefined;
  if (cluster === 'gone') return null;
  await judgeCluster(cx.deployment, cluster, clusterArnOf(request), findings);
  return apiServerOf(cluster);
}

/** What the table and the runs before know; else what a request without any wishes would have made. */
function recollect(
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
      ? { reportName: report.reportName, bucket: report.bucket, prefix: report.prefix, region: report.region }
      : null,
    athenaWorkgroup: results?.athenaWorkgroup ?? asked.athena.workgroup,
    athenaResultsBucket:
      results?.athenaResultsBucket ??
      (report ? (asked.athena.resultsBucket ?? athenaResultsBucketName(payerAccountId, report.region)) : null),
  };
}

/** What a step has left, if it got that far and its output can be read. */
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

/** Newest first; the runs that brought this payer to this target, or tried to. */
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
