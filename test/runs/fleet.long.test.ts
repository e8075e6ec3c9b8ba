import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import { ApiClient } from '../support/api-client.ts';
import { brokenPayers, repairFleet, seedBrokenFleet } from '../support/broken-fleet.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetClusters, fleetRequests } from '../support/fleet.ts';
import { untilBatchRests } from '../support/fleet-run.ts';
import { readSecret } from '../support/scenario.ts';
import { accountAt } from '../support/seed-payers.ts';

let sandbox: DeployedSandbox;
let api: ApiClient;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  sandbox = await startDeployedSandbox({ startMs: Date.parse('2026-11-23T08:00:00Z') });
  api = new ApiClient(sandbox.apiUrl);
});
afterEach(async () => {
  await sandbox.close();
  vi.restoreAllMocks();
});

function publishedPayers(): string[] {
  return fleetClusters
    .flatMap((cluster) => {
      const parsed = parseIntegrationFile(readSecret(sandbox.world, cluster) ?? '');
      return parsed.accepted ? parsed.integrations.map(({ key }) => key.slice(0, 12)) : [];
    })
    .sort();
}

/** `npm run bench -- repair` does the same with fifty payers. */
const size = 15;

describe('a batch with three broken payers', () => {
  it('publishes the other payers, and the rest after repair and retry', async () => {
    await seedBrokenFleet(sandbox.world, size);
    const payers = Array.from({ length: size }, (_, index) => accountAt('payer', index));
    const healthy = payers.filter((accountId) => !(accountId in brokenPayers));
    const { batchId } = await api.startBatch({ onboardings: fleetRequests(size), failureTolerance: 3 });
    const first = await untilBatchRests(api, batchId);
    expect(first).toMatchObject({ status: 'ended', counts: { succeeded: size - 3, failed: 3 } });
    expect(Object.fromEntries(first.failed.map(({ payerAccountId, error }) => [payerAccountId, error.code]))).toEqual(
      brokenPayers,
    );
    for (const { error } of first.failed) expect(error.remedy).not.toBe('');
    expect(publishedPayers()).toEqual(healthy);

    await repairFleet(sandbox.world);
    const callsBefore = sandbox.world.calls.length;
    expect((await api.fetch('POST', `/v1/batches/${batchId}/retry`)).status).toBe(202);
    const second = await untilBatchRests(api, batchId);
    expect(second).toMatchObject({ status: 'ended', counts: { succeeded: size, failed: 0 }, failed: [] });
    expect(publishedPayers()).toEqual(payers);
    const touched = new Set(sandbox.world.calls.slice(callsBefore).map(({ accountId }) => accountId));
    expect(healthy.filter((accountId) => touched.has(accountId))).toEqual([]);
  });
});
