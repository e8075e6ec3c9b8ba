import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { RequestRefusal } from '../errors/problem.ts';
import type { OnboardingRequest } from '../model/onboarding-request.ts';
import { isRunId } from '../model/run-id.ts';
import type { RunStatus } from '../model/run-schemas.ts';
import { readDeployment } from '../platform/settings.ts';
import { atWorkIndex, fromItem, pendingIndex, runIndexes, type RunSummary } from '../runs/run-table.ts';
import { documentClient, holds } from '../table/document-table.ts';
import type { BatchOptions } from './request.ts';

export const batchStates = ['running', 'paused', 'held', 'cancelled', 'ended'] as const;
type BatchState = (typeof batchStates)[number];

/** A batch as the table holds it; its onboardings lie in chunks beside it until they are started, and are runs from then on. */
export interface BatchRecord {
  batchId: string;
  createdAt: string;
  endedAt?: string;
  state: BatchState;
  /** Why nothing more is started. */
  held?: string;
  cancelledAt?: string;
  /** Number of onboardings. */
  size: number;
  options: BatchOptions;
  dryRun: boolean;
  /** Place of the onboarding that is started next; those before it are runs. */
  next: number;
  /** Places before this one may be started: the canaries at first, then all. */
  gate: number;
  /** Failed runs beyond which nothing more is started. */
  failureLimit: number;
  /** Runs that were started lately, for the indexes show them late; `at` in milliseconds since the epoch. */
  recent: { runId: string; at: number }[];
  /** A round is under way that takes up again what had failed or was cancelled by then. */
  retryBefore?: string;
  /** List key of the last run of that round that is done. */
  retryAfter?: string;
  /** While the sweeper has to look after the batch. */
  pendingKey?: 'batches';
  /** Counts who wanted to dispatch while another one did. */
  knocks: number;
}

const tableName = () => readDeployment().tableName;
const batchKey = (batchId: string) => ({ pk: `batch#${batchId}`, sk: 'batch' });
const chunkKey = (batchId: string, chunk: number) => ({
  pk: `batch#${batchId}`,
  sk: `chunk#${String(chunk + 1).padStart(4, '0')}`,
});

/** A request has less than 4 kB with every field as long as it may be, and an item holds 400 kB. */
const requestsPerChunk = 50;

/** Safe to repeat: the chunks, then the batch itself, which makes it exist. */
export async function createBatch(batch: BatchRecord, requests: readonly OnboardingRequest[]): Promise<void> {
  const { batchId, ...fields } = batch;
  const chunks = Array.from({ length: Math.ceil(requests.length / requestsPerChunk) }, (_, chunk) => ({
    ...chunkKey(batchId, chunk),
    // As text: a thousand requests as attributes take DynamoDB's client a tenth of a second.
    requests: JSON.stringify(requests.slice(chunk * requestsPerChunk, (chunk + 1) * requestsPerChunk)),
  }));
  await Promise.all(chunks.map((Item) => documentClient().send(new PutCommand({ TableName: tableName(), Item }))));
  await holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        // Without its id as an attribute, which would put it among its own runs.
        Item: { ...batchKey(batchId), ...fields, listKey: `${batch.createdAt}#${batchId}` },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
}

/** Batches that the sweeper has to look after, oldest first. */
export async function listOpenBatchIds(): Promise<string[]> {
  const items = await queryAll({
    IndexName: pendingIndex.name,
    KeyConditionExpression: '#key = :batches',
    ExpressionAttributeNames: { '#key': pendingIndex.key },
    ExpressionAttributeValues: { ':batches': 'batches' satisfies BatchRecord['pendingKey'] },
  });
  return items.map(({ pk }) => batchIdOf(pk));
}

export async function readBatch(batchId: string): Promise<BatchRecord | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: batchKey(batchId), ConsistentRead: true }),
  );
  return Item && fromBatchItem(Item);
}

