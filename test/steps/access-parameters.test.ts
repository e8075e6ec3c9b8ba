import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { athenaResultsBucketName, curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { type World } from '../sandbox/index.ts';
import { PayerHarness } from '../support/payer-harness.ts';
import { deployOldProvisioner, deployProvisioner } from '../support/provisioners.ts';
import { writesOf } from '../support/step-harness.ts';

let billing: PayerHarness;
let world: World;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  billing = await PayerHarness.open();
  ({ world } = billing);
});
afterEach(() => billing.endRuns());

afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
type Changes = Partial<OnboardingRequestInput>;

/** Preflight's record; it writes nothing. */
async function preflight(payer: string, changes: Changes = {}): Promise<StepRecord> {
  const calls = world.calls.length;
  const run = await billing.begin(payer, changes);
  await run.take('preflight').catch(() => undefined);
  expect(writesOf(world.calls.slice(calls))).toEqual([]);
  return run.record('preflight');
}

const errorOf = async (payer: string, changes: Changes = {}) => (await preflight(payer, changes)).error;

/** A payer with the template of release 0.3.0. */
function oldPayer(): string {
  const payer = billing.newPayer();
  deployOldProvisioner(world, 'payer', payer);
  return payer;
}

describe('preflight reads the access template', () => {
  it('shows its version and parameters in the output', async () => {
    const { output } = await preflight(billing.newPayer({ CurBucket: 'acme-*', Crawler: 'remove' }), {
      report: { bucket: 'acme-bills' },
    });
    const { access } = outputs.preflight.parse(output);
    expect(access).toMatchObject({ version: 1, parameters: { CurBucket: 'acme-*', Crawler: 'remove' } });
  });

  it('counts a role without tags as version 0', async () => {
    const { output, status } = await preflight(oldPayer());
    expect(status).toBe('succeeded');
    expect(outputs.preflight.parse(output).access).toEqual({ version: 0, parameters: {} });
  });

  it('reads a run of release 0.3.0, whose output lacks it', () => {
    const before = {
      clusterArn: 'arn',
      clusterVersion: '1',
      endpoint: 'https://example.com',
      certificateAuthority: '',
      oidcIssuer: '',
      podIdentityAvailable: false,
      organization: 'none',
      unreservedConcurrency: 1000,
      lakeFormationLocked: false,
    };
    expect(outputs.preflight.parse(before).access).toBeNull();
  });

  it('calls Lambda only where AWS’s template may be deployed', async () => {
    const lambdaCalls = async (payer: string, changes: Changes) => {
      const before = world.calls.length;
      expect((await preflight(payer, changes)).status).toBe('succeeded');
      return world.calls.slice(before).filter(({ service }) => service === 'lambda').length;
    };
    expect(await lambdaCalls(billing.newPayer(), {})).toBe(1);
    expect(await lambdaCalls(billing.newPayer(), { crawler: 'none' })).toBe(0);
    expect(await lambdaCalls(billing.newPayer({ Crawler: 'none' }), {})).toBe(0);
  });
});

