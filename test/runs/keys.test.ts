/** Whole runs of payers that encrypt with keys of their own. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { World } from '../sandbox/index.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { minutesOf, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters } from '../support/scenario.ts';

let runHarness: RunHarness;
let world: World;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1.5 });
  ({ world } = runHarness.stepHarness);
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [, platform] = clusters;
/** The payer of the example take-over-hand-made, which has a report, a table, a workgroup and a results bucket. */
const accountId = '111122220004';
const region = 'us-west-2';
const names = { CurBucket: 'borealis-cur', AthenaResultsBucket: 'borealis-athena-results' };

function encryptBucket(name: string, key?: string): void {
  const bucket = world.s3.buckets.get(name);
  if (!bucket) throw new Error(`no bucket ${name}`);
  const byDefault = { SSEAlgorithm: 'aws:kms' as const, KMSMasterKeyID: key };
  bucket.encryption = { Rules: [{ ApplyServerSideEncryptionByDefault: byDefault, BucketKeyEnabled: true }] };
  const kmsKeyArn = world.kms.arnOf(accountId, region, key ?? 'alias/aws/s3');
  for (const object of bucket.objects.values()) object.kmsKeyArn = kmsKeyArn;
}

/** Four keys, one for each place; each place names its key in another way. */
function encryptEverything(): string[] {
  const [cur, results, workgroup, catalog] = ['cur', 'results', 'workgroup', 'catalog'].map((alias) =>
    world.kms.createKey({ accountId, region, alias, multiRegion: alias === 'results' }),
  );
  if (!cur || !results || !workgroup || !catalog) throw new Error('no keys');
  encryptBucket('borealis-cur', 'alias/cur');
  encryptBucket('borealis-athena-results', results.id);
  const configuration = {
    EnforceWorkGroupConfiguration: true,
    ResultConfiguration: {
      OutputLocation: 's3://borealis-athena-results',
      EncryptionConfiguration: { EncryptionOption: 'SSE_KMS' as const, KmsKey: workgroup.arn },
    },
  };
  world.athena.seedWorkgroup({ accountId, region, name: 'kubecost', configuration });
  world.glue.catalog(accountId, region).encryption = {
    CatalogEncryptionMode: 'SSE-KMS',
    SseAwsKmsKeyId: catalog.arn,
  };
  return [cur, results, workgroup, catalog].map(({ arn }) => arn);
}

const podIdentity = { cluster: platform, identity: { mode: 'pod-identity' as const } };

describe('a payer with its own keys for bucket, results, workgroup and catalog', () => {
  it('is refused in the first minute with the value of KmsKeys', async () => {
    const keys = encryptEverything();
    const run = await runHarness.onboard('take-over-hand-made');
    expect(run.error).toMatchObject({ code: 'access-parameter-differs', step: 'preflight' });
    const value = /set parameter KmsKeys to (\S+)$/.exec(run.error?.message ?? '')?.[1] ?? '';
    expect(value.split(',').sort()).toEqual(keys.toSorted());
    expect(minutesOf(run)).toBeLessThan(1);
  });

  it('is connected once KmsKeys names them', async () => {
    const keys = encryptEverything();
    deployProvisioner(world, 'payer', accountId, { ...names, KmsKeys: keys.join(',') });
    const run = await runHarness.onboard('take-over-hand-made');
    expect([run.error, run.evidence?.level, run.evidence?.query.level]).toEqual([null, 'connection', 'pod-chain']);
    expect(stepOf(run, 'athena-results').output).toMatchObject({ keyArns: [keys[2], keys[1]], catalogKeyArn: keys[3] });
  });

  it('is proven by a narrowed session where no pod can be used', async () => {
    const keys = encryptEverything();
    deployProvisioner(world, 'payer', accountId, { ...names, KmsKeys: keys.join(',') });
    const run = await runHarness.onboard('take-over-hand-made', podIdentity);
    expect([run.error, run.evidence?.query.level]).toEqual([null, 'narrowed-session']);
  });
});

