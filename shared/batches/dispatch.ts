import { randomUUID } from 'node:crypto';
import { endedStatuses } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { listKeyOf, readRunHead } from '../runs/run-table.ts';
import { releaseLease, takeLease } from '../table/lease.ts';
import type { BatchRecord } from './batch-record.ts';
import { cancelItem, isRetryable, retryItem, startItem } from './batch-run.ts';
import {
  countRuns,
  listAtWork,
  listBatchRuns,
  pageOfRuns,
  readBatch,
  readRequests,
  requestDispatch,
  updateBatch,
} from './batch-table.ts';
import { toleratedOf } from './request.ts';

/** Runs started in parallel, with about five calls each: below the 150 executions per second that Step Functions starts in the smaller regions. */
const groupSize = 10;
/**
 * Executions that a batch stops: at once, and then per second. A little less than the limits of Step Functions in the smaller
 * regions (its guide, "Quotas related to API action throttling": 500 and 25).
 */
const stops = { atOnce: 400, perSecond: 20 };
/** An index normally shows a write within a second (DynamoDB guide, "Using global secondary indexes"); this value is generous. */
const indexLagMs = 5_000;

/**
 * Starts onboardings of the batch while places are free, or does what its state requires. It may be called at any time and any number of
 * times: one caller holds the lease and also does the work of the others.
 * @param untilMs no work starts after this time, milliseconds since the epoch
 */
export async function dispatch(batchId: string, untilMs: number): Promise<void> {
  const holder = randomUUID();
  let hasRequested = false;
  while (now() < untilMs) {
    const lease = await takeLease(`batch#${batchId}`, holder, untilMs - now());
    if (lease) {
      let knocks: number | undefined;
      try {
        knocks = await work(batchId, untilMs);
      } finally {
        await releaseLease(lease);
      }
      if ((await readBatch(batchId))?.knocks === knocks) return;
    } else if (hasRequested) {
      return;
    } else {
      // Then we try the lease once more, because its holder may have read the requests for the last time.
      await requestDispatch(batchId);
      hasRequested = true;
    }
  }
}

/** @returns the number of dispatch requests before the last read, after which there was nothing left to do */
async function work(batchId: string, untilMs: number): Promise<number | undefined> {
  let knocks: number | undefined;
  let batch = await readBatch(batchId);
  while (batch) {
    knocks = batch.knocks;
    if (now() >= untilMs) break;
    batch = await turn(batch, untilMs);
  }
  return knocks;
}

/** Does one group of work. Returns the changed batch; undefined if there is nothing to do now. */
async function turn(batch: BatchRecord, untilMs: number): Promise<BatchRecord | undefined> {
  switch (batch.state) {
    case 'running':
      if (batch.retryBefore !== undefined) return retrySome(batch, batch.retryBefore);
      return batch.next < batch.size ? startSome(batch) : endIfDone(batch);
    case 'cancelled':
      await cancelAll(batch, untilMs);
      return endIfDone(batch);
    case 'paused':
    case 'held':
    case 'ended':
      return endIfDone(batch);
  }
}

async function startSome(batch: BatchRecord): Promise<BatchRecord | undefined> {
  const { batchId, next, gate, size, options } = batch;
  const failed = await countRuns(batchId, 'failed');
  if (failed > batch.failureLimit) {
    const held = `${failed} ${failed === 1 ? 'run has' : 'runs have'} failed; the limit is ${batch.failureLimit}${gate < size ? ' for the canaries' : ''}`;
    log('batch held', { batchId, failed });
    return updateBatch(batchId, { state: 'held', held }, { state: 'running' });
  }
  if (next >= gate) {
    if (await hasActiveRuns(batch)) return undefined;
    return updateBatch(batchId, { gate: size, failureLimit: toleratedOf(options, size) }, { gate });
  }
  const to = next + Math.min(groupSize, gate - next, await freePlaces(batch));
  if (to <= next) return undefined;
  const requests = await readRequests(batchId, next, to);
  const runIds = await allOf(requests.map((request, index) => startItem(batchId, next + index, request)));
  return updateBatch(batchId, { next: to, recent: [...lately(batch), ...startedNow(runIds)] }, { next });
}

