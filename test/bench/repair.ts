import type { Batch } from '../../shared/batches/api-view.ts';
import { ApiClient } from '../support/api-client.ts';
import { repairFleet, seedBrokenFleet } from '../support/broken-fleet.ts';
import { startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetRequests } from '../support/fleet.ts';
import { untilBatchRests } from '../support/fleet-run.ts';
import { quietly } from '../support/mute-logs.ts';

export interface MeasuredRepair {
  payers: number;
  /** Codes of the failed runs, by payer. */
  failures: Record<string, string>;
  before: Batch['counts'];
  afterRetry: Batch['counts'];
  wallMs: number;
}

/** A batch with three broken payers, their repair, and the batch's retry. */
export async function measureRepair(payers: number): Promise<MeasuredRepair> {
  const sandbox = await startDeployedSandbox();
  try {
    await seedBrokenFleet(sandbox.world, payers);
    const wallStart = performance.now();
    return await quietly(async () => {
      const api = new ApiClient(sandbox.apiUrl);
      const { batchId } = await api.startBatch({ onboardings: fleetRequests(payers) });
      const first = await untilBatchRests(api, batchId);
      await repairFleet(sandbox.world);
      await api.fetch('POST', `/v1/batches/${batchId}/retry`);
      const { counts } = await untilBatchRests(api, batchId);
      const failures = Object.fromEntries(
        first.failed.map(({ payerAccountId, error }) => [payerAccountId, error.code]),
      );
      return { payers, failures, before: first.counts, afterRetry: counts, wallMs: performance.now() - wallStart };
    });
  } finally {
    await sandbox.close();
  }
}
