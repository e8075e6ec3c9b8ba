import * as z from 'zod';
import { TerminalError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import { isRunId } from '../model/run-id.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { RunStatus } from '../model/run-schemas.ts';
import { RunKeyItem, type RunSummary, RunSummaryItem, summaryFields } from '../runs/run-item.ts';
import { atWorkIndex, pendingIndex, runIndexes } from '../runs/run-table.ts';
import { countItems, listItems, pageOfItems, putItem, readItem, updateAndRead } from '../table/document-table.ts';
import { absent, allOf, type Condition, equals, exists, type Write } from '../table/expressions.ts';
import { BatchChunkItem, BatchItem, BatchKeyItem, type BatchRecord } from './batch-record.ts';

const batchKey = (batchId: string) => ({ pk: `batch#${batchId}`, sk: 'batch' });
const chunkKey = (batchId: string, chunk: number) => ({
  pk: `batch#${batchId}`,
  sk: `chunk#${String(chunk + 1).padStart(4, '0')}`,
});

/** A request has less than 4 kB with every field as long as it may be, and an item holds 400 kB. */
const requestsPerChunk = 50;

/** Writes the chunks, then the batch itself. Safe to repeat. */
export async function createBatch(batch: BatchRecord, requests: readonly OnboardingRequest[]): Promise<void> {
  const { batchId, ...fields } = batch;
  const chunks = Array.from({ length: Math.ceil(requests.length / requestsPerChunk) }, (_, chunk) =>
    requests.slice(chunk * requestsPerChunk, (chunk + 1) * requestsPerChunk),
  );
  await Promise.all(
    chunks.map((chunk, index) => putItem(chunkKey(batchId, index), { requests: JSON.stringify(chunk) })),
  );
  // Without its id as an attribute, which would put it among its own runs.
  await putItem(batchKey(batchId), { ...fields, listKey: `${batch.createdAt}#${batchId}` }, absent('pk'));
}

/** Batches that the sweeper has to check, oldest first. */
export function listOpenBatchIds(): Promise<string[]> {
  const value = 'batches' satisfies BatchRecord['pendingKey'];
  return listItems({ index: pendingIndex.name, partition: { key: pendingIndex.key, value } }, BatchKeyItem);
}

/** @throws TerminalError record-unreadable */
export function readBatch(batchId: string): Promise<BatchRecord | undefined> {
  return readItem(batchKey(batchId), BatchItem);
}

/** @throws RequestRefusal batch-not-found */
export async function findBatch(batchId: string): Promise<BatchRecord> {
  const batch = isRunId(batchId) ? await readBatch(batchId) : undefined;
  if (!batch) throw new RequestRefusal('batch-not-found', 'There is no batch with this id.');
  return batch;
}

/**
 * The onboardings of places `from` to before `to`.
 * @throws TerminalError record-unreadable
 */
export async function readRequests(batchId: string, from: number, to: number): Promise<OnboardingRequest[]> {
  const first = Math.floor(from / requestsPerChunk);
  const last = Math.floor((to - 1) / requestsPerChunk);
  const chunks = await Promise.all(
    Array.from({ length: last - first + 1 }, (_, index) => readChunk(batchId, first + index)),
  );
  return chunks.flat().slice(from - first * requestsPerChunk, to - first * requestsPerChunk);
}

async function readChunk(batchId: string, index: number): Promise<OnboardingRequest[]> {
  const chunk = await readItem(chunkKey(batchId, index), BatchChunkItem);
  if (!chunk) throw new TerminalError('record-unreadable', `batch ${batchId} has lost its chunk ${index + 1}`);
  return chunk.requests;
}

/** Undefined removes a field. */
export type BatchChange = { [Field in keyof BatchRecord]?: BatchRecord[Field] | undefined };

/**
 * One conditional update; undefined if the batch is not as expected any more.
 * @param expected fields and the values they must still have
 */
export function updateBatch(
  batchId: string,
  to: BatchChange,
  expected: Partial<Pick<BatchRecord, 'state' | 'next' | 'gate' | 'retryBefore'>>,
): Promise<BatchRecord | undefined> {
  const writes = Object.entries(to).map(([at, value]): Write => ({ at, to: value }));
  return update(batchId, writes, ...Object.entries(expected).map(([at, value]) => equals(at, value)));
}

/** Records a dispatch request, so that the caller that is dispatching now checks the batch once more. */
export async function requestDispatch(batchId: string): Promise<void> {
  await update(batchId, [{ at: 'knocks', plus: 1 }]);
}

function update(
  batchId: string,
  writes: readonly Write[],
  ...conditions: Condition[]
): Promise<BatchRecord | undefined> {
  return updateAndRead(batchKey(batchId), BatchItem, writes, allOf(exists('pk'), ...conditions));
}

/** Ids of the batch's runs that take a place, as far as the index shows them yet. */
export function listAtWork(batchId: string): Promise<string[]> {
  const { name, key } = atWorkIndex;
  return listItems({ index: name, partition: { key, value: batchId } }, RunKeyItem);
}

function ofStatus(batchId: string, status: RunStatus) {
  const { name, key } = runIndexes.batchStatus;
  return { index: name, partition: { key, value: `${batchId}#${status}` } };
}

export function countRuns(batchId: string, status: RunStatus): Promise<number> {
  return countItems(ofStatus(batchId, status));
}

const { runId, cancelRequestedAt, status, createdAt, startedAt, endedAt, error, planned } = summaryFields;

export const ActiveRun = z.looseObject({ runId, cancelRequestedAt });

/** Oldest first. */
export function listBatchRuns(batchId: string, status: RunStatus): Promise<z.output<typeof ActiveRun>[]> {
  return listItems({ ...ofStatus(batchId, status), fields: Object.keys(ActiveRun.shape) }, ActiveRun);
}

/** What a batch shows of its runs, without the request, which is most of a run. */
export type ShownRun = Pick<
  RunSummary,
  'runId' | 'status' | 'createdAt' | 'startedAt' | 'endedAt' | 'error' | 'planned'
> & {
  request: Pick<OnboardingRequest, 'payerAccountId'>;
};

const shownFields = { runId, status, createdAt, startedAt, endedAt, error, planned };
export const ShownRun: z.ZodType<ShownRun> = z.looseObject({
  ...shownFields,
  request: z.looseObject({ payerAccountId: z.string() }),
});

/**
 * All that have been started, oldest first. One query reads them all, so that each run is listed once although its status changes
 * meanwhile.
 */
export function listShownRuns(batchId: string): Promise<ShownRun[]> {
  const { name, key } = runIndexes.batchId;
  const fields = [...Object.keys(shownFields), ['request', 'payerAccountId']];
  return listItems({ index: name, partition: { key, value: batchId }, fields }, ShownRun);
}

/** Runs of any status in the order of creation. @param after list key of the last run of the page before */
export async function pageOfRuns(
  batchId: string,
  after: string | undefined,
  limit: number,
): Promise<{ runs: RunSummary[]; isLast: boolean }> {
  const { name, key } = runIndexes.batchId;
  // List keys begin with a year.
  const sort = { key: 'listKey', after: after ?? '0' };
  const { items, next } = await pageOfItems(
    { index: name, partition: { key, value: batchId }, sort },
    RunSummaryItem,
    limit,
  );
  return { runs: items, isLast: next === undefined };
}
