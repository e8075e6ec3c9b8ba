import { randomUUID } from 'node:crypto';
import * as sdk from '@aws-sdk/client-eventbridge';
import { AwsError, type CallContext, operation, type Service } from '../service.ts';
import type { World } from '../world.ts';
import { type EventPattern, matchesPattern } from './event-pattern.ts';

/** An event as a rule of its bus sees it. */
export interface BusEvent {
  version: '0';
  /** The bus's own, new each time an event is put. */
  id: string;
  'detail-type': string;
  source: string;
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: unknown;
}

const maxEntries = 10;
const maxBytes = 256 * 1024;

/** From PutEvents to the target; the user guide gives half a second as typical. */
const deliveryMs = 500;

export class EventsState {
  /** What each bus has been given, by its ARN, in order. */
  readonly buses = new Map<string, BusEvent[]>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  readonly #rules: { bus: string; pattern: EventPattern; target: (event: BusEvent) => void }[] = [];

  putRule(bus: string, pattern: EventPattern, target: (event: BusEvent) => void): void {
    this.#rules.push({ bus, pattern, target });
  }

  createEventBus(accountId: string, region: string, name: string): void {
    this.buses.set(busArn(accountId, region, name), []);
  }

  /**
   * A bus that is not there takes everything and keeps nothing, as AWS does (aws/aws-cli issue 9186): who puts events on the wrong bus
   * learns it from what does not arrive.
   */
  put(entry: Entry, accountId: string, region: string): string {
    const id = randomUUID();
    const bus = busArn(accountId, region, entry.EventBusName);
    const event: BusEvent = {
      version: '0',
      id,
      'detail-type': entry.DetailType ?? '',
      source: entry.Source ?? '',
      account: accountId,
      time: (entry.Time ?? new Date(this.#world.clock.now())).toISOString().replace(/\.\d+Z$/, 'Z'),
      region,
      resources: entry.Resources ?? [],
      detail: JSON.parse(entry.Detail ?? '') as unknown,
    };
    this.buses.get(bus)?.push(event);
    for (const rule of this.#rules) {
      if (rule.bus === bus && matchesPattern({ ...event }, rule.pattern))
        this.#world.clock.after(deliveryMs, () => {
          rule.target(event);
        });
    }
    return id;
  }
}

type Entry = sdk.PutEventsRequestEntry;

function busArn(accountId: string, region: string, nameOrArn = 'default'): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn : `arn:aws:events:${region}:${accountId}:event-bus/${nameOrArn}`;
}

/** User guide, "Calculating PutEvents event entry size". */
function bytesOf({ Time, Source = '', DetailType = '', Detail = '', Resources = [] }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources];
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text), Time ? 14 : 0);
}

/** What is wrong with one entry; the call as a whole succeeds all the same. */
function entryProblem(entry: Entry): { ErrorCode: string; ErrorMessage: string } | undefined {
  for (const name of ['Source', 'DetailType', 'Detail'] as const) {
    if (entry[name]) continue;
    const reason = `${name} is a required argument.`;
    return { ErrorCode: 'InvalidArgument', ErrorMessage: `Parameter ${name} is not valid. Reason: ${reason}` };
  }
  if (entry.Source?.startsWith('aws.')) {
    return { ErrorCode: 'NotAuthorizedForSourceException', ErrorMessage: 'Not authorized for the source.' };
  }
  return isObject(entry.Detail ?? '')
    ? undefined
    : { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function putEvents({ Entries = [] }: sdk.PutEventsCommandInput, cx: CallContext): sdk.PutEventsResponse {
  if (Entries.length === 0 || Entries.length > maxEntries) {
    const constraint = `Member must have length ${Entries.length === 0 ? 'greater than or equal to 1' : `less than or equal to ${maxEntries}`}`;
    throw new AwsError(
      'ValidationException',
      `1 validation error detected: Value at 'entries' failed to satisfy constraint: ${constraint}`,
    );
  }
  if (Entries.reduce((sum, entry) => sum + bytesOf(entry), 0) >= maxBytes)
    throw new AwsError('ValidationException', 'Total size of the entries in the request is over the limit.');
  const { accountId } = cx.caller;
  const answers = Entries.map(
    (entry) => entryProblem(entry) ?? { EventId: cx.world.events.put(entry, accountId, cx.region) },
  );
  return { FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length, Entries: answers };
}

export const eventsService: Service = {
  signingName: 'events',
  sdk,
  operations: {
    PutEvents: operation<sdk.PutEventsCommandInput, sdk.PutEventsResponse>({
      // It tells of changes and makes none: what counts writes must not count news of them.
      writes: false,
      permissions: ({ Entries = [] }, { caller, region }) =>
        [...new Set(Entries.map(({ EventBusName }) => busArn(caller.accountId, region, EventBusName)))].map((arn) => ({
          action: 'events:PutEvents',
          resources: [arn],
        })),
      run: putEvents,
    }),
  },
};
