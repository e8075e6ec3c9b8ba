import type { AnyRun } from '../model/run.ts';
import { runEvent } from '../model/run-event.ts';
import { endedStatuses, type RunError, type RunStatus } from '../model/run-schemas.ts';
import { clusterArnOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { readWindow } from '../targets/admin-windows.ts';
import { planSummaryOf } from './dry-run-plan.ts';
import { releaseLock } from './payer-target-lock.ts';
import { statusWrites, updateRun, whileActive } from './run-table-update.ts';
import { forgetTasks } from './waiting-task.ts';

/** Ends a run once; undefined if it has ended already or has a newer attempt. */
export function endRun(run: AnyRun, status: RunStatus, error?: RunError): Promise<AnyRun | undefined> {
  const at = iso(now());
  return updateRun(
    run,
    [
      ...statusWrites(run, status),
      { at: 'endedAt', to: at },
      { at: 'error', to: error },
      { at: 'planned', to: status === 'planned' ? planSummaryOf(run) : undefined },
      { at: 'atWorkKey', to: undefined },
    ],
    whileActive(run.attempt),
    [
      // The first step may have crashed between its two writes.
      ...(run.status === 'running' && run.announced !== run.attempt ? [runEvent(run, 'running', at)] : []),
      runEvent(run, status, at, error),
    ],
  );
}

/** True while an invocation may still write for the run: until its end is recorded, or the function has timed out. */
export function isAtWork({ steps }: Pick<AnyRun, 'steps'>): boolean {
  return Object.values(steps).some(({ busyUntil }) => busyUntil !== undefined && Date.parse(busyUntil) > now());
}

/** True between the request to end the run and its end. */
export function isCancelling({ status, cancelRequestedAt }: Pick<AnyRun, 'status' | 'cancelRequestedAt'>): boolean {
  return cancelRequestedAt !== undefined && !endedStatuses.includes(status);
}

/**
 * Ends a cancelled run when none of its steps can write any more. Undefined if one can, or if the run has an administrator window,
 * which only `close` can close.
 * @param run as read after the cancel request: no step has started since then
 */
export async function settleCancel(run: AnyRun): Promise<AnyRun | undefined> {
  if (!isCancelling(run) || isAtWork(run)) return undefined;
  if ((await readWindow(clusterArnOf(run.request)))?.runId === run.runId) return undefined;
  const ended = await endRun(run, 'cancelled');
  await releaseLock(run);
  await forgetTasks(run);
  if (ended) log('run ended', { runId: run.runId, step: 'cancel', status: 'cancelled' });
  return ended;
}
