import { classify, RetryableError } from '../errors/errors.ts';
import { Refusal } from '../errors/problem.ts';
import { newRunId } from '../model/run-id.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { claimKey } from '../runs/idempotency-key.ts';
import type { BatchRecord } from './batch-record.ts';
import { type BatchChange, countRuns, createBatch, findBatch, readBatch, updateBatch } from './batch-table.ts';
import { dispatch } from './dispatch.ts';
import { type BatchRequest, requestsOf, toleratedOf } from './request.ts';

/** The first runs are started before the request is answered, if that takes no longer. */
const firstWaveMs = 10_000;

/**
 * Idempotency key, onboardings, the batch itself, its first runs, in this order: a repeat with the same key goes on wherever a crash
 * stopped the first request.
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

/** Nothing more is started; what runs goes on. */
export function pauseBatch(batchId: string): Promise<BatchRecord> {
  return change(batchId, (batch) => {
    refuseIfOver(batch);
    return { state: 'paused', held: undefined };
  });
}

/** What has failed by now counts no more against the tolerance of a batch that was held: whoever resumes it knows. */
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

/** Nothing more is started, and what runs is cancelled; the batch has ended when the last of its runs has. */
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

/** What has failed or was cancelled gets a new attempt, what was never started its first. */
export async function retryBatch(batchId: string): Promise<BatchRecord> {
  await change(batchId, async ({ state, endedAt, next, size, gate, options }) => {
    if (state === 'cancelled' && endedAt === undefined)
      throw new Refusal('batch-not-retryable', 'Runs of the batch are still being cancelled.');
    const [failed, cancelled, queued, running] = await Promise.all(
      (['failed', 'cancelled', 'queued', 'running'] as const).map((status) => countRuns(batchId, status)),
    );
    if (!failed && !cancelled && next === size) {
      if (queued || running) return undefined;
      throw new Refusal('batch-not-retryable', 'No run of the batch has failed or was cancelled.');
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

/** @param decide what is to change; undefined if nothing */
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
  throw new RetryableError('aws-unavailable', `batch ${batchId} changes too quickly`);
}

function refuseIfOver({ state, endedAt }: BatchRecord): void {
  if (state === 'cancelled') throw new Refusal('batch-ended', 'The batch was cancelled.');
  if (endedAt !== undefined) throw new Refusal('batch-ended', `The batch ended at ${endedAt}.`);
}

/** What cannot be done now the sweeper does: the batch is as it was asked to be. */
async function dispatched(batchId: string): Promise<BatchRecord> {
  try {
    await dispatch(batchId, now() + firstWaveMs);
  } catch (error) {
    log('batch not dispatched', { batchId, detail: classify(error).message });
  }
  return findBatch(batchId);
}
