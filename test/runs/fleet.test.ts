import { DeleteRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { newClient } from '../../shared/aws/clients.ts';
import { payerRoleName } from '../../shared/aws/names.ts';
import type { Batch } from '../../shared/batch-view.ts';
import { parseIntegrationFile } from '../../shared/cloud-integration.ts';
import { ApiClient } from '../demo/api-client.ts';
import { fleetClusters, fleetRequests, seedFleetClusters } from '../demo/fleet.ts';
import { untilBatchRests } from '../demo/fleet-run.ts';
import { readSecret } from '../demo/scenario.ts';
import { startSandbox, type Sandbox } from '../sandbox/hub.ts';
import { accountAt, seedPayerWithTable } from './payers.ts';

const payers = 50;
const [uninvited, handMade, member] = [11, 23, 35].map((index) => accountAt('payer', index)) as [
  string,
  string,
  string,
];

let sandbox: Sandbox;
let api: ApiClient;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  sandbox = await startSandbox({ startMs: Date.parse('2026-11-23T08:00:00Z') });
  api = new ApiClient(sandbox.apiUrl);
  const { world } = sandbox;
  await seedFleetClusters(world);
  for (let index = 0; index < payers; index++) {
    const accountId = accountAt('payer', index);
    if (accountId !== uninvited) seedPayerWithTable(world, accountId);
  }
  const Statement = { Effect: 'Allow', Principal: { AWS: '999999999999' }, Action: 'sts:AssumeRole' };
  world.iam.createRole({
    accountId: handMade,
    name: payerRoleName,
    trust: { Version: '2012-10-17', Statement: [Statement] },
    settled: true,
  });
  world.organizations.create(accountAt('payer', payers), member);
});
afterEach(async () => {
  await sandbox.close();
  vi.restoreAllMocks();
});

/** What a person would do about each of the three. */
async function repair(): Promise<void> {
  const { world } = sandbox;
  seedPayerWithTable(world, uninvited);
  const owner = newClient(IAMClient, 'us-east-1', () =>
    Promise.resolve({ accessKeyId: handMade, secretAccessKey: 'x' }),
  );
  await owner.send(new DeleteRoleCommand({ RoleName: payerRoleName }));
  world.organizations.create(member);
}

function publishedPayers(): string[] {
  return fleetClusters
    .flatMap((cluster) => {
      const parsed = parseIntegrationFile(readSecret(sandbox.world, cluster) ?? '');
      return parsed.accepted ? parsed.integrations.map(({ key }) => key.slice(0, 12)) : [];
    })
    .sort();
}

describe('a fleet', () => {
  it('of 50 with three broken payers ends with 47 succeeded, and with 50 once they are repaired and tried again', async () => {
    const { batchId } = await api.startBatch({ onboardings: fleetRequests(payers) });
    const first = await untilBatchRests(api, batchId);
    expect(first).toMatchObject({ status: 'ended', counts: { succeeded: 47, failed: 3 } });
    const codes = Object.fromEntries(first.failed.map(({ payerAccountId, error }) => [payerAccountId, error.code]));
    expect(codes).toEqual({
      [uninvited]: 'payer-access-denied',
      [handMade]: 'payer-role-not-ours',
      [member]: 'payer-is-member-account',
    });
    for (const { error } of first.failed) expect(error.remedy).toMatch(/\w/);
    const broken = [uninvited, handMade, member];
    const all = Array.from({ length: payers }, (_, index) => accountAt('payer', index));
    expect(publishedPayers()).toEqual(all.filter((accountId) => !broken.includes(accountId)));

    await repair();
    const callsBefore = sandbox.world.calls.length;
    const answer = await api.fetch('POST', `/v1/batches/${batchId}/retry`);
    expect(answer.status).toBe(202);
    expect((await answer.json()) as Batch).toMatchObject({ status: 'running' });
    const second = await untilBatchRests(api, batchId);
    expect(second).toMatchObject({ status: 'ended', counts: { succeeded: 50, failed: 0 }, failed: [] });
    expect(publishedPayers()).toEqual(all);
    const untouched = all.filter((accountId) => !broken.includes(accountId));
    const after = sandbox.world.calls.slice(callsBefore);
    expect(after.filter(({ accountId }) => untouched.includes(accountId))).toEqual([]);
  });
});
