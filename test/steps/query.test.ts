import type { WorkGroupConfiguration } from '@aws-sdk/client-athena';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { athenaResultsBucketName, curBucketName, dataPolicyName } from '../../shared/aws/names.ts';
import { skips } from '../../shared/model/run.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { onboardingStepNames } from '../../shared/model/step-names.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { decodeDataFile, encodeDataFile } from '../sandbox/index.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import { type OneRun, writesOf } from '../support/step-harness.ts';
import type { StepOutcome } from '../support/take-step.ts';

let billing: PayerHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  billing = await PayerHarness.open();
});
afterEach(() => billing.endRuns());

afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const done = ({ record }: StepOutcome) => record.changes.map((change) => change.do);
const results = ({ record }: StepOutcome) => outputs['athena-results'].parse(record.output);

describe('athena-results', () => {
  const take = async (
    payer: string,
    athena: OnboardingRequestInput['athena'] = {},
    more: Partial<OnboardingRequestInput> = {},
  ) => {
    const run = await billing.begin(payer, { athena, ...more });
    for (const step of ['preflight', 'report-choice'] as const) await run.take(step);
    return run.take('athena-results');
  };
  const workgroup = (payer: string, name: string, configuration: WorkGroupConfiguration) => {
    billing.world.athena.seedWorkgroup({ accountId: payer, region, name, configuration });
  };
  const location = (OutputLocation: string, EnforceWorkGroupConfiguration = false) => ({
    ResultConfiguration: { OutputLocation },
    EnforceWorkGroupConfiguration,
  });

  it('creates a bucket with one-day expiry for an unset primary workgroup', async () => {
    const payer = billing.newPayer();
    const name = athenaResultsBucketName(payer, region);
    const taken = await take(payer);
    expect(results(taken)).toMatchObject({ athenaWorkgroup: 'primary', athenaResultsLocation: `s3://${name}` });
    const bucket = billing.world.s3.buckets.get(name);
    expect(bucket?.lifecycle).toMatchObject([{ Status: 'Enabled', Expiration: { Days: 1 } }]);
    expect(bucket?.policy?.text).toContain('aws:SecureTransport');
    const primary = billing.world.athena.workgroups(payer, region).get('primary');
    expect(primary?.configuration.ResultConfiguration?.OutputLocation).toBe(`s3://${name}`);
    expect(writesOf((await take(payer)).calls)).toEqual([]);
  });

  it('uses a workgroup’s location without its final slash', async () => {
    const payer = billing.newPayer({ AthenaResultsBucket: 'team-*' });
    const bucket = billing.world.s3.createBucket(payer, region, `team-${payer}`);
    workgroup(payer, 'primary', location(`s3://team-${payer}/athena/`, true));
    const taken = await take(payer);
    expect(results(taken).athenaResultsLocation).toBe(`s3://team-${payer}/athena`);
    expect(done(taken)).toEqual([]);
    expect(bucket).toMatchObject({ lifecycle: [], tags: [] });
    const primary = billing.world.athena.workgroups(payer, region).get('primary');
    expect(primary?.configuration).toMatchObject(location(`s3://team-${payer}/athena/`, true));
  });

  it('creates a dedicated workgroup that does not enforce its location', async () => {
    const payer = billing.newPayer();
    const taken = await take(payer, { workgroup: 'kubecost' });
    expect(done(taken).at(-1)).toBe('create-workgroup');
    expect(billing.world.athena.workgroups(payer, region).get('kubecost')).toMatchObject({
      configuration: location(`s3://${athenaResultsBucketName(payer, region)}`, false),
      tags: expect.arrayContaining([{ Key: 'managed-by', Value: 'kubecost-payer-onboarding' }]) as object[],
    });
  });

  it('refuses results in the CUR bucket, managed storage or an enforced location', async () => {
    const payer = billing.newPayer({ AthenaResultsBucket: '*' });
    workgroup(payer, 'in-report', location(`s3://${curBucketName(payer, region)}/results/`));
    workgroup(payer, 'managed', { ManagedQueryResultsConfiguration: { Enabled: true } });
    workgroup(payer, 'enforced', location('s3://elsewhere/', true));
    const refused = async (athena: OnboardingRequestInput['athena']) => (await knownErrorOf(take(payer, athena))).code;
    expect(await refused({ workgroup: 'in-report' })).toBe('results-in-cur-bucket');
    expect(await refused({ resultsBucket: curBucketName(payer, region) })).toBe('results-in-cur-bucket');
    expect(await refused({ workgroup: 'managed' })).toBe('workgroup-managed-results');
    expect(await refused({ workgroup: 'enforced', resultsBucket: 'ours' })).toBe('workgroup-location-differs');
  });

  it('uses the requested bucket if the workgroup does not enforce another', async () => {
    const payer = billing.newPayer({ AthenaResultsBucket: 'wanted-*' });
    billing.world.s3.createBucket(payer, region, `wanted-${payer}`);
    workgroup(payer, 'primary', location('s3://elsewhere/'));
    const taken = await take(payer, { resultsBucket: `wanted-${payer}` });
    expect(results(taken).athenaResultsLocation).toBe(`s3://wanted-${payer}`);
    expect(done(taken)).toEqual([]);
  });

  it('never sets an expiry on a foreign bucket with our name', async () => {
    const payer = billing.newPayer();
    const bucket = billing.world.s3.createBucket(payer, region, athenaResultsBucketName(payer, region));
    expect((await knownErrorOf(take(payer))).code).toBe('bucket-not-ours');
    await take(payer, {}, { existing: 'take-over' });
    expect(bucket).toMatchObject({ lifecycle: [], tags: [] });
  });
});

