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

/** Longer than any invocation, so that nothing still under way is swept. */
const leftBehindMs = 10 * 60_000;

/** All batches together; runs come first, and the function has a minute. */
const batchesMs = 30_000;

/** Every five minutes: closes administrator's windows that a crash left open, and looks after the runs and the batches that are pending. */
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
  // Last, and only while the bus answers: news can wait.
  for (const run of unpublished) if (!(await publishEvents(run))) return;
}

/** Undefined if the run is gone, or cannot be read; such a run fails, and the others are swept. */
async function readPending(runId: string): Promise<AnyRun | undefined> {
  const read = await tryReadRun(runId);
  if ('run' in read) return read.run;
  const { unreadable } = read;
  const fields = { runId, step: 'sweep', detail: unreadable.message };
  await attempt('unreadable run skipped', fields, () => failUnreadableRun(runId, unreadable));
  return undefined;
}

/** What a crash left out: the stop and the end of a cancelled run, the start of a queued one. False if it was neither. */
async function lookAfter(run: AnyRun): Promise<boolean> {
  const fields = { runId: run.runId, step: 'sweep' };
  if (isCancelling(run)) {
    await attempt('cancelled run stopped', fields, async () => {
      await stopExecution(run);
      await closeRun(run);
    });
    return true;
  }
  // A retried run was created long ago: its start is repeated at once, which is as good.
  if (run.status !== 'queued' || now() - Date.parse(run.createdAt) < leftBehindMs) return false;
  await attempt('queued run started', fields, () => completeStart(run));
  return true;
}

/** One that cannot be swept now must not keep the others waiting. */
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