describe('preflight names the parameter and its value', () => {
  const cases: [string, Record<string, string>, Changes, RegExp][] = [
    ['Crawler for crawler: template', { Crawler: 'remove' }, { crawler: 'template' }, /set parameter Crawler to full/],
    [
      'CurBucket for a requested bucket',
      {},
      { report: { bucket: 'acme-bills' } },
      /may not use bucket acme-bills: set parameter CurBucket to acme-bills/,
    ],
    [
      'CurBucket for a new report’s default bucket',
      { CurBucket: 'acme-bills' },
      { report: { mode: 'create' } },
      /set parameter CurBucket to kubecost-cur-\d{12}-us-east-1/,
    ],
    [
      'AthenaResultsBucket for a requested bucket',
      {},
      { athena: { resultsBucket: 'team-results' } },
      /set parameter AthenaResultsBucket to team-results/,
    ],
    [
      'AthenaWorkgroup for another workgroup',
      { AthenaWorkgroup: 'kubecost*' },
      { athena: { workgroup: 'finops' } },
      /set parameter AthenaWorkgroup to finops/,
    ],
    ['PayerRole for another role', { PayerRole: 'other-*' }, {}, /set parameter PayerRole to kubecost-cur-access/],
    [
      'PermissionsBoundary until a release sets one',
      { PermissionsBoundary: 'arn:aws:iam::333300000001:policy/boundary' },
      {},
      /set parameter PermissionsBoundary to none/,
    ],
  ];

  it.each(cases)('%s', async (_, parameters, changes, text) => {
    expect(await errorOf(billing.newPayer(parameters), changes)).toMatchObject({
      code: 'access-parameter-differs',
      actor: 'payer account owner',
      message: expect.stringMatching(text) as string,
    });
  });

  it('AthenaResultsBucket for the bucket of the workgroup', async () => {
    const payer = billing.newPayer();
    const configuration = { ResultConfiguration: { OutputLocation: 's3://team-results/queries' } };
    world.athena.seedWorkgroup({ accountId: payer, region, name: 'primary', configuration });
    expect((await errorOf(payer))?.message).toContain('set parameter AthenaResultsBucket to team-results');
  });

  it('accepts a name that a pattern covers', async () => {
    const payer = billing.newPayer({ CurBucket: 'a*me-*', AthenaWorkgroup: 'fin*' });
    const changes = { report: { bucket: 'acme-bills' }, athena: { workgroup: 'finops' } };
    expect((await preflight(payer, changes)).status).toBe('succeeded');
  });

  it('every parameter in one answer', async () => {
    const payer = billing.newPayer({ Crawler: 'none' });
    const error = await errorOf(payer, { crawler: 'template', report: { bucket: 'acme-bills' } });
    expect(error?.code).toBe('preflight-failed');
    expect(error?.message).toMatch(/parameter Crawler to full.*parameter CurBucket to acme-bills/);
  });

  it('Cluster for a cluster outside the cluster’s template', async () => {
    const cluster = { accountId: '222233330009', region: 'eu-west-1', name: 'finops' };
    deployProvisioner(world, 'cluster', cluster.accountId, { Cluster: 'dev-*' });
    expect((await errorOf(billing.newPayer(), { cluster }))?.message).toContain('set parameter Cluster to finops');
  });
});

