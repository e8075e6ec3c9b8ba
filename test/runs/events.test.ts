import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { detailTypes, eventSource, RunEvent } from '../../shared/model/run-event.ts';
import { endedStatuses } from '../../shared/model/run-schemas.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import type { BusEvent } from '../sandbox/index.ts';
import { eventBusArn } from '../support/deployed-sandbox.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import type { StepHarness } from '../support/step-harness.ts';
import { storedRun } from '../support/stored-runs.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  // The SDK multiplies its back-off, which takes real time, by a random number.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  runHarness = await RunHarness.open({ deliveryHours: 3 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

/** The events that the bus has received, in order. */
function receivedEvents({ world }: StepHarness): BusEvent[] {
  return world.events.buses.get(eventBusArn) ?? [];
}

/** Each transition once, by its time and then by the order of the statuses. */
function transitionsOf(stepHarness: StepHarness): RunEvent[] {
  const byId = new Map(
    receivedEvents(stepHarness).map(({ detail }) => [RunEvent.parse(detail).id, RunEvent.parse(detail)]),
  );
  return [...byId.values()].sort((one, other) => Date.parse(one.at) - Date.parse(other.at) || rank(one) - rank(other));
}

const rank = ({ status }: RunEvent) => ['queued', 'running', 'waiting'].indexOf(status) + 4 * Number(ended.has(status));
const ended = new Set<string>(endedStatuses);

/** Expects the events to report exactly the transitions in the run's record. */
function expectToAgree(run: Run, transitions: readonly RunEvent[]): void {
  const ofRun = transitions.filter(({ step }) => step === null);
  expect(ofRun.map(({ status, at }) => ({ status, at }))).toEqual([
    { status: 'queued', at: run.createdAt },
    { status: 'running', at: run.startedAt },
    { status: run.status, at: run.endedAt },
  ]);
  for (const { name, status, startedAt, endedAt } of run.steps) {
    const ofStep = transitions.filter(({ step }) => step === name);
    if (status === 'skipped') expect(ofStep, name).toEqual([]);
    else {
      expect(ofStep.map((event) => event.status).join(' '), name).toMatch(/^(running( waiting)* succeeded ?)+$/);
      expect(ofStep.findLast((event) => event.status === 'running')?.at, name).toBe(startedAt);
      expect(ofStep.at(-1), name).toMatchObject({ status, at: endedAt });
    }
  }
}

describe('the event bus', () => {
  it('receives every transition and no event for an unchanged wait', async () => {
    const { stepHarness } = runHarness;
    const run = await runHarness.onboard('new-pod-identity');
    expect(run.status).toBe('succeeded');
    // The bus receives the end a moment after the record shows it.
    await stepHarness.world.clock.sleep(1000);
    expectToAgree(run, transitionsOf(stepHarness));
    expect(stepOf(run, 'discovery').invocations).toBeGreaterThan(1);

    for (const { detail, ...envelope } of receivedEvents(stepHarness)) {
      const { runId, payerAccountId, step, at } = RunEvent.strict().parse(detail);
      expect({ runId, payerAccountId }).toEqual({ runId: run.runId, payerAccountId: run.request.payerAccountId });
      expect(envelope).toMatchObject({
        source: eventSource,
        'detail-type': step === null ? detailTypes.run : detailTypes.step,
        time: at.replace(/\.\d+Z$/, 'Z'),
        resources: [],
      });
    }
    expect((await storedRun(run.runId)).outbox).toEqual({});
    const [item] = await stepHarness.items(`run#${run.runId}`);
    expect(item).not.toHaveProperty('pendingKey');

    const puts = (index: number) =>
      stepHarness.world.calls.filter(({ service, invocation }) => service === 'events' && invocation === index).length;
    const invocations = stepHarness.sandbox.invocations.map((record, index) => ({ ...record, puts: puts(index) }));
    expect(Math.max(...invocations.map((invocation) => invocation.puts))).toBe(1);
    const looks = invocations.filter(({ functionKey }) => functionKey === 'watch');
    expect(looks.length).toBeGreaterThan(150);
    expect(looks.filter(({ puts }) => puts > 0)).toEqual([]);
    const writes = looks
      .flatMap(({ tableCalls }) => tableCalls)
      .filter((call) => call !== 'Query' && call !== 'GetItem');
    expect(writes).toEqual(['DeleteItem']);
  });

  it('receives all events after an outage in which the run succeeds', async () => {
    const { stepHarness } = runHarness;
    const { clock, faults } = stepHarness.world;
    faults.push({ service: 'events', kind: '500' });
    void runHarness.later(60, () => Promise.resolve(faults.splice(0)));
    const run = await runHarness.onboard('adopt-report');
    expect(run.status).toBe('succeeded');
    expect(receivedEvents(stepHarness)).toEqual([]);
    await clock.sleep(70 * 60_000);
    expectToAgree(run, transitionsOf(stepHarness));
    expect((await storedRun(run.runId)).outbox).toEqual({});
  });

  it('receives repeated events under the same ids after a lost answer', async () => {
    const { stepHarness } = runHarness;
    const { clock, faults } = stepHarness.world;
    const one = await stepHarness.begin('adopt-report');
    // The SDK makes two attempts: first the answers get lost, then the requests.
    faults.push(
      { service: 'events', kind: 'applied-but-lost', times: 2 },
      { service: 'events', kind: 'reset', times: 2 },
    );
    await one.take('preflight');
    await one.take('report-choice');
    await clock.sleep(10 * 60_000);
    const received = receivedEvents(stepHarness).map(({ detail }) => RunEvent.parse(detail));
    const byId = Map.groupBy(received, ({ id }) => id);
    const repeated = [...byId.values()].filter((deliveries) => deliveries.length > 1);
    expect(repeated.length).toBeGreaterThan(0);
    for (const deliveries of repeated) expect(new Set(deliveries.map((event) => JSON.stringify(event))).size).toBe(1);
    expect(transitionsOf(stepHarness).map(({ step, status }) => `${step ?? 'run'} ${status}`)).toEqual(
      expect.arrayContaining([
        'preflight running',
        'preflight succeeded',
        'report-choice running',
        'report-choice succeeded',
      ]),
    );
    expect((await one.read()).outbox).toEqual({});
  });
});
