import { describe, expect, it } from 'vitest';
import { ask, billingWorld, payer, sessionOf } from '../../testing/billing-world.ts';
import { s3Service } from './service.ts';

const other = '999988887777';
const bucketIn = (region: string, name = 'reports') => ({
  Bucket: name,
  ...(region !== 'us-east-1' && { CreateBucketConfiguration: { LocationConstraint: region } }),
});

describe('S3 buckets', () => {
  it('keeps names unique among all accounts', async () => {
    const world = billingWorld();
    world.s3.createBucket(other, 'eu-central-1', 'reports');
    await expect(ask(world, s3Service, 'CreateBucket', bucketIn('eu-central-1'))).rejects.toMatchObject({
      code: 'BucketAlreadyExists',
    });
  });

  it('refuses a second creation by the owner outside us-east-1', async () => {
    const world = billingWorld();
    await ask(world, s3Service, 'CreateBucket', bucketIn('eu-central-1'));
    await expect(ask(world, s3Service, 'CreateBucket', bucketIn('eu-central-1'))).rejects.toMatchObject({
      code: 'BucketAlreadyOwnedByYou',
    });
    await ask(world, s3Service, 'CreateBucket', bucketIn('us-east-1', 'first'), { region: 'us-east-1' });
    await ask(world, s3Service, 'CreateBucket', bucketIn('us-east-1', 'first'), { region: 'us-east-1' });
    expect(world.s3.buckets.size).toBe(2);
  });

  it('needs a location constraint that fits the endpoint', async () => {
    const world = billingWorld();
    await expect(ask(world, s3Service, 'CreateBucket', { Bucket: 'reports' })).rejects.toMatchObject({
      code: 'IllegalLocationConstraintException',
    });
    await expect(
      ask(world, s3Service, 'CreateBucket', {
        Bucket: 'reports',
        CreateBucketConfiguration: { LocationConstraint: 'us-east-1' },
      }),
    ).rejects.toMatchObject({ code: 'InvalidLocationConstraint' });
  });

  it('refuses names that are invalid in DNS', async () => {
    const world = billingWorld();
    for (const name of ['Reports', 'a', '10.0.0.1', 'a..b', '-reports', 'reports_1'])
      await expect(ask(world, s3Service, 'CreateBucket', bucketIn('eu-central-1', name))).rejects.toMatchObject({
        code: 'InvalidBucketName',
      });
  });

  it('redirects a request for another region', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-west-1', 'reports');
    await expect(ask(world, s3Service, 'HeadBucket', { Bucket: 'reports' })).rejects.toMatchObject({
      code: 'PermanentRedirect',
      status: 301,
      headers: { 'x-amz-bucket-region': 'eu-west-1' },
    });
    const location = await ask(world, s3Service, 'GetBucketLocation', { Bucket: 'reports' }, { region: 'us-east-1' });
    expect(location).toEqual({ LocationConstraint: 'eu-west-1' });
  });

  it('refuses another expected owner and other accounts', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    for (const name of ['GetBucketPolicy', 'HeadBucket', 'ListObjectsV2', 'PutBucketTagging'])
      await expect(
        ask(world, s3Service, name, { Bucket: 'reports', ExpectedBucketOwner: other }),
      ).rejects.toMatchObject({ status: 403 });
    await expect(
      ask(world, s3Service, 'HeadBucket', { Bucket: 'reports' }, { accountId: other }),
    ).rejects.toMatchObject({ status: 403 });
  });

  it('can be deleted only when empty', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    world.s3.put('reports', 'a', 'text');
    await expect(ask(world, s3Service, 'DeleteBucket', { Bucket: 'reports' })).rejects.toMatchObject({
      code: 'BucketNotEmpty',
    });
    await ask(world, s3Service, 'DeleteObject', { Bucket: 'reports', Key: 'a' });
    await ask(world, s3Service, 'DeleteBucket', { Bucket: 'reports' });
    expect(world.s3.buckets.size).toBe(0);
  });
});

