import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import type { ReportDefinition } from '../sandbox/index.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';

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
const bucketOf = (payer: string) => `acme-${payer}`;
const day = 86_400_000;

/** A report that AWS delivered just now. */
function seedReport(accountId: string, changes: Partial<ReportDefinition> = {}) {
  const { world } = billing;
  const place = { ReportName: 'acme', S3Bucket: bucketOf(accountId), S3Prefix: 'cur', S3Region: region };
  return world.cur.seedReport({
    accountId,
    definition: { ...place, ...changes },
    deliveredSince: world.clock.now() - 40 * day,
  });
}

async function choose(payer: string, report: object = {}) {
  const run = await billing.begin(payer, { report });
  const { record } = await billing.takeTo('report-choice', run);
  return { run, warnings: record.warnings, output: outputs['report-choice'].parse(record.output) };
}

async function adopt(payer: string, report: object = {}) {
  const { run } = await choose(payer, report);
  const { record } = await run.take('cur-bucket');
  return record.warnings.join('\n');
}

/** A policy for AWS's billing service with another principal, other objects or conditions than AWS's example. */
function policyFor(bucket: string, changes: { Principal?: object; objects?: string; Condition?: object } = {}) {
  const { Principal = { Service: 'billingreports.amazonaws.com' }, objects = '*', Condition = {} } = changes;
  const allow = { Effect: 'Allow', Principal, Condition };
  const Statement = [
    { ...allow, Action: ['s3:GetBucketAcl', 's3:GetBucketPolicy'], Resource: `arn:aws:s3:::${bucket}` },
    { ...allow, Action: 's3:PutObject', Resource: `arn:aws:s3:::${bucket}/${objects}` },
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

const policiesOfTheField: Record<string, (payer: string) => Parameters<typeof policyFor>[1]> = {
  'the ARN of one report': (payer) => ({
    Condition: { StringEquals: { 'aws:SourceArn': `arn:aws:cur:us-east-1:${payer}:definition/acme` } },
  }),
  'an organisation': () => ({ Condition: { StringEquals: { 'aws:SourceOrgID': 'o-1234567890' } } }),
  'one prefix': () => ({ objects: 'cur/*' }),
  'a range of addresses': () => ({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } } }),
  'another account of AWS': () => ({ Principal: { AWS: 'arn:aws:iam::123412341234:root' } }),
};

describe('the policy of an adopted bucket', () => {
  it('may name the account of AWS’s billing service', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer);
    const Principal = { AWS: 'arn:aws:iam::386209384616:root' };
    billing.world.s3.setPolicy(bucketOf(payer), policyFor(bucketOf(payer), { Principal }));
    expect(await adopt(payer)).toBe('');
  });

  it.each(Object.entries(policiesOfTheField))(
    'only warns after a recent delivery if it names %s',
    async (_, changes) => {
      const payer = billing.newPayer({ CurBucket: 'acme-*' });
      seedReport(payer);
      billing.world.s3.setPolicy(bucketOf(payer), policyFor(bucketOf(payer), changes(payer)));
      expect(await adopt(payer)).toMatch(/does not allow .* AWS has delivered to it in the last two days all the same/);
    },
  );

  it.each(Object.entries(policiesOfTheField))(
    'is refused without a recent delivery if it names %s',
    async (_, changes) => {
      const payer = billing.newPayer({ CurBucket: 'acme-*' });
      billing.world.cur.stopDelivering(seedReport(payer), 5);
      billing.world.s3.setPolicy(bucketOf(payer), policyFor(bucketOf(payer), changes(payer)));
      expect((await knownErrorOf(adopt(payer))).code).toBe('adopted-bucket-broken');
    },
  );

  it('is refused if nothing in it can be meant for AWS', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer);
    const Principal = { AWS: `arn:aws:iam::${payer}:role/reader`, Service: 'config.amazonaws.com' };
    billing.world.s3.setPolicy(bucketOf(payer), policyFor(bucketOf(payer), { Principal }));
    expect((await knownErrorOf(adopt(payer))).code).toBe('adopted-bucket-broken');
  });

  it('counts if AWS says that its last delivery failed', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    seedReport(payer).status.lastStatus = 'ERROR_PERMISSIONS';
    const { output } = await choose(payer);
    expect(output).toMatchObject({ choice: 'create', deliveredAt: null });
    expect(output.considered[0]?.reasons).toEqual(['its last delivery failed with ERROR_PERMISSIONS']);
  });
});

