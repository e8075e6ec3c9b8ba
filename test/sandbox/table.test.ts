import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import dynalite from 'dynalite';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTables } from './table-server.ts';

/** Dynalite, with which the sandbox's table is compared. */
let oracle: Server;
let tables: Awaited<ReturnType<typeof startTables>>;
let created = 0;

beforeAll(async () => {
  oracle = dynalite({ createTableMs: 0 });
  await new Promise<void>((resolve) => oracle.listen(0, '127.0.0.1', resolve));
  tables = await startTables();
});
afterAll(async () => {
  oracle.closeAllConnections();
  await Promise.all([tables.close(), new Promise((resolve) => oracle.close(resolve))]);
});

type Input = Record<string, unknown>;

interface Reply {
  status: number;
  body: Record<string, unknown>;
}

async function send(endpoint: string, operation: string, input: Input): Promise<Reply> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${operation}`,
      'x-amz-date': '20260101T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: JSON.stringify(input),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** One request to both, about the same new table. */
async function pair() {
  const TableName = `table-${++created}`;
  const endpoints = [`http://127.0.0.1:${(oracle.address() as AddressInfo).port}`, tables.endpoint];
  const both = (operation: string, input: Input) =>
    Promise.all(endpoints.map((endpoint) => send(endpoint, operation, { TableName, ...input })));
  const key = (name: string, KeyType: string) => ({ AttributeName: name, KeyType });
  await both('CreateTable', {
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: ['pk', 'sk', 'g', 'h'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [key('pk', 'HASH'), key('sk', 'RANGE')],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'byG',
        KeySchema: [key('g', 'HASH'), key('h', 'RANGE')],
        Projection: { ProjectionType: 'INCLUDE', NonKeyAttributes: ['n', 'm'] },
      },
    ],
  });
  // Dynalite creates a table a moment later.
  await expect.poll(async () => (await both('Scan', {}))[0]?.status).toBe(200);
  return async (operation: string, input: Input) => {
    const [theirs, ours] = await both(operation, input);
    if (!theirs || !ours) throw new Error('one of the two did not answer');
    return { theirs, ours };
  };
}

const kindOf = ({ body }: Reply) => (typeof body.__type === 'string' ? body.__type.split('#')[1] : undefined);

const smallText = fc.constantFrom('a', 'b', 'ab', 'c');
const scalar = fc.oneof(
  smallText.map((S) => ({ S })),
  fc.integer({ min: -3, max: 12 }).map((N) => ({ N: String(N) })),
  fc.boolean().map((BOOL) => ({ BOOL })),
  fc.constant({ NULL: true }),
);
const list = fc.array(scalar, { maxLength: 3 }).map((L) => ({ L }));
const map = fc.dictionary(fc.constantFrom('x', 'y'), fc.oneof(scalar, list), { maxKeys: 2 }).map((M) => ({ M }));
const textSet = fc.uniqueArray(smallText, { minLength: 1, maxLength: 3 }).map((SS) => ({ SS }));
const value = fc.oneof(scalar, list, map, textSet);
const key = fc.record({ pk: smallText.map((S) => ({ S })), sk: smallText.map((S) => ({ S })) });
const item = fc
  .tuple(
    key,
    fc.record(
      { g: smallText.map((S) => ({ S })), h: smallText.map((S) => ({ S })), n: scalar, m: map, l: list, s: textSet },
      { requiredKeys: [] },
    ),
  )
  .map(([keys, others]) => ({ ...keys, ...others }));
const path = fc.constantFrom('n', 'm', 'l', 's', '#z', 'm.x', 'm.#y', 'l[0]', 'l[5]', 'm.y[1]', 'absent', 'absent.x');

