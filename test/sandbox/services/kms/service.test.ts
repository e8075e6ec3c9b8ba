import { DescribeKeyCommand, KMSClient, ListAliasesCommand } from '@aws-sdk/client-kms';
import {
  GetObjectCommand,
  HeadObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, describe, expect, it } from 'vitest';
import { createWorld } from '../../create-world.ts';
import { errorOf, payer, region, serve, sessionOf } from '../../testing/core-world.ts';

const other = '444455556666';
const server = serve(createWorld());
afterAll(async () => {
  await (await server).close();
});

let count = 0;

/** A bucket, and a session that may do everything in S3 and what the statements say. */
async function bucketAnd(...statements: object[]) {
  const sandbox = await server;
  const { world } = sandbox;
  const name = `bucket-${++count}`;
  world.s3.createBucket(payer, region, name);
  const allowed = { Effect: 'Allow', Action: 's3:*', Resource: '*' };
  const caller = sessionOf(world, payer, `reader-${count}`, allowed, ...statements);
  const s3 = sandbox.client(S3Client, caller);
  const encrypt = async (SSEAlgorithm: 'aws:kms' | 'aws:kms:dsse', KMSMasterKeyID?: string) => {
    const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm, KMSMasterKeyID }, BucketKeyEnabled: true }];
    await s3.send(new PutBucketEncryptionCommand({ Bucket: name, ServerSideEncryptionConfiguration: { Rules } }));
  };
  const put = () => s3.send(new PutObjectCommand({ Bucket: name, Key: 'a', Body: 'x' }));
  const get = () => s3.send(new GetObjectCommand({ Bucket: name, Key: 'a' }));
  const head = () => s3.send(new HeadObjectCommand({ Bucket: name, Key: 'a' }));
  return { world, name, encrypt, put, get, head };
}

const mayUse = (Resource: string, ...Action: string[]) => ({ Effect: 'Allow', Action, Resource });

describe('an encrypted object', () => {
  it('needs GenerateDataKey to be written and Decrypt to be read', async () => {
    const { world } = await server;
    const { arn } = world.kms.createKey({ accountId: payer, region });
    const none = await bucketAnd();
    await none.encrypt('aws:kms', arn);
    expect(await errorOf(none.put())).toMatchObject({ name: 'AccessDenied', status: 403 });
    world.s3.put(none.name, 'a', 'x');
    const { message } = await errorOf(none.get());
    expect(message).toContain(`not authorized to perform: kms:Decrypt on resource: ${arn}`);
    expect(await none.head()).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: arn });

    const both = await bucketAnd(mayUse(arn, 'kms:Decrypt', 'kms:GenerateDataKey'));
    await both.encrypt('aws:kms:dsse', arn);
    expect((await both.put()).SSEKMSKeyId).toBe(arn);
    expect(await (await both.get()).Body?.transformToString()).toBe('x');
  });

  it('gets the key that its bucket names by id, alias or ARN', async () => {
    const { world } = await server;
    const key = world.kms.createKey({ accountId: payer, region, alias: 'billing', multiRegion: true });
    expect(key.id).toMatch(/^mrk-/);
    for (const name of [key.id, key.arn, 'alias/billing', `arn:aws:kms:${region}:${payer}:alias/billing`]) {
      const one = await bucketAnd();
      await one.encrypt('aws:kms', name);
      expect(world.s3.put(one.name, 'a', 'x').kmsKeyArn).toBe(key.arn);
    }
  });

  it('uses aws/s3 if its bucket names no key', async () => {
    const one = await bucketAnd();
    await one.encrypt('aws:kms');
    const { SSEKMSKeyId } = await one.put();
    expect(SSEKMSKeyId).toBe(one.world.kms.awsKey(payer, region, 's3').arn);
    expect((await one.get()).ServerSideEncryption).toBe('aws:kms');
  });

  it('cannot be read with a key that is disabled or gone', async () => {
    const { world } = await server;
    const key = world.kms.createKey({ accountId: payer, region });
    const one = await bucketAnd(mayUse('*', 'kms:*'));
    world.s3.put(one.name, 'a', 'x', { kmsKeyArn: key.arn });
    key.state = 'Disabled';
    expect((await errorOf(one.get())).message).toContain('is disabled');
  });
});

describe('the policy of a key', () => {
  it('decides alone for a role that it names', async () => {
    const { world } = await server;
    const one = await bucketAnd();
    const role = `arn:aws:iam::${payer}:role/reader-${count}`;
    const policy = statement({ AWS: role }, 'kms:Decrypt');
    const key = world.kms.createKey({ accountId: payer, region, policy });
    world.s3.put(one.name, 'a', 'x', { kmsKeyArn: key.arn });
    await one.get();
  });

  it('of another account must admit the caller’s account, which must allow it too', async () => {
    const { world } = await server;
    const closed = world.kms.createKey({ accountId: other, region });
    const open = world.kms.createKey({
      accountId: other,
      region,
      policy: statement({ AWS: `arn:aws:iam::${payer}:root` }, 'kms:*'),
    });
    const denied = await bucketAnd();
    const allowed = await bucketAnd(mayUse('*', 'kms:Decrypt'));
    for (const { name } of [denied, allowed]) world.s3.put(name, 'a', 'x', { kmsKeyArn: open.arn });
    await errorOf(denied.get());
    await allowed.get();
    world.s3.put(allowed.name, 'a', 'x', { kmsKeyArn: closed.arn });
    expect((await errorOf(allowed.get())).message).toContain('no resource-based policy allows');
  });
});

describe('DescribeKey and ListAliases', () => {
  it('find a key by its alias', async () => {
    const sandbox = await server;
    const { world } = sandbox;
    const key = world.kms.createKey({ accountId: payer, region, alias: 'reports' });
    const kms = sandbox.client(KMSClient);
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: 'alias/reports' }));
    expect(KeyMetadata).toMatchObject({ Arn: key.arn, KeyManager: 'CUSTOMER', KeyState: 'Enabled' });
    const { Aliases = [] } = await kms.send(new ListAliasesCommand({}));
    expect(Aliases).toContainEqual({
      AliasName: 'alias/reports',
      AliasArn: `arn:aws:kms:${region}:${payer}:alias/reports`,
      TargetKeyId: key.id,
    });
    expect((await errorOf(kms.send(new DescribeKeyCommand({ KeyId: 'alias/none' })))).name).toBe('NotFoundException');
  });

  it('need the rights of key policy and IAM', async () => {
    const sandbox = await server;
    const { world } = sandbox;
    const key = world.kms.createKey({ accountId: payer, region });
    const kms = sandbox.client(KMSClient, sessionOf(world, payer, 'nobody'));
    expect((await errorOf(kms.send(new DescribeKeyCommand({ KeyId: key.arn })))).name).toBe('AccessDeniedException');
    expect((await errorOf(kms.send(new ListAliasesCommand({})))).name).toBe('AccessDeniedException');
  });
});

function statement(Principal: Record<string, string>, Action: string) {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal, Action, Resource: '*' }] };
}
