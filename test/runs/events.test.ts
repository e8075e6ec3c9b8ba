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
  // The SDK's back-off is real time multiplied by chance.
  vi.spyOn(Math, 'random').mockReturnValue(0);
  runHarness = await RunHarness.open({ deliveryHours: 3 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

/** What a rule of the bus has seen, in order. */
function seenBy({ world }: StepHarness): BusEvent[] {
  return world.events.buses.get(eventBusArn) ?? [];
}

/** Each transition once, oldest first; of one instant in the order a step goes through. */
function transitionsOf(stepHarness: StepHarness): RunEvent[] {
  const byId = new Map(seenBy(stepHarness).map(({ detail }) => [RunEvent.parse(detail).id, RunEvent.parse(detail)]));
  return [...byId.values()].sort((one, other) => Date.parse(one.at) - Date.parse(other.at) || rank(one) - rank(other));
}

const rank = ({ status }: RunEvent) =>
  ['queued', 'running', 'waiting'].indexOf(status) + 4 * Number(endedOnes.has(status));
const endedOnes = new Set<string>(endedStatuses);

/** Everything that the record says can be read from the events alone, and nothing else. */
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
  it('carries every transition of a run and of its steps, and nothing for a poll that only waits on', async () => {
    const { stepHarness } = runHarness;
    const run = await runHarness.onboard('new-pod-identity');
    expect(run.status).toBe('succeeded');
    // The record shows the end a moment before the bus has it.
    await stepHarness.world.clock.sleep(1000);
    expectToAgree(run, transitionsOf(stepHarness));
    expect(stepOf(run, 'discovery').invocations).toBeGreaterThan(1);

    for (const { detail, ...envelope } of seenBy(stepHarness)) {
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
    const polls = invocations.filter(
      ({ functionKey, repeatedWait }) => functionKey === 'firstDelivery' && repeatedWait,
    );
    const quiet = polls.filter((poll) => poll.puts === 0);
    expect(quiet.length).toBeGreaterThan(8);
    expect(polls.length - quiet.length).toBeLessThan(3);
    for (const { tableCalls } of quiet) expect(tableCalls).toEqual(['UpdateItem', 'UpdateItem']);
  });

  it('gets everything in the end though it takes nothing for an hour, and no run fails by it', async () => {
    const { stepHarness } = runHarness;
    const { clock, faults } = stepHarness.world;
    faults.push({ service: 'events', kind: '500' });
    void runHarness.later(60, () => Promise.resolve(faults.splice(0)));
    const run = await runHarness.onboard('adopt-report');
    expect(run.status).toBe('succeeded');
    expect(seenBy(stepHarness)).toEqual([]);
    await clock.sleep(70 * 60_000);
    expectToAgree(run, transitionsOf(stepHarness));
    expect((await storedRun(run.runId)).outbox).toEqual({});
  });

  it('gets what a crash kept back or told without knowing it, under the same ids', async () => {
    const { stepHarness } = runHarness;
    const { clock, faults } = stepHarness.world;
    const one = await stepHarness.begin('adopt-report');
    // The SDK asks twice: the answers get lost, then the requests.
    faults.push(
      { service: 'events', kind: 'applied-but-lost', times: 2 },
      { service: 'events', kind: 'reset', times: 2 },
    );
    await one.take('preflight');
    await one.take('report-choice');
    await clock.sleep(10 * 60_000);
    const seen = seenBy(stepHarness).map(({ detail }) => RunEvent.parse(detail));
    const twice = Map.groupBy(seen, ({ id }) => id);
    const first = [...twice.values()].filter((deliveries) => deliveries.length > 1);
    expect(first.length).toBeGreaterThan(0);
    for (const deliveries of first) expect(new Set(deliveries.map((event) => JSON.stringify(event))).size).toBe(1);
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