/** An expression with the placeholders it uses. */
interface Made {
  text: string;
  values: unknown[];
}
const given = (text: string, ...values: unknown[]): Made => ({ text, values });
const comparison = fc.constantFrom('=', '<>', '<', '<=', '>', '>=');
const test: fc.Arbitrary<Made> = fc.oneof(
  path.map((at) => given(`attribute_exists(${at})`)),
  path.map((at) => given(`attribute_not_exists(${at})`)),
  fc.tuple(path, comparison, scalar).map(([at, sign, to]) => given(`${at} ${sign} ?`, to)),
  fc.tuple(path, smallText).map(([at, S]) => given(`begins_with(${at}, ?)`, { S })),
  fc.tuple(path, smallText).map(([at, S]) => given(`contains(${at}, ?)`, { S })),
  fc.tuple(path, fc.integer({ min: 0, max: 3 })).map(([at, size]) => given(`size(${at}) > ?`, { N: String(size) })),
  fc.tuple(path, scalar, scalar).map(([at, a, b]) => given(`${at} IN (?, ?)`, a, b)),
  path.map((at) => given(`${at} BETWEEN ? AND ?`, { N: '0' }, { N: '5' })),
);
const condition: fc.Arbitrary<Made> = fc.oneof(
  test,
  test.map(({ text, values }) => given(`NOT ${text}`, ...values)),
  fc
    .tuple(test, fc.constantFrom('AND', 'OR'), test, fc.constantFrom('AND', 'or'), test)
    .map(([a, first, b, second, c]) =>
      given(`${a.text} ${first} ${b.text} ${second} ${c.text}`, ...a.values, ...b.values, ...c.values),
    ),
  fc
    .tuple(test, test, test)
    .map(([a, b, c]) => given(`(${a.text} OR ${b.text}) AND ${c.text}`, ...a.values, ...b.values, ...c.values)),
);
const set: fc.Arbitrary<Made> = fc.oneof(
  fc.tuple(path, value).map(([at, to]) => given(`${at} = ?`, to)),
  fc.tuple(path, path, value).map(([at, other, to]) => given(`${at} = if_not_exists(${other}, ?)`, to)),
  fc.tuple(path, list).map(([at, to]) => given(`${at} = list_append(${at}, ?)`, to)),
  fc.tuple(path, path, fc.constantFrom('+', '-')).map(([at, a, sign]) => given(`${at} = ${a} ${sign} ?`, { N: '2' })),
  fc.tuple(path, path).map(([at, other]) => given(`${at} = ${other}`)),
);
const update: fc.Arbitrary<Made> = fc
  .record(
    {
      SET: fc.array(set, { minLength: 1, maxLength: 3 }),
      REMOVE: fc.array(
        path.map((at) => given(at)),
        { minLength: 1, maxLength: 2 },
      ),
      ADD: fc.tuple(path, fc.oneof(fc.constant({ N: '3' }), textSet)).map(([at, to]) => [given(`${at} ?`, to)]),
      DELETE: fc.tuple(path, textSet).map(([at, to]) => [given(`${at} ?`, to)]),
    },
    { requiredKeys: [] },
  )
  .filter((sections) => Object.keys(sections).length > 0)
  .map((sections) => {
    const parts = Object.entries(sections);
    const text = parts.map(([name, actions]) => `${name} ${actions.map((action) => action.text).join(', ')}`).join(' ');
    return given(text, ...parts.flatMap(([, actions]) => actions.flatMap(({ values }) => values)));
  });

