import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { defaultNames } from '../../shared/cluster/provisioner-role.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { listOpenWindows } from '../../shared/targets/admin-windows.ts';
import type { Cluster } from '../sandbox/index.ts';
import { ApiClient } from '../support/api-client.ts';
import { applyManifest, createAccessEntry } from '../support/cluster-owner.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { stepOf } from '../support/run-harness.ts';
import { accountAt, seedPayerWithTable } from '../support/seed-payers.ts';

const region = 'eu-west-1';
const provisioner = 'role/kubecost-payer-onboarding/kubecost-cluster-provisioner';

let sandbox: DeployedSandbox;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  sandbox = await startDeployedSandbox({ startMs: Date.parse('2026-11-23T08:00:00Z') });
});
afterAll(async () => {
  await sandbox.close();
  vi.restoreAllMocks();
});

async function clusterAt(index: number): Promise<Cluster> {
  const accountId = accountAt('cluster', index);
  deployProvisioner(sandbox.world, 'cluster', accountId);
  return sandbox.world.eks.createCluster({ accountId, region, name: `cluster-${index}` });
}

async function onboard(
  { accountId, name }: Cluster,
  payerAccountId: string,
  more: Partial<OnboardingRequestInput> = {},
): Promise<Run> {
  const api = new ApiClient(sandbox.apiUrl);
  const { runId } = await api.start({ payerAccountId, cluster: { accountId, region, name }, ...more });
  return api.untilEnded(runId);
}

function expectConnected(run: Run): void {
  expect(run.error).toBeNull();
  expect(run.evidence?.level).toBe('connection');
}

function changesOf(run: Run, name: Run['steps'][number]['name']): string[] {
  return stepOf(run, name).changes.map((change) => change.do);
}

describe('an onboarding', () => {
  it('supports any name of the release and the service account', async () => {
    const cluster = await clusterAt(1);
    cluster.kubernetes.installKubecost({
      generation: '2.x-statefulset',
      release: 'finops',
      serviceAccount: 'cost-reader',
    });
    const payer = accountAt('payer', 1);
    seedPayerWithTable(sandbox.world, payer);
    const run = await onboard(cluster, payer, { report: { mode: 'adopt' } });
    expectConnected(run);
    expect(stepOf(run, 'discovery').output).toMatchObject({
      workload: 'deployment/finops-cloud-cost',
      serviceAccount: 'cost-reader',
      statusService: 'http:finops-cloud-cost:9005',
    });
    expect(changesOf(run, 'cluster-access').slice(-3)).toEqual([
      'open-admin-window',
      'update-role',
      'close-admin-window',
    ]);
    expect(await listOpenWindows()).toEqual([]);
  });

  it('finds an installation that appears while AWS prepares the first delivery', async () => {
    const cluster = await clusterAt(2);
    const payer = accountAt('payer', 2);
    deployProvisioner(sandbox.world, 'payer', payer);
    sandbox.world.cur.firstDeliveryHours.set(payer, 3);
    sandbox.world.clock.after(90 * 60_000, () => {
      cluster.kubernetes.installKubecost({ generation: '3.x', release: 'late' });
    });
    const run = await onboard(cluster, payer);
    expectConnected(run);
    expect(stepOf(run, 'pod-role').output).toMatchObject({ serviceAccount: 'late-kubecost' });
    expect(stepOf(run, 'discovery').output).toMatchObject({ workload: 'deployment/late-cloud-cost' });
  });

  it('needs only the access that the cluster’s owner granted by hand', async () => {
    const cluster = await clusterAt(3);
    const { accountId, kubernetes } = cluster;
    kubernetes.installKubecost({ generation: '3.x' });
    await createAccessEntry(sandbox, cluster, `arn:aws:iam::${accountId}:${provisioner}`);
    applyManifest(cluster, { namespace: 'kubecost', secretName: 'cloud-integration', ...defaultNames });
    for (const operation of ['AssociateAccessPolicy', 'CreateAccessEntry'])
      sandbox.world.faults.push({ service: 'eks', operation, accountId, kind: 'denied' });
    const payer = accountAt('payer', 3);
    seedPayerWithTable(sandbox.world, payer);
    const run = await onboard(cluster, payer, { report: { mode: 'adopt' } });
    expectConnected(run);
    expect(changesOf(run, 'cluster-access')).toEqual([]);
  });
});
