import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../shared/batches/api-view.ts';
import type { BatchRequestInput } from '../../shared/batches/request.ts';
import { defaultNames } from '../../shared/cluster/provisioner-role.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { costOf } from '../bench/cost.ts';
import { applyManifest, createAccessEntry } from '../support/cluster-owner.ts';
import { runsOfBatch, untilBatchRests } from '../support/fleet-run.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { minutesOf, putFile, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusterArn, clusters, exampleRequest, plantedSecrets } from '../support/scenario.ts';
import type { StepHarness } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

let runHarness: RunHarness;
let stepHarness: StepHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open();
  ({ stepHarness } = runHarness);
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [, platform] = clusters;

/** Expects that dry runs changed nothing but their own records in the table. */
async function expectNoChanges<Runs extends readonly Run[]>(work: () => Promise<Runs>): Promise<Runs> {
  const others = async () => (await stepHarness.items()).filter(({ pk }) => !/^(run|batch)#/.test(String(pk)));
  const before = { world: await worldSnapshot(stepHarness), items: await others() };
  const calls = stepHarness.world.calls.length;
  const runs = (await stepHarness.items('run#')).length;
  const planned = await work();
  for (const run of planned) expect(run).toMatchObject({ error: null, status: 'planned', changes: 0 });
  const made = stepHarness.world.calls.slice(calls).filter(({ writes, error }) => writes && error === undefined);
  const beyondOurRecord = made.filter(({ service }) => !['states', 'events'].includes(service));
  expect(beyondOurRecord).toEqual([]);
  expect({ world: await worldSnapshot(stepHarness), items: await others() }).toEqual(before);
  expect((await stepHarness.items('run#')).length).toBe(runs + planned.length);
  for (const secret of Object.values(plantedSecrets)) expect(JSON.stringify(planned)).not.toContain(secret);
  return planned;
}

function planOf({ plan }: Run): NonNullable<Run['plan']> {
  if (!plan) throw new Error('a dry run without a plan');
  return plan;
}

async function dry(...[example, changes]: Parameters<RunHarness['onboard']>): Promise<Run> {
  const [run] = await expectNoChanges(
    async () => [await runHarness.onboard(example, { ...changes, dryRun: true })] as const,
  );
  return run;
}

async function dryBatch(request: BatchRequestInput): Promise<{ batch: Batch; runs: readonly Run[] }> {
  const { batchId } = await runHarness.api.startBatch(request);
  const batch = await untilBatchRests(runHarness.api, batchId);
  return { batch, runs: await runsOfBatch(runHarness.api, batch) };
}

const actionsOf = (run: Run) => planOf(run).changes.map((change) => `${change.step} ${change.do}`);

describe('a dry run', () => {
  it('of a new payer lists every change and marks unknown values', async () => {
    const run = await dry('new-irsa');
    const plan = planOf(run);
    expect(plan.refusals).toEqual([]);
    expect(actionsOf(run)).toEqual([
      'cluster-access create-access-entry',
      'cluster-access open-admin-window',
      'cluster-access create-namespace',
      'cluster-access create-role',
      'cluster-access create-role-binding',
      'cluster-access close-admin-window',
      'cur-bucket create-bucket',
      'cur-bucket put-bucket-policy',
      'cur-report create-report',
      'crawler-stack create-stack',
      'crawler-table start-crawler',
      'athena-results create-bucket',
      'athena-results put-bucket-policy',
      'athena-results put-expiry',
      'athena-results set-workgroup-location',
      'pod-role create-oidc-provider',
      'pod-role create-role',
      'pod-role create-service-account',
      'payer-role create-role',
      'grant create-policy',
      'grant attach-policy',
      'payer-policy put-role-policy',
      'payer-policy put-role-policy',
      'publish create-secret',
    ]);
    for (const { why } of plan.changes) expect(why).not.toBe('');
    expect(plan.notVisible.map(({ step }) => step)).toEqual(['discovery', 'publish']);
    expect(stepOf(run, 'publish').output?.entry).toMatchObject({
      athenaDatabase: '(known after crawler-stack)',
      athenaTable: '(known after crawler-table)',
      masterPayerARN: 'arn:aws:iam::111122220001:role/kubecost-cur-access',
    });
    for (const proof of ['chain-proof', 'smoke-query', 'load-proof'] as const)
      expect(stepOf(run, proof)).toMatchObject({ status: 'planned', changes: [], output: null });
    expect(plan.quotas).toContainEqual({
      quota: 'payers that the cluster’s pod can read',
      used: 0,
      adds: 1,
      limit: 1130,
    });
    expect(plan.quotas).toContainEqual({ quota: 'policies attached to the pod’s role', used: 0, adds: 1, limit: 10 });
    expect(plan.expectedMinutes).toBeGreaterThan(24 * 60);
    expect(plan.usd.perMonth).toBeGreaterThan(1);
  });

  it('with Pod Identity and our own table names the table', async () => {
    const run = await dry('new-pod-identity');
    expect(planOf(run).refusals).toEqual([]);
    expect(actionsOf(run)).toContain('pod-identity create-association');
    expect(stepOf(run, 'publish').output?.entry).toMatchObject({
      database: 'kubecostcur_kubecost_cur',
      table: 'kubecost_cur',
    });
  });

  it('of an adopted report estimates minutes and plans no new report', async () => {
    const run = await dry('adopt-report');
    const plan = planOf(run);
    expect(plan.refusals).toEqual([]);
    expect(actionsOf(run).filter((change) => change.startsWith('cur-'))).toEqual([]);
    expect(plan.expectedMinutes).toBeLessThanOrEqual(15);
    expect(plan.usd.lines.map(({ what }) => what)).not.toContain('S3, the report');
    expect(stepOf(run, 'report-choice').output).toMatchObject({
      considered: [{ reportName: 'acme_daily', usable: true, used: true }],
    });
  });

  it('of hand-made resources lists every refusal unless take-over is set', async () => {
    expect(planOf(await dry('take-over-hand-made')).refusals).toEqual([]);
    const refused = await dry('take-over-hand-made', { existing: 'refuse', kubecost: { namespace: 'kubecost' } });
    const plan = planOf(refused);
    expect(plan.refusals).toContainEqual(
      expect.objectContaining({ step: 'payer-role', code: 'payer-role-not-ours', actor: 'caller' }),
    );
    expect(actionsOf(refused), 'the steps after the refusal are planned as well').toContain('grant create-policy');
    for (const { remedy, message } of plan.refusals) expect(`${remedy}${message}`).not.toBe('');
  });

  it('of unprepared accounts refuses nothing and says what to deploy', async () => {
    const run = await dry('new-irsa', { payerAccountId: '444455550001' });
    const plan = planOf(run);
    expect(plan.refusals).toEqual([]);
    const [preflight] = plan.notVisible;
    expect(preflight).toMatchObject({ step: 'preflight' });
    expect(preflight?.why).toContain('Deploy the payer provisioner role');
    expect(plan.notVisible.map(({ step }) => step)).toEqual(
      expect.arrayContaining(['report-choice', 'cur-bucket', 'payer-role', 'publish']),
    );
    expect(actionsOf(run), 'the steps with access are planned').toContain('pod-role create-role');
    expect(plan.expectedMinutes).toBeNull();
    const linesOf = ({ usd }: typeof plan) => usd.lines.map(({ what }) => what);
    expect(linesOf(plan)).toContain('Glue crawler');
    const withoutCrawler = planOf(await dry('new-irsa', { payerAccountId: '444455550001', crawler: 'none' }));
    expect(linesOf(withoutCrawler)).not.toContain('Glue crawler');

    const elsewhere = { accountId: '444455550002', region: 'eu-west-1', name: 'finops' };
    const neither = planOf(await dry('new-irsa', { payerAccountId: '444455550001', cluster: elsewhere }));
    expect(neither).toMatchObject({ changes: [], refusals: [] });
    expect(neither.notVisible[0]?.why).toMatch(/payer provisioner role.*cluster provisioner role/);
  });

  it('of a hostile account lists every refusal with its actor', async () => {
    const { world } = stepHarness;
    const payer = '444455550003';
    deployProvisioner(world, 'payer', payer);
    world.organizations.create('999988880001', payer);
    world.cur.seedReport({
      accountId: payer,
      definition: {
        ReportName: 'kubecost_cur',
        S3Bucket: 'hostile',
        S3Prefix: 'a',
        S3Region: 'us-east-1',
        Format: 'textORcsv',
        Compression: 'GZIP',
        AdditionalArtifacts: [],
      },
    });
    const plan = planOf(
      await dry('new-irsa', {
        payerAccountId: payer,
        report: { mode: 'create' },
        kubecost: { namespace: 'kube-system' },
      }),
    );
    expect(plan.refusals.map(({ step, code }) => [step, code])).toEqual([
      ['preflight', 'namespace-not-allowed'],
      ['preflight', 'payer-is-member-account'],
      ['report-choice', 'report-differs'],
      ['cluster-access', 'namespace-not-allowed'],
    ]);
    expect(plan.refusals.map(({ actor }) => actor)).toEqual(['operator', 'caller', 'caller', 'operator']);
    expect(plan.notVisible.find(({ step }) => step === 'discovery')?.why).toBe(
      'step preflight could not find what this step needs',
    );
  });

  it('of an accessible cluster refuses an unparsable file', async () => {
    const { accountId } = platform;
    const cluster = stepHarness.world.eks.cluster(clusterArn(platform));
    const principal = `arn:aws:iam::${accountId}:role/kubecost-payer-onboarding/kubecost-cluster-provisioner`;
    await createAccessEntry(stepHarness.sandbox, cluster, principal);
    putFile(runHarness, platform, '{"aws": [], "aws": []}');
    applyManifest(cluster, { namespace: 'kubecost', secretName: 'cloud-integration', ...defaultNames });
    const run = await dry('new-pod-identity');
    expect(stepOf(run, 'discovery').output).toMatchObject({ installation: 'kubecost-2' });
    expect(planOf(run).refusals.map(({ step }) => step)).toEqual(['publish']);
    expect(actionsOf(run).filter((change) => change.startsWith('cluster-access'))).toEqual([]);
  });

  it('of a batch lists changes, costs and refusals of each payer', async () => {
    const known = (['new-irsa', 'adopt-report', 'take-over-hand-made'] as const).map(exampleRequest);
    const unprepared = { ...exampleRequest('new-irsa'), payerAccountId: '444455550004' };
    const onboardings = [...known, unprepared].map((request) => ({ ...request, existing: 'refuse' }));
    let answer: Batch | undefined;
    const runs = await expectNoChanges(async () => {
      const done = await dryBatch({ defaults: { dryRun: true }, onboardings });
      answer = done.batch;
      return done.runs;
    });
    expect(answer).toMatchObject({ status: 'ended', dryRun: true, percent: 100, counts: { planned: 4, failed: 0 } });
    const plan = answer?.plan;
    expect(plan).toMatchObject({ refused: 1, expectedMinutes: 24 * 60 + 15 });
    const rowOf = (payerAccountId: string) => plan?.payers.find((payer) => payer.payerAccountId === payerAccountId);
    expect(plan?.payers[0]).toMatchObject({
      payerAccountId: '111122220004',
      refusals: [{ code: 'payer-role-not-ours', step: 'payer-role', actor: 'caller' }],
    });
    expect(rowOf('111122220001')).toMatchObject({ refusals: [], notVisible: ['discovery', 'publish'] });
    expect(rowOf('111122220003')?.expectedMinutes).toBeLessThanOrEqual(15);
    expect(rowOf('444455550004')).toMatchObject({ refusals: [], expectedMinutes: null });
    expect(rowOf('444455550004')?.notVisible).toContain('preflight');
    for (const run of runs) {
      const { changes, usd, expectedMinutes } = planOf(run);
      const { once, perMonth } = usd;
      const figures = { runId: run.runId, changes: changes.length, usd: { once, perMonth }, expectedMinutes };
      expect(rowOf(run.request.payerAccountId)).toMatchObject({ ...figures, link: run.links.self });
    }
    const total = (of: (run: Run) => number) => runs.reduce((sum, run) => sum + of(run), 0);
    expect(plan?.changes).toBe(total((run) => planOf(run).changes.length));
    expect(plan?.usd.perMonth).toBeCloseTo(
      total((run) => planOf(run).usd.perMonth),
      2,
    );
  });

  it('estimates slightly more than the run uses', async () => {
    const { usd, expectedMinutes } = planOf(await dry('adopt-report'));
    const run = await runHarness.onboard('adopt-report');
    expect(run.status).toBe('succeeded');
    const { world, invocations } = stepHarness.sandbox;
    const executions = [...world.states.executions.values()].filter(({ name }) => name.startsWith(run.runId));
    const own = invocations.filter(({ runId }) => runId === run.runId);
    const writes = own.flatMap(({ tableCalls }) => tableCalls).filter((call) => !['GetItem', 'Query'].includes(call));
    const taken = costOf({
      transitions: executions.reduce((sum, { execution }) => sum + execution.transitions(), 0),
      invocations: own.length,
      tableWrites: writes.length,
      tableReads: 0,
      events: 0,
      scheduledCrawls: 0,
      reports: 0,
    }).once;
    const ratio = (what: string, cost: number) => (usd.lines.find((line) => line.what === what)?.usd ?? NaN) / cost;
    for (const share of [
      ratio('Step Functions', taken.transitions),
      ratio('Lambda', taken.lambda),
      ratio('DynamoDB', taken.table),
    ]) {
      expect(share).toBeGreaterThanOrEqual(1);
      expect(share).toBeLessThan(1.6);
    }
    expect(minutesOf(run)).toBeLessThanOrEqual(expectedMinutes ?? NaN);
  });

  it('of an offboarding lists removals and savings, and removes nothing', async () => {
    const { payerAccountId, cluster } = exampleRequest('take-over-hand-made');
    const onboarded = await runHarness.onboard('take-over-hand-made');
    expect(onboarded.status).toBe('succeeded');
    const [run] = await expectNoChanges(
      async () => [await runHarness.offboard({ payerAccountId, cluster, dryRun: true })] as const,
    );
    const plan = planOf(run);
    expect(plan.refusals).toEqual([]);
    expect(plan.changes.map(({ step }) => step)).toContain('remove-payer-role');
    expect(plan.usd.perMonth).toBeLessThanOrEqual(0);
    expect(plan.expectedMinutes).toBeLessThan(60);
  });
});
