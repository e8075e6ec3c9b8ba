import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { steps } from '../../../functions/steps/index.ts';
import { watches } from '../../../functions/watch.ts';
import { isHourlyLook, isLookMinute, nextLook } from '../../../shared/model/watch-times.ts';
import { keepToken } from '../../../shared/runs/waiting-task.ts';
import { defineStep, type Watch } from '../../../shared/step/contract.ts';
import { type WatchLimits, watchRuns } from '../../../shared/step-runner/watch-runs.ts';
import { HubServices } from '../../support/hub-services.ts';
import { logLines } from '../../support/log-lines.ts';
import { SampleStep } from '../../support/sample-step.ts';
import { givenRun } from '../../support/stored-runs.ts';

const start = Date.parse('2026-03-01T00:00:00Z');
const minute = 60_000;
const iso = (at: number) => new Date(at).toISOString();

let hub: HubServices;
let lines: () => Record<string, unknown>[];
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  lines = logLines();
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await hub.stop();
});

const limits = (changes: Partial<WatchLimits> = {}): WatchLimits => ({
  concurrency: 40,
  lookMs: 10_000,
  untilMs: Date.now() + 40_000,
  ...changes,
});

/** Runs of a hundred payers whose step waits for a callback, as the table holds them. */
async function givenWaitingRuns(count: number, wait: object = { watchMinutes: 5 }): Promise<void> {
  await givenRun({ status: 'running' });
  const [item] = await hub.items('run#');
  const waiting = { for: 'news', since: iso(start), expectedBy: null, deadline: iso(start + 48 * 60 * minute) };
  const record = {
    ...{ status: 'waiting', invocations: 1, changes: [], warnings: [] },
    waiting: { ...waiting, next: waiting.deadline, name: 'x', at: iso(start), callback: true, ...wait },
  };
  const runs = Array.from({ length: count }, (_, number) => {
    const runId = `run-${number}`;
    const steps = { ...(item?.steps as object), 'payer-policy': record };
    return { ...item, pk: `run#${runId}`, runId, listKey: `${iso(start)}#${runId}`, steps, pendingKey: undefined };
  });
  await hub.putAll(runs);
  const tasks = runs.map(({ runId }, number) => ({
    ...{
      pk: 'waits',
      sk: `${runId}#payer-policy`,
      runId,
      attempt: 1,
      step: 'payer-policy',
      token: `token of ${runId}`,
    },
    subject: { runId },
    payerAccountId: String(111_100_000_000 + (number % 100)),
    ...{ at: iso(start), keptAt: iso(start), next: waiting.deadline, ...wait },
  }));
  await hub.putAll(tasks);
}

/** A step whose watch counts what it is asked. */
function counting(hasChanged: Watch['hasChanged']) {
  const asked = { payers: 0, runs: [] as string[] };
  const watch: Watch = {
    subject: z.object({ runId: z.string() }),
    subjectOf: ({ runId }) => ({ runId }),
    readPayer: () => Promise.resolve(++asked.payers),
    hasChanged: (cx, subject, facts) => {
      asked.runs.push('runId' in subject ? String(subject.runId) : '');
      return hasChanged(cx, subject, facts);
    },
  };
  return { asked, steps: { 'payer-policy': watch } };
}

