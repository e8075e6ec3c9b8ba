import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { athenaResultsBucketName, curBucketName } from '../../shared/aws/names.ts';
import { logLines } from '../support/log-lines.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';

let billing: PayerHarness;
let logged: ReturnType<typeof logLines>;
beforeAll(async () => {
  logged = logLines();
  billing = await PayerHarness.open();
});
afterEach(() => billing.endRuns());

afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const stranger = '555500000001';

/** Takes cur-report under planted answers of PutReportDefinition. */
async function createReport(answers: { code: string; message: string; times?: number }[]) {
  const payer = billing.newPayer();
  const run = await billing.begin(payer);
  await billing.takeUntil('cur-report', run);
  const { clock, faults } = billing.world;
  const started = clock.now();
  for (const { code, message, times = Infinity } of answers)
    faults.push({ kind: { code, message, status: 400 }, operation: 'PutReportDefinition', times });
  const taken = await run.take('cur-report').finally(() => {
    faults.splice(0);
  });
  return { payer, record: taken.record, seconds: (clock.now() - started) / 1000 };
}

const invalid = (message: string, times?: number) => ({
  code: 'ValidationException',
  message,
  ...(times !== undefined && { times }),
});
const permission = 'Failed to verify customer bucket permission.';

describe('a refusal of PutReportDefinition that is about the bucket', () => {
  const passing: Record<string, ReturnType<typeof invalid>[]> = {
    'no text': [invalid('', 3)],
    'the SDK’s word for no text': [invalid('UnknownError', 3)],
    'white space': [invalid(' \n', 2)],
    'the usual text': [invalid(permission, 3)],
    'first a text, then none': [invalid(permission, 2), invalid('', 2)],
    'a bucket that AWS sees late': [invalid('S3 bucket does not exist', 2)],
    'other words': [invalid('The bucket policy does not grant access to billingreports.amazonaws.com', 2)],
  };
  it.each(Object.entries(passing))('passes if AWS sees the policy later: %s', async (_, answers) => {
    const { payer, record } = await createReport(answers);
    expect(record.output).toMatchObject({ reportName: 'kubecost_cur' });
    expect(billing.world.cur.find(payer, 'kubecost_cur')).toBeDefined();
  });

  it.each(['', 'UnknownError', permission])('fails within minutes if it stays: "%s"', async (message) => {
    const started = billing.world.clock.now();
    expect((await knownErrorOf(createReport([invalid(message)]))).code).toBe('bucket-policy-rejected');
    expect(billing.world.clock.now() - started).toBeLessThan(300_000);
  });

  it('happens without a text in a new world too', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer);
    await billing.takeUntil('cur-report', run);
    billing.world.cur.refusesWithoutText = true;
    const bucket = billing.world.s3.buckets.get(curBucketName(payer, region));
    delete bucket?.policy;
    const { code } = await knownErrorOf(run.take('cur-report'));
    billing.world.cur.refusesWithoutText = false;
    expect(code).toBe('bucket-policy-rejected');
  });

  it('is logged as it was seen', async () => {
    await createReport([invalid('', 1)]);
    expect(logged()).toContainEqual(
      expect.objectContaining({
        message: 'AWS refuses a report',
        code: 'ValidationException',
        meaning: 'bucket-not-seen',
      }),
    );
  });
});