describe('S3 bucket settings', () => {
  const statement = (changes: object = {}) =>
    JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Resource: ['arn:aws:s3:::reports', 'arn:aws:s3:::reports/*'],
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
          ...changes,
        },
      ],
    });

  it('answers an unset setting with the error of AWS', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    const missing = {
      GetBucketPolicy: 'NoSuchBucketPolicy',
      GetBucketTagging: 'NoSuchTagSet',
      GetBucketLifecycleConfiguration: 'NoSuchLifecycleConfiguration',
    };
    for (const [name, code] of Object.entries(missing))
      await expect(ask(world, s3Service, name, { Bucket: 'reports' })).rejects.toMatchObject({ code, status: 404 });
  });

  it('refuses malformed and public policies', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    const put = (Policy: string) => ask(world, s3Service, 'PutBucketPolicy', { Bucket: 'reports', Policy });
    for (const changes of [{ Resource: 'arn:aws:s3:::elsewhere' }, { Action: 'iam:*' }, { Principal: undefined }])
      await expect(put(statement(changes))).rejects.toMatchObject({ code: 'MalformedPolicy' });
    await expect(put('{')).rejects.toMatchObject({ code: 'MalformedPolicy' });
    await expect(put(statement({ Effect: 'Allow', Condition: undefined }))).rejects.toMatchObject({
      code: 'AccessDenied',
    });
  });

  it('applies a TLS-only policy and a full denial to the owner', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    world.s3.setPolicy('reports', statement());
    await ask(world, s3Service, 'ListObjectsV2', { Bucket: 'reports' });
    world.s3.setPolicy('reports', statement({ Condition: undefined, Action: 's3:List*' }));
    await expect(ask(world, s3Service, 'ListObjectsV2', { Bucket: 'reports' })).rejects.toMatchObject({ status: 403 });
  });

  it('replaces the whole notification configuration', async () => {
    const world = billingWorld();
    const bucket = world.s3.createBucket(payer, 'eu-central-1', 'reports');
    bucket.notification = { EventBridgeConfiguration: {}, TopicConfigurations: [] };
    await ask(world, s3Service, 'PutBucketNotificationConfiguration', {
      Bucket: 'reports',
      NotificationConfiguration: {},
    });
    expect(await ask(world, s3Service, 'GetBucketNotificationConfiguration', { Bucket: 'reports' })).toEqual({});
  });
});

describe('S3 notifications', () => {
  it('cannot overlap', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    const rule = (event: string, Value: string) => ({
      Events: [event],
      LambdaFunctionArn: `arn:aws:lambda:eu-central-1:${payer}:function:any`,
      Filter: { Key: { FilterRules: [{ Name: 'prefix', Value }] } },
    });
    const put = (...LambdaFunctionConfigurations: object[]) =>
      ask(world, s3Service, 'PutBucketNotificationConfiguration', {
        Bucket: 'reports',
        NotificationConfiguration: { LambdaFunctionConfigurations },
      });
    await put(rule('s3:ObjectCreated:*', 'a/'), rule('s3:ObjectCreated:*', 'b/'), rule('s3:ObjectRemoved:*', 'a/'));
    await expect(put(rule('s3:ObjectCreated:*', 'a/'), rule('s3:ObjectCreated:Put', 'a/b'))).rejects.toMatchObject({
      code: 'InvalidArgument',
    });
  });
});