describe('preflight and a key of the customer', () => {
  const newKey = (accountId: string, alias?: string) =>
    world.kms.createKey({ accountId, region, ...(alias !== undefined && { alias }) }).arn;

  function encryptBucket(payer: string, bucket: string, KMSMasterKeyID?: string): void {
    const settings = world.s3.buckets.get(bucket) ?? world.s3.createBucket(payer, region, bucket);
    settings.encryption = {
      Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID } }],
    };
  }

  const places: Record<string, (payer: string, key: string) => void> = {
    'the results bucket': (payer, key) => {
      encryptBucket(payer, athenaResultsBucketName(payer, region), key);
    },
    'the report’s bucket': (payer, key) => {
      encryptBucket(payer, curBucketName(payer, region), key);
    },
    'the workgroup': (payer, KmsKey) => {
      const EncryptionConfiguration = { EncryptionOption: 'SSE_KMS' as const, KmsKey };
      const configuration = { ResultConfiguration: { EncryptionConfiguration } };
      world.athena.seedWorkgroup({ accountId: payer, region, name: 'primary', configuration });
    },
    'the Glue catalog': (payer, SseAwsKmsKeyId) => {
      world.glue.catalog(payer, region).encryption = { CatalogEncryptionMode: 'SSE-KMS', SseAwsKmsKeyId };
    },
  };

  it.each(Object.entries(places))('names the key of %s before the wait', async (_, encrypt) => {
    const payer = billing.newPayer();
    const key = newKey(payer);
    encrypt(payer, key);
    expect(await errorOf(payer)).toMatchObject({
      code: 'access-parameter-differs',
      message: expect.stringContaining(`set parameter KmsKeys to ${key}`) as string,
    });
    deployProvisioner(world, 'payer', payer, { KmsKeys: key });
    expect((await preflight(payer)).status).toBe('succeeded');
  });

  it('names it by its ARN, also where settings name an alias or an id', async () => {
    const payer = billing.newPayer();
    const key = newKey(payer, 'results');
    for (const name of ['alias/results', `arn:aws:kms:${region}:${payer}:alias/results`, key.split('/')[1]]) {
      encryptBucket(payer, athenaResultsBucketName(payer, region), name);
      expect((await errorOf(payer))?.message).toContain(`set parameter KmsKeys to ${key}`);
    }
  });

  it('adds it to the keys that the parameter has', async () => {
    const payer = billing.newPayer();
    const [first, second] = [newKey(payer), newKey(payer)];
    deployProvisioner(world, 'payer', payer, { KmsKeys: first });
    encryptBucket(payer, athenaResultsBucketName(payer, region), second);
    expect((await errorOf(payer))?.message).toContain(`set parameter KmsKeys to ${first},${second}`);
  });

  it('names the key of an adopted report’s bucket', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    const bucket = `acme-${payer}`;
    world.cur.seedReport({
      accountId: payer,
      definition: { ReportName: 'daily', S3Bucket: bucket, S3Prefix: 'cur', S3Region: region },
      deliveredSince: world.clock.now() - 40 * 86_400_000,
    });
    const key = newKey(payer);
    encryptBucket(payer, bucket, key);
    expect((await errorOf(payer))?.message).toContain(`${key} of bucket ${bucket}: set parameter KmsKeys to ${key}`);
  });

  it('needs no grant for keys that AWS manages', async () => {
    const payer = billing.newPayer();
    encryptBucket(payer, athenaResultsBucketName(payer, region));
    world.glue.catalog(payer, region).encryption = { CatalogEncryptionMode: 'SSE-KMS' };
    expect((await preflight(payer)).status).toBe('succeeded');
  });

  it('needs none for a catalog with a service role', async () => {
    const payer = billing.newPayer();
    world.glue.catalog(payer, region).encryption = {
      CatalogEncryptionMode: 'SSE-KMS-WITH-SERVICE-ROLE',
      SseAwsKmsKeyId: newKey(payer),
    };
    expect((await preflight(payer)).status).toBe('succeeded');
  });

  it('names a key of another account, and a replica by its own region', async () => {
    const payer = billing.newPayer();
    const foreign = newKey('999900007777');
    encryptBucket(payer, athenaResultsBucketName(payer, region), foreign);
    expect((await errorOf(payer))?.message).toContain(`set parameter KmsKeys to ${foreign}`);
    const replica = world.kms.createKey({ accountId: payer, region, multiRegion: true });
    encryptBucket(payer, athenaResultsBucketName(payer, region), replica.id);
    expect((await errorOf(payer))?.message).toContain(`set parameter KmsKeys to ${replica.arn}`);
  });

  it('cannot name the key behind an alias of another account', async () => {
    const payer = billing.newPayer();
    const foreign = newKey('999900007777', 'shared');
    encryptBucket(payer, athenaResultsBucketName(payer, region), `arn:aws:kms:${region}:999900007777:alias/shared`);
    const { code, message } = (await errorOf(payer)) ?? {};
    expect(code).toBe('access-parameter-differs');
    expect(message).toMatch(
      /set parameter KmsKeys to a list with the ARN of the key of bucket \S+ in account 999900007777$/,
    );
    deployProvisioner(world, 'payer', payer, { KmsKeys: foreign });
    const { status, warnings } = await preflight(payer);
    expect([status, warnings]).toEqual(['succeeded', []]);
  });

  it('says that the template of 0.3.0 is too old for it', async () => {
    const payer = oldPayer();
    const key = newKey(payer);
    encryptBucket(payer, athenaResultsBucketName(payer, region), key);
    expect(await errorOf(payer)).toMatchObject({
      code: 'access-template-too-old',
      message: expect.stringMatching(`template too old for KMS key ${key} of .*, needs version 1`) as string,
    });
  });
});

describe('preflight and a table of our own', () => {
  it('refuses the template of 0.3.0 for a new report', async () => {
    expect(await errorOf(oldPayer(), { crawler: 'none' })).toMatchObject({
      code: 'access-template-too-old',
      message: 'template too old for a table of our own, needs version 1',
    });
  });

  it('warns where the run may do without it', async () => {
    const { status, warnings } = await preflight(oldPayer());
    expect(status).toBe('succeeded');
    expect(warnings).toContainEqual(
      expect.stringContaining('template too old for a table of our own, needs version 1'),
    );
  });
});

describe('preflight and Lake Formation', () => {
  it('names permission and role for new databases', async () => {
    const payer = billing.newPayer();
    world.lakeformation.lock(payer, region, 'databases');
    const { warnings } = await preflight(payer);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(
      new RegExp(`CREATE_DATABASE on the catalog for arn:aws:iam::${payer}:role/.*kubecost-payer-provisioner`),
    );
  });

  it('names permissions and role for new tables', async () => {
    const payer = billing.newPayer();
    world.lakeformation.lock(payer, region, 'tables');
    const { warnings, output } = await preflight(payer, { crawler: 'none' });
    expect(warnings).toEqual([
      expect.stringMatching(
        `CreateTableDefaultPermissions lacks IAM_ALLOWED_PRINCIPALS.*DESCRIBE and SELECT on all its tables, for arn:aws:iam::${payer}:role/kubecost-cur-access`,
      ),
    ]);
    expect(outputs.preflight.parse(output).lakeFormationLocked).toBe(true);
  });
});
