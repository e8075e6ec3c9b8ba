import { DeleteCommand, GetCommand, PutCommand, QueryCommand } from '@aws-sdk/lib-dynamodb';
import { type AnyRun, type RunRecord, skips } from '../model/run.ts';
import { runEvent } from '../model/run-event.ts';
import type { StepRecord } from '../model/run-schemas.ts';
import { type StepName, stepNamesOf } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { readDeployment } from '../platform/settings.ts';
import { documentClient, holds } from '../table/document-table.ts';

/** The indexes of the table and their key attributes, by the filter each one answers; all sort by `listKey`. */
export const runIndexes = {
  all: { name: 'byAll', key: 'allKey' },
  status: { name: 'byStatus', key: 'status' },
  payerAccountId: { name: 'byPayer', key: 'payerKey' },
  cluster: { name: 'byCluster', key: 'clusterKey' },
  batchId: { name: 'byBatch', key: 'batchId' },
  batchStatus: { name: 'byBatchStatus', key: 'batchStatusKey' },
} as const;

/** Fields the indexes project: what a list shows of a run. */
export type RunSummary = Omit<RunRecord, 'steps'> | Omit<RunRecord<'offboarding'>, 'steps'>;

/** Runs that somebody has to look after: queued, to be cancelled, or with transitions still to be told. */
export const pendingIndex = { name: 'byPending', key: 'pendingKey', value: 'pending' } as const;
/** Runs of a batch that take one of its places: at work, and not waiting for hours. */
export const atWorkIndex = { name: 'byAtWork', key: 'atWorkKey' } as const;

export const runKey = (runId: string) => ({ pk: `run#${runId}`, sk: 'run' });
const tableName = () => readDeployment().tableName;

/** What lists sort by: the time of creation, then the id. */
export function listKeyOf({ createdAt, runId }: Pick<AnyRun, 'createdAt' | 'runId'>): string {
  return `${createdAt}#${runId}`;
}

function toItem(run: AnyRun): Record<string, unknown> {
  return {
    ...runKey(run.runId),
    ...run,
    allKey: 'runs',
    payerKey: run.request.payerAccountId,
    clusterKey: clusterArnOf(run.request),
    listKey: listKeyOf(run),
    ...(run.batchId && { batchStatusKey: `${run.batchId}#${run.status}`, atWorkKey: run.batchId }),
    ...(run.outbox && { [pendingIndex.key]: pendingIndex.value }),
  };
}

const keyAttributes = new Set([
  'pk',
  'sk',
  'allKey',
  'payerKey',
  'clusterKey',
  'listKey',
  'batchStatusKey',
  'atWorkKey',
  pendingIndex.key,
]);

/** Runs of releases before 0.3 had one kind. */
export function fromItem(item: Record<string, unknown>): AnyRun {
  const fields = Object.entries(item).filter(([name]) => !keyAttributes.has(name));
  return { kind: 'onboarding', ...Object.fromEntries(fields) } as unknown as AnyRun;
}

/** What a run starts from; its steps follow from its kind. */
export type NewRun = Omit<RunRecord, 'steps' | 'outbox'> | Omit<RunRecord<'offboarding'>, 'steps' | 'outbox'>;

/** A queued run with every step pending, or skipped where it does not apply; false if the run is already there. */
export function createRun(run: NewRun): Promise<boolean> {
  const fresh = (name: StepName): StepRecord => ({
    status: skips(run, name) ? 'skipped' : 'pending',
    invocations: 0,
    changes: [],
    warnings: [],
  });
  const steps = Object.fromEntries(stepNamesOf[run.kind].map((name) => [name, fresh(name)]));
  const queued = runEvent(run, run.status, run.createdAt);
  const item = toItem({ ...run, steps, outbox: { [queued.id]: queued } });
  return holds(() =>
    documentClient().send(
      new PutCommand({ TableName: tableName(), Item: item, ConditionExpression: 'attribute_not_exists(pk)' }),
    ),
  );
}

/** Takes back a run that never got its lock; one with a history, or that somebody cancels, stays. */
export async function deleteQueuedRun(runId: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: runKey(runId),
        ConditionExpression: '#status = :queued AND attempt = :first AND attribute_not_exists(cancelRequestedAt)',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':queued': 'queued', ':first': 1 },
      }),
    ),
  );
}

export async function readRun(runId: string): Promise<AnyRun | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: runKey(runId), ConsistentRead: true }),
  );
  return Item && fromItem(Item);
}

export interface RunPage {
  runs: RunSummary[];
  /** Where the next page starts; absent on the last one. */
  next?: Record<string, unknown>;
}

/** Newest first; one key query on one index, whatever the filter. */
export async function listRuns(
  filter: { by: keyof typeof runIndexes; value: string },
  limit: number,
  start?: Record<string, unknown>,
): Promise<RunPage> {
  const answer = await documentClient().send(
    new QueryCommand({
      TableName: tableName(),
      IndexName: runIndexes[filter.by].name,
      KeyConditionExpression: '#key = :value',
      ExpressionAttributeNames: { '#key': runIndexes[filter.by].key },
      ExpressionAttributeValues: { ':value': filter.value },
      ScanIndexForward: false,
      Limit: limit,
      ExclusiveStartKey: start,
    }),
  );
  const runs = (answer.Items ?? []).map((item) => fromItem(item));
  return { runs, ...(answer.LastEvaluatedKey && { next: answer.LastEvaluatedKey }) };
}

/** Ids of the runs that somebody has to look after, oldest first. */
export async function listPendingRunIds(): Promise<string[]> {
  const ids: string[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await documentClient().send(
      new QueryCommand({
        TableName: tableName(),
        IndexName: pendingIndex.name,
        KeyConditionExpression: '#key = :value',
        ExpressionAttributeNames: { '#key': pendingIndex.key },
        ExpressionAttributeValues: { ':value': pendingIndex.value },
        ExclusiveStartKey: start,
      }),
    );
    ids.push(...(page.Items ?? []).map(({ pk }) => String(pk).replace(/^run#/, '')));
    start = page.LastEvaluatedKey;
  } while (start);
  return ids;
}
