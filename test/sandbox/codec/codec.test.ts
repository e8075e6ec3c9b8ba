import { Readable } from 'node:stream';
import * as athena from '@aws-sdk/client-athena';
import * as cloudformation from '@aws-sdk/client-cloudformation';
import * as eks from '@aws-sdk/client-eks';
import * as glue from '@aws-sdk/client-glue';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as lakeformation from '@aws-sdk/client-lakeformation';
import * as lambda from '@aws-sdk/client-lambda';
import * as organizations from '@aws-sdk/client-organizations';
import * as s3 from '@aws-sdk/client-s3';
import * as sfn from '@aws-sdk/client-sfn';
import * as sts from '@aws-sdk/client-sts';
import type { NormalizedSchema } from '@smithy/core/schema';
import { afterAll, describe, expect, it } from 'vitest';
import { AwsError, type Operation, type Service } from '../service.ts';
import { errorOf, serve } from '../testing/core-world.ts';
import { readShapes } from './shapes.ts';

type Sdk = Record<string, unknown>;
type Client = { send(command: unknown): Promise<unknown>; destroy(): void };
type Constructor<Made> = new (argument: never) => Made;

const day = new Date('2026-11-10T09:00:00Z');

/** A value for every member, so that each is transmitted once. */
function sample(schema: NormalizedSchema, depth = 0): unknown {
  const { httpLabel, httpHeader } = schema.getMergedTraits();
  if (schema.isStructSchema()) {
    const members = [...schema.structIterator()];
    const filled = schema.isUnionSchema() ? members.slice(0, 1) : members;
    const values = filled.map(([name, member]) => [name, depth < 6 ? sample(member, depth + 1) : undefined] as const);
    return Object.fromEntries(values.filter(([, value]) => value !== undefined));
  }
  if (schema.isListSchema() || schema.isMapSchema()) {
    const item = depth < 6 ? sample(schema.getValueSchema(), depth + 1) : undefined;
    if (item === undefined) return undefined;
    return schema.isListSchema() ? [item, item] : { 'key-1': item };
  }
  if (schema.isTimestampSchema()) return day;
  if (schema.isBlobSchema()) return Uint8Array.from([0, 128, 255]);
  if (schema.isBooleanSchema()) return true;
  if (schema.isNumericSchema()) return 7;
  if (schema.isDocumentSchema()) return { any: ['thing'] };
  if (schema.isMemberSchema() && schema.getMemberName() === 'Bucket') return 'bucket';
  if (schema.isMemberSchema() && schema.getMemberName() === 'ChecksumAlgorithm') return 'CRC32';
  if (httpLabel) return 'a/b c:ü';
  return httpHeader ? 'header-value' : `<"é" & 'ß'>\r\n`;
}

/** Bytes compare as text, whether they came as a Buffer or not. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** Answers every operation of a client with a sample and records the input. */
function echo(signingName: string, sdk: Sdk) {
  const asked: { input?: unknown } = {};
  const operations: Record<string, Operation> = {};
  for (const { name, output } of readShapes(sdk).operations.values())
    operations[name] = {
      writes: false,
      permissions: () => [],
      run(input: unknown) {
        asked.input = input;
        return sample(output);
      },
    };
  return { asked, service: { signingName, sdk, operations } satisfies Service };
}

const clients: [signingName: string, sdk: Sdk, client: Constructor<unknown>, left?: RegExp][] = [
  ['athena', athena, athena.AthenaClient],
  ['cloudformation', cloudformation, cloudformation.CloudFormationClient],
  ['eks', eks, eks.EKSClient],
  ['glue', glue, glue.GlueClient],
  ['iam', iam, iam.IAMClient],
  ['kms', kms, kms.KMSClient],
  [
    'lakeformation',
    lakeformation,
    lakeformation.LakeFormationClient,
    /^GetWorkUnitResults|^GetWorkUnits|^(Get|Start)Query/,
  ],
  ['lambda', lambda, lambda.LambdaClient, /Stream$|Durable|^Invoke|^DeleteFunction$/],
  ['organizations', organizations, organizations.OrganizationsClient],
  // Objects have bodies with lengths and checksums that must match: they are tested below.
  ['s3', s3, s3.S3Client, /^(?!(Get|Put|Delete|Head)(Bucket|PublicAccessBlock))|Acl$|Logging$/],
  ['states', sfn, sfn.SFNClient, /Sync|TestState/],
  ['sts', sts, sts.STSClient, /SAML/],
];