describe('a refusal of PutReportDefinition that no wait can change', () => {
  const constraint = (field: string) =>
    invalid(
      `1 validation error detected: Value 'my-policy-bucket' at 'reportDefinition.${field}' failed to satisfy constraint: Member must satisfy regular expression pattern`,
    );
  const final: Record<string, [answer: { code: string; message: string }, code: string]> = {
    'an argument': [constraint('s3Prefix'), 'report-arguments-rejected'],
    'an argument with the word policy': [constraint('s3Bucket'), 'report-arguments-rejected'],
    'an unknown text': [invalid('Something else is wrong'), 'report-arguments-rejected'],
    'a new account': [invalid('This account is not eligible for legacy reports'), 'report-not-allowed'],
    'a bill-source account': [
      { code: 'AccessDeniedException', message: 'Reports of billing transfers are not available here' },
      'report-not-allowed',
    ],
    'a feature that is off': [{ code: 'OptInRequiredException', message: '' }, 'report-not-allowed'],
    'a missing permission': [
      {
        code: 'AccessDeniedException',
        message: 'User: arn:aws:sts::1:x is not authorized to perform: cur:PutReportDefinition on resource: y',
      },
      'access-denied',
    ],
    'too many reports': [{ code: 'ReportLimitReachedException', message: 'limit' }, 'report-limit-reached'],
  };
  it.each(Object.entries(final))('fails at once with its text: %s', async (_, [answer, code]) => {
    const started = billing.world.clock.now();
    const refused = await knownErrorOf(createReport([answer]));
    expect(refused.code).toBe(code);
    expect(refused.message).toContain(answer.message);
    expect(billing.world.clock.now() - started).toBeLessThan(60_000);
  });

  it('has its code for an account whose bill has moved away', async () => {
    const payer = billing.newPayer();
    const { organizations, clock } = billing.world;
    organizations.create(payer);
    organizations.transfers.push({
      sourceAccountId: payer,
      targetAccountId: stranger,
      status: 'ACCEPTED',
      startsAt: clock.now() - 86_400_000,
    });
    const run = await billing.begin(payer);
    const { record } = await billing.takeTo('report-choice', run);
    expect(record.warnings.join()).toContain(
      `billing transfer: from 2026-11-22 on, account ${stranger} gets the bills`,
    );
    await run.take('cluster-access').catch(() => undefined);
    await run.take('cur-bucket');
    expect((await knownErrorOf(run.take('cur-report'))).code).toBe('report-not-allowed');
  });

  it('is expected of no account that gets the bills of others', async () => {
    const payer = billing.newPayer();
    const { organizations, clock } = billing.world;
    organizations.create(payer);
    organizations.transfers.push({
      sourceAccountId: stranger,
      targetAccountId: payer,
      status: 'ACCEPTED',
      startsAt: clock.now() + 86_400_000,
    });
    const run = await billing.begin(payer);
    const { record } = await billing.takeTo('report-choice', run);
    expect(record.warnings.join()).toContain(`gets the bills of the organisation of ${stranger}`);
  });
});

describe('a new report', () => {
  it('tells from which day it has costs and what to ask for', async () => {
    const { record } = await createReport([]);
    expect(record.output).toMatchObject({ dataSince: '2026-11-01' });
    const text = record.warnings.join('\n');
    expect(text).toContain('costs from 2026-11-01 on at the earliest, and the consumer builds 91 days');
    expect(text).toContain('AWS Support (Account and billing) to backfill Cost and Usage Report kubecost_cur');
    expect(text).toContain('from 2026-08 on');
    expect(text).toContain('only the payer account can activate cost allocation tags');
  });

  it('has these warnings only in the run that made it', async () => {
    const { payer } = await createReport([]);
    const { record } = await billing.takeTo('cur-report', await billing.begin(payer));
    expect(record.output).toMatchObject({ dataSince: null });
    expect(record.warnings).toEqual([]);
  });
});

