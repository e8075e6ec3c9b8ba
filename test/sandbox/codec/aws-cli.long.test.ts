import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import * as eks from '@aws-sdk/client-eks';
import * as s3 from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { Service } from '../service.ts';
import { payer, region, rootOf, serve } from '../testing/core-world.ts';

const day = new Date('2026-11-10T09:00:00Z');

const aws = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'aws'))
  .find(existsSync);

describe.skipIf(aws === undefined)('the AWS CLI', () => {
  it('reads the same protocols', async () => {
    const list = {
      writes: false,
      permissions: () => [],
      run: () => ({ Name: 'bucket', Contents: [{ Key: 'a&b', Size: 3, LastModified: day }] }),
    };
    const put = { writes: true, permissions: () => [], run: () => ({ ETag: '"cli"' }) };
    const describeCluster = {
      writes: false,
      permissions: () => [],
      run: ({ name }: { name: string }) => ({ cluster: { name, createdAt: day } }),
    };
    const running = await serve();
    const extra: Service[] = [
      { signingName: 's3', sdk: s3, operations: { ListObjectsV2: list, PutObject: put } },
      { signingName: 'eks', sdk: eks, operations: { DescribeCluster: describeCluster } },
    ];
    const whole = await serve(running.world, [...running.world.services, ...extra]);
    const trust = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: payer }, Action: 'sts:AssumeRole' }],
    };
    running.world.iam.createRole({ accountId: payer, name: 'reader', trust, settled: true });
    const { accessKeyId, secretAccessKey } = rootOf(payer);
    const env = {
      ...process.env,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: '',
    };
    const cli = async (...words: string[]) => {
      const options = ['--endpoint-url', whole.endpoint, '--region', region, '--output', 'json'];
      const { stdout } = await promisify(execFile)(aws ?? '', [...words, ...options], { env });
      return JSON.parse(stdout) as unknown;
    };
    const roleArn = `arn:aws:iam::${payer}:role/reader`;
    const [caller, role, session, objects, object, cluster] = await Promise.all([
      cli('sts', 'get-caller-identity'),
      cli('iam', 'get-role', '--role-name', 'reader'),
      cli('sts', 'assume-role', '--role-arn', roleArn, '--role-session-name', 'cli'),
      cli('s3api', 'list-objects-v2', '--bucket', 'bucket'),
      cli('s3api', 'put-object', '--bucket', 'bucket', '--key', 'a', '--body', import.meta.filename),
      cli('eks', 'describe-cluster', '--name', 'finops'),
    ]);
    expect(caller).toMatchObject({ Account: payer, Arn: `arn:aws:iam::${payer}:root` });
    expect(role).toMatchObject({ Role: { Arn: roleArn, AssumeRolePolicyDocument: trust } });
    expect(session).toMatchObject({ AssumedRoleUser: { Arn: `arn:aws:sts::${payer}:assumed-role/reader/cli` } });
    expect(objects).toMatchObject({ Contents: [{ Key: 'a&b', Size: 3 }] });
    expect(object).toMatchObject({ ETag: '"cli"' });
    expect(cluster).toMatchObject({ cluster: { name: 'finops' } });
    await Promise.all([running.close(), whole.close()]);
  });
});