async function retrySome(batch: BatchRecord, retryBefore: string): Promise<BatchRecord | undefined> {
  const { batchId } = batch;
  const places = Math.min(groupSize, await freePlaces(batch));
  if (places <= 0) return undefined;
  const { runs, isLast } = await pageOfRuns(batchId, batch.retryAfter, 50);
  const due = runs.filter((run) => isRetryable(run, retryBefore));
  const group = due.slice(0, places);
  const isWholePage = group.length === due.length;
  await allOf(group.map(({ runId }) => retryItem(runId, retryBefore)));
  const last = (isWholePage ? runs : group).at(-1);
  const isOver = last === undefined || (isLast && isWholePage);
  return updateBatch(
    batchId,
    {
      ...(isOver ? { retryBefore: undefined, retryAfter: undefined } : { retryAfter: listKeyOf(last) }),
      recent: [...lately(batch), ...startedNow(group.map(({ runId }) => runId))],
    },
    { retryBefore },
  );
}

/** Cancels as many runs as the time and Step Functions allow; the next call cancels the rest. */
async function cancelAll(batch: BatchRecord, untilMs: number): Promise<void> {
  if (batch.endedAt !== undefined) return;
  const { batchId } = batch;
  const [cancelled, ...shown] = await Promise.all([
    countRuns(batchId, 'cancelled'),
    listBatchRuns(batchId, 'queued'),
    listBatchRuns(batchId, 'running'),
  ]);
  const active = shown.flat();
  const others = active.filter(({ cancelRequestedAt }) => cancelRequestedAt === undefined);
  const stopped = cancelled + active.length - others.length;
  const due = new Set([...others, ...lately(batch)].map(({ runId }) => runId));
  const runIds = [...due].slice(0, Math.max(0, stopsBy(batch) - stopped));
  for (let from = 0; from < runIds.length && now() < untilMs; from += groupSize)
    await allOf(runIds.slice(from, from + groupSize).map(cancelItem));
}

/** Number of executions that may have been stopped by now. */
function stopsBy({ cancelledAt }: BatchRecord): number {
  const seconds = cancelledAt === undefined ? 0 : (now() - Date.parse(cancelledAt)) / 1000;
  return Math.floor(stops.atOnce + seconds * stops.perSecond);
}

/** Waits for every promise before it throws the first failure, so that no work continues after the function has ended. */
async function allOf<Result>(works: readonly Promise<Result>[]): Promise<Result[]> {
  await Promise.allSettled(works);
  return Promise.all(works);
}

/** The batch ends with the last of its runs. */
async function endIfDone(batch: BatchRecord): Promise<undefined> {
  const { batchId, state, next, size, retryBefore, endedAt } = batch;
  if (endedAt !== undefined) return;
  if (state !== 'cancelled' && (next < size || retryBefore !== undefined)) return;
  if (await hasActiveRuns(batch)) return;
  await updateBatch(
    batchId,
    {
      state: state === 'cancelled' ? state : 'ended',
      endedAt: iso(now()),
      held: undefined,
      pendingKey: undefined,
      recent: [],
    },
    { state },
  );
}

async function hasActiveRuns(batch: BatchRecord): Promise<boolean> {
  const counts = await Promise.all((['queued', 'running'] as const).map((status) => countRuns(batch.batchId, status)));
  return counts.some((count) => count > 0) || (await countActive(lately(batch).map(({ runId }) => runId))) > 0;
}

/** Free places. A run that waits for hours takes no place; a new run that the index does not show yet takes one. */
async function freePlaces(batch: BatchRecord): Promise<number> {
  const shown = await listAtWork(batch.batchId);
  const late = lately(batch).flatMap(({ runId }) => (shown.includes(runId) ? [] : [runId]));
  return batch.options.concurrency - shown.length - (await countActive(late));
}

async function countActive(runIds: readonly string[]): Promise<number> {
  const runs = await Promise.all(runIds.map(readRunHead));
  return runs.filter((run) => run && !endedStatuses.includes(run.status)).length;
}

function lately({ recent }: BatchRecord): BatchRecord['recent'] {
  return recent.filter(({ at }) => now() - at < indexLagMs);
}

function startedNow(runIds: readonly string[]): BatchRecord['recent'] {
  return runIds.map((runId) => ({ runId, at: now() }));
}
