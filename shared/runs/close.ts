import { closeLeftWindow } from '../cluster/admin-window.ts';
import { classify } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses, type RunError, runErrorOf } from '../model/run-schemas.ts';
import { stepNames } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { log } from '../platform/logger.ts';
import { readWindow } from '../targets/admin-windows.ts';
import { endRun, isAtWork, isCancelling } from './end.ts';
import { releaseLock } from './lock.ts';
import { announce, hasNews } from './publish-events.ts';

/** Why an execution ended before its work was done, as far as can be told from outside the steps. */
export interface Failure {
  code: 'step-crashed' | 'execution-stopped';
  message: string;
}

/**
 * The one way a run ends: the administrator's window closed, status set once, lock released. Safe to repeat. A run that is to be cancelled stays
 * as it is while one of its steps may still write: that one's end, or the sweeper, ends it.
 */
export async function closeRun(run: AnyRun, failure?: Failure): Promise<void> {
  if (isCancelling(run) && isAtWork(run)) return;
  try {
    await closeWindowOf(run);
  } finally {
    // A cluster that does not answer must not keep the run from ending.
    const ended = await setEnd(run, failure);
    await releaseLock(run);
    if (ended && hasNews(ended)) await announce(ended);
  }
}

/** The run as it ended; undefined if somebody else is ending it right now. */
async function setEnd(run: AnyRun, failure?: Failure): Promise<AnyRun | undefined> {
  if (endedStatuses.includes(run.status)) return run;
  const { status, error } = endOf(run, failure);
  const ended = await endRun(run, status, error);
  if (ended) log('run ended', { runId: run.runId, step: 'close', status, code: error?.code });
  return ended;
}

/** Whatever a step fails over after somebody has asked for the end, the stop itself may be the cause. */
function endOf(run: AnyRun, failure?: Failure): { status: AnyRun['status']; error?: RunError } {
  if (isCancelling(run)) return { status: 'cancelled' };
  if (failure) return { status: 'failed', error: failureOf(run, failure) };
  return { status: run.request.dryRun ? 'planned' : 'succeeded' };
}

/**
 * What the failing step recorded; else the error that was retried in vain, which the state machine quotes, for another branch's step may
 * hold one that is about to pass; else what the state machine saw, of the step that was running.
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

/** The state machine retries what may soon work. A cluster that we can no longer enter keeps its mark, and the sweeper tries again. */
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
