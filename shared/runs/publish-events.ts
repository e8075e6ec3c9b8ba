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

/** What PutEvents takes in one call (API reference), and less than a tenth of the 256 kB it takes: an event has about 1 kB. */
const entriesPerCall = 10;
/** All calls of one announcement together. A bus that does not answer must not use up the function's time. */
const patienceMs = 5_000;

/** Whose news is this old has nobody at work to tell it. */
const overdueMs = 2 * 60_000;

/** Tries once more, for a connection that the frozen function has lost; what then fails waits in the outbox. */
class BusClient extends EventBridgeClient {
  constructor(config: ClientConfig) {
    super({ ...config, maxAttempts: 2 });
  }
}

/** True if the run has transitions that the bus may not know. */
export function hasNews({ outbox = {} }: Pick<AnyRun, 'outbox'>): boolean {
  return Object.keys(outbox).length > 0;
}

/** True if the sweeper is to announce the run: of what is still to be told the oldest is old, or nothing is and the run is pending all the same. */
export function isOverdue({ outbox = {} }: Pick<AnyRun, 'outbox'>): boolean {
  const oldest = Object.values(outbox).sort(byTime)[0];
  return !oldest || now() - Date.parse(oldest.at) >= overdueMs;
}

/**
 * Puts what the run's outbox holds on the event bus, and takes from the outbox what the bus has. Never throws, for no step and no run may
 * fail by it: what is left the next invocation tells, or the sweeper.
 * @param run as a write or a consistent read answered it
 * @returns false if something is left
 */
export async function announce(run: AnyRun): Promise<boolean> {
  const fields = { runId: run.runId, step: 'announce' };
  const abortSignal = AbortSignal.timeout(patienceMs);
  let outbox = run.outbox ?? {};
  try {
    do {
      const batch = Object.values(outbox).sort(byTime).slice(0, entriesPerCall);
      const { told, refusal } = await put(batch, abortSignal);
      await forget(run, outbox, told);
      outbox = without(outbox, told);
      if (refusal) {
        log('not told yet', { ...fields, left: Object.keys(outbox).length, detail: refusal });
        return false;
      }
    } while (Object.keys(outbox).length > 0);
    return true;
  } catch (error) {
    log('not told yet', { ...fields, left: Object.keys(outbox).length, detail: classify(error).message });
    return false;
  }
}

/** @returns the events the bus took, and why it did not take the others: the call succeeds also where it takes none (API reference). */
async function put(
  events: readonly RunEvent[],
  abortSignal: AbortSignal,
): Promise<{ told: RunEvent[]; refusal?: string | undefined }> {
  if (events.length === 0) return { told: [] };
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
  const told = events.filter((_, index) => Entries[index]?.EventId !== undefined);
  if (told.length === events.length) return { told };
  return { told, refusal: Entries.find(({ ErrorCode }) => ErrorCode)?.ErrorCode ?? 'no answer for an entry' };
}

/** Takes from the outbox what was told. */
async function forget(run: AnyRun, outbox: Record<string, RunEvent>, told: readonly RunEvent[]): Promise<void> {
  if (told.length === Object.keys(outbox).length && (await settle(run, told))) return;
  if (told.length === 0) return;
  const left = await updateRun(run, removals(told), exists('runId'));
  // Parallel branches may have told the same, each of them thinking that the other's news was left.
  if (left && !hasNews(left)) await settle(left, []);
}

/**
 * The run stops being pending, if its outbox holds exactly what was told and it leaves the sweeper nothing else to do: it is neither
 * queued nor to be cancelled.
 */
function settle(run: AnyRun, told: readonly RunEvent[]): Promise<AnyRun | undefined> {
  const isSettled = allOf(
    hasSize('outbox', told.length),
    ...told.map(({ id }) => exists(['outbox', id])),
    differs('status', 'queued'),
    anyOf(absent('cancelRequestedAt'), isOneOf('status', endedStatuses)),
  );
  return updateRun(run, [...removals(told), { at: pendingIndex.key, to: undefined }], isSettled);
}

function removals(told: readonly RunEvent[]): Write[] {
  return told.map(({ id }) => ({ at: ['outbox', id], to: undefined }));
}

function without(outbox: Record<string, RunEvent>, told: readonly RunEvent[]): Record<string, RunEvent> {
  return Object.fromEntries(Object.entries(outbox).filter(([id]) => !told.some((event) => event.id === id)));
}

/** The bus keeps no order; what reads the events one by one still likes them in theirs. */
function byTime(one: RunEvent, other: RunEvent): number {
  return Date.parse(one.at) - Date.parse(other.at);
}