describe('the watcher', () => {
  it('looks after 2,000 runs in one tick', async () => {
    await givenWaitingRuns(2000, { watchMinutes: 1 });
    vi.setSystemTime(start + 10 * minute);
    const { asked, steps } = counting(() => Promise.resolve(true));
    await watchRuns(steps, Date.now() + minute, limits());
    expect(hub.calledBack).toHaveLength(2000);
    expect(new Set(asked.runs).size).toBe(2000);
    expect(asked.payers).toBe(100);
    expect(await hub.items('waits')).toEqual([]);
  });

  it('writes nothing while there is no news', async () => {
    await givenWaitingRuns(50);
    vi.setSystemTime(start + 10 * minute);
    const before = await hub.items();
    const { asked, steps } = counting(() => Promise.resolve(false));
    for (let tick = 1; tick <= 5; tick++) await watchRuns(steps, start + (10 + tick) * minute, limits());
    expect(asked.runs.toSorted()).toEqual(Array.from({ length: 50 }, (_, number) => `run-${number}`).toSorted());
    expect(await hub.items()).toEqual(before);
    expect(hub.calledBack).toEqual([]);
  });

  it('begins elsewhere after a tick that ended early', async () => {
    await givenWaitingRuns(30, { watchMinutes: 1 });
    vi.setSystemTime(start + 10 * minute);
    const looked = new Set<string>();
    for (let tick = 0; tick < 40; tick++) {
      const untilMs = Date.now() + 1000;
      const { asked, steps } = counting(() => {
        vi.setSystemTime(Date.now() + 300);
        return Promise.resolve(false);
      });
      await watchRuns(steps, start + (20 + tick) * minute, limits({ concurrency: 1, untilMs }));
      expect(asked.runs.length).toBeLessThan(5);
      for (const runId of asked.runs) looked.add(runId);
    }
    expect(looked.size).toBe(30);
    expect(lines()).toContainEqual(
      expect.objectContaining({ message: 'not yet: waiting steps looked after', left: 26 }),
    );
  });

  it('looks again after a look that failed', async () => {
    await givenWaitingRuns(1, { watchMinutes: 1 });
    vi.setSystemTime(start + 10 * minute);
    const throttled = Object.assign(new Error('slow down'), { name: 'ThrottlingException' });
    await watchRuns(counting(() => Promise.reject(throttled)).steps, Date.now() + minute, limits());
    expect(hub.calledBack).toEqual([]);
    await watchRuns(counting(() => Promise.resolve(true)).steps, Date.now() + 2 * minute, limits());
    expect(hub.calledBack).toEqual(['token of run-0']);
  });

  it('has the step look at a lasting error', async () => {
    await givenWaitingRuns(1, { watchMinutes: 1 });
    vi.setSystemTime(start + 10 * minute);
    const denied = Object.assign(new Error('not authorized'), { name: 'AccessDenied' });
    await watchRuns(counting(() => Promise.reject(denied)).steps, Date.now() + minute, limits());
    expect(hub.calledBack).toEqual(['token of run-0']);
  });

  it('wakes a step without a watch when its next check is due', async () => {
    await givenWaitingRuns(1, { next: iso(start + 20 * minute) });
    vi.setSystemTime(start + 19 * minute);
    await watchRuns({}, Date.now(), limits());
    expect(hub.calledBack).toEqual([]);
    vi.setSystemTime(start + 20 * minute);
    await watchRuns({}, Date.now(), limits());
    expect(hub.calledBack).toEqual(['token of run-0']);
  });

  it('does not wake a step for news too soon after many looks', async () => {
    await givenWaitingRuns(1, { watchMinutes: 1, newsFrom: iso(start + 20 * minute) });
    const { asked, steps } = counting(() => Promise.resolve(true));
    vi.setSystemTime(start + 19 * minute);
    await watchRuns(steps, Date.now() + minute, limits());
    expect(asked.runs).toEqual([]);
    vi.setSystemTime(start + 20 * minute);
    await watchRuns(steps, Date.now() + minute, limits());
    expect(hub.calledBack).toEqual(['token of run-0']);
  });

  it('forgets the token of a run that has ended', async () => {
    const runId = await givenRun({ status: 'failed' });
    const task = { runId, attempt: 1, step: 'payer-policy', payerAccountId: '111122223333' } as const;
    await keepToken({ ...task, at: iso(start), keptAt: iso(start), next: iso(start + minute) }, 'a token');
    vi.setSystemTime(start + 10 * minute);
    hub.calledBack.push('a token');
    await watchRuns({}, Date.now(), limits());
    expect(await hub.items('waits')).toEqual([]);
  });

  it('knows every step that has a watch', () => {
    const watched = Object.values(steps).filter(({ watch }) => watch !== undefined);
    expect(watches).toEqual(Object.fromEntries(watched.map(({ name, watch }) => [name, watch])));
    expect(watched.every(({ watchedWaits }) => watchedWaits !== undefined)).toBe(true);
    expect(defineStep(new SampleStep().step).watch).toBeUndefined();
  });
});

describe('the looks of the watcher', () => {
  it.each([5, 7, 15, 60, 240])('come every %d minutes, and once an hour among them', (every) => {
    for (const runId of ['one', 'two', 'three']) {
      const looks = Array.from({ length: 24 * 60 }, (_, index) => start + index * minute).filter((at) =>
        isLookMinute(runId, every, at),
      );
      expect(looks).toHaveLength(Math.ceil((24 * 60) / every));
      const gaps = looks.slice(1).map((at, index) => (at - (looks[index] ?? 0)) / minute);
      expect(new Set(gaps)).toEqual(new Set(gaps.length > 0 ? [every] : []));
      const hourly = looks.filter((at) => isHourlyLook(runId, every, at));
      expect(hourly.length).toBeGreaterThanOrEqual(Math.min(looks.length, 23));
      expect(nextLook(runId, every, (looks[0] ?? 0) - 1)).toBe(looks[0]);
    }
  });

  it('are spread over the minutes', () => {
    const minutes = Array.from({ length: 500 }, (_, index) => nextLook(`run-${index * 7919}`, 5, start));
    const counts = [...new Set(minutes)].map((at) => minutes.filter((other) => other === at).length);
    expect(counts).toHaveLength(5);
    expect(Math.max(...counts)).toBeLessThan(160);
  });
});
