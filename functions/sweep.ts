import middy from '@middy/core';
import { clusterAccount } from '../shared/accounts.ts';
import { closeAdminWindow } from '../shared/admin-window.ts';
import { now } from '../shared/clock.ts';
import { classify } from '../shared/errors.ts';
import { log } from '../shared/logger.ts';
import { completeStart } from '../shared/run-start.ts';
import { listRuns } from '../shared/run-store.ts';
import { listOpenWindows } from '../shared/target-store.ts';

/** Longer than any invocation, so that nothing still under way is swept. */
const leftBehindMs = 10 * 60_000;

/** Every five minutes: shuts admin windows and starts queued runs that a crash left behind. */
export async function sweep(): Promise<void> {
  for (const window of await listOpenWindows()) {
    if (now() - window.openedAt < leftBehindMs) continue;
    const fields = { runId: window.runId, step: 'sweep', cluster: window.clusterArn };
    try {
      await closeAdminWindow(clusterAccount(window.clusterAccountId, window.runId), window.clusterArn, window);
      log('admin window shut', fields);
    } catch (error) {
      log('admin window still open', { ...fields, detail: classify(error).message });
    }
  }
  const { runs } = await listRuns({ by: 'status', value: 'queued' }, 100);
  for (const run of runs) {
    if (now() - Date.parse(run.createdAt) < leftBehindMs) continue;
    await completeStart(run);
    log('queued run started', { runId: run.runId, step: 'sweep' });
  }
}

export const handler = middy()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(sweep);