describe.each(clients)('%s', (signingName, sdk, Client, left) => {
  const { asked, service } = echo(signingName, sdk);
  const running = serve(undefined, [service]);
  afterAll(async () => {
    await (await running).close();
  });

  it('transports every member of every operation in both directions', async () => {
    const using = (await running).client(Client as new (options: object) => Client);
    for (const { name, input, output } of readShapes(sdk).operations.values()) {
      if (left?.test(name)) continue;
      const command = sdk[`${name}Command`] as Constructor<unknown>;
      const sent = sample(input);
      const answer = await using.send(new command(sent as never)).catch((error: unknown) => {
        throw new Error(`${name}: ${String(error)}`, { cause: error });
      });
      if (input.isStructSchema()) expect(plain(asked.input), name).toMatchObject(plain(sent) as object);
      if (output.isStructSchema()) expect(plain(answer), name).toMatchObject(plain(sample(output)) as object);
    }
    using.destroy();
  });

  it('answers every modelled error so that the SDK throws its class', async () => {
    const using = (await running).client(Client as new (options: object) => Client);
    const { errors, operations } = readShapes(sdk);
    const first = [...operations.values()].find(({ name }) => !left?.test(name));
    if (!first) throw new Error('no operation');
    const command = sdk[`${first.name}Command`] as Constructor<unknown>;
    for (const { name } of new Set(errors.values())) {
      service.operations[first.name] = {
        writes: false,
        permissions: () => [],
        run() {
          throw new AwsError(name, 'because & so');
        },
      };
      const error: unknown = await using
        .send(new command(sample(first.input) as never))
        .catch((thrown: unknown) => thrown);
      expect((error as Error).name, name).toBe(name);
      expect((error as Error).message).toContain('because & so');
      expect(error).toBeInstanceOf(sdk[name]);
    }
    using.destroy();
  });
});

describe('the object protocol', () => {
  const stored: { key?: string | undefined; body?: Buffer } = {};
  const object: Record<string, Operation> = {
    PutObject: {
      writes: true,
      permissions: () => [],
      run({ Key, Body }: { Key: string; Body?: Buffer }) {
        Object.assign(stored, { key: Key, body: Body ?? Buffer.alloc(0) });
        return { ETag: '"e"' };
      },
    },
    GetObject: {
      writes: false,
      permissions: () => [],
      run: () => ({ Body: stored.body, ContentLength: stored.body?.length, Metadata: { team: 'finops' } }),
    },
    HeadObject: {
      writes: false,
      permissions: () => [],
      run() {
        throw new AwsError('NotFound', 'Not Found', 404);
      },
    },
    GetBucketPolicy: {
      writes: false,
      permissions: () => [],
      run() {
        throw new AwsError('NoSuchBucketPolicy', 'The bucket policy does not exist', 404);
      },
    },
    HeadBucket: {
      writes: false,
      permissions: () => [],
      run() {
        const redirect = new AwsError('PermanentRedirect', 'elsewhere', 301);
        redirect.headers = { 'x-amz-bucket-region': 'eu-north-1' };
        throw redirect;
      },
    },
  };
  const running = serve(undefined, [{ signingName: 's3', sdk: s3, operations: object }]);
  afterAll(async () => {
    await (await running).close();
  });
  const bodies: [string, () => string | Buffer | Readable][] = [
    ['text', () => 'grüezi'],
    ['bytes', () => Buffer.from([0, 255, 13, 10])],
    ['nothing', () => ''],
    [
      'a stream, which the SDK sends in chunks',
      () => Readable.from([Buffer.alloc(70_000, 'a'), Buffer.from('\r\n0\r\n')]),
    ],
  ];

  it.each(bodies)('keeps the body of %s', async (_, body) => {
    const client = (await running).client(s3.S3Client);
    const expected = body();
    const content = expected instanceof Readable ? Buffer.concat(await expected.toArray()) : Buffer.from(expected);
    const Key = 'a folder/ü+&%2F?.json/';
    const sent = { Bucket: 'bucket', Key, Body: body(), ContentLength: content.length };
    await client.send(new s3.PutObjectCommand(sent));
    expect(stored).toEqual({ key: Key, body: content });
    const answer = await client.send(new s3.GetObjectCommand({ Bucket: 'bucket', Key }));
    expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? [])).toEqual(content);
    expect(answer.Metadata).toEqual({ team: 'finops' });
    client.destroy();
  });

  it('distinguishes errors without a body or model', async () => {
    const client = (await running).client(s3.S3Client);
    const head = await errorOf(client.send(new s3.HeadObjectCommand({ Bucket: 'bucket', Key: 'missing' })));
    expect(head).toMatchObject({ name: 'NotFound', status: 404 });
    const policy = await errorOf(client.send(new s3.GetBucketPolicyCommand({ Bucket: 'bucket' })));
    expect(policy).toMatchObject({ name: 'NoSuchBucketPolicy', status: 404 });
    const elsewhere = await client
      .send(new s3.HeadBucketCommand({ Bucket: 'bucket' }))
      .catch((error: unknown) => error);
    expect(elsewhere).toMatchObject({ $response: { headers: { 'x-amz-bucket-region': 'eu-north-1' } } });
    client.destroy();
  });

  it('names an operation that the sandbox lacks', async () => {
    const client = (await running).client(s3.S3Client);
    const missing = await errorOf(client.send(new s3.GetBucketAclCommand({ Bucket: 'bucket' })));
    expect(missing.message).toContain('s3:GetBucketAcl');
    const foreign = (await running).client(eks.EKSClient);
    expect((await errorOf(foreign.send(new eks.ListClustersCommand({})))).message).toContain('no service eks');
    client.destroy();
    foreign.destroy();
  });
});
