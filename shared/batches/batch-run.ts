import { classify } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import type { AnyRun } from '../model/run.ts';
import { runIdAt } from '../model/run-id.ts';
import { OnboardingRequest } from '../model/run-requests.ts';
import { runErrorOf } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { cancelRun } from '../runs/cancel.ts';
import { endRun } from '../runs/record-end.ts';
import { retryRun } from '../runs/retry.ts';
import { createRun, type NewRun, readRun } from '../runs/run-table.ts';
import { completeStart, refuseIfTargetDiffers } from '../runs/start.ts';
import { failUnreadableRun, tryReadRun } from '../runs/unreadable-run.ts';

/**
 * Creates and starts the run of one onboarding of a batch; safe to repeat. If it cannot start, the run ends as failed with the reason, so
 * that it is counted, shows its remedy, and can be retried.
 * @param stored the request as it was sent, perhaps to an earlier release
 */
export async function startItem(batchId: string, index: number, stored: OnboardingRequest): Promise<string> {
  const run: NewRun = {
    runId: runIdAt(batchId, index),
    kind: 'onboarding',
    attempt: 1,
    status: 'queued',
    batchId,
    createdAt: iso(now()),
    request: OnboardingRequest.safeParse(stored).data ?? stored,
  };
  const isNew = await createRun(run);
  try {
    const known = isNew ? undefined : await readRun(run.runId);
    if (known && known.status !== 'queued') return run.runId;
    await refuseIfTargetDiffers(run);
    await completeStart(known ?? run);
  } catch (thrown) {
    const error = classify(thrown);
    if (error.name === 'RetryableError') throw error;
    const created = await tryReadRun(run.runId);
    const message = error instanceof RequestRefusal ? wordsOf(error) : error.message;
    if ('unreadable' in created) await failUnreadableRun(run.runId, created.unreadable);
    else if (created.run) await endRun(created.run, 'failed', runErrorOf({ code: error.code, message }, null));
  }
  return run.runId;
}

/** The message with the problems of all fields: the error of a run has no list of fields. */
function wordsOf({ message, errors = [] }: RequestRefusal): string {
  return [message, ...errors.map(({ pointer, detail }) => `${pointer ?? ''} ${detail}.`)].join(' ');
}

/** True if a round of retries includes the run. */
export function isRetryable({ status, endedAt }: Pick<AnyRun, 'status' | 'endedAt'>, before: string): boolean {
  return (status === 'failed' || status === 'cancelled') && endedAt !== undefined && endedAt <= before;
}

/** Starts a new attempt, unless the run has a newer one already. If the retry is refused, the run stays as it is. */
export async function retryItem(runId: string, before: string): Promise<void> {
  await unlessRefused('run not retried', runId, async () => {
    const run = await readRun(runId);
    if (run && isRetryable(run, before)) await retryRun(run);
  });
}

export async function cancelItem(runId: string): Promise<void> {
  await unlessRefused('run not cancelled', runId, async () => {
    const run = await readRun(runId);
    if (run) await cancelRun(run);
  });
}

/** A run that is refused, or whose record cannot be read, must not keep the batch's others waiting. */
async function unlessRefused(what: string, runId: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (thrown) {
    const error = classify(thrown);
    if (error.name === 'RetryableError') throw error;
    log(what, { runId, step: 'batch', code: error.code, detail: error.message });
  }
}
