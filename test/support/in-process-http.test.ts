import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { GetRoleCommand, IAMClient, ListRolesCommand } from '@aws-sdk/client-iam';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWorld, errorOf, lambdaTrust, rootOf, serve } from '../sandbox/index.ts';
import { withSockets } from './in-process-http.ts';
import { startTable } from './runs-table.ts';
import { StepHarness, stepsOf } from './step-harness.ts';
import { worldSnapshot } from './world-snapshot.ts';

/** How many TCP connections `work` opens. */
async function connectionsOf(work: () => Promise<unknown>): Promise<number> {
  let connections = 0;
  const count = () => connections++;
  subscribe('net.client.socket', count);
  try {
    await work();
    return connections;
  } finally {
    unsubscribe('net.client.socket', count);
  }
}

describe('HTTP in one process', () => {
  let served: Awaited<ReturnType<typeof serve>>;
  let table: Awaited<ReturnType<typeof startTable>>;
  /** Answer or exception, less the metadata of the request. */
  const askTable = async (command: GetCommand | PutCommand): Promise<object> => {
    const credentials = { accessKeyId: 'table', secretAccessKey: 'table' };
    const raw = new DynamoDBClient({ endpoint: table.endpoint, region: 'us-east-1', credentials });
    const client = DynamoDBDocumentClient.from(raw);
    const answer = (await client.send(command as GetCommand).catch((error: unknown) => error)) as Error;
    const { name, message, ...members } = answer;
    const isRefused = answer instanceof ConditionalCheckFailedException;
    return { ...members, name, message, isRefused, $metadata: {}, $response: undefined };
  };
  beforeAll(async () => {
    table = await startTable('runs');
    const raw = new DynamoDBClient({
      endpoint: table.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: 'table', secretAccessKey: 'table' },
    });
    await DynamoDBDocumentClient.from(raw).send(
      new PutCommand({ TableName: 'runs', Item: { pk: 'a', sk: 'b', list: [1, { two: 2 }], set: new Set(['c']) } }),
    );
    served = await serve(createWorld());
    served.world.iam.createRole({
      accountId: '111122223333',
      name: 'reader',
      trust: lambdaTrust,
    });
  });
  afterAll(() => Promise.all([served.close(), table.close()]));

  it.each([
    [
      'an answer',
      () =>
        served
          .client(IAMClient)
          .send(new ListRolesCommand({}))
          .then(({ Roles }) => Roles),
    ],
    ['an error', () => errorOf(served.client(IAMClient).send(new GetRoleCommand({ RoleName: 'absent' })))],
    [
      'a broken connection',
      async () => {
        served.world.faults.push({ kind: 'reset', service: 'iam' });
        const error = await errorOf(served.client(IAMClient).send(new ListRolesCommand({})));
        served.world.faults.splice(0);
        return error;
      },
    ],
    [
      'a streamed object',
      async () => {
        const s3 = served.client(S3Client, rootOf('111122223333'));
        const Bucket = 'objects-of-a-test';
        if (!served.world.s3.buckets.has(Bucket))
          await s3.send(
            new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: 'eu-west-1' } }),
          );
        await s3.send(new PutObjectCommand({ Bucket, Key: 'a/b c', Body: 'grüße' }));
        const { Body, ContentLength } = await s3.send(new GetObjectCommand({ Bucket, Key: 'a/b c' }));
        return { text: await Body?.transformToString(), ContentLength };
      },
    ],
    ['an item of the table', () => askTable(new GetCommand({ TableName: 'runs', Key: { pk: 'a', sk: 'b' } }))],
    [
      'a condition of the table that does not hold',
      () =>
        askTable(
          new PutCommand({
            TableName: 'runs',
            Item: { pk: 'a', sk: 'b', list: [1, 'zwei'] },
            ConditionExpression: 'attribute_exists(pk) AND sk <> :sk',
            ExpressionAttributeValues: { ':sk': 'b' },
          }),
        ),
    ],
    [
      'an operation that the table refuses',
      () => askTable(new GetCommand({ TableName: 'absent', Key: { pk: 'a', sk: 'b' } })),
    ],
  ])('gives %s as a socket does', async (_, ask) => {
    let [direct, wire]: unknown[] = [];
    expect(await connectionsOf(async () => (direct = await ask()))).toBe(0);
    expect(await connectionsOf(() => withSockets(async () => (wire = await ask())))).toBeGreaterThan(0);
    expect(direct).toEqual(wire);
  });

  it('gives fetch an answer as a socket does', async () => {
    const server = createServer((request, response) => {
      response
        .setHeader('x-method', request.method ?? '')
        .writeHead(201)
        .end(request.url);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = async () => {
      const response = await fetch(`http://localhost:${port}/a?b=c`, {
        method: 'PUT',
      });
      return { status: response.status, method: response.headers.get('x-method'), text: await response.text() };
    };
    expect(await ask()).toEqual(await withSockets(ask));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(ask()).rejects.toThrow('fetch failed');
  });

  it('leaves every step the same world to make', async () => {
    const worlds: Record<string, unknown>[] = [];
    const onboard = async () => {
      const stepHarness = await StepHarness.open({ deliveryHours: 0.25 });
      try {
        const run = await stepHarness.begin('new-irsa');
        for (const name of stepsOf('new-irsa')) expect((await run.take(name)).answer?.status, name).toBe('succeeded');
        worlds.push(await worldSnapshot(stepHarness));
      } finally {
        await stepHarness.close();
      }
    };
    await onboard();
    expect(await connectionsOf(() => withSockets(onboard))).toBeGreaterThan(10);
    const [direct, wire] = worlds;
    expect(direct).toEqual(wire);
  });
});
