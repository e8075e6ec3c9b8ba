import * as z from 'zod';
import { RunError, type RunStatus, Timestamp } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { type BatchRecord, batchStates } from './batch-record.ts';
import { listShownRuns, type ShownRun } from './batch-table.ts';
import { BatchPlan, batchPlan, placeMinutes, RunOfBatch, shown } from './dry-run-plan.ts';
import { BatchOptions } from './request.ts';

const count = z.int().min(0);

export const Batch = z
  .object({
    batchId: z.string(),
    status: z.enum(batchStates).meta({
      description:
        'running. paused: no further run starts until the batch is resumed. held: as paused, because too many runs have failed. cancelled: no further run starts, and active runs are being cancelled until endedAt is set. ended: every run has ended',
    }),
    heldBecause: z.string().nullable(),
    dryRun: z.boolean().meta({ description: 'True if every run only plans' }),
    createdAt: Timestamp,
    endedAt: Timestamp.nullable().meta({ description: 'End of the last run' }),
    options: BatchOptions,
    size: count.meta({ description: 'Number of onboardings' }),
    counts: z
      .object({
        notStarted: count,
        queued: count,
        running: count,
        succeeded: count,
        failed: count,
        cancelled: count,
        planned: count,
      })
      .meta({ id: 'BatchCounts', description: 'Number of onboardings by status; the sum is `size`' }),
    percent: z.int().min(0).max(100).meta({
      description:
        'A run that has ended counts in full. An active run counts by its share of a day, or of five minutes if it only plans',
    }),
    eta: Timestamp.nullable().meta({
      description:
        'Expected end of the last run, if each run takes as long as the last succeeded ones. A run that has already taken twice as long counts as a day, and so does every run before the first success. Null unless the batch is running',
    }),
    failed: z
      .array(
        RunOfBatch.extend({ error: RunError.pick({ code: true, title: true, actor: true, remedy: true }) }).meta({
          id: 'FailedRun',
        }),
      )
      .meta({ description: 'The newest 20 failed runs; links.failed lists all' }),
    slowest: z
      .array(RunOfBatch.extend({ startedAt: Timestamp }).meta({ id: 'SlowRun' }))
      .meta({ description: 'The five active runs that started first' }),
    plan: BatchPlan.nullable().meta({ description: 'The plan of a batch of dry runs; null for any other batch' }),
    links: z.object({
      self: z.string(),
      runs: z.string().meta({ description: 'Runs of the batch, newest first' }),
      failed: z.string().meta({ description: 'Failed runs' }),
      running: z.string().meta({ description: 'Active runs' }),
    }),
  })
  .meta({ id: 'Batch' });
export type Batch = z.output<typeof Batch>;

const shownFailures = 20;
const shownSlowest = 5;
/** Number of the newest succeeded runs whose mean duration is the expected duration. */
const typicalOf = 20;
const dayMs = 24 * 3_600_000;
const planMs = 5 * 60_000;
const placeMs = placeMinutes * 60_000;

/** The batch as the API shows it, from its record and its runs in the index. Partial lists start with the newest run. */
export async function batchView(batch: BatchRecord, at = now()): Promise<Batch> {
  const { batchId, state, size, options, dryRun, createdAt } = batch;
  const runs = await listShownRuns(batchId);
  const having = (status: RunStatus) => runs.filter((run) => run.status === status);
  const [running, failures, planned] = [having('running'), having('failed'), having('planned')];
  const [queued, succeeded, cancelled] = [
    having('queued').length,
    having('succeeded').length,
    having('cancelled').length,
  ];
  const failed = failures.length;
  const ended = succeeded + failed + cancelled + planned.length;
  const active = queued + running.length;
  const notStarted = Math.max(0, size - ended - active);
  // A single run of an ended batch can be retried.
  const status = state === 'ended' && active > 0 ? 'running' : state;
  const longest = dryRun ? planMs : dayMs;
  const expected = expectedBy(having(dryRun ? 'planned' : 'succeeded').slice(-typicalOf), longest);
  const times = [...running.map((run) => at - startOf(run)), ...Array.from({ length: queued }, () => 0)];
  const shares = times.reduce((sum, elapsed) => sum + Math.min(0.95, elapsed / longest), 0);
  return {
    batchId,
    status,
    heldBecause: batch.held ?? null,
    dryRun,
    createdAt,
    endedAt: active > 0 ? null : (batch.endedAt ?? null),
    options,
    size,
    counts: { notStarted, queued, running: running.length, succeeded, failed, cancelled, planned: planned.length },
    percent: ended === size ? 100 : Math.min(99, Math.floor((100 * (ended + shares)) / size)),
    eta:
      status === 'running' && ended < size
        ? iso(at + remaining(times, notStarted, options.concurrency, expected))
        : null,
    failed: failures
      .slice(-shownFailures)
      .reverse()
      .flatMap((run) => {
        if (!run.error) return [];
        const { code, title, actor, remedy } = run.error;
        return [{ ...shown(run), error: { code, title, actor, remedy } }];
      }),
    slowest: running
      .sort((one, other) => startOf(one) - startOf(other))
      .slice(0, shownSlowest)
      .map((run) => ({ ...shown(run), startedAt: iso(startOf(run)) })),
    plan: batchPlan(batch, planned),
    links: {
      self: batchLink(batchId),
      runs: `/v1/runs?batchId=${batchId}`,
      failed: `/v1/runs?batchId=${batchId}&status=failed`,
      running: `/v1/runs?batchId=${batchId}&status=running`,
    },
  };
}

export function batchLink(batchId: string): string {
  return `/v1/batches/${batchId}`;
}

function startOf({ startedAt, createdAt }: ShownRun): number {
  return Date.parse(startedAt ?? createdAt);
}

/** Expected duration of a run from its elapsed time, in milliseconds. */
function expectedBy(done: readonly ShownRun[], longest: number): (elapsed: number) => number {
  const durations = done.map((run) => Date.parse(run.endedAt ?? run.createdAt) - startOf(run));
  const typical = durations.length > 0 ? durations.reduce((sum, duration) => sum + duration, 0) / durations.length : 0;
  return (elapsed) => (elapsed < 2 * typical ? typical : longest);
}

/** Expected time until the last run ends, active or not started yet, in milliseconds. */
function remaining(
  times: readonly number[],
  notStarted: number,
  concurrency: number,
  expected: (elapsed: number) => number,
): number {
  const ofRunning = times.map((elapsed) => Math.max(0.05 * expected(elapsed), expected(elapsed) - elapsed));
  const waves = Math.ceil(notStarted / concurrency);
  const ofOthers = waves > 0 ? waves * Math.min(placeMs, expected(0)) + expected(0) : 0;
  return Math.max(ofOthers, ...ofRunning);
}
