import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import type { ReportDefinition } from '../sandbox/index.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import { writesOf } from '../support/step-harness.ts';
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

function seedReport(accountId: string, changes: Partial<ReportDefinition> = {}, daysAgo?: number) {
  const { world } = billing;
  const definition = {
    ReportName: 'acme',
    S3Bucket: `acme-${accountId}`,
    S3Prefix: 'cur',
    S3Region: region,
    ...changes,
  };
  const since = daysAgo === undefined ? {} : { deliveredSince: world.clock.now() - daysAgo * 86_400_000 };
  return world.cur.seedReport({ accountId, definition, ...since });
}

describe('preflight', () => {
  it('reports every problem in one error', async () => {
    const { world } = billing;
    const payer = billing.newPayer();
    world.organizations.create('999988887777', payer);
    const run = await billing.begin(payer, {
      cluster: { accountId: '222233330001', region: 'eu-west-1', name: 'missing' },
      kubecost: { namespace: 'default' },
    });
    const { code, message } = await knownErrorOf(run.take('preflight'));
    expect(code).toBe('preflight-failed');
    for (const part of ['payer-is-member-account', 'cluster-not-found', 'namespace-not-allowed'])
      expect(message).toContain(part);
  });

  it('reports a single problem under its own code', async () => {
    const payer = billing.newPayer();
    billing.world.organizations.create('999988887776', payer);
    const refused = await billing.begin(payer);
    expect((await knownErrorOf(refused.take('preflight'))).code).toBe('payer-is-member-account');
    const allowed = await billing.begin(payer, { allowMemberAccount: true });
    const { record } = await allowed.take('preflight');
    expect(record.output).toMatchObject({ organization: 'member' });
  });

  it('reports missing billing access if AWS denies the CUR API', async () => {
    const run = await billing.begin(billing.newPayer());
    billing.world.faults.push({ kind: 'denied', service: 'cur' });
    const refused = await knownErrorOf(run.take('preflight'));
    billing.world.faults.splice(0);
    expect(refused.code).toBe('billing-access-not-activated');
  });

  it('refuses a payer account without our provisioner role', async () => {
    const run = await billing.begin('444400000001');
    expect((await knownErrorOf(run.take('preflight'))).code).toBe('payer-access-denied');
  });

  it('warns if Lake Formation governs the catalog', async () => {
    const payer = billing.newPayer();
    billing.world.lakeformation.lock(payer, region);
    const { record } = await (await billing.begin(payer)).take('preflight');
    expect(record.output).toMatchObject({ lakeFormationLocked: true });
    expect(record.warnings[0]).toContain('Lake Formation');
  });
});

describe('report-choice', () => {
  const choose = async (payer: string, report: object = {}) => {
    const run = await billing.begin(payer, { report });
    await run.take('preflight');
    return run.take('report-choice');
  };
  const output = ({ record }: StepOutcome) => outputs['report-choice'].parse(record.output);

  it('adopts the usable report with the latest delivery from several pages', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    for (const n of [1, 2, 3, 4, 5])
      seedReport(payer, { ReportName: `csv${n}`, Format: 'textORcsv', Compression: 'GZIP', AdditionalArtifacts: [] });
    seedReport(payer, { ReportName: 'never_delivered' });
    seedReport(payer, { ReportName: 'daily' }, 40);
    const choice = output(await choose(payer));
    expect(choice).toMatchObject({ choice: 'adopt', reportName: 'daily', prefix: 'cur' });
    expect(choice.considered).toHaveLength(7);
    expect(choice.considered[0]).toMatchObject({
      usable: false,
      reasons: expect.arrayContaining(['it is not made for Athena']) as string[],
    });
  });

  it('lists each report’s problems with remedies or why it is usable', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    seedReport(payer, { ReportName: '2019', Format: 'textORcsv', Compression: 'GZIP', AdditionalArtifacts: [] });
    seedReport(payer, { ReportName: 'elsewhere', S3Bucket: `other-${payer}`, AdditionalSchemaElements: [] }, 10);
    seedReport(payer, { ReportName: 'older' }, 40);
    seedReport(payer, { ReportName: 'fresh' });
    const { considered } = output(await choose(payer, { bucket: `acme-${payer}` }));
    const [csv, elsewhere, older, fresh] = considered;
    expect(csv).toMatchObject({
      usable: false,
      reasons: [
        'it is not made for Athena',
        'its format is textORcsv, not Parquet',
        'its name, which becomes the name of its table, does not begin with a letter',
      ],
      remedies: [expect.stringContaining('create a new report beside it') as string],
    });
    expect(elsewhere).toMatchObject({
      usable: false,
      reasons: ['it has no resource ids', `it is not in the requested bucket acme-${payer}`],
    });
    expect(elsewhere?.remedies).toContain(`leave report.bucket out, or set it to other-${payer}`);
    expect(older).toMatchObject({ usable: true, used: true, remedies: [] });
    expect(older?.reasons.join()).toMatch(/it is daily.*AWS delivered it last at 20.*,the run uses it/);
    expect(fresh).toMatchObject({ usable: true, used: false });
    expect(fresh?.reasons.join()).toMatch(/not delivered it yet.*older takes precedence/);
  });

  it('creates a report instead of adopting one without resource ids', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    seedReport(payer, { AdditionalSchemaElements: [] }, 40);
    expect(output(await choose(payer))).toMatchObject({
      choice: 'create',
      reportName: 'kubecost_cur',
      bucket: curBucketName(payer, region),
    });
  });

  it('gives the reasons if no report can be adopted', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    seedReport(payer, { AdditionalSchemaElements: [] });
    const { code, message } = await knownErrorOf(choose(payer, { mode: 'adopt' }));
    expect(code).toBe('no-usable-report');
    expect(message).toBe('acme: it has no resource ids');
  });

  it('never adopts in mode create, and refuses a taken name', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    seedReport(payer, { ReportName: 'kubecost_cur' }, 40);
    expect((await knownErrorOf(choose(payer, { mode: 'create' }))).code).toBe('report-differs');
    expect(output(await choose(payer, { mode: 'create', name: 'other' }))).toMatchObject({
      choice: 'create',
      reportName: 'other',
    });
    expect(output(await choose(payer))).toMatchObject({ choice: 'adopt', reportName: 'kubecost_cur' });
  });
});