describe('the choice between reports', () => {
  it('never adopts a billing view that is not the primary one', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    const view = (name: string) => `arn:aws:billing::${payer}:billingview/${name}`;
    seedReport(payer, { BillingViewArn: view('billing-group-2f3a') });
    const created = await choose(payer);
    expect(created.output.choice).toBe('create');
    expect(created.output.considered[0]?.reasons.join()).toContain('it shows billing view');
    expect((await knownErrorOf(choose(payer, { mode: 'adopt' }))).message).toContain('billing-group-2f3a');
    seedReport(payer, { ReportName: 'own', BillingViewArn: view('primary') });
    expect((await choose(payer)).output).toMatchObject({ choice: 'adopt', reportName: 'own' });
  });

  it('says which evidence decided', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    const old = seedReport(payer, { ReportName: 'old' });
    seedReport(payer, { ReportName: 'fresh' });
    billing.world.cur.stopDelivering(old, 30);
    const { output } = await choose(payer);
    expect(output.reportName).toBe('fresh');
    expect(Date.parse(output.deliveredAt ?? '')).toBe(billing.world.clock.now());
    const [older, newer] = output.considered;
    expect(older?.reasons.join()).toContain('fresh takes precedence');
    expect(newer?.reasons.join()).toMatch(/AWS delivered it last at .*the newest object in its folder is of/);
  });

  it('prefers fresh objects to a status that AWS does not give', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer, { ReportName: 'silent' }).status = {};
    billing.world.cur.stopDelivering(seedReport(payer, { ReportName: 'stale' }), 9);
    expect((await choose(payer)).output.reportName).toBe('silent');
  });

  it('warns of a report that AWS has stopped to deliver', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    billing.world.cur.stopDelivering(seedReport(payer), 20);
    expect((await choose(payer)).warnings.join()).toContain('AWS has not delivered report acme since 2026-11-03');
  });
});

describe('a report that our role may not read', () => {
  it('is named with the parameter and its value', async () => {
    const payer = billing.newPayer();
    seedReport(payer);
    const { code, message } = await knownErrorOf(choose(payer, { mode: 'adopt' }));
    expect(code).toBe('access-parameter-differs');
    expect(message).toContain(`set parameter CurBucket of the payer’s access template to ${bucketOf(payer)}`);
  });

  it('gets a report beside it if the request allows that', async () => {
    const payer = billing.newPayer();
    seedReport(payer);
    const { output, warnings } = await choose(payer);
    expect(output).toMatchObject({ choice: 'create', reportName: 'kubecost_cur' });
    expect(warnings.join()).toMatch(
      new RegExp(`report kubecost_cur beside another: .* set parameter CurBucket .* to ${bucketOf(payer)}`),
    );
  });

  it('is passed over if its bucket is in another region', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    billing.world.s3.createBucket(payer, 'eu-west-1', bucketOf(payer));
    seedReport(payer);
    const { output } = await choose(payer);
    expect(output).toMatchObject({ choice: 'create', reportName: 'kubecost_cur' });
    expect(output.considered[0]?.reasons.join()).toContain('is in eu-west-1, but the report says us-east-1');
  });

  it.each(['detailed', 'plain'])('is found by the code of the denial, here with %s texts', async (texts) => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer);
    const { s3 } = billing.world;
    const deny = { Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: `arn:aws:s3:::${bucketOf(payer)}` };
    s3.setPolicy(bucketOf(payer), JSON.stringify({ Version: '2012-10-17', Statement: deny }));
    s3.deniesPlainly = texts === 'plain';
    const { code } = await knownErrorOf(choose(payer, { mode: 'adopt' }));
    s3.deniesPlainly = false;
    expect(code).toBe('access-parameter-differs');
  });

  it('is not adopted if its bucket belongs to another account', async () => {
    const payer = billing.newPayer({ CurBucket: '*' });
    billing.world.s3.createBucket('555500000009', region, bucketOf(payer));
    seedReport(payer);
    const { code, message } = await knownErrorOf(choose(payer, { mode: 'adopt' }));
    expect(code).toBe('no-usable-report');
    expect(message).toContain(`bucket ${bucketOf(payer)} belongs to another account`);
  });
});

