import { closeLeftWindow } from '../cluster/admin-window.ts';
import { classify } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses, type RunError, runErrorOf } from '../model/run-schemas.ts';
import { stepNames } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { log } from '../platform/logger.ts';
import { readWindow } from '../targets/admin-windows.ts';
import { releaseLock } from './payer-target-lock.ts';
import { hasUnpublishedEvents, publishEvents } from './publish-events.ts';
import { endRun, isAtWork, isCancelling } from './record-end.ts';
import { forgetTasks } from './waiting-task.ts';

/** Why an execution ended early, as seen from outside the steps. */
export interface Failure {
  code: 'step-crashed' | 'execution-stopped';
  message: string;
}

/**
 * Ends a run: closes its administrator window, sets the status once, releases the lock. Safe to repeat. A cancelled run stays active
 * while one of its steps may still write; the end of that step, or the sweeper, ends the run.
 */
export async function closeRun(run: AnyRun, failure?: Failure): Promise<void> {
  if (isCancelling(run) && isAtWork(run)) return;
  try {
    await closeWindowOf(run);
  } finally {
    // The run must end even if the cluster does not answer.
    const ended = await setEnd(run, failure);
    await releaseLock(run);
    await forgetTasks(run);
    if (ended && hasUnpublishedEvents(ended)) await publishEvents(ended);
  }
}

/** The ended run; undefined if another invocation is ending it. */
async function setEnd(run: AnyRun, failure?: Failure): Promise<AnyRun | undefined> {
  if (endedStatuses.includes(run.status)) return run;
  const { status, error } = endOf(run, failure);
  const ended = await endRun(run, status, error);
  if (ended) log('run ended', { runId: run.runId, step: 'close', status, code: error?.code });
  return ended;
}

/** A failure after a cancel request is ignored, because the cancel itself may have caused it. */
function endOf(run: AnyRun, failure?: Failure): { status: AnyRun['status']; error?: RunError } {
  if (isCancelling(run)) return { status: 'cancelled' };
  if (failure) return { status: 'failed', error: failureOf(run, failure) };
  return { status: run.request.dryRun ? 'planned' : 'succeeded' };
}

/**
 * The error that the failed step recorded; otherwise the recorded error that the state machine quotes after its last retry (another
 * branch may have recorded an error that a retry resolves); otherwise what the state machine reports, for the step that was running.
 */
function failureOf(run: AnyRun, failure: Failure): RunError {
  const records = stepNames.flatMap((name) => run.steps[name] ?? []);
  const failed =
    records.find(({ status }) => status === 'failed') ??
    records.find(({ error }) => error && failure.message.endsWith(`: ${error.message}`));
  if (failed?.error) return failed.error;
  const [running, ...others] = stepNames.filter((name) => run.steps[name]?.status === 'running');
  return runErrorOf(failure, failure.code === 'step-crashed' && others.length === 0 ? (running ?? null) : null);
}

/** If the cluster denies access, the window stays marked and the sweeper tries again. The state machine retries a retryable error. */
async function closeWindowOf(run: AnyRun): Promise<void> {
  const clusterArn = clusterArnOf(run.request);
  const window = await readWindow(clusterArn);
  if (window?.runId !== run.runId) return;
  try {
    await closeLeftWindow(clusterArn, window);
  } catch (thrown) {
    const error = classify(thrown);
    if (error.name === 'RetryableError') throw error;
    log('admin window still open', { runId: run.runId, step: 'close', cluster: clusterArn, detail: error.message });
  }
}
