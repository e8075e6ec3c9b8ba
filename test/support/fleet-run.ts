import type { Batch } from '../../shared/batches/api-view.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import type { ApiClient } from './api-client.ts';

/** Real milliseconds between requests. Each request costs simulation time, and more with more runs. */
const everyMs = ({ size }: Batch) => Math.min(2000, 50 + 10 * size);

/** Resolves when no run of the batch is active or will be started; some may remain unstarted. `look` gets every state on the way. */
export async function untilBatchRests(api: ApiClient, batchId: string, look?: (batch: Batch) => void): Promise<Batch> {
  for (;;) {
    const batch = await api.batch(batchId);
    look?.(batch);
    const { queued, running } = batch.counts;
    if (batch.status !== 'running' && queued + running === 0) return batch;
    await new Promise((resolve) => setTimeout(resolve, everyMs(batch)));
  }
}

/** Every run of the batch with all its steps, newest first. */
export async function runsOfBatch(api: ApiClient, { links }: Batch): Promise<Run[]> {
  const runs: Run[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = await api.runs(`${links.runs}&limit=100${cursor && `&cursor=${cursor}`}`);
    runs.push(...(await Promise.all(page.runs.map(({ runId }) => api.run(runId)))));
    cursor = page.nextCursor;
  }
  return runs;
}