describe('smoke-query', () => {
  /** A run whose next step is the smoke query. */
  async function ready(): Promise<{ payer: string; run: OneRun }> {
    const payer = billing.newPayer();
    const run = await billing.begin(payer);
    for (const name of onboardingStepNames.slice(0, onboardingStepNames.indexOf('smoke-query')))
      if (!skips({ kind: 'onboarding', request: run.request }, name)) await run.take(name);
    return { payer, run };
  }
  const output = ({ record }: StepOutcome) => outputs['smoke-query'].parse(record.output);
  const dataFiles = (payer: string) =>
    [...(billing.world.s3.buckets.get(curBucketName(payer, region))?.objects.values() ?? [])].filter(({ key }) =>
      /month=\d+\/.*parquet$/.test(key),
    );

  it('queries one day with the pod’s rights and keeps ten rows', async () => {
    const { payer, run } = await ready();
    const taken = await run.take('smoke-query');
    const { level, columns, rows, rowCount, day, scannedBytes } = output(taken);
    expect({ level, day }).toEqual({ level: 'pod-chain', day: '2026-11-22' });
    expect(columns).toBeGreaterThan(20);
    expect(rows.length).toBe(Math.min(10, rowCount));
    expect(rows[0]).toMatchObject({ bill_payer_account_id: payer });
    expect(scannedBytes).toBeGreaterThan(0);
    const proofs = ['StartQueryExecution', 'GetQueryResults'];
    const callers = taken.calls.filter(({ operation }) => proofs.includes(operation)).map(({ callerArn }) => callerArn);
    expect(new Set(callers.map((arn) => arn.split('/')[1]))).toEqual(new Set(['kubecost-cur-access']));
  });

  it('succeeds with a warning for a day without costs', async () => {
    const { payer, run } = await ready();
    for (const { key, body } of dataFiles(payer)) {
      const { columns } = decodeDataFile(body);
      billing.world.s3.put(curBucketName(payer, region), key, encodeDataFile({ columns, rows: [] }));
    }
    const taken = await run.take('smoke-query');
    expect(output(taken)).toMatchObject({ rowCount: 0, rows: [] });
    expect(taken.record.warnings[0]).toContain('Data Missing');
  });

  it('reports Athena’s denial after two minutes without the right', async () => {
    const { payer, run } = await ready();
    const role = billing.world.iam.roles(payer).find(({ arn }) => arn.endsWith('role/kubecost-cur-access'));
    role?.inline.delete(dataPolicyName);
    const started = billing.world.clock.now();
    const { code, message } = await knownErrorOf(run.take('smoke-query'));
    expect(code).toBe('query-failed');
    expect(message).toContain('athena:StartQueryExecution');
    const seconds = (billing.world.clock.now() - started) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(120);
    expect(seconds).toBeLessThan(150);
  });

  it('continues as soon as a late right takes effect', async () => {
    const { payer, run } = await ready();
    const role = billing.world.iam.roles(payer).find(({ arn }) => arn.endsWith('role/kubecost-cur-access'));
    const policy = role?.inline.get(dataPolicyName);
    role?.inline.delete(dataPolicyName);
    billing.world.clock.after(40_000, () => {
      if (policy) role?.inline.set(dataPolicyName, policy);
    });
    expect(output(await run.take('smoke-query')).level).toBe('pod-chain');
  });

  it('fails with Athena’s message and a hint about Lake Formation', async () => {
    const { payer, run } = await ready();
    billing.world.lakeformation.lock(payer, region);
    const { code, message } = await knownErrorOf(run.take('smoke-query'));
    expect(code).toBe('query-failed');
    expect(message).toContain('Lake Formation denies the payer role access to the table');
  });
});
