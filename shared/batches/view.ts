import * as z from 'zod';
import { RunError, type RunStatus, Timestamp } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { type BatchRecord, batchStates } from './batch-record.ts';
import { listShownRuns, type ShownRun } from './batch-table.ts';
import { BatchPlan, batchPlan, placeMinutes, RunOfBatch, shown } from './plan.ts';
import { BatchOptions } from './request.ts';

const count = z.int().min(0);

export const Batch = z
  .object({
    batchId: z.string(),
    status: z.enum(batchStates).meta({
      description:
        'running; paused: nothing more is started until it is resumed; held: as paused, for too many runs have failed; cancelled: nothing more is started, and what runs is being cancelled until endedAt is set; ended: every run has ended',
    }),
    heldBecause: z.string().nullable(),
    dryRun: z.boolean().meta({ description: 'Every run only looks and plans' }),
    createdAt: Timestamp,
    endedAt: Timestamp.nullable().meta({ description: 'When the last run ended' }),
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
      .meta({ id: 'BatchCounts', description: 'Onboardings by what has become of them; together `size`' }),
    percent: z.int().min(0).max(100).meta({
      description:
        'A run that has ended counts whole, one that runs by the time it has taken of a day, or of five minutes if it only plans',
    }),
    eta: Timestamp.nullable().meta({
      description:
        'When the last run may end, if each takes as long as those that succeeded last; a day if it has taken twice that, or none has succeeded yet. Null unless the batch is running',
    }),
    failed: z
      .array(
        RunOfBatch.extend({ error: RunError.pick({ code: true, title: true, actor: true, remedy: true }) }).meta({
          id: 'FailedRun',
        }),
      )
      .meta({ description: 'The newest 20; links.failed lists all' }),
    slowest: z
      .array(RunOfBatch.extend({ startedAt: Timestamp }).meta({ id: 'SlowRun' }))
      .meta({ description: 'The five that have been running longest' }),
    plan: BatchPlan.nullable().meta({ description: 'Of dry runs' }),
    links: z.object({
      self: z.string(),
      runs: z.string().meta({ description: 'Runs of the batch, newest first' }),
      failed: z.string().meta({ description: 'Those that have failed' }),
      running: z.string().meta({ description: 'Those that run' }),
    }),
  })
  .meta({ id: 'Batch' });
export type Batch = z.output<typeof Batch>;

const shownFailures = 20;
const shownSlowest = 5;
/** So many of the newest runs that have succeeded tell how long one takes. */
const typicalOf = 20;
const dayMs = 24 * 3_600_000;
const planMs = 5 * 60_000;
const placeMs = placeMinutes * 60_000;

/** From the batch and its runs as the index shows them, newest first where only some are shown. */
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
  // A run of an ended batch can be retried by itself.
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

/** How long a run is expected to take that has taken so long, in milliseconds. */
function expectedBy(done: readonly ShownRun[], longest: number): (elapsed: number) => number {
  const durations = done.map((run) => Date.parse(run.endedAt ?? run.createdAt) - startOf(run));
  const typical = durations.length > 0 ? durations.reduce((sum, duration) => sum + duration, 0) / durations.length : 0;
  return (elapsed) => (elapsed < 2 * typical ? typical : longest);
}

/** Of the longest that runs, or of the last that is still to be started; in milliseconds. */
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
