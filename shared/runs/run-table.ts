import type * as z from 'zod';
import { type AnyRun, type RunRecord, skips } from '../model/run.ts';
import { runEvent } from '../model/run-event.ts';
import type { StepRecord } from '../model/run-schemas.ts';
import { type StepName, stepNamesOf } from '../model/step-names.ts';
import { clusterArnOf } from '../model/target.ts';
import { deleteItem, listItems, pageOfItems, putItem, readItem } from '../table/document-table.ts';
import { absent, allOf, equals } from '../table/expressions.ts';
import { RunHead, RunItem, RunKeyItem, type RunSummary, RunSummaryItem } from './run-item.ts';

/** The indexes of the table and their key attributes, by the filter each one answers; all sort by `listKey`. */
export const runIndexes = {
  all: { name: 'byAll', key: 'allKey' },
  status: { name: 'byStatus', key: 'status' },
  payerAccountId: { name: 'byPayer', key: 'payerKey' },
  cluster: { name: 'byCluster', key: 'clusterKey' },
  batchId: { name: 'byBatch', key: 'batchId' },
  batchStatus: { name: 'byBatchStatus', key: 'batchStatusKey' },
} as const;

/** Runs that need attention: queued, to be cancelled, or with transitions that are not published yet. */
export const pendingIndex = { name: 'byPending', key: 'pendingKey', value: 'pending' } as const;
/** Runs of a batch that take one of its places: active, and not in a wait of hours. */
export const atWorkIndex = { name: 'byAtWork', key: 'atWorkKey' } as const;

export const runKey = (runId: string) => ({ pk: `run#${runId}`, sk: 'run' });

/** What lists sort by: the time of creation, then the id. */
export function listKeyOf({ createdAt, runId }: Pick<AnyRun, 'createdAt' | 'runId'>): string {
  return `${createdAt}#${runId}`;
}

/** The keys of the indexes that a run is in from its start. */
function indexKeysOf(run: NewRun) {
  return {
    allKey: 'runs',
    payerKey: run.request.payerAccountId,
    clusterKey: clusterArnOf(run.request),
    listKey: listKeyOf(run),
    [pendingIndex.key]: pendingIndex.value,
    ...(run.batchId && { batchStatusKey: `${run.batchId}#${run.status}`, atWorkKey: run.batchId }),
  };
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
  return putItem(
    runKey(run.runId),
    { ...run, steps, outbox: { [queued.id]: queued }, ...indexKeysOf(run) },
    absent('pk'),
  );
}

/** Deletes a run that never got its lock. A run with earlier attempts or with a cancel request stays. */
export async function deleteQueuedRun(runId: string): Promise<void> {
  const isUntouched = allOf(equals('status', 'queued'), equals('attempt', 1), absent('cancelRequestedAt'));
  await deleteItem(runKey(runId), isUntouched);
}

/** @throws TerminalError record-unreadable */
export function readRun(runId: string): Promise<AnyRun | undefined> {
  return readItem(runKey(runId), RunItem);
}

/** What can be read of a run even if the rest of its record cannot. */
export function readRunHead(runId: string): Promise<z.output<typeof RunHead> | undefined> {
  return readItem(runKey(runId), RunHead);
}

export interface RunPage {
  runs: RunSummary[];
  /** Where the next page starts; absent on the last one. */
  next?: Record<string, unknown>;
}

/** Newest first; one query on the index of the filter. */
export async function listRuns(
  filter: { by: keyof typeof runIndexes; value: string },
  limit: number,
  start?: Record<string, unknown>,
): Promise<RunPage> {
  const { name, key } = runIndexes[filter.by];
  const query = { index: name, partition: { key, value: filter.value }, newestFirst: true };
  const { items, ...page } = await pageOfItems(query, RunSummaryItem, limit, start);
  return { runs: items, ...page };
}

/** Ids of the runs whose steps are taken, oldest first. */
export function listRunningIds(): Promise<string[]> {
  const { name, key } = runIndexes.status;
  return listItems({ index: name, partition: { key, value: 'running' }, fields: ['pk'] }, RunKeyItem);
}

/** Ids of the runs that need attention, oldest first. */
export function listPendingRunIds(): Promise<string[]> {
  const { name, key, value } = pendingIndex;
  return listItems({ index: name, partition: { key, value } }, RunKeyItem);
}
