import * as z from 'zod';
import { runLink } from '../model/links.ts';
import { OffboardingRequest, OnboardingRequest } from '../model/onboarding-request.ts';
import { RunPlan } from '../model/plan-schemas.ts';
import { type AnyRun, skips } from '../model/run.ts';
import {
  Change,
  endedStatuses,
  RunError,
  runStatuses,
  StepNameView,
  type StepRecord,
  stepStatuses,
  Timestamp,
  Waiting,
} from '../model/run-schemas.ts';
import { runKinds, type StepName, stepNamesOf } from '../model/step-names.ts';
import { outputs } from '../model/step-outputs.ts';
import { clusterArnOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { planOf } from './dry-run-plan.ts';
import type { RunSummary as StoredSummary } from './run-item.ts';

const StepView = z
  .object({
    name: StepNameView,
    status: z.enum(stepStatuses),
    startedAt: Timestamp.nullable(),
    endedAt: Timestamp.nullable(),
    invocations: z.int().meta({ description: 'How often the step looked' }),
    waiting: Waiting.nullable(),
    changes: z.array(Change).meta({ description: 'What the step wrote; of a dry run: what it would write' }),
    warnings: z.array(z.string()),
    output: z.record(z.string(), z.unknown()).nullable(),
    error: RunError.nullable(),
  })
  .meta({ id: 'Step' });

const Evidence = z
  .object({
    level: z.enum(['connection', 'query', 'table']).meta({
      description:
        'connection: the consumer in the cluster says that it reads the bill; query: we read it through Athena; table: only its table was seen',
    }),
    connection: outputs['load-proof']
      .meta({ id: 'ConnectionEvidence', description: 'What the consumer says about this payer’s entry' })
      .nullable(),
    query: outputs['smoke-query'].meta({ id: 'QueryEvidence' }),
    secret: outputs.publish
      .omit({ entry: true, secret: true })
      .extend({ name: z.string() })
      .meta({ id: 'SecretEvidence' }),
    entry: z.record(z.string(), z.unknown()).meta({ description: 'This payer’s entry as the cluster’s file holds it' }),
  })
  .meta({ id: 'Evidence', description: 'What proves that the run reached its end' });

export const RunSummary = z
  .object({
    runId: z.string(),
    kind: z.enum(runKinds),
    attempt: z.int().meta({ description: 'Counts from 1; each retry is a new attempt' }),
    status: z.enum(runStatuses),
    cancelling: z.boolean().meta({ description: 'Asked to end; a step may still be at work' }),
    request: z.union([OnboardingRequest, OffboardingRequest]),
    batchId: z.string().nullable(),
    createdAt: Timestamp,
    startedAt: Timestamp.nullable().meta({ description: 'When the first step of this attempt began' }),
    endedAt: Timestamp.nullable(),
    error: RunError.nullable(),
    links: z.object({
      self: z.string(),
      payer: z.string().meta({ description: 'Runs of this payer' }),
      cluster: z.string().meta({ description: 'Runs for this cluster' }),
      batch: z.string().nullable().meta({ description: 'The batch that started it' }),
    }),
  })
  .meta({ id: 'RunSummary' });
export type RunSummary = z.output<typeof RunSummary>;

export const Run = RunSummary.extend({
  progress: z.object({
    percent: z.int().min(0).max(100),
    currentSteps: z.array(StepNameView).meta({ description: 'Steps that run or wait now' }),
  }),
  waiting: z
    .array(Waiting.extend({ step: StepNameView }))
    .meta({ description: 'What the run waits for, and until when' }),
  changes: z.int().meta({ description: 'Number of changes over all steps' }),
  steps: z.array(StepView),
  evidence: Evidence.nullable(),
  plan: RunPlan.nullable().meta({ description: 'Of a dry run' }),
}).meta({ id: 'Run' });
export type Run = z.output<typeof Run>;

export function runSummary({
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
}: StoredSummary): RunSummary {
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
  // What a run was at when it ended stays in its steps.
  const isActive = !endedStatuses.includes(run.status);
  return {
    ...runSummary(run),
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
    waiting: (step?.status === 'waiting' && step.waiting) || null,
    changes: step?.changes ?? [],
    warnings: step?.warnings ?? [],
    output: readable(step?.output),
    error: step?.error ?? null,
  };
}

/** A step that this run does not take need not wait for its turn to be seen as skipped. */
function statusOf(run: AnyRun, name: StepName): StepRecord['status'] {
  const status = run.steps[name]?.status ?? 'pending';
  return status === 'pending' && skips(run, name) ? 'skipped' : status;
}

/** Without the cluster's certificate bundle: two kB of base64 that nobody reads. */
function readable(output: StepRecord['output']): Record<string, unknown> | null {
  if (!output) return null;
  return Object.fromEntries(Object.entries(output).filter(([name]) => name !== 'certificateAuthority'));
}

/** The first delivery takes most of a day, everything else minutes. */
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

/** Fraction of the expected time that the wait has lasted; never quite all of it. */
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
  const connection = outputs['load-proof'].safeParse(run.steps['load-proof']?.output).data ?? null;
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