describe('a default bucket name of somebody else', () => {
  const second = (payer: string) => `${curBucketName(payer, region)}-an`;

  it.each(['foreign', 'near', 'plain'])('leads to a name of the account itself, here %s', async (kind) => {
    const payer = billing.newPayer();
    const { s3, organizations, cur } = billing.world;
    s3.createBucket(stranger, region, curBucketName(payer, region));
    if (kind === 'near') organizations.create(payer, stranger);
    s3.deniesPlainly = kind === 'plain';
    const run = await billing.begin(payer);
    const { record } = await billing.takeTo('report-choice', run);
    expect(record.warnings.join()).toContain(
      `as it does if another account owns it, so the run uses the name ${second(payer)}`,
    );
    await run.take('cur-bucket');
    await run.take('cur-report');
    s3.deniesPlainly = false;
    expect(s3.buckets.get(second(payer))?.accountId).toBe(payer);
    expect(cur.find(payer, 'kubecost_cur')?.definition.S3Bucket).toBe(second(payer));
    const again = await billing.takeTo('report-choice', await billing.begin(payer));
    expect(again.record.output).toMatchObject({ choice: 'create', bucket: second(payer) });
    s3.buckets.delete(curBucketName(payer, region));
    const later = await billing.takeTo('report-choice', await billing.begin(payer, { report: { mode: 'create' } }));
    expect(later.record.output).toMatchObject({ choice: 'create', bucket: second(payer) });
  });

  it('leads to a name with a hash where such names do not exist', async () => {
    const payer = billing.newPayer();
    const name = curBucketName(payer, 'me-south-1');
    billing.world.s3.createBucket(stranger, 'me-south-1', name);
    const run = await billing.begin(payer, { report: { region: 'me-south-1' } });
    const { record } = await billing.takeTo('cur-bucket', run);
    expect(record.output).toMatchObject({
      bucket: expect.stringMatching(new RegExp(`^${name}-[0-9a-f]{8}$`)) as string,
    });
  });

  it('leads to another name of the results bucket too', async () => {
    const payer = billing.newPayer();
    const name = athenaResultsBucketName(payer, region);
    billing.world.s3.createBucket(stranger, region, name);
    const run = await billing.begin(payer);
    await billing.takeTo('report-choice', run);
    const { record } = await run.take('athena-results');
    expect(record.output).toMatchObject({
      athenaResultsBucket: `${name}-an`,
      athenaResultsLocation: `s3://${name}-an`,
    });
    expect(record.warnings.join()).toContain(`so the run uses the name ${name}-an`);
  });

  it('is not confused with a name that our role may not use', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-cur' });
    const { code, message } = await knownErrorOf(billing.takeTo('cur-bucket', await billing.begin(payer)));
    expect(code).toBe('access-parameter-differs');
    expect(message).toMatch(/set parameter CurBucket .*to kubecost-cur-/);
    const bucket = `named-${payer}`;
    const named = await billing.begin(payer, { report: { bucket } });
    expect((await knownErrorOf(billing.takeTo('cur-bucket', named))).message).toMatch(
      new RegExp(`set parameter CurBucket .*to ${bucket}`),
    );
  });

  it.each(['CurBucket', 'AthenaResultsBucket'])(
    'is not confused with a missing permission, without tags: %s',
    async (parameter) => {
      const payer = billing.newPayer({ [parameter]: 'acme-cur' });
      billing.world.iam.role(payer, 'kubecost-payer-provisioner')?.tags.clear();
      const run = await billing.begin(payer);
      const { code, message } = await knownErrorOf(run.take('preflight'));
      expect(code).toBe('access-parameter-differs');
      expect(message).toContain(`set parameter ${parameter} to kubecost-`);
    },
  );

  it('stays refused if the request names it', async () => {
    const payer = billing.newPayer();
    const bucket = `kubecost-cur-named-${payer}`;
    billing.world.s3.createBucket(stranger, region, bucket);
    const run = await billing.begin(payer, { report: { bucket } });
    expect((await knownErrorOf(billing.takeTo('cur-bucket', run))).code).toBe('bucket-name-taken');
  });

  it('stays refused if the request names the namespace of another account', async () => {
    const payer = billing.newPayer();
    const bucket = `kubecost-cur-${stranger}-${region}-an`;
    const run = await billing.begin(payer, { report: { bucket } });
    expect((await knownErrorOf(billing.takeTo('cur-bucket', run))).code).toBe('bucket-name-taken');
  });

  it('counts as taken if AWS has shut the bucket down', async () => {
    const payer = billing.newPayer();
    billing.world.s3.createBucket(stranger, region, curBucketName(payer, region)).disabled = true;
    const { record } = await billing.takeTo('cur-bucket', await billing.begin(payer));
    expect(record.output).toMatchObject({ bucket: second(payer) });
  });
});