/** @throws RequestRefusal batch-not-found */
export async function findBatch(batchId: string): Promise<BatchRecord> {
  const batch = isRunId(batchId) ? await readBatch(batchId) : undefined;
  if (!batch) throw new RequestRefusal('batch-not-found', 'There is no batch with this id.');
  return batch;
}

const keyAttributes = ['pk', 'sk', 'listKey'];

function fromBatchItem(item: Record<string, unknown>): BatchRecord {
  const fields = Object.entries(item).filter(([name]) => !keyAttributes.includes(name));
  return { batchId: batchIdOf(item.pk), ...Object.fromEntries(fields) } as unknown as BatchRecord;
}

function batchIdOf(pk: unknown): string {
  return String(pk).replace(/^batch#/, '');
}

/** The onboardings of places `from` to before `to`. */
export async function readRequests(batchId: string, from: number, to: number): Promise<OnboardingRequest[]> {
  const first = Math.floor(from / requestsPerChunk);
  const last = Math.floor((to - 1) / requestsPerChunk);
  const chunks = await Promise.all(
    Array.from({ length: last - first + 1 }, async (_, index) => {
      const Key = chunkKey(batchId, first + index);
      const { Item } = await documentClient().send(
        new GetCommand({ TableName: tableName(), Key, ConsistentRead: true }),
      );
      return JSON.parse(String(Item?.requests)) as OnboardingRequest[];
    }),
  );
  return chunks.flat().slice(from - first * requestsPerChunk, to - first * requestsPerChunk);
}

/** Undefined removes a field. */
export type BatchChange = { [Field in keyof BatchRecord]?: BatchRecord[Field] | undefined };

/**
 * One conditional update; undefined if the batch is not as expected any more.
 * @param expected fields and the values they must still have
 */
export async function updateBatch(
  batchId: string,
  to: BatchChange,
  expected: Partial<Pick<BatchRecord, 'state' | 'next' | 'gate' | 'retryBefore'>>,
): Promise<BatchRecord | undefined> {
  const fields = [...new Set([...Object.keys(to), ...Object.keys(expected)])];
  const nameOf = (field: string) => `#n${fields.indexOf(field)}`;
  const set = Object.entries(to).filter(([, value]) => value !== undefined);
  const remove = Object.entries(to).filter(([, value]) => value === undefined);
  return update(batchId, {
    UpdateExpression: [
      ...(set.length > 0 ? [`SET ${set.map(([field]) => `${nameOf(field)} = :to${field}`).join(', ')}`] : []),
      ...(remove.length > 0 ? [`REMOVE ${remove.map(([field]) => nameOf(field)).join(', ')}`] : []),
    ].join(' '),
    ConditionExpression: [
      'attribute_exists(pk)',
      ...Object.keys(expected).map((field) => `${nameOf(field)} = :is${field}`),
    ].join(' AND '),
    ExpressionAttributeNames: Object.fromEntries(fields.map((field) => [nameOf(field), field])),
    ExpressionAttributeValues: Object.fromEntries([
      ...set.map(([field, value]) => [`:to${field}`, value]),
      ...Object.entries(expected).map(([field, value]) => [`:is${field}`, value]),
    ]) as Record<string, unknown>,
  });
}

/** Tells whoever dispatches that there may be more to do than it has seen. */
export async function knock(batchId: string): Promise<void> {
  await update(batchId, {
    UpdateExpression: 'ADD knocks :one',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeValues: { ':one': 1 },
  });
}

async function update(
  batchId: string,
  expressions: Omit<ConstructorParameters<typeof UpdateCommand>[0], 'TableName' | 'Key' | 'ReturnValues'>,
): Promise<BatchRecord | undefined> {
  let updated: BatchRecord | undefined;
  await holds(async () => {
    const { Attributes } = await documentClient().send(
      new UpdateCommand({ TableName: tableName(), Key: batchKey(batchId), ReturnValues: 'ALL_NEW', ...expressions }),
    );
    updated = Attributes && fromBatchItem(Attributes);
  });
  return updated;
}

/** Ids of the batch's runs that take a place, as far as the index shows them yet. */
export async function listAtWork(batchId: string): Promise<string[]> {
  const items = await queryAll({
    IndexName: atWorkIndex.name,
    KeyConditionExpression: '#key = :batch',
    ExpressionAttributeNames: { '#key': atWorkIndex.key },
    ExpressionAttributeValues: { ':batch': batchId },
  });
  return items.map(({ pk }) => String(pk).replace(/^run#/, ''));
}

const ofStatus = (batchId: string, status: RunStatus) => ({
  IndexName: runIndexes.batchStatus.name,
  KeyConditionExpression: '#key = :value',
  ExpressionAttributeNames: { '#key': runIndexes.batchStatus.key },
  ExpressionAttributeValues: { ':value': `${batchId}#${status}` },
});

export async function countRuns(batchId: string, status: RunStatus): Promise<number> {
  let count = 0;
  let start: Record<string, unknown> | undefined;
  do {
    const page = await documentClient().send(
      new QueryCommand({
        TableName: tableName(),
        ...ofStatus(batchId, status),
        Select: 'COUNT',
        ExclusiveStartKey: start,
      }),
    );
    count += page.Count ?? 0;
    start = page.LastEvaluatedKey;
  } while (start);
  return count;
}

/** Oldest first. */
export async function listBatchRuns(
  batchId: string,
  status: RunStatus,
): Promise<Pick<RunSummary, 'runId' | 'cancelRequestedAt'>[]> {
  const ProjectionExpression = 'runId, cancelRequestedAt';
  return (await queryAll({ ...ofStatus(batchId, status), ProjectionExpression })) as unknown as RunSummary[];
}

/** What a batch shows of its runs: not the request, which is most of a run. */
export type ShownRun = Pick<
  RunSummary,
  'runId' | 'status' | 'createdAt' | 'startedAt' | 'endedAt' | 'error' | 'planned'
> & {
  request: Pick<OnboardingRequest, 'payerAccountId'>;
};

/** All that have been started, oldest first. By one query, which sees each in one status while they move from one to the next. */
export async function listShownRuns(batchId: string): Promise<ShownRun[]> {
  const { name, key } = runIndexes.batchId;
  const items = await queryAll({
    IndexName: name,
    KeyConditionExpression: '#key = :batch',
    ProjectionExpression: 'runId, #status, createdAt, startedAt, endedAt, #error, planned, #request.payerAccountId',
    ExpressionAttributeNames: { '#key': key, '#status': 'status', '#error': 'error', '#request': 'request' },
    ExpressionAttributeValues: { ':batch': batchId },
  });
  return items as unknown as ShownRun[];
}

/** Runs of any status in the order of creation. @param after list key of the last run of the page before */
export async function pageOfRuns(
  batchId: string,
  after: string | undefined,
  limit: number,
): Promise<{ runs: RunSummary[]; isLast: boolean }> {
  const { name, key } = runIndexes.batchId;
  const { Items = [], LastEvaluatedKey } = await documentClient().send(
    new QueryCommand({
      TableName: tableName(),
      IndexName: name,
      KeyConditionExpression: '#key = :batch AND listKey > :after',
      ExpressionAttributeNames: { '#key': key },
      // List keys begin with a year.
      ExpressionAttributeValues: { ':batch': batchId, ':after': after ?? '0' },
      Limit: limit,
    }),
  );
  return { runs: Items.map((item) => fromItem(item)), isLast: LastEvaluatedKey === undefined };
}

async function queryAll(
  expressions: Omit<ConstructorParameters<typeof QueryCommand>[0], 'TableName' | 'ExclusiveStartKey'>,
): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await documentClient().send(
      new QueryCommand({ TableName: tableName(), ...expressions, ExclusiveStartKey: start }),
    );
    items.push(...(page.Items ?? []));
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}
