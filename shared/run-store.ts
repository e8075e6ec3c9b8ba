import { DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { iso, now } from './clock.ts';
import { readDeployment } from './deployment.ts';
import { TerminalError } from './errors.ts';
import {
  clusterArnOf,
  skips,
  type Change,
  type RunError,
  type RunRecord,
  type RunStatus,
  type StepRecord,
} from './run.ts';
import { stepNames, type StepName } from './step-names.ts';
import { documentClient, holds } from './table.ts';

/** The indexes of the table and their key attributes, by the filter each one answers; all sort by `listKey`. */
export const runIndexes = {
  all: { name: 'byAll', key: 'allKey' },
  status: { name: 'byStatus', key: 'status' },
  payerAccountId: { name: 'byPayer', key: 'payerKey' },
  cluster: { name: 'byCluster', key: 'clusterKey' },
} as const;

/** Fields the indexes project: what a list shows of a run. */
export type RunSummary = Omit<RunRecord, 'steps'>;

const runKey = (runId: string) => ({ pk: `run#${runId}`, sk: 'run' });
const tableName = () => readDeployment().tableName;

function toItem(run: RunRecord): Record<string, unknown> {
  return {
    ...runKey(run.runId),
    ...run,
    allKey: 'runs',
    payerKey: run.request.payerAccountId,
    clusterKey: clusterArnOf(run.request),
    listKey: `${run.createdAt}#${run.runId}`,
  };
}

const keyAttributes = new Set(['pk', 'sk', 'allKey', 'payerKey', 'clusterKey', 'listKey']);

function fromItem(item: Record<string, unknown>): RunRecord {
  const fields = Object.entries(item).filter(([name]) => !keyAttributes.has(name));
  return Object.fromEntries(fields) as unknown as RunRecord;
}

/** A queued run with every step pending, or skipped where it does not apply; false if the run is already there. */
export function createRun(run: Omit<RunRecord, 'steps'>): Promise<boolean> {
  const fresh = (name: StepName): StepRecord => ({
    status: skips(run.request, name) ? 'skipped' : 'pending',
    invocations: 0,
    changes: [],
    warnings: [],
  });
  const steps = Object.fromEntries(stepNames.map((name) => [name, fresh(name)]));
  return holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        Item: toItem({ ...run, steps }),
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
}

/** Takes back a run that never got its lock. */
export async function deleteQueuedRun(runId: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: runKey(runId),
        ConditionExpression: '#status = :queued',
        ExpressionAttributeNames: { '#status': 'status' },
        ExpressionAttributeValues: { ':queued': 'queued' },
      }),
    ),
  );
}

export async function readRun(runId: string): Promise<RunRecord | undefined> {
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

/** One step's part of a run record. Every write holds only while the run is active and this attempt is the current one. */
export class StepStore {
  readonly #runId: string;
  readonly #attempt: number;
  readonly #step: StepName;

  constructor(runId: string, attempt: number, step: StepName) {
    this.#runId = runId;
    this.#attempt = attempt;
    this.#step = step;
  }

  /** Counts the invocation and reads the run it belongs to. A step that had ended starts anew. @throws TerminalError stale-attempt */
  async begin(): Promise<RunRecord> {
    const at = iso(now());
    const answer = await this.#update(
      'SET #status = :running, startedAt = if_not_exists(startedAt, :at), steps.#step.#status = :running, ' +
        'steps.#step.startedAt = if_not_exists(steps.#step.startedAt, :at), steps.#step.invocations = steps.#step.invocations + :one',
      { ':running': 'running', ':at': at, ':one': 1 },
    );
    const run = fromItem(answer);
    if (run.steps[this.#step]?.endedAt === undefined) return run;
    const again = 'SET steps.#step.startedAt = :at REMOVE steps.#step.endedAt';
    return fromItem(await this.#update(again, { ':at': at }));
  }

  async recordChange(change: Change): Promise<void> {
    await this.#update('SET steps.#step.changes = list_append(steps.#step.changes, :changes)', {
      ':changes': [change],
    });
  }

  async remember(memo: Record<string, unknown>): Promise<void> {
    await this.#update('SET steps.#step.memo = :memo', { ':memo': memo });
  }

  /** Ends or parks the step: everything but what earlier invocations wrote (start, invocations, changes, memo). */
  async finish(
    result: Pick<StepRecord, 'status' | 'waiting' | 'warnings' | 'output' | 'error'>,
    planned?: Change[],
  ): Promise<void> {
    const ended = result.status === 'waiting' || result.status === 'running' ? undefined : iso(now());
    const fields = Object.entries({
      waiting: undefined,
      error: undefined,
      ...result,
      endedAt: ended,
      ...(planned && { changes: planned }),
    });
    const set = fields.filter(([, value]) => value !== undefined);
    const gone = fields.filter(([, value]) => value === undefined);
    await this.#update(
      `SET ${set.map(([name]) => `steps.#step.#${name} = :${name}`).join(', ')}` +
        (gone.length > 0 ? ` REMOVE ${gone.map(([name]) => `steps.#step.#${name}`).join(', ')}` : ''),
      Object.fromEntries(set.map(([name, value]) => [`:${name}`, value])),
      // DynamoDB reserves some of these words (status, error, output) and may reserve more.
      Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
    );
  }

  async #update(
    expression: string,
    values: Record<string, unknown>,
    names: Record<string, string> = {},
  ): Promise<Record<string, unknown>> {
    let attributes: Record<string, unknown> | undefined;
    const held = await holds(async () => {
      const answer = await documentClient().send(
        new UpdateCommand({
          TableName: tableName(),
          Key: runKey(this.#runId),
          UpdateExpression: expression,
          ConditionExpression: 'attempt = :attempt AND #status IN (:queuedRun, :runningRun)',
          ExpressionAttributeNames: { ...names, '#step': this.#step, '#status': 'status' },
          ExpressionAttributeValues: {
            ...values,
            ':attempt': this.#attempt,
            ':queuedRun': 'queued',
            ':runningRun': 'running',
          },
          ReturnValues: 'ALL_NEW',
        }),
      );
      attributes = answer.Attributes;
    });
    if (!held || !attributes) {
      throw new TerminalError('stale-attempt', `run ${this.#runId} is not in attempt ${this.#attempt} any more`);
    }
    return attributes;
  }
}

/** Sets the end of a run once; false if it had ended before or another attempt is the current one. */
export async function endRun(runId: string, attempt: number, status: RunStatus, error?: RunError): Promise<boolean> {
  return holds(() =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: runKey(runId),
        UpdateExpression: `SET #status = :status, endedAt = :at${error ? ', #error = :error' : ''}`,
        ConditionExpression: 'attempt = :attempt AND #status IN (:queued, :running)',
        ExpressionAttributeNames: { '#status': 'status', ...(error && { '#error': 'error' }) },
        ExpressionAttributeValues: {
          ':status': status,
          ':at': iso(now()),
          ':attempt': attempt,
          ':queued': 'queued',
          ':running': 'running',
          ...(error && { ':error': error }),
        },
      }),
    ),
  );
}
