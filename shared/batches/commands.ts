import { classify, RetryableError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import { newRunId } from '../model/run-id.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { claimKey } from '../runs/idempotency-key.ts';
import type { BatchRecord } from './batch-record.ts';
import { type BatchChange, countRuns, createBatch, findBatch, readBatch, updateBatch } from './batch-table.ts';
import { dispatch } from './dispatch.ts';
import { type BatchRequest, requestsOf, toleratedOf } from './request.ts';

/** Time limit for starting the first runs before the response. */
const firstWaveMs = 10_000;

/**
 * Writes the idempotency key, the onboardings and the batch, then starts its first runs, in this order: a repeat with the same key
 * continues where a crash stopped the first request.
 */
export async function startBatch(body: BatchRequest, idempotencyKey?: string): Promise<BatchRecord> {
  const { canary, concurrency, failureTolerance } = body;
  const requests = requestsOf(body);
  const options = { canary: canary ?? null, concurrency, failureTolerance };
  const size = requests.length;
  const gate = Math.min(canary ?? size, size);
  const at = now();
  const fresh = { runId: newRunId(at), createdAt: iso(at) };
  const claim = idempotencyKey === undefined ? fresh : await claimKey(idempotencyKey, { options, requests }, fresh);
  const batch: BatchRecord = {
    batchId: claim.runId,
    createdAt: claim.createdAt,
    state: 'running',
    size,
    options,
    dryRun: requests.every(({ dryRun }) => dryRun),
    next: 0,
    gate,
    failureLimit: toleratedOf(options, gate),
    recent: [],
    knocks: 0,
    pendingKey: 'batches',
  };
  if (claim === fresh || !(await readBatch(batch.batchId))) await createBatch(batch, requests);
  return dispatched(batch.batchId);
}

/** No further run starts; active runs continue. */
export function pauseBatch(batchId: string): Promise<BatchRecord> {
  return change(batchId, (batch) => {
    refuseIfOver(batch);
    return { state: 'paused', held: undefined };
  });
}

/** If the batch was held, its failed runs no longer count against the failure tolerance, because the caller has seen them. */
export async function resumeBatch(batchId: string): Promise<BatchRecord> {
  await change(batchId, async (batch) => {
    refuseIfOver(batch);
    if (batch.state !== 'held') return { state: 'running' };
    const failed = await countRuns(batchId, 'failed');
    const failureLimit = failed + toleratedOf(batch.options, batch.size);
    return { state: 'running', held: undefined, gate: batch.size, failureLimit };
  });
  return dispatched(batchId);
}

/** No further run starts, and active runs are cancelled. The batch ends with the last of its runs. */
export async function cancelBatch(batchId: string): Promise<BatchRecord> {
  await change(batchId, (batch) => {
    if (batch.state === 'cancelled') return undefined;
    refuseIfOver(batch);
    return {
      state: 'cancelled',
      cancelledAt: iso(now()),
      held: undefined,
      retryBefore: undefined,
      retryAfter: undefined,
    };
  });
  return dispatched(batchId);
}

/** Failed and cancelled runs get a new attempt; then the onboardings that have not started yet start. */
export async function retryBatch(batchId: string): Promise<BatchRecord> {
  await change(batchId, async ({ state, endedAt, next, size, gate, options }) => {
    if (state === 'cancelled' && endedAt === undefined)
      throw new RequestRefusal(
        'batch-not-retryable',
        'Runs of the batch are still being cancelled. Retry the batch when its endedAt is set.',
      );
    const [failed, cancelled, queued, running] = await Promise.all(
      (['failed', 'cancelled', 'queued', 'running'] as const).map((status) => countRuns(batchId, status)),
    );
    if (!failed && !cancelled && next === size) {
      if (queued || running) return undefined;
      throw new RequestRefusal('batch-not-retryable', 'The batch has no failed or cancelled run.');
    }
    return {
      state: 'running',
      held: undefined,
      cancelledAt: undefined,
      endedAt: undefined,
      pendingKey: 'batches',
      failureLimit: toleratedOf(options, gate),
      retryBefore: iso(now()),
      retryAfter: undefined,
    };
  });
  return dispatched(batchId);
}

/** @param decide returns the change; undefined if there is none */
async function change(
  batchId: string,
  decide: (batch: BatchRecord) => BatchChange | undefined | Promise<BatchChange | undefined>,
): Promise<BatchRecord> {
  for (let round = 0; round < 5; round++) {
    const batch = await findBatch(batchId);
    const to = await decide(batch);
    const changed = to ? await updateBatch(batchId, to, { state: batch.state }) : batch;
    if (changed) return changed;
  }
  throw new RetryableError('aws-unavailable', `other requests change batch ${batchId} at the same time`);
}

function refuseIfOver({ state, endedAt }: BatchRecord): void {
  if (state === 'cancelled') throw new RequestRefusal('batch-ended', 'The batch was cancelled.');
  if (endedAt !== undefined) throw new RequestRefusal('batch-ended', `The batch ended at ${endedAt}.`);
}

/** The batch has its new state even if dispatching fails; the sweeper dispatches it later. */
async function dispatched(batchId: string): Promise<BatchRecord> {
  try {
    await dispatch(batchId, now() + firstWaveMs);
  } catch (error) {
    log('batch not dispatched', { batchId, detail: classify(error).message });
  }
  return findBatch(batchId);
}