describe('the lifetime of adopted data', () => {
  const rule = (changes: object) => ({ ID: 'r1', Status: 'Enabled' as const, Filter: { Prefix: '' }, ...changes });
  const warned: Record<string, [rule: ReturnType<typeof rule>, warning: string | undefined]> = {
    'an expiry of a week': [rule({ Expiration: { Days: 7 } }), 'lifecycle rule r1 expires the data after 7 days'],
    'an expiry at a prefix above': [rule({ Expiration: { Days: 99 }, Filter: { Prefix: 'cu' } }), 'after 99 days'],
    'an expiry of one month’s folder': [
      rule({ Expiration: { Days: 30 }, Filter: { Prefix: 'cur/acme/acme/year=2026/' } }),
      'after 30 days',
    ],
    'an expiry by size': [
      rule({ Expiration: { Days: 30 }, Filter: { And: { Prefix: 'cur/', ObjectSizeGreaterThan: 1 } } }),
      'after 30 days',
    ],
    'an expiry in the first form of the API': [
      { ...rule({ Expiration: { Days: 30 } }), Filter: undefined, Prefix: 'cur/' } as never,
      'after 30 days',
    ],
    'an expiry on a day': [rule({ Expiration: { Date: new Date('2027-01-01') } }), 'on 2027-01-01'],
    'an archive': [rule({ Transitions: [{ Days: 30, StorageClass: 'DEEP_ARCHIVE' }] }), 'DEEP_ARCHIVE after 30 days'],
    'an expiry of a hundred days': [rule({ Expiration: { Days: 100 } }), undefined],
    'an expiry elsewhere': [rule({ Expiration: { Days: 1 }, Filter: { Prefix: 'logs/' } }), undefined],
    'an expiry of earlier versions': [rule({ NoncurrentVersionExpiration: { NoncurrentDays: 1 } }), undefined],
    'an expiry of tagged objects': [
      rule({ Expiration: { Days: 1 }, Filter: { Tag: { Key: 'a', Value: 'b' } } }),
      undefined,
    ],
    'a class that Athena reads': [rule({ Transitions: [{ Days: 0, StorageClass: 'GLACIER_IR' }] }), undefined],
    'a disabled rule': [{ ...rule({ Expiration: { Days: 1 } }), Status: 'Disabled' } as never, undefined],
  };

  it.each(Object.entries(warned))('decides about the warning: %s', async (_, [one, warning]) => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer);
    const bucket = billing.world.s3.buckets.get(bucketOf(payer));
    if (bucket) bucket.lifecycle = [one];
    const text = await adopt(payer);
    if (warning === undefined) expect(text).toBe('');
    else expect(text).toContain(warning);
  });

  it('ends early in an archive tier', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    seedReport(payer);
    const bucket = billing.world.s3.buckets.get(bucketOf(payer));
    const Tierings = [{ Days: 90, AccessTier: 'ARCHIVE_ACCESS' as const }];
    if (bucket) bucket.intelligentTiering = [{ Id: 'cold', Status: 'Enabled', Tierings }];
    expect(await adopt(payer)).toContain(
      'intelligent tiering cold moves data of that class to ARCHIVE_ACCESS after 90',
    );
  });
});
