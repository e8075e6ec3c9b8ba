import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { AnyRun } from '../model/run.ts';
import type { RunEvent } from '../model/run-event.ts';
import { readDeployment } from '../platform/settings.ts';
import { documentClient, holds } from '../table/document-table.ts';
import { fromItem, pendingIndex, runKey } from './run-table.ts';

/** A place in a run's record: `['steps', 'publish', 'status']`. */
type Path = readonly string[];

export type RunWrite =
  /** Undefined removes what stands there. */
  | { at: Path; to: unknown }
  | { at: Path; ifAbsent: unknown }
  | { at: Path; plus: number }
  | { at: Path; append: readonly unknown[] };

/** In the terms of its own `names` and `values`. */
export interface RunCondition {
  text: string;
  names?: Record<string, string>;
  values?: Record<string, unknown>;
}

/**
 * One conditional update of a run; undefined if `condition` did not hold.
 * @param events go to the run's outbox in the same write, so that none is lost
 */
export async function updateRun(
  run: Pick<AnyRun, 'runId'>,
  writes: readonly RunWrite[],
  condition: RunCondition,
  events: readonly RunEvent[] = [],
): Promise<AnyRun | undefined> {
  const told = events.map((event) => ({ at: ['outbox', event.id], to: event }));
  const pending = events.length > 0 ? [{ at: [pendingIndex.key], to: pendingIndex.value }] : [];
  const update = () => sendUpdate(run.runId, [...writes, ...told, ...pending], condition);
  try {
    return await update();
  } catch (error) {
    if (!isWithoutOutbox(error)) throw error;
    await sendUpdate(run.runId, [{ at: ['outbox'], ifAbsent: {} }], { text: 'attribute_exists(runId)' });
    return update();
  }
}

/** What DynamoDB says to a write into a map that is not there: runs of releases before 0.3 have no outbox. */
function isWithoutOutbox(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationException' && error.message.includes('document path');
}

async function sendUpdate(
  runId: string,
  writes: readonly RunWrite[],
  condition: RunCondition,
): Promise<AnyRun | undefined> {
  const names: Record<string, string> = { ...condition.names };
  const values: Record<string, unknown> = { ...condition.values };
  // DynamoDB reserves many words (status, error, output) and may reserve more.
  const pathOf = (path: Path) =>
    path
      .map((part) => {
        const known = Object.entries(names).find(([, name]) => name === part)?.[0];
        const placeholder = known ?? `#n${Object.keys(names).length}`;
        names[placeholder] = part;
        return placeholder;
      })
      .join('.');
  const valueOf = (value: unknown) => {
    const placeholder = `:v${Object.keys(values).length}`;
    values[placeholder] = value;
    return placeholder;
  };
  const set: string[] = [];
  const remove: string[] = [];
  for (const write of writes) {
    const path = pathOf(write.at);
    if ('ifAbsent' in write) set.push(`${path} = if_not_exists(${path}, ${valueOf(write.ifAbsent)})`);
    else if ('plus' in write) set.push(`${path} = ${path} + ${valueOf(write.plus)}`);
    else if ('append' in write) set.push(`${path} = list_append(${path}, ${valueOf(write.append)})`);
    else if (write.to === undefined) remove.push(path);
    else set.push(`${path} = ${valueOf(write.to)}`);
  }
  let updated: AnyRun | undefined;
  const held = await holds(async () => {
    const { Attributes } = await documentClient().send(
      new UpdateCommand({
        TableName: readDeployment().tableName,
        Key: runKey(runId),
        UpdateExpression: [
          ...(set.length > 0 ? [`SET ${set.join(', ')}`] : []),
          ...(remove.length > 0 ? [`REMOVE ${remove.join(', ')}`] : []),
        ].join(' '),
        ConditionExpression: condition.text,
        ExpressionAttributeNames: names,
        ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
        ReturnValues: 'ALL_NEW',
      }),
    );
    updated = Attributes && fromItem(Attributes);
  });
  return held ? updated : undefined;
}

/** Holds while the run is active and `attempt` is its current one. */
export function whileActive(attempt: number) {
  return {
    text: 'attempt = :attempt AND #status IN (:queued, :running)',
    names: { '#status': 'status' },
    values: { ':attempt': attempt, ':queued': 'queued', ':running': 'running' },
  };
}

/** The keys of a run's indexes that follow its status. */
export function statusWrites({ batchId }: Pick<AnyRun, 'batchId'>, status: AnyRun['status']): RunWrite[] {
  return [
    { at: ['status'], to: status },
    ...(batchId === undefined ? [] : [{ at: ['batchStatusKey'], to: `${batchId}#${status}` }]),
  ];
}
