import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from '@aws-sdk/client-eventbridge';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { coreWorld, errorOf, hub, region, rootOf, serve, sessionOf } from '../testing/core-world.ts';
import { eventsService, EventsState } from './events.ts';

const busArn = `arn:aws:events:${region}:${hub}:event-bus/runs`;
const good: PutEventsRequestEntry = { EventBusName: 'runs', Source: 'us', DetailType: 'News', Detail: '{"a":1}' };

let sandbox: Awaited<ReturnType<typeof start>>;
async function start() {
  const world = coreWorld();
  Object.assign(world, { events: new EventsState(world) });
  world.events.createEventBus(hub, region, 'runs');
  return serve(world, [...world.services, eventsService]);
}
beforeEach(async () => {
  sandbox = await start();
});
afterEach(() => sandbox.close());

function put(Entries: PutEventsRequestEntry[], credentials = rootOf(hub)) {
  return sandbox.client(EventBridgeClient, credentials).send(new PutEventsCommand({ Entries }));
}
const seen = () => sandbox.world.events.buses.get(busArn)?.map(({ detail }) => detail);

describe('an event bus of the sandbox', () => {
  it('accepts good entries of a call and reports the bad ones', async () => {
    const { FailedEntryCount, Entries } = await put([
      good,
      { ...good, Source: undefined },
      { ...good, Source: 'aws.ec2' },
      { ...good, Detail: '[1]' },
      { ...good, EventBusName: busArn, Detail: '{"b":2}' },
    ]);
    expect(FailedEntryCount).toBe(3);
    expect(Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      undefined,
      'InvalidArgument',
      'NotAuthorizedForSourceException',
      'MalformedDetail',
      undefined,
    ]);
    expect(seen()).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it.each([
    ['no entries', []],
    ['more than ten', Array.from({ length: 11 }, () => good)],
    ['more than 256 kB', Array.from({ length: 3 }, () => ({ ...good, Detail: JSON.stringify('x'.repeat(90_000)) }))],
  ])('refuses a call with %s', async (_, entries) => {
    expect(await errorOf(put(entries))).toMatchObject({ name: 'ValidationException', status: 400 });
    expect(seen()).toEqual([]);
  });

  it('accepts events for a missing bus and drops them', async () => {
    expect(await put([{ ...good, EventBusName: 'other' }])).toMatchObject({ FailedEntryCount: 0 });
    expect([...sandbox.world.events.buses.keys()]).toEqual([busArn]);
    expect(seen()).toEqual([]);
  });

  it('needs permission on the bus itself', async () => {
    const right = (Resource: string) => ({ Effect: 'Allow', Action: 'events:PutEvents', Resource });
    await put([good], sessionOf(sandbox.world, hub, 'teller', right(busArn)));
    const stranger = sessionOf(sandbox.world, hub, 'stranger', right(`${busArn}-of-others`));
    expect(await errorOf(put([good], stranger))).toMatchObject({ name: 'AccessDeniedException', status: 400 });
    expect(seen()).toHaveLength(1);
  });
});
