import * as z from 'zod';
import { RunPlan } from '../model/plan-schemas.ts';
import { type AnyRun, skips } from '../model/run.ts';
import { runLink } from '../model/run-link.ts';
import { OffboardingRequest, OnboardingRequest } from '../model/run-requests.ts';
import {
  Change,
  endedStatuses,
  RunError,
  runStatuses,
  StepNameView,
  type StepRecord,
  stepStatuses,
  type StoredWait,
  Timestamp,
  Waiting,
} from '../model/run-schemas.ts';
import { runKinds, type StepName, stepNamesOf } from '../model/step-names.ts';
import { outputs, parseOutput } from '../model/steps-and-outputs.ts';
import { clusterArnOf } from '../model/target.ts';
import { nextLook } from '../model/watch-times.ts';
import { iso, now } from '../platform/clock.ts';
import { planOf } from './dry-run-plan.ts';
import type { RunSummary } from './run-item.ts';

const StepView = z
  .object({
    name: StepNameView,
    status: z.enum(stepStatuses),
    startedAt: Timestamp.nullable(),
    endedAt: Timestamp.nullable(),
    invocations: z.int().meta({ description: 'Number of invocations of the step' }),
    waiting: Waiting.nullable(),
    changes: z.array(Change).meta({ description: 'The changes that the step made; in a dry run: would make' }),
    warnings: z.array(z.string()),
    output: z.record(z.string(), z.unknown()).nullable(),
    error: RunError.nullable(),
  })
  .meta({ id: 'Step' });

const Evidence = z
  .object({
    level: z.enum(['connection', 'query', 'table']).meta({
      description:
        'connection: the consumer in the cluster reports that it reads the bill. query: we read the bill through Athena. table: we only saw its table',
    }),
    connection: outputs['load-proof']
      .meta({ id: 'ConnectionEvidence', description: 'What the consumer reports about the entry of this payer' })
      .nullable(),
    query: outputs['smoke-query'].meta({ id: 'QueryEvidence' }),
    secret: outputs.publish
      .omit({ entry: true, secret: true })
      .extend({ name: z.string() })
      .meta({ id: 'SecretEvidence' }),
    entry: z
      .record(z.string(), z.unknown())
      .meta({ description: 'The entry of this payer in the file of the cluster' }),
  })
  .meta({ id: 'Evidence', description: 'The proof that the onboarding works' });

export const ListedRun = z
  .object({
    runId: z.string(),
    kind: z.enum(runKinds),
    attempt: z.int().meta({ description: 'Number of the attempt, from 1; each retry is a new attempt' }),
    status: z.enum(runStatuses),
    cancelling: z.boolean().meta({ description: 'True after a cancel request, while a step may still write' }),
    request: z.union([OnboardingRequest, OffboardingRequest]),
    batchId: z.string().nullable(),
    createdAt: Timestamp,
    startedAt: Timestamp.nullable().meta({ description: 'Start of the first step of this attempt' }),
    endedAt: Timestamp.nullable(),
    error: RunError.nullable(),
    links: z.object({
      self: z.string(),
      payer: z.string().meta({ description: 'Runs of this payer' }),
      cluster: z.string().meta({ description: 'Runs for this cluster' }),
      batch: z.string().nullable().meta({ description: 'The batch of the run' }),
    }),
  })
  .meta({ id: 'RunSummary' });
export type ListedRun = z.output<typeof ListedRun>;

export const Run = ListedRun.extend({
  progress: z.object({
    percent: z.int().min(0).max(100),
    currentSteps: z.array(StepNameView).meta({ description: 'Steps that are running or waiting' }),
  }),
  waiting: z
    .array(Waiting.extend({ step: StepNameView }))
    .meta({ description: 'What the run waits for, and until when' }),
  changes: z.int().meta({ description: 'Number of changes over all steps' }),
  steps: z.array(StepView),
  evidence: Evidence.nullable(),
  plan: RunPlan.nullable().meta({ description: 'The plan of a dry run; null for any other run' }),
}).meta({ id: 'Run' });
export type Run = z.output<typeof Run>;

export function listedRun({
  runId,
  kind,
  attempt,
  status,
  request,
  batchId,
  cancelRequestedAt,
  createdAt,
  startedAt,
  endedAt,
  error,
}: RunSummary): ListedRun {
  return {
    runId,
    kind,
    attempt,
    status,
    cancelling: cancelRequestedAt !== undefined && !endedStatuses.includes(status),
    request,
    batchId: batchId ?? null,
    createdAt,
    startedAt: startedAt ?? null,
    endedAt: endedAt ?? null,
    error: error ?? null,
    links: {
      self: runLink(runId),
      payer: `/v1/runs?payerAccountId=${request.payerAccountId}`,
      cluster: `/v1/runs?cluster=${encodeURIComponent(clusterArnOf(request))}`,
      batch: batchId === undefined ? null : `/v1/batches/${batchId}`,
    },
  };
}

