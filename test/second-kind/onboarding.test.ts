import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import { reportKinds } from '../../shared/billing/report-kinds.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { deliverAsSecondKind } from './cur2-delivery.ts';
import { cur2 } from './cur2-kind.ts';

let runs: RunHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runs = await RunHarness.open();
  reportKinds.unshift(cur2);
});
afterAll(async () => {
  reportKinds.splice(reportKinds.indexOf(cur2), 1);
  await runs.close();
  vi.restoreAllMocks();
});

const hour = 3_600_000;

it('onboards a payer with a second kind of report', async () => {
  const { world } = runs.stepHarness;
  const payer = '111122220001';
  const bucket = curBucketName(payer, 'us-east-1');
  world.clock.after(7.6 * hour, () => {
    deliverAsSecondKind(world, bucket, 'kubecost_cur', '2026-11');
  });
  const run = await runs.onboard('new-irsa', { crawler: 'none', cluster: await bareCluster() });
  expect(run.error).toBeNull();
  expect(run.status).toBe('succeeded');
  expect(stepOf(run, 'cur-report').output).toMatchObject({ reportKind: 'test-cur2' });
  expect(stepOf(run, 'first-delivery').output).toMatchObject({
    manifestKey: 'kubecost/kubecost_cur/metadata/BILLING_PERIOD=2026-11/kubecost_cur-Manifest.json',
    newestPartition: { year: '2026', month: '11' },
  });
  const table = world.glue
    .catalog(payer, 'us-east-1')
    .databases.get('kubecostcur_kubecost_cur')
    ?.tables.get('kubecost_cur');
  expect(table?.input).toMatchObject({
    PartitionKeys: [{ Name: 'billing_period', Type: 'string' }],
    StorageDescriptor: { Location: `s3://${bucket}/kubecost/kubecost_cur/data/` },
    Parameters: { 'projection.billing_period.range': '2026-01,2036-12' },
  });
  expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: expect.any(Number) as number });
  expect(stepOf(run, 'smoke-query').warnings).toEqual([]);
  const policies = [...(world.iam.role(payer, 'kubecost-cur-access')?.inline.values() ?? [])];
  expect(policies.map(({ current }) => current?.text).join()).toContain(
    `arn:aws:s3:::${bucket}/kubecost/kubecost_cur/data/*`,
  );
  expect(stepOf(run, 'publish').output).toMatchObject({ entry: { athenaDatabase: 'kubecostcur_kubecost_cur' } });

  const again = await runs.onboard('new-irsa', { crawler: 'none', cluster: run.request.cluster });
  expect(again.status).toBe('succeeded');
  expect(stepOf(again, 'crawler-table').changes).toEqual([]);
});

/** A cluster in which nothing reads the file yet: the sandbox's consumers read reports of the first kind only. */
async function bareCluster() {
  const cluster = { accountId: '222233330001', region: 'eu-west-1', name: 'bare' };
  await runs.stepHarness.world.eks.createCluster({ ...cluster, addons: ['eks-pod-identity-agent'] });
  return cluster;
}
