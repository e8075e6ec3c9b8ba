import { ConditionalCheckFailedException, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  paginateQuery,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
  type UpdateCommandInput,
} from '@aws-sdk/lib-dynamodb';
import type * as z from 'zod';
import { type ClientConfig, hubClient } from '../aws/clients.ts';
import { readSettings } from '../platform/settings.ts';
import { type AttributePath, type Condition, Terms, updateExpression, type Write } from './expressions.ts';
import { type Attributes, parseItem, parseReadable } from './item-parser.ts';

/** The document client as a constructor, so that the pool of hub clients keeps one of it. */
class DocumentClient extends DynamoDBDocumentClient {
  constructor(config: ClientConfig) {
    super(new DynamoDBClient(config), { marshallOptions: { removeUndefinedValues: true } });
  }
}

export function documentClient(): DynamoDBDocumentClient {
  return hubClient(DocumentClient);
}

export interface ItemKey {
  pk: string;
  sk: string;
}

/** @throws TerminalError record-unreadable */
export async function readItem<Value>(key: ItemKey, schema: z.ZodType<Value>): Promise<Value | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: readSettings().tableName, Key: { ...key }, ConsistentRead: true }),
  );
  return Item && parseItem(schema, Item);
}

/** Puts a whole item; false if the condition does not hold. */
export function putItem(key: ItemKey, fields: object, condition?: Condition): Promise<boolean> {
  const terms = new Terms();
  return writeIf(() =>
    documentClient().send(
      new PutCommand({
        TableName: readSettings().tableName,
        Item: { ...key, ...fields },
        ...(condition && { ConditionExpression: condition(terms) }),
        ...terms.attributes,
      }),
    ),
  );
}

/** Changes only the attributes that `writes` name; false if the condition does not hold. Creates the item if it is missing. */
export function updateItem(key: ItemKey, writes: readonly Write[], condition?: Condition): Promise<boolean> {
  return writeIf(() => documentClient().send(updateCommand(key, writes, condition)));
}

/**
 * As `updateItem`, but returns the whole item after the write; undefined if the condition does not hold.
 * @throws TerminalError record-unreadable, after the write
 */
export async function updateAndRead<Value>(
  key: ItemKey,
  schema: z.ZodType<Value>,
  writes: readonly Write[],
  condition: Condition,
): Promise<Value | undefined> {
  let updated: Attributes | undefined;
  await writeIf(async () => {
    const { Attributes } = await documentClient().send(updateCommand(key, writes, condition, 'ALL_NEW'));
    updated = Attributes;
  });
  return updated && parseItem(schema, updated);
}

/** False if the condition does not hold. */
export function deleteItem(key: ItemKey, condition?: Condition): Promise<boolean> {
  const terms = new Terms();
  return writeIf(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: readSettings().tableName,
        Key: { ...key },
        ...(condition && { ConditionExpression: condition(terms) }),
        ...terms.attributes,
      }),
    ),
  );
}

/** The items of one partition, in the order of their sort keys. */
export interface ItemQuery {
  /** Absent: the table itself, read consistently; an index shows a write later. */
  index?: string;
  partition: { key: string; value: string };
  sort?: { key: string; beginsWith: string } | { key: string; after: string };
  newestFirst?: boolean;
  /** Parts of each item that are read; absent: all that the table or index has. */
  fields?: readonly AttributePath[];
}

/** Every item of the query except those that cannot be read, for lists and for work on single items. */
export async function listItems<Value>(query: ItemQuery, schema: z.ZodType<Value>): Promise<Value[]> {
  return parseReadable(schema, await queryAll(query));
}

/**
 * Every item of the query, for decisions that would be wrong without one of them.
 * @throws TerminalError record-unreadable
 */
export async function readItems<Value>(query: ItemQuery, schema: z.ZodType<Value>): Promise<Value[]> {
  return (await queryAll(query)).map((item) => parseItem(schema, item));
}

/** At most `limit` items, without those that cannot be read. `next` is where the next page starts; absent on the last one. */
export async function pageOfItems<Value>(
  query: ItemQuery,
  schema: z.ZodType<Value>,
  limit: number,
  start?: Attributes,
): Promise<{ items: Value[]; next?: Attributes }> {
  const { Items = [], LastEvaluatedKey } = await documentClient().send(
    new QueryCommand({ ...queryInput(query), Limit: limit, ExclusiveStartKey: start }),
  );
  return { items: parseReadable(schema, Items), ...(LastEvaluatedKey && { next: LastEvaluatedKey }) };
}

export async function countItems(query: ItemQuery): Promise<number> {
  let count = 0;
  for await (const page of paginateQuery({ client: documentClient() }, { ...queryInput(query), Select: 'COUNT' }))
    count += page.Count ?? 0;
  return count;
}

async function queryAll(query: ItemQuery): Promise<Attributes[]> {
  const items: Attributes[] = [];
  for await (const page of paginateQuery({ client: documentClient() }, queryInput(query)))
    items.push(...(page.Items ?? []));
  return items;
}

function queryInput({ index, partition, sort, newestFirst, fields }: ItemQuery): QueryCommandInput {
  const terms = new Terms();
  const conditions = [`${terms.path(partition.key)} = ${terms.value(partition.value)}`];
  if (sort && 'after' in sort) conditions.push(`${terms.path(sort.key)} > ${terms.value(sort.after)}`);
  else if (sort) conditions.push(`begins_with(${terms.path(sort.key)}, ${terms.value(sort.beginsWith)})`);
  return {
    TableName: readSettings().tableName,
    KeyConditionExpression: conditions.join(' AND '),
    ...(index === undefined ? { ConsistentRead: true } : { IndexName: index }),
    ...(newestFirst && { ScanIndexForward: false }),
    // The key names the item where it cannot be read.
    ...(fields && { ProjectionExpression: ['pk', 'sk', ...fields].map((at) => terms.path(at)).join(', ') }),
    ...terms.attributes,
  };
}

function updateCommand(
  key: ItemKey,
  writes: readonly Write[],
  condition: Condition | undefined,
  returned: UpdateCommandInput['ReturnValues'] = 'NONE',
): UpdateCommand {
  const terms = new Terms();
  return new UpdateCommand({
    TableName: readSettings().tableName,
    Key: { ...key },
    UpdateExpression: updateExpression(terms, writes),
    ...(condition && { ConditionExpression: condition(terms) }),
    ...terms.attributes,
    ReturnValues: returned,
  });
}

/** Runs a conditional write; false if the condition does not hold. */
async function writeIf(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
