/** Payers that release 0.3.0 connected, whose owners have not deployed the access templates of this release yet. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { deployNative, nativeStackName } from '../support/crawler-stacks.ts';
import { rewriteRecords } from '../support/previous-release.ts';
import { deployOldProvisioner } from '../support/provisioners.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters, exampleRequest } from '../support/scenario.ts';
import { accountAt } from '../support/seed-payers.ts';

const region = 'us-east-1';
const nativePayer = accountAt('payer', 700);

interface Payer {
  request: OnboardingRequestInput;
  parameters: Record<string, string>;
  /** Of the table in the entry. */
  database: string;
}

const payers = {
  adopted: {
    request: exampleRequest('adopt-report'),
    parameters: { CurBucket: 'acme-billing-cur' },
    database: 'athenacurcfn_acme_daily',
  },
  'taken over': {
    request: exampleRequest('take-over-hand-made'),
    parameters: { CurBucket: 'borealis-cur', AthenaResultsBucket: 'borealis-athena-results' },
    database: 'borealis_billing',
  },
  native: {
    request: { ...exampleRequest('new-irsa'), payerAccountId: nativePayer, existing: 'take-over' },
    parameters: {},
    database: 'athenacurcfn_kubecost_cur',
  },
} satisfies Record<string, Payer>;

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 0.5 });
  const { world } = runHarness.stepHarness;
  for (const { accountId } of clusters) deployOldProvisioner(world, 'cluster', accountId);
  for (const { request, parameters } of Object.values<Payer>(payers))
    deployOldProvisioner(world, 'payer', request.payerAccountId, parameters);
  const S3Bucket = curBucketName(nativePayer, region);
  world.cur.seedReport({
    accountId: nativePayer,
    definition: { ReportName: 'kubecost_cur', S3Bucket, S3Prefix: 'kubecost', S3Region: region },
    deliveredSince: Date.parse('2026-10-01T00:00:00Z'),
  });
  await deployNative(world, nativePayer);
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const nativeStack = () => runHarness.stepHarness.world.cloudformation.find(nativePayer, region, nativeStackName);

async function onboard(request: OnboardingRequestInput): Promise<Run> {
  const { runId } = await runHarness.api.start(request);
  return runHarness.api.untilEnded(runId);
}

/** Connects the payer, and leaves its run as release 0.3.0 would have. */
async function connect({ request, database }: Payer): Promise<Run> {
  const run = await onboard(request);
  expectConnected(run, database);
  await rewriteRecords(runHarness.stepHarness);
  return run;
}

function expectConnected(run: Run, database: string): void {
  expect(run.error).toBeNull();
  expect(run.status).toBe('succeeded');
  const { entry } = run.evidence ?? {};
  expect(run.evidence?.level).toBe('connection');
  expect(entry && ('athenaDatabase' in entry ? entry.athenaDatabase : entry.database)).toBe(database);
}

const kinds = Object.entries<Payer>(payers);

describe('a payer that release 0.3.0 connected, with its old access template', () => {
  it.each(kinds)('%s: its run is read as before', async (_, payer) => {
    const run = await connect(payer);
    const read = await runHarness.api.run(run.runId);
    const known = run.steps.filter(({ name }) => name !== 'retire-crawler');
    expect(read.steps).toEqual(expect.arrayContaining(known));
    expect({ ...read, steps: [] }).toEqual({ ...run, steps: [] });
    expect((await runHarness.api.runs('/v1/runs?limit=5')).runs.map(({ runId }) => runId)).toContain(run.runId);
    expect((await runHarness.api.fetch('GET', `/v1/runs/${run.runId}/artifacts`)).status).toBe(200);
  });

  it.each(kinds)('%s: its failed run is retried', async (_, { request, database }) => {
    const { faults } = runHarness.stepHarness.world;
    faults.push({ service: 'athena', operation: 'StartQueryExecution', kind: 'denied' });
    const failed = await onboard(request);
    expect([failed.status, failed.error?.step]).toEqual(['failed', 'smoke-query']);
    faults.pop();
    await rewriteRecords(runHarness.stepHarness);
    expect((await runHarness.api.fetch('POST', `/v1/runs/${failed.runId}/retry`)).status).toBe(202);
    const run = await runHarness.api.untilEnded(failed.runId);
    expectConnected(run, database);
    for (const name of ['cur-report', 'crawler-stack', 'payer-role'] as const)
      expect(stepOf(run, name).output).toEqual(stepOf(failed, name).output);
  });

  it.each(kinds)('%s: onboarded again, nothing changes', async (_, payer) => {
    await connect(payer);
    const again = await onboard(payer.request);
    expectConnected(again, payer.database);
    expect(again.steps.flatMap(({ changes }) => changes)).toEqual([]);
  });

  it.each(kinds)('%s: it is connected to a second cluster', async (_, payer) => {
    await connect(payer);
    const second = clusters.find(({ name }) => name !== payer.request.cluster.name) ?? clusters[0];
    const kubecost = { format: 'configurations' } as const;
    const run = await onboard({ ...payer.request, cluster: second, kubecost });
    expectConnected(run, payer.database);
  });

  it.each(kinds)('%s: it is offboarded', async (_, { request, ...payer }) => {
    await connect({ request, ...payer });
    const { payerAccountId, cluster } = request;
    const run = await runHarness.offboard({ payerAccountId, cluster });
    expect([run.status, run.error]).toEqual(['succeeded', null]);
    expect(await runHarness.stepHarness.items('target#')).toEqual([]);
    expect(await runHarness.stepHarness.items(`payer#${payerAccountId}`)).toEqual([]);
  });

  it('native: the stack goes with the last cluster', async () => {
    const { payerAccountId, cluster } = (await connect(payers.native)).request;
    expect(nativeStack()).toBeDefined();
    await runHarness.offboard({ payerAccountId, cluster });
    expect(nativeStack()).toBeUndefined();
  });

  it.each(['native', 'none'] as const)('native: a request with crawler %s names the version', async (crawler) => {
    await connect(payers.native);
    const run = await onboard({ ...payers.native.request, crawler });
    expect(run.error).toMatchObject({ code: 'access-template-too-old' });
    expect(run.error?.message).toContain('needs version 1');
    expect(run.changes).toBe(0);
    expect(nativeStack()).toBeDefined();
  });
});