export function runView(run: AnyRun, at = now()): Run {
  const steps = stepNamesOf[run.kind].map((name) => stepView(run, name));
  // A run that has ended keeps the last status of its steps, but it has no current steps.
  const isActive = !endedStatuses.includes(run.status);
  return {
    ...listedRun(run),
    progress: {
      percent: percentOf(run, run.endedAt === undefined ? at : Date.parse(run.endedAt)),
      currentSteps: isActive
        ? steps.filter(({ status }) => status === 'running' || status === 'waiting').map(({ name }) => name)
        : [],
    },
    waiting: steps.flatMap(({ name, waiting }) => (isActive && waiting ? [{ step: name, ...waiting }] : [])),
    changes: run.request.dryRun ? 0 : steps.reduce((sum, { changes }) => sum + changes.length, 0),
    steps,
    evidence: evidenceOf(run),
    plan: planOf(run),
  };
}

function stepView(run: AnyRun, name: StepName): z.output<typeof StepView> {
  const step = run.steps[name];
  return {
    name,
    status: statusOf(run, name),
    startedAt: step?.startedAt ?? null,
    endedAt: step?.endedAt ?? null,
    invocations: step?.invocations ?? 0,
    waiting: step?.status === 'waiting' && step.waiting ? waitView(run, step.waiting) : null,
    changes: step?.changes ?? [],
    warnings: step?.warnings ?? [],
    output: readable(step?.output),
    error: step?.error ?? null,
  };
}

/** While the watcher checks for the step, its check is the next one. */
function waitView({ runId, endedAt }: AnyRun, wait: StoredWait): z.output<typeof Waiting> {
  const { for: reason, since, expectedBy, deadline, next, watchMinutes } = wait;
  const nextCheck =
    watchMinutes === undefined
      ? undefined
      : nextLook(runId, watchMinutes, endedAt === undefined ? now() : Date.parse(endedAt));
  const soonest = nextCheck === undefined ? next : iso(Math.min(nextCheck, Date.parse(next)));
  return { for: reason, since, expectedBy, deadline, next: soonest };
}

/** A step that the run does not need is shown as skipped from the start. */
function statusOf(run: AnyRun, name: StepName): StepRecord['status'] {
  const status = run.steps[name]?.status ?? 'pending';
  return status === 'pending' && skips(run, name) ? 'skipped' : status;
}

/** The output without the certificate bundle of the cluster, which is two kB of base64. */
function readable(output: StepRecord['output']): Record<string, unknown> | null {
  if (!output) return null;
  return Object.fromEntries(Object.entries(output).filter(([name]) => name !== 'certificateAuthority'));
}

/** The first delivery takes most of a day; all other steps take minutes. */
const deliveryWeight = 40;
const deliveryHours = 24;

function percentOf(run: AnyRun, at: number): number {
  if (run.status === 'succeeded' || run.status === 'planned') return 100;
  let done = 0;
  let all = 0;
  for (const name of stepNamesOf[run.kind]) {
    const weight = name === 'first-delivery' ? deliveryWeight : 1;
    const status = statusOf(run, name);
    if (status === 'skipped') continue;
    all += weight;
    if (['succeeded', 'planned', 'not-visible'].includes(status)) done += weight;
    else if (name === 'first-delivery') done += weight * elapsed(run.steps[name], at);
  }
  return Math.min(99, Math.floor((100 * done) / all));
}

/** Elapsed share of the expected wait, at most 0.95. */
function elapsed(step: StepRecord | undefined, at: number): number {
  if (!step?.startedAt) return 0;
  const start = Date.parse(step.startedAt);
  const expected = Date.parse(step.waiting?.expectedBy ?? iso(start + deliveryHours * 3_600_000)) - start;
  const until = step.endedAt ? Date.parse(step.endedAt) : at;
  return expected > 0 ? Math.min(0.95, Math.max(0, (until - start) / expected)) : 0;
}

function evidenceOf(run: AnyRun): z.output<typeof Evidence> | null {
  if (run.status !== 'succeeded') return null;
  const query = outputs['smoke-query'].safeParse(run.steps['smoke-query']?.output);
  const published = outputs.publish.safeParse(run.steps.publish?.output);
  if (!query.success || !published.success) return null;
  const connection = parseOutput('load-proof', run.steps['load-proof']?.output) ?? null;
  const { entry, secret, ...rest } = published.data;
  const queried = query.data.level === 'table-only' ? 'table' : 'query';
  return {
    level: connection?.verdict === 'proven' ? 'connection' : queried,
    connection,
    query: query.data,
    secret: { name: secret, ...rest },
    entry,
  };
}
