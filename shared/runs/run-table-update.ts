import type { AnyRun } from '../model/run.ts';
import type { RunEvent } from '../model/run-event.ts';
import { updateAndRead } from '../table/document-table.ts';
import { allOf, type Condition, equals, isOneOf, type Write } from '../table/expressions.ts';
import { RunItem } from './run-item.ts';
import { pendingIndex, runKey } from './run-table.ts';

/**
 * One conditional update of a run; undefined if the condition does not hold.
 * @param events go to the run's outbox in the same write, so that none is lost
 * @throws TerminalError record-unreadable
 */
export function updateRun(
  { runId }: Pick<AnyRun, 'runId'>,
  writes: readonly Write[],
  condition: Condition,
  events: readonly RunEvent[] = [],
): Promise<AnyRun | undefined> {
  const outbox = events.map((event) => ({ at: ['outbox', event.id], to: event }));
  const pending = events.length > 0 ? [{ at: pendingIndex.key, to: pendingIndex.value }] : [];
  return updateAndRead(runKey(runId), RunItem, [...writes, ...outbox, ...pending], condition);
}

/** True while the run is active and `attempt` is its current one. */
export function whileActive(attempt: number): Condition {
  return allOf(equals('attempt', attempt), isOneOf('status', ['queued', 'running']));
}

/** The keys of a run's indexes that follow its status. */
export function statusWrites({ batchId }: Pick<AnyRun, 'batchId'>, status: AnyRun['status']): Write[] {
  return [
    { at: 'status', to: status },
    ...(batchId === undefined ? [] : [{ at: 'batchStatusKey', to: `${batchId}#${status}` }]),
  ];
}
