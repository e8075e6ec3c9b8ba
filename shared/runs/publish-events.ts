import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { type ClientConfig, hubClient } from '../aws/clients.ts';
import { classify } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { detailTypes, eventSource, type RunEvent } from '../model/run-event.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import { now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { readSettings } from '../platform/settings.ts';
import { absent, allOf, anyOf, differs, exists, hasSize, isOneOf, type Write } from '../table/expressions.ts';
import { pendingIndex } from './run-table.ts';
import { updateRun } from './run-table-update.ts';

/** Limit of entries per PutEvents call (API reference). An event has about 1 kB, so 10 stay far below the limit of 256 kB. */
const entriesPerCall = 10;
/** Time limit of all calls together. A bus that does not answer must not use up the time of the function. */
const patienceMs = 5_000;

/** If an event is this old, no invocation of its run is active. */
const overdueMs = 2 * 60_000;

/** Retries once, because a frozen function loses its connections. After a second failure the event stays in the outbox. */
class BusClient extends EventBridgeClient {
  constructor(config: ClientConfig) {
    super({ ...config, maxAttempts: 2 });
  }
}

/** True if the run has events that may not be published yet. */
export function hasUnpublishedEvents({ outbox = {} }: Pick<AnyRun, 'outbox'>): boolean {
  return Object.keys(outbox).length > 0;
}

/** True if the sweeper has to publish the run's events: the oldest one is overdue, or the run is pending without events. */
export function isOverdue({ outbox = {} }: Pick<AnyRun, 'outbox'>): boolean {
  const oldest = Object.values(outbox).sort(byTime)[0];
  return !oldest || now() - Date.parse(oldest.at) >= overdueMs;
}

/**
 * Publishes the events of the run's outbox and removes them from the outbox. Never throws, because no step and no run may fail for
 * this reason: the next invocation or the sweeper publishes the rest.
 * @param run from a write or a consistent read
 * @returns false if events remain in the outbox
 */
export async function publishEvents(run: AnyRun): Promise<boolean> {
  const fields = { runId: run.runId, step: 'publish-events' };
  const abortSignal = AbortSignal.timeout(patienceMs);
  let outbox = run.outbox ?? {};
  try {
    do {
      const batch = Object.values(outbox).sort(byTime).slice(0, entriesPerCall);
      const { published, refusal } = await put(batch, abortSignal);
      await removeFromOutbox(run, outbox, published);
      outbox = without(outbox, published);
      if (refusal) {
        log('events not published', { ...fields, left: Object.keys(outbox).length, detail: refusal });
        return false;
      }
    } while (Object.keys(outbox).length > 0);
    return true;
  } catch (error) {
    log('events not published', { ...fields, left: Object.keys(outbox).length, detail: classify(error).message });
    return false;
  }
}

/** @returns the published events, and the reason for the others: the call succeeds even if every entry fails (API reference). */
async function put(
  events: readonly RunEvent[],
  abortSignal: AbortSignal,
): Promise<{ published: RunEvent[]; refusal?: string | undefined }> {
  if (events.length === 0) return { published: [] };
  const { Entries = [] } = await hubClient(BusClient).send(
    new PutEventsCommand({
      Entries: events.map((event) => ({
        EventBusName: readSettings().eventBusName,
        Source: eventSource,
        DetailType: event.step === null ? detailTypes.run : detailTypes.step,
        Time: new Date(event.at),
        Resources: [],
        Detail: JSON.stringify(event),
      })),
    }),
    { abortSignal },
  );
  const published = events.filter((_, index) => Entries[index]?.EventId !== undefined);
  if (published.length === events.length) return { published };
  return { published, refusal: Entries.find(({ ErrorCode }) => ErrorCode)?.ErrorCode ?? 'no result for an entry' };
}

/** Removes the published events from the outbox. */
async function removeFromOutbox(
  run: AnyRun,
  outbox: Record<string, RunEvent>,
  published: readonly RunEvent[],
): Promise<void> {
  if (published.length === Object.keys(outbox).length && (await settle(run, published))) return;
  if (published.length === 0) return;
  const left = await updateRun(run, removals(published), exists('runId'));
  // Parallel branches may have published the same events, and each has seen those of the other in the outbox.
  if (left && !hasUnpublishedEvents(left)) await settle(left, []);
}

/**
 * The run is no longer pending if its outbox holds exactly the published events and the sweeper has nothing else to do for it: it is
 * neither queued nor being cancelled.
 */
function settle(run: AnyRun, published: readonly RunEvent[]): Promise<AnyRun | undefined> {
  const isSettled = allOf(
    hasSize('outbox', published.length),
    ...published.map(({ id }) => exists(['outbox', id])),
    differs('status', 'queued'),
    anyOf(absent('cancelRequestedAt'), isOneOf('status', endedStatuses)),
  );
  return updateRun(run, [...removals(published), { at: pendingIndex.key, to: undefined }], isSettled);
}

function removals(published: readonly RunEvent[]): Write[] {
  return published.map(({ id }) => ({ at: ['outbox', id], to: undefined }));
}

function without(outbox: Record<string, RunEvent>, published: readonly RunEvent[]): Record<string, RunEvent> {
  return Object.fromEntries(Object.entries(outbox).filter(([id]) => !published.some((event) => event.id === id)));
}

/** Oldest first. The bus does not guarantee an order; this is a help for readers of single events. */
function byTime(one: RunEvent, other: RunEvent): number {
  return Date.parse(one.at) - Date.parse(other.at);
}
