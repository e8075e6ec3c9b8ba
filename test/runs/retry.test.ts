import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { functionKey } from '../../state-machines/states.ts';
import { type Cluster, lambdaRefusals } from '../sandbox/index.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { stepOf } from '../support/run-harness.ts';
import { accountAt, seedPayerWithTable } from '../support/seed-payers.ts';
import { writesOf } from '../support/step-harness.ts';

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
  return sandbox.world.eks.createCluster({ accountId, region: 'eu-west-1', name: `cluster-${index}` });
}

async function onboard(
  { accountId, name }: Cluster,
  payerAccountId: string,
  more: Partial<OnboardingRequestInput> = {},
): Promise<Run> {
  const api = new ApiClient(sandbox.apiUrl);
  const { runId } = await api.start({ payerAccountId, cluster: { accountId, region: 'eu-west-1', name }, ...more });
  return api.untilEnded(runId);
}

/** The run after its next attempt, and the functions that the attempt invoked. */
async function retry({ runId }: Run): Promise<{ run: Run; called: string[]; firstCall: number }> {
  const api = new ApiClient(sandbox.apiUrl);
  const before = sandbox.invocations.length;
  const answer = await api.fetch('POST', `/v1/runs/${runId}/retry`);
  expect(answer.status).toBe(202);
  const run = await api.untilEnded(runId);
  const called = sandbox.invocations.slice(before).filter((invocation) => invocation.runId === runId);
  return { run, called: called.map(({ functionKey: key }) => key), firstCall: before };
}

/** Expects that finished steps write nothing in the new attempt and keep their recorded changes. */
function expectNoRepeatedWrites(before: Run, { run: after, firstCall }: Awaited<ReturnType<typeof retry>>): void {
  const finished = before.steps.filter(({ status }) => status === 'succeeded').map(({ name }) => name);
  expect(finished.length).toBeGreaterThan(5);
  for (const name of finished) expect(stepOf(after, name).changes).toEqual(stepOf(before, name).changes);
  const keys = new Set(finished.map(functionKey));
  const wrote = writesOf(sandbox.world.calls).filter(
    ({ invocation = -1 }) => invocation >= firstCall && keys.has(sandbox.invocations[invocation]?.functionKey ?? ''),
  );
  expect(wrote.filter(({ service }) => !['sts', 'events'].includes(service))).toEqual([]);
}

function expectConnected(run: Run, attempt: number): void {
  expect(run.error).toBeNull();
  expect(run).toMatchObject({ status: 'succeeded', attempt, evidence: { level: 'connection' } });
}

describe('a retry', () => {
  it('replaces a failed stack, restores notifications and repeats a denied query', async () => {
    const cluster = await clusterAt(41);
    cluster.kubernetes.installKubecost({ generation: '3.x' });
    const payer = accountAt('payer', 41);
    deployProvisioner(sandbox.world, 'payer', payer);
    sandbox.world.cur.firstDeliveryHours.set(payer, 0.25);
    const planted = sandbox.world.cloudformation.plantedFailures;
    const error = lambdaRefusals['a full account'];
    planted.push({ accountId: payer, type: 'AWS::Lambda::Function', during: 'create', error });
    const audit = { Id: 'audit', QueueArn: 'arn:aws:sqs:us-east-1:1:audit', Events: ['s3:ObjectRemoved:*' as const] };
    const bucketOf = () => sandbox.world.s3.buckets.get(curBucketName(payer, 'us-east-1'));
    sandbox.world.clock.after(5 * 60_000, () => {
      const bucket = bucketOf();
      if (bucket) bucket.notification = { QueueConfigurations: [audit] };
    });
    const failed = await onboard(cluster, payer, { crawler: 'template' });
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'crawler-stack-failed' } });
    planted.splice(0);
    const fault = { service: 'athena', operation: 'StartQueryExecution', accountId: payer, kind: 'denied' } as const;
    sandbox.world.faults.push(fault);
    const second = await retry(failed);
    expect(second.run).toMatchObject({ attempt: 2, status: 'failed', error: { code: 'query-failed' } });
    expectNoRepeatedWrites(failed, second);
    sandbox.world.faults.splice(0);
    const third = await retry(second.run);
    expectConnected(third.run, 3);
    expectNoRepeatedWrites(second.run, third);
    const made = stepOf(third.run, 'crawler-stack').changes.slice(stepOf(failed, 'crawler-stack').changes.length);
    expect(made.map((change) => change.do)).toEqual(
      expect.arrayContaining(['delete-stack-remnant', 'create-stack', 'restore-notifications']),
    );
    expect(bucketOf()?.notification).toMatchObject({ QueueConfigurations: [audit] });
  });

  it('repairs the bucket that AWS could not deliver to', async () => {
    const cluster = await clusterAt(42);
    cluster.kubernetes.installKubecost({ generation: '3.x' });
    const payer = accountAt('payer', 42);
    deployProvisioner(sandbox.world, 'payer', payer);
    sandbox.world.clock.after(60 * 60_000, () => {
      delete sandbox.world.s3.buckets.get(curBucketName(payer, 'us-east-1'))?.policy;
    });
    const failed = await onboard(cluster, payer, { wait: { intervalMinutes: 60 } });
    expect(failed).toMatchObject({ status: 'failed', error: { code: 'delivery-failed' } });
    const { run } = await retry(failed);
    expectConnected(run, 2);
    const changes = (of: Run) => stepOf(of, 'cur-bucket').changes.map((change) => change.do);
    expect(changes(run)).toEqual([...changes(failed), 'put-bucket-policy']);
  });

  it('finds a new installation and later repeats only the last proof', async () => {
    const cluster = await clusterAt(43);
    const { kubernetes } = cluster;
    const payer = accountAt('payer', 43);
    seedPayerWithTable(sandbox.world, payer);
    const withoutKubecost = await onboard(cluster, payer, { report: { mode: 'adopt' } });
    expect(withoutKubecost).toMatchObject({ status: 'succeeded', evidence: { level: 'query' } });

    kubernetes.installKubecost({ generation: '3.x', release: 'late' });
    const { onProxy, onLog } = kubernetes.workloads;
    if (!onProxy || !onLog) throw new Error('the workloads have no handlers');
    kubernetes.workloads.onLog = () => [];
    kubernetes.workloads.onProxy = (...asked) => {
      const { body, ...rest } = onProxy(...asked);
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      return { ...rest, body: text.replace('Connection Successful', 'No Connection') };
    };
    const busy = await retry(withoutKubecost);
    expect(busy.run).toMatchObject({ attempt: 2, status: 'succeeded', evidence: { level: 'query' } });
    expect(busy.called[0]).toBe('discovery');
    for (const finished of ['curBucket', 'smokeQuery']) expect(busy.called).not.toContain(finished);

    Object.assign(kubernetes.workloads, { onProxy, onLog });
    const proven = await retry(busy.run);
    expectConnected(proven.run, 3);
    expect([...new Set(proven.called)]).toEqual(['loadProof', 'retireCrawler', 'close']);
  });
});
