/** Whole runs in accounts whose owners have not deployed the access templates of this release yet. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deployOldProvisioner, deployProvisioner } from '../support/provisioners.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters, exampleRequest, examples } from '../support/scenario.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1.5 });
  const { world } = runHarness.stepHarness;
  for (const { accountId } of clusters) deployOldProvisioner(world, 'cluster', accountId);
  for (const [accountId, parameters] of Object.entries(payers))
    deployOldProvisioner(world, 'payer', accountId, parameters);
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const payers: Record<string, Record<string, string>> = {
  '111122220001': {},
  '111122220002': {},
  '111122220003': { CurBucket: 'acme-billing-cur' },
  '111122220004': { CurBucket: 'borealis-cur', AthenaResultsBucket: 'borealis-athena-results' },
};
const [, platform] = clusters;

describe('with the access templates of release 0.3.0', () => {
  it.each(['new-irsa', 'adopt-report', 'take-over-hand-made'] as const)(
    'the example %s is connected and offboarded as before',
    async (example) => {
      const run = await runHarness.onboard(example);
      expect(run.error).toBeNull();
      expect(run.evidence?.level).toBe('connection');
      const { payerAccountId, cluster } = exampleRequest(example);
      const purge = example === 'new-irsa' ? (['report', 'data'] as const) : [];
      const offboarded = await runHarness.offboard({ payerAccountId, cluster, purge: [...purge] });
      expect([offboarded.status, offboarded.error]).toEqual(['succeeded', null]);
    },
  );

  it('a second cluster of a payer is connected as before', async () => {
    expect((await runHarness.onboard('adopt-report')).error).toBeNull();
    const second = await runHarness.onboard('adopt-report', {
      cluster: platform,
      kubecost: { format: 'configurations' },
    });
    expect(second.error).toBeNull();
  });

  it('a query without a pod names the template’s version within minutes', async () => {
    const identity = { mode: 'pod-identity' as const };
    const run = await runHarness.onboard('take-over-hand-made', { cluster: platform, identity });
    expect(run.error).toMatchObject({
      code: 'access-template-too-old',
      step: 'smoke-query',
      message: 'template too old for a query without a running pod, needs version 1',
    });
    deployProvisioner(runHarness.stepHarness.world, 'payer', '111122220004', payers['111122220004']);
    const again = await runHarness.onboard('take-over-hand-made', { cluster: platform, identity });
    expect([again.error, again.evidence?.query.level]).toEqual([null, 'narrowed-session']);
  });

  it('every example says which version a table of our own needs', async () => {
    const warnings = await Promise.all(
      examples.map(async (example) => {
        const run = await runHarness.onboard(example, { crawler: 'auto' });
        return stepOf(run, 'preflight').warnings.join();
      }),
    );
    for (const text of warnings) expect(text).toContain('template too old for a table of our own, needs version 1');
  });
});