/** Expressions as members of an input, with every placeholder numbered. */
function filled(expressions: Record<string, Made | undefined>): Input {
  const values: Record<string, unknown> = {};
  const input: Input = {};
  const names: Record<string, string> = {};
  for (const [member, made] of Object.entries(expressions)) {
    if (!made) continue;
    const all = [...made.values];
    input[member] = made.text.replaceAll('?', () => {
      const name = `:v${Object.keys(values).length}`;
      values[name] = all.shift();
      return name;
    });
    for (const name of made.text.match(/#\w+/g) ?? []) names[name] = name.slice(1);
  }
  return {
    ...input,
    ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
    ...(Object.keys(names).length > 0 && { ExpressionAttributeNames: names }),
  };
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const returned = fc.constantFrom('NONE', 'ALL_OLD', 'ALL_NEW');
type Request = [string, Input];
const request: fc.Arbitrary<Request> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(item, maybe(condition))
      .map(([Item, made]): Request => ['PutItem', { Item, ...filled({ ConditionExpression: made }) }]),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(key, update, maybe(condition), returned)
      .map(([Key, made, when, ReturnValues]): Request => [
        'UpdateItem',
        { Key, ReturnValues, ...filled({ UpdateExpression: made, ConditionExpression: when }) },
      ]),
  },
  fc
    .tuple(key, maybe(condition))
    .map(([Key, made]): Request => [
      'DeleteItem',
      { Key, ReturnValues: 'ALL_OLD', ...filled({ ConditionExpression: made }) },
    ]),
  fc
    .tuple(key, maybe(path))
    .map(([Key, at]): Request => [
      'GetItem',
      { Key, ConsistentRead: true, ...filled({ ProjectionExpression: at === undefined ? undefined : given(at) }) },
    ]),
  fc
    .record({
      index: fc.constantFrom(['pk', 'sk'], ['g', 'h', 'byG']),
      of: smallText,
      range: maybe(fc.constantFrom(' > ?', ' <= ?', ' = ?')),
      filter: maybe(condition),
      ScanIndexForward: fc.boolean(),
    })
    .map(({ index: [hash = '', range = '', IndexName], of, range: limit, filter, ScanIndexForward }): Request => [
      'Query',
      {
        ScanIndexForward,
        ...(IndexName && { IndexName }),
        ...filled({
          KeyConditionExpression: given(
            `${hash} = ?${limit === undefined ? '' : ` AND ${range}${limit}`}`,
            { S: of },
            ...(limit === undefined ? [] : [{ S: 'ab' }]),
          ),
          FilterExpression: filter && !/\b[hs]\b/.test(filter.text) ? filter : undefined,
        }),
      },
    ]),
);

/** Ties in an index and members of sets come in any order. */
function settled({ status, body }: Reply, operation: string): object {
  const { Item, Attributes, Items, Count, ScannedCount } = body;
  const shown = (thing: unknown) =>
    JSON.parse(
      JSON.stringify(thing ?? null, (name, inner: unknown) =>
        name === 'SS' && Array.isArray(inner)
          ? [...(inner as string[])].sort()
          : inner && typeof inner === 'object' && !Array.isArray(inner)
            ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
            : inner,
      ),
    ) as unknown;
  const items = Array.isArray(Items) ? Items.map((one) => JSON.stringify(shown(one))).sort() : null;
  if (status !== 200) return { status, error: kindOf({ status, body }) };
  return { operation, status, item: shown(Item), attributes: shown(Attributes), items, Count, ScannedCount };
}

describe('the sandbox’s table', () => {
  it('answers like dynalite for any operations in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 10, maxLength: 40 }), async (requests) => {
        const ask = await pair();
        for (const [operation, input] of requests) {
          const { theirs, ours } = await ask(operation, input);
          expect(settled(ours, operation), JSON.stringify([operation, input])).toEqual(settled(theirs, operation));
        }
        const { theirs, ours } = await ask('Scan', {});
        expect(settled(ours, 'Scan')).toEqual(settled(theirs, 'Scan'));
      }),
      { numRuns: 10 },
    );
  });

  const Key = { pk: { S: 'a' }, sk: { S: 'a' } };
  const one = { ':one': { N: '1' } };
  const big = 'x'.repeat(400 * 1024);

  it.each<[string, string, Input]>([
    ['a reserved word', 'UpdateItem', { Key, UpdateExpression: 'SET status = :one', ExpressionAttributeValues: one }],
    [
      'a map that is not there',
      'UpdateItem',
      { Key, UpdateExpression: 'SET a.b = :one', ExpressionAttributeValues: one },
    ],
    ['an attribute that is not there', 'UpdateItem', { Key, UpdateExpression: 'SET a = b' }],
    ['a value that is not given', 'UpdateItem', { Key, UpdateExpression: 'SET a = :one' }],
    ['a name that is not given', 'UpdateItem', { Key, UpdateExpression: 'REMOVE #a' }],
    ['a value without use', 'UpdateItem', { Key, UpdateExpression: 'REMOVE a', ExpressionAttributeValues: one }],
    [
      'a name without use',
      'UpdateItem',
      { Key, UpdateExpression: 'REMOVE a', ExpressionAttributeNames: { '#b': 'b' } },
    ],
    ['no values', 'UpdateItem', { Key, UpdateExpression: 'REMOVE a', ExpressionAttributeValues: {} }],
    ['two writes to one place', 'UpdateItem', { Key, UpdateExpression: 'REMOVE a, a.b' }],
    ['a section twice', 'UpdateItem', { Key, UpdateExpression: 'REMOVE a REMOVE b' }],
    ['an unknown function', 'PutItem', { Item: Key, ConditionExpression: 'exists(a)' }],
    ['a function with too few operands', 'PutItem', { Item: Key, ConditionExpression: 'begins_with(a)' }],
    ['a write of a key', 'UpdateItem', { Key, UpdateExpression: 'REMOVE sk' }],
    ['half a key', 'GetItem', { Key: { pk: { S: 'a' } } }],
    ['an item without a key', 'PutItem', { Item: { pk: { S: 'a' } } }],
    ['an empty key', 'PutItem', { Item: { ...Key, sk: { S: '' } } }],
    ['a key of the wrong type', 'PutItem', { Item: { ...Key, sk: { N: '1' } } }],
    ['an index key of the wrong type', 'PutItem', { Item: { ...Key, g: { N: '1' } } }],
    ['an item of more than 400 kB', 'PutItem', { Item: { ...Key, a: { S: big } } }],
    [
      'an update to more than 400 kB',
      'UpdateItem',
      { Key, UpdateExpression: 'SET a = :a', ExpressionAttributeValues: { ':a': { S: big } } },
    ],
    [
      'a query without a partition',
      'Query',
      { KeyConditionExpression: 'sk = :a', ExpressionAttributeValues: { ':a': { S: 'a' } } },
    ],
    [
      'an unknown index',
      'Query',
      { IndexName: 'byX', KeyConditionExpression: 'pk = :a', ExpressionAttributeValues: { ':a': { S: 'a' } } },
    ],
    ['an unknown table', 'GetItem', { TableName: 'absent', Key }],
  ])('refuses %s like dynalite', async (_, operation, input) => {
    const { theirs, ours } = await (await pair())(operation, input);
    expect(settled(ours, operation)).toEqual(settled(theirs, operation));
    expect(theirs.status).toBe(400);
    const message = String(theirs.body.message);
    // Dynalite has another message for keys that are empty or of another type.
    if (!/key|Key/.test(message)) expect(ours.body.message).toBe(message);
  });

  it('has the same pages of table and index as dynalite', async () => {
    const ask = await pair();
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await ask('PutItem', { Item: { pk: { S: 'p' }, sk: { S: name }, g: { S: 'g' }, h: { S: name }, n: { N: '1' } } });
    for (const IndexName of [undefined, 'byG'])
      for (const ScanIndexForward of [true, false]) {
        let start: unknown;
        do {
          const { theirs, ours } = await ask('Query', {
            ...(IndexName && { IndexName }),
            ...(start !== undefined && { ExclusiveStartKey: start }),
            KeyConditionExpression: IndexName ? 'g = :g' : 'pk = :g',
            ExpressionAttributeValues: { ':g': { S: IndexName ? 'g' : 'p' } },
            ReturnConsumedCapacity: 'TOTAL',
            ScanIndexForward,
            Limit: 2,
          });
          expect(settled(ours, 'Query')).toEqual(settled(theirs, 'Query'));
          expect(ours.body.LastEvaluatedKey).toEqual(theirs.body.LastEvaluatedKey);
          expect(ours.body.ConsumedCapacity).toEqual(theirs.body.ConsumedCapacity);
          start = ours.body.LastEvaluatedKey;
        } while (start !== undefined);
      }
  });

  it('refuses an unknown input member', async () => {
    const { body } = await send(tables.endpoint, 'GetItem', { TableName: 'table-1', Key, AttributesToGet: ['a'] });
    expect(body.message).toContain('AttributesToGet');
  });

  it('returns the existing item of a failed condition on request', async () => {
    const ask = await pair();
    await ask('PutItem', { Item: { ...Key, n: { N: '7' } } });
    const { ours } = await ask('PutItem', {
      Item: Key,
      ConditionExpression: 'attribute_not_exists(pk)',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    expect(ours.body).toMatchObject({ Item: { n: { N: '7' } } });
  });
});
