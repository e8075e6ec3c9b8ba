import middy from '@middy/core';
import { clusterAccount } from '../shared/accounts.ts';
import { closeAdminWindow } from '../shared/admin-window.ts';
import { now } from '../shared/clock.ts';
import { classify } from '../shared/errors.ts';
import { log, type LogFields } from '../shared/logger.ts';
import { completeStart } from '../shared/run-start.ts';
import { listRuns, type RunPage, type RunSummary } from '../shared/run-store.ts';
import { listOpenWindows } from '../shared/target-store.ts';

/** Longer than any invocation, so that nothing still under way is swept. */
const leftBehindMs = 10 * 60_000;

/** Every five minutes: shuts admin windows and starts queued runs that a crash left behind. */
export async function sweep(): Promise<void> {
  for (const window of await listOpenWindows()) {
    if (now() - window.openedAt < leftBehindMs) continue;
    const fields = { runId: window.runId, step: 'sweep', cluster: window.clusterArn };
    await attempt('admin window shut', fields, () =>
      closeAdminWindow(clusterAccount(window.clusterAccountId, window.runId), window.clusterArn, window),
    );
  }
  for (const run of await listQueuedRuns()) {
    if (now() - Date.parse(run.createdAt) < leftBehindMs) continue;
    await attempt('queued run started', { runId: run.runId, step: 'sweep' }, () => completeStart(run));
  }
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

/** All of them: the newest come first, and a batch can queue a thousand behind which the oldest would never be seen. */
async function listQueuedRuns(): Promise<RunSummary[]> {
  const queued: RunSummary[] = [];
  let start: RunPage['next'];
  do {
    const page = await listRuns({ by: 'status', value: 'queued' }, 100, start);
    queued.push(...page.runs);
    start = page.next;
  } while (start);
  return queued;
}

export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(sweep);