describe('S3 objects', () => {
  it('denies a missing key to callers who cannot list the bucket', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    const head = () => ask(world, s3Service, 'HeadObject', { Bucket: 'reports', Key: 'a' });
    await expect(head()).rejects.toMatchObject({ status: 404 });
    world.s3.setPolicy(
      'reports',
      JSON.stringify({
        Version: '2012-10-17',
        Statement: { Effect: 'Deny', Principal: '*', Action: 's3:ListBucket', Resource: 'arn:aws:s3:::reports' },
      }),
    );
    await expect(head()).rejects.toMatchObject({ status: 403 });
  });

  it('lists in pages and groups keys by delimiter', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    for (const key of ['p/a', 'p/b/1', 'p/b/2', 'p/c', 'q']) world.s3.put('reports', key, key);
    interface Page {
      Contents: { Key: string }[];
      CommonPrefixes: { Prefix: string }[];
      NextContinuationToken?: string;
    }
    const seen = [];
    let token: string | undefined;
    do {
      const input = { Bucket: 'reports', Prefix: 'p/', Delimiter: '/', MaxKeys: 1, ContinuationToken: token };
      const page = await ask<Page>(world, s3Service, 'ListObjectsV2', input);
      seen.push(...page.Contents.map(({ Key }) => Key), ...page.CommonPrefixes.map(({ Prefix }) => Prefix));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    expect(seen).toEqual(['p/a', 'p/b/', 'p/c']);
  });

  it('stay in a versioned bucket until every version is deleted', async () => {
    const world = billingWorld();
    const bucket = world.s3.createBucket(payer, 'eu-central-1', 'reports');
    bucket.versioned = true;
    const named = { Bucket: 'reports' };
    world.s3.put('reports', 'a', 'one');
    world.s3.put('reports', 'a', 'two');
    await ask(world, s3Service, 'DeleteObjects', { ...named, Delete: { Objects: [{ Key: 'a' }] } });
    expect(world.s3.keys('reports')).toEqual([]);
    await expect(ask(world, s3Service, 'DeleteBucket', named)).rejects.toMatchObject({ code: 'BucketNotEmpty' });
    interface Listed {
      Versions: { Key: string; VersionId: string; IsLatest: boolean }[];
      DeleteMarkers: { Key: string; VersionId: string; IsLatest: boolean }[];
    }
    const { Versions, DeleteMarkers } = await ask<Listed>(world, s3Service, 'ListObjectVersions', named);
    expect([Versions.length, DeleteMarkers.map(({ IsLatest }) => IsLatest)]).toEqual([2, [true]]);
    await ask(world, s3Service, 'DeleteObjects', { ...named, Delete: { Objects: DeleteMarkers } });
    expect(world.s3.text('reports', 'a')).toBe('two');
    await ask(world, s3Service, 'DeleteObjects', { ...named, Delete: { Objects: Versions } });
    await ask(world, s3Service, 'DeleteBucket', named);
    expect(world.s3.buckets.size).toBe(0);
  });

  it('that cannot be deleted are errors within a successful answer', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    for (const key of ['mine/a', 'other/b']) world.s3.put('reports', key, '');
    const caller = sessionOf(world, 'cleaner', ['s3:DeleteObject', 'arn:aws:s3:::reports/mine/*']);
    const answer = await ask(
      world,
      s3Service,
      'DeleteObjects',
      { Bucket: 'reports', Delete: { Objects: [{ Key: 'mine/a' }, { Key: 'other/b' }] } },
      { caller },
    );
    expect(answer).toMatchObject({ Deleted: [{ Key: 'mine/a' }], Errors: [{ Key: 'other/b', Code: 'AccessDenied' }] });
    expect(world.s3.keys('reports')).toEqual(['other/b']);
  });
});

describe('S3 names of one account', () => {
  const name = `reports-${payer}-eu-central-1-an`;
  const create = (changes: object, region = 'eu-central-1') => {
    const world = billingWorld();
    return ask(world, s3Service, 'CreateBucket', { ...bucketIn(region, name), ...changes }, { region });
  };

  it('belong to the account whose id they have', async () => {
    await create({ BucketNamespace: 'account-regional' });
    const others = [
      create({}),
      create({ Bucket: `reports-${other}-eu-central-1-an`, BucketNamespace: 'account-regional' }),
      create({ Bucket: `reports-${payer}-eu-west-1-an`, BucketNamespace: 'account-regional' }),
      create({ Bucket: 'reports', BucketNamespace: 'account-regional' }),
    ];
    for (const creation of others) await expect(creation).rejects.toMatchObject({ code: 'InvalidBucketNamespace' });
  });

  it('do not exist in two regions', async () => {
    const Bucket = `reports-${payer}-me-south-1-an`;
    await expect(create({ Bucket, BucketNamespace: 'account-regional' }, 'me-south-1')).rejects.toThrow();
  });
});

describe('S3 denials', () => {
  const locate = async (change: (world: ReturnType<typeof billingWorld>) => void) => {
    const world = billingWorld();
    world.s3.createBucket(other, 'eu-central-1', 'reports');
    change(world);
    return ask(world, s3Service, 'GetBucketLocation', { Bucket: 'reports' });
  };

  it('name the right only within one organisation', async () => {
    await expect(locate(() => undefined)).rejects.toMatchObject({ code: 'AccessDenied', message: 'Access Denied' });
    await expect(
      locate((world) => {
        world.organizations.create(payer, other);
      }),
    ).rejects.toMatchObject({ code: 'AccessDenied', message: expect.stringContaining('not authorized') as string });
  });

  it('have another code for a bucket that AWS has shut down', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports').disabled = true;
    await expect(ask(world, s3Service, 'HeadBucket', { Bucket: 'reports' })).rejects.toMatchObject({
      code: 'AllAccessDisabled',
      status: 403,
    });
  });

  it('cover the objects of an archive', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    world.s3.put('reports', 'old', 'data', { storageClass: 'DEEP_ARCHIVE' });
    await expect(ask(world, s3Service, 'GetObject', { Bucket: 'reports', Key: 'old' })).rejects.toMatchObject({
      code: 'InvalidObjectState',
      status: 403,
    });
    expect(await ask(world, s3Service, 'ListObjectsV2', { Bucket: 'reports' })).toMatchObject({
      Contents: [{ StorageClass: 'DEEP_ARCHIVE' }],
    });
  });
});