describe('cur-bucket', () => {
  it('verifies the bucket of an adopted report without changing it', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    const { definition } = seedReport(payer, {}, 40);
    const bucket = billing.world.s3.buckets.get(definition.S3Bucket);
    const settings = () => JSON.stringify({ ...bucket, objects: [] });
    const before = settings();
    const taken = await billing.takeTo('cur-bucket', await billing.begin(payer));
    expect(done(taken)).toEqual([]);
    expect(taken.record.output).toMatchObject({ adopted: true, bucket: definition.S3Bucket });
    expect(settings()).toBe(before);
    expect(writesOf(taken.calls)).toEqual([]);
  });

  it('refuses an adopted bucket that AWS cannot write to', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    const { definition } = seedReport(payer, {}, 40);
    delete billing.world.s3.buckets.get(definition.S3Bucket)?.policy;
    const { code, message } = await knownErrorOf(billing.takeTo('cur-bucket', await billing.begin(payer)));
    expect(code).toBe('adopted-bucket-broken');
    expect(message).toContain('s3:PutObject');
  });

  it('refuses a bucket of another account, region or owner', async () => {
    const { s3 } = billing.world;
    const take = async (payer: string, report: object = {}) =>
      knownErrorOf(billing.takeTo('cur-bucket', await billing.begin(payer, { report })));
    const taken = billing.newPayer({ CurBucket: 'taken-*' });
    s3.createBucket('555500000001', region, `taken-${taken}`);
    expect((await take(taken, { bucket: `taken-${taken}` })).code).toBe('bucket-name-taken');
    const elsewhere = billing.newPayer({ CurBucket: 'elsewhere-*' });
    s3.createBucket(elsewhere, 'eu-west-1', `elsewhere-${elsewhere}`);
    expect((await take(elsewhere, { bucket: `elsewhere-${elsewhere}` })).code).toBe('bucket-in-other-region');
    const foreign = billing.newPayer();
    s3.createBucket(foreign, region, curBucketName(foreign, region));
    expect((await take(foreign)).code).toBe('bucket-not-ours');
  });

  it('keeps foreign statements, tags and rules when it takes over a bucket', async () => {
    const payer = billing.newPayer();
    const name = curBucketName(payer, region);
    const bucket = billing.world.s3.createBucket(payer, region, name);
    const theirs = {
      Sid: 'Theirs',
      Effect: 'Allow',
      Principal: { AWS: payer },
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${name}/*`,
    };
    billing.world.s3.setPolicy(name, JSON.stringify({ Version: '2012-10-17', Statement: theirs }));
    bucket.tags = [{ Key: 'team', Value: 'finance' }];
    bucket.lifecycle = [{ ID: 'logs', Status: 'Enabled', Filter: { Prefix: 'logs/' }, Expiration: { Days: 3 } }];
    const run = await billing.begin(payer, { existing: 'take-over', report: { retentionDays: 90 } });
    await billing.takeTo('cur-bucket', run);
    expect(JSON.parse(bucket.policy?.text ?? '')).toMatchObject({
      Statement: expect.arrayContaining([theirs]) as object[],
    });
    expect(bucket.tags).toContainEqual({ Key: 'team', Value: 'finance' });
    expect(bucket.lifecycle).toMatchObject([
      { ID: 'logs', Filter: { Prefix: 'logs/' } },
      { Filter: { Prefix: 'kubecost/kubecost_cur/kubecost_cur/' }, Expiration: { Days: 90 } },
    ]);
  });
});

describe('cur-report', () => {
  it('waits at most three minutes until AWS accepts the bucket’s policy', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer);
    await billing.takeUntil('cur-report', run);
    const rejection = {
      code: 'ValidationException',
      message: 'Failed to verify customer bucket permission.',
      status: 400,
    };
    billing.world.faults.push({ kind: rejection, operation: 'PutReportDefinition', times: 3 });
    const taken = await run.take('cur-report');
    billing.world.faults.splice(0);
    expect(taken.record.output).toMatchObject({ reportName: 'kubecost_cur', adopted: false });
    expect(billing.world.cur.find(payer, 'kubecost_cur')?.tags).toContainEqual({
      Key: 'managed-by',
      Value: 'kubecost-payer-onboarding',
    });

    const other = await billing.begin(payer, { report: { mode: 'create', name: 'second' } });
    await billing.takeUntil('cur-report', other);
    billing.world.faults.push({ kind: rejection, operation: 'PutReportDefinition' });
    const started = billing.world.clock.now();
    const { code } = await knownErrorOf(other.take('cur-report'));
    billing.world.faults.splice(0);
    expect(code).toBe('bucket-policy-rejected');
    expect(billing.world.clock.now() - started).toBeLessThan(240_000);
  });

  it('fails if the account has reached its limit of reports', async () => {
    const payer = billing.newPayer();
    for (const n of Array(10).keys()) seedReport(payer, { ReportName: `r${n}`, AdditionalSchemaElements: [] });
    expect((await knownErrorOf(billing.takeTo('cur-report', await billing.begin(payer)))).code).toBe(
      'report-limit-reached',
    );
  });
});

describe('first-delivery', () => {
  it('waits with few calls until AWS has delivered every file', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { wait: { intervalMinutes: 15 } });
    await billing.takeUntil('first-delivery', run);
    const started = billing.world.clock.now();
    const { record, calls } = await run.take('first-delivery');
    const hours = (billing.world.clock.now() - started) / 3_600_000;
    expect(hours).toBeGreaterThan(7.5);
    expect(hours).toBeLessThan(7.9);
    // The first check, the one that the watcher asks for, and those until every file is there.
    expect(record.invocations).toBeLessThan(8);
    const callsOf = (service: string) => calls.filter((call) => call.accountId === payer && call.service === service);
    // The watcher's free look every twelve minutes, and its look into the bucket once an hour.
    expect(callsOf('cur').length / hours).toBeLessThan(6.5);
    expect(callsOf('s3').length / hours).toBeLessThan(3);
    const { newestPartition, manifestKey } = outputs['first-delivery'].parse(record.output);
    expect(newestPartition).toEqual({ year: '2026', month: '11' });
    expect(billing.world.s3.keys(curBucketName(payer, region))).toContain(manifestKey);
  });

  it('fails within an hour if AWS cannot write to the bucket', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { wait: { intervalMinutes: 15 } });
    await billing.takeUntil('first-delivery', run);
    delete billing.world.s3.buckets.get(curBucketName(payer, region))?.policy;
    const started = billing.world.clock.now();
    const { code, message } = await knownErrorOf(run.take('first-delivery'));
    expect(code).toBe('delivery-failed');
    expect(message).toContain('ERROR_PERMISSIONS');
    expect(billing.world.clock.now() - started).toBeLessThan(8.6 * 3_600_000);
  });

  it('fails at the requested deadline', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { wait: { intervalMinutes: 60, deadlineHours: 3 } });
    await billing.takeUntil('first-delivery', run);
    expect((await knownErrorOf(run.take('first-delivery'))).code).toBe('delivery-overdue');
  });
});
