import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetClusters, fleetRequests, seedFleetClusters } from '../support/fleet.ts';
import { runsOfBatch, untilBatchRests } from '../support/fleet-run.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { readSecret } from '../support/scenario.ts';
import { accountAt } from '../support/seed-payers.ts';

/** More payers take minutes. */
const size = Number(process.env.THROTTLED_PAYERS ?? 20);

let sandbox: DeployedSandbox;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  sandbox = await startDeployedSandbox({ startMs: Date.parse('2026-11-23T08:00:00Z') });
});
afterEach(async () => {
  await sandbox.close();
  vi.restoreAllMocks();
});

it('a batch of new payers succeeds while five percent of the calls are throttled', { timeout: 900_000 }, async () => {
  const { world } = sandbox;
  const payers = Array.from({ length: size }, (_, index) => accountAt('payer', index));
  await seedFleetClusters(world);
  payers.forEach((accountId, index) => {
    deployProvisioner(world, 'payer', accountId);
    world.cur.firstDeliveryHours.set(accountId, 3 + (index % 37) / 5);
  });
  world.faults.push({ nth: 'every-20', kind: 'throttle' });

  const api = new ApiClient(sandbox.apiUrl);
  const { batchId } = await api.startBatch({ onboardings: fleetRequests(size) });
  const batch = await untilBatchRests(api, batchId);
  const runs = await runsOfBatch(api, batch);
  expect(runs.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(batch.counts).toMatchObject({ succeeded: size, failed: 0 });

  const waited = runs.map(({ steps }) => steps.find(({ name }) => name === 'first-delivery'));
  expect(waited.every((step) => step !== undefined && step.invocations < 20)).toBe(true);
  const calledBack = sandbox.invocations.filter(({ functionKey }) => functionKey === 'keepToken');
  expect(new Set(calledBack.map(({ runId }) => runId)).size).toBe(size);
  const published = fleetClusters.flatMap((cluster) => {
    const parsed = parseIntegrationFile(readSecret(world, cluster) ?? '');
    return parsed.accepted ? parsed.integrations.map(({ key }) => key.slice(0, 12)) : [];
  });
  expect(published.sort()).toEqual(payers);
  expect(world.calls.some(({ error }) => error === 'injected:throttle')).toBe(true);
});
