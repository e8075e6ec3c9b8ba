import middy from '@middy/core';
import { listOpenBatchIds } from '../shared/batches/batch-table.ts';
import { dispatch } from '../shared/batches/dispatch.ts';
import { closeLeftWindow, isStaleWindow } from '../shared/cluster/admin-window.ts';
import { classify } from '../shared/errors/errors.ts';
import type { AnyRun } from '../shared/model/run.ts';
import { now } from '../shared/platform/clock.ts';
import { log, type LogFields } from '../shared/platform/logger.ts';
import { closeRun } from '../shared/runs/close.ts';
import { isOverdue, publishEvents } from '../shared/runs/publish-events.ts';
import { isCancelling } from '../shared/runs/record-end.ts';
import { listPendingRunIds } from '../shared/runs/run-table.ts';
import { completeStart } from '../shared/runs/start.ts';
import { stopExecution } from '../shared/runs/step-functions-execution.ts';
import { failUnreadableRun, tryReadRun } from '../shared/runs/unreadable-run.ts';
import { listOpenWindows } from '../shared/targets/admin-windows.ts';

/** Longer than any invocation, so that the sweeper does not repeat the work of an active one. */
const leftBehindMs = 10 * 60_000;

/** Time limit for all batches together. Runs come first, and the function has a minute. */
const batchesMs = 30_000;

/** Runs every five minutes. Closes administrator's windows that a crash left open, and continues pending runs and batches. */
export async function sweep(): Promise<void> {
  for (const window of await listOpenWindows()) {
    if (!isStaleWindow(window, now())) continue;
    const fields = { runId: window.runId, step: 'sweep', cluster: window.clusterArn };
    await attempt('admin window closed', fields, () => closeLeftWindow(window.clusterArn, window));
  }
  const unpublished: AnyRun[] = [];
  for (const runId of await listPendingRunIds()) {
    const run = await readPending(runId);
    if (run && !(await lookAfter(run)) && isOverdue(run)) unpublished.push(run);
  }
  const untilMs = now() + batchesMs;
  for (const batchId of await listOpenBatchIds())
    await attempt('batch dispatched', { batchId, step: 'sweep' }, () => dispatch(batchId, untilMs));
  // Events come last, and only while the bus answers, because they can wait.
  for (const run of unpublished) if (!(await publishEvents(run))) return;
}

/** Undefined if the run does not exist or cannot be read. A run that cannot be read fails, so that the others are still swept. */
async function readPending(runId: string): Promise<AnyRun | undefined> {
  const read = await tryReadRun(runId);
  if ('run' in read) return read.run;
  const { unreadable } = read;
  const fields = { runId, step: 'sweep', detail: unreadable.message };
  await attempt('unreadable run skipped', fields, () => failUnreadableRun(runId, unreadable));
  return undefined;
}

/** Does what a crash left out: stops and ends a cancelled run, or starts a queued run. Returns false for any other run. */
async function lookAfter(run: AnyRun): Promise<boolean> {
  const fields = { runId: run.runId, step: 'sweep' };
  if (isCancelling(run)) {
    await attempt('cancelled run stopped', fields, async () => {
      await stopExecution(run);
      await closeRun(run);
    });
    return true;
  }
  // A retried run was created long ago, so its start is repeated at once, which does no harm.
  if (run.status !== 'queued' || now() - Date.parse(run.createdAt) < leftBehindMs) return false;
  await attempt('queued run started', fields, () => completeStart(run));
  return true;
}

/** One failure must not keep the other runs and batches waiting. */
async function attempt(what: string, fields: LogFields, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
    log(what, fields);
  } catch (error) {
    log(`not yet: ${what}`, { ...fields, detail: classify(error).message });
  }
}

export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(sweep);