describe('a new payer with an encrypted Glue catalog', () => {
  const payer = '111122220001';

  async function onboard(changes: Parameters<RunHarness['onboard']>[1] = {}) {
    const { arn } = world.kms.createKey({ accountId: payer, region: 'us-east-1' });
    world.glue.catalog(payer, 'us-east-1').encryption = { CatalogEncryptionMode: 'SSE-KMS', SseAwsKmsKeyId: arn };
    deployProvisioner(world, 'payer', payer, { KmsKeys: arn });
    return { arn, run: await runHarness.onboard('new-irsa', changes) };
  }

  it('gets a table of our own, because AWS’s crawler lacks the key', async () => {
    const { arn, run } = await onboard();
    expect([run.error, run.evidence?.level]).toEqual([null, 'connection']);
    const stack = stepOf(run, 'crawler-stack');
    expect(stack.output).toMatchObject({ kind: 'none' });
    expect(stack.warnings.join()).toContain(arn);
  });

  it('is refused with the key if the request insists on AWS’s template', async () => {
    const { arn, run } = await onboard({ crawler: 'template' });
    expect(run.error).toMatchObject({
      code: 'crawler-template-unusable',
      step: 'preflight',
      message: expect.stringContaining(arn) as string,
    });
  });
});

describe('a payer whose Lake Formation governs new tables', () => {
  const payer = '111122220001';

  it('is connected once the payer role has the grant that preflight names', async () => {
    world.lakeformation.lock(payer, 'us-east-1', 'tables');
    const denied = await runHarness.onboard('new-irsa', { crawler: 'none' });
    const role = `arn:aws:iam::${payer}:role/kubecost-cur-access`;
    expect(stepOf(denied, 'preflight').warnings.join()).toContain(`DESCRIBE and SELECT on all its tables, for ${role}`);
    expect(denied.error).toMatchObject({
      code: 'query-failed',
      message: expect.stringContaining('Lake Formation') as string,
    });
    world.lakeformation.grant(role, 'us-east-1');
    expect((await runHarness.onboard('new-irsa', { crawler: 'none' })).error).toBeNull();
  });
});

describe('a payer whose buckets use aws/s3', () => {
  it.each([
    ['a pod', {}, 'pod-chain'],
    ['a narrowed session', podIdentity, 'narrowed-session'],
  ] as const)('needs no key in its template, with %s', async (_, changes, level) => {
    encryptBucket('borealis-cur');
    encryptBucket('borealis-athena-results');
    const run = await runHarness.onboard('take-over-hand-made', changes);
    expect([run.error, run.evidence?.query.level]).toEqual([null, level]);
  });
});

describe('a key of another account', () => {
  it('works where its policy admits the payer’s account', async () => {
    const Principal = { AWS: `arn:aws:iam::${accountId}:root` };
    const policy = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal, Action: 'kms:*', Resource: '*' }],
    };
    const { arn } = world.kms.createKey({ accountId: '999911112222', region, policy });
    encryptBucket('borealis-cur', arn);
    deployProvisioner(world, 'payer', accountId, { ...names, KmsKeys: arn });
    expect((await runHarness.onboard('take-over-hand-made')).error).toBeNull();
  });

  it('is named with its ARN where its policy does not', async () => {
    const { arn } = world.kms.createKey({ accountId: '999911112222', region });
    encryptBucket('borealis-cur', arn);
    deployProvisioner(world, 'payer', accountId, { ...names, KmsKeys: arn });
    const run = await runHarness.onboard('take-over-hand-made');
    expect(run.error).toMatchObject({ code: 'key-denied', message: expect.stringContaining(arn) as string });
    expect(minutesOf(run)).toBeLessThan(10);
  });
});

describe('a key that shows only later', () => {
  it('is named by the step that meets it', async () => {
    const { arn } = world.kms.createKey({ accountId, region });
    for (const object of world.s3.buckets.get('borealis-cur')?.objects.values() ?? []) object.kmsKeyArn = arn;
    const run = await runHarness.onboard('take-over-hand-made');
    expect(run.error?.message).toContain(arn);
    expect(run.error?.code).toBe('key-denied');
  });
});
