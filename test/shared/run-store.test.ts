import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunRecord } from '../../shared/run.ts';
import { endRun } from '../../shared/run-end.ts';
import { deleteQueuedRun, listRuns, readRun, runIndexes, createRun } from '../../shared/run-store.ts';
import { StepStore } from '../../shared/step-store.ts';
import { OnboardingRequest } from '../../shared/request.ts';
import { Hub } from '../api/hub.ts';
import { givenRun, smallest, storedRun } from '../api/requests.ts';

let hub: Hub;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  hub = new Hub();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});

const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const change = (resource: string) => ({ do: 'create-bucket', resource, at: '2026-03-01T00:00:00.000Z' });
const finop = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';

describe('a run', () => {
  it('is written once, with the other identity mode’s step skipped', async () => {
    const run = {
      runId: 'a',
      kind: 'onboarding',
      attempt: 1,
      status: 'queued',
      createdAt: '2026-03-01T00:00:00.000Z',
      request: OnboardingRequest.parse(smallest),
    } as const;
    expect(await createRun(run)).toBe(true);
    expect(await createRun({ ...run, attempt: 7 })).toBe(false);
    const { steps, ...rest } = await storedRun('a');
    expect(rest).toEqual(run);
    expect(steps['pod-identity']?.status).toBe('skipped');
    expect(steps['pod-role']?.status).toBe('pending');
  });

  it('is taken back only while it is queued', async () => {
    const [queued, running] = [await givenRun({ status: 'queued' }), await givenRun({ status: 'running' })];
    await deleteQueuedRun(queued);
    await deleteQueuedRun(running);
    expect(await readRun(queued)).toBeUndefined();
    expect(await readRun(running)).toBeDefined();
  });

  it('ends once, whoever else wants to end it', async () => {
    const runId = await givenRun({ status: 'running' });
    const error = { code: 'unexpected', step: null, title: 't', message: 'm', actor: 'operator', remedy: 'r' };
    const ended = await Promise.all([
      endRun(await storedRun(runId), 'failed', error),
      endRun(await storedRun(runId), 'failed', error),
      endRun(await storedRun(runId), 'failed', error),
    ]);
    expect(ended.filter(Boolean)).toHaveLength(1);
    later(60);
    expect(await endRun(await storedRun(runId), 'succeeded')).toBe(false);
    expect(await storedRun(runId)).toMatchObject({ status: 'failed', error, endedAt: '2026-03-01T00:00:00.000Z' });
  });

  it('is not ended by an older attempt', async () => {
    const runId = await givenRun({ status: 'running' });
    expect(await endRun({ ...(await storedRun(runId)), attempt: 0 }, 'failed')).toBe(false);
    expect((await storedRun(runId)).status).toBe('running');
  });
});

describe('a step’s record', () => {
  it('counts invocations and keeps when it first began', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(Date.now() + 60_000);
    later(60);
    const run = await store.begin(Date.now() + 60_000);
    expect(run).toEqual(await storedRun(runId));
    expect(run).toMatchObject({ status: 'running', startedAt: '2026-03-01T00:00:00.000Z' });
    expect(run.steps['cur-bucket']).toEqual({
      status: 'running',
      startedAt: '2026-03-01T00:00:00.000Z',
      invocations: 2,
      changes: [],
      warnings: [],
    });
  });

  it('gets its end, output and warnings, and loses what it waited for and stumbled over', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(Date.now() + 60_000);
    const error = { code: 'throttled', step: 'cur-bucket', title: 't', message: 'm', actor: 'nobody', remedy: 'r' };
    const waiting = {
      for: 'the bucket',
      since: '2026-03-01T00:00:00.000Z',
      expectedBy: null,
      deadline: '2026-03-01T01:00:00.000Z',
      next: '2026-03-01T00:01:00.000Z',
    };
    await store.finish({ status: 'waiting', waiting, warnings: [], error });
    expect((await storedRun(runId)).steps['cur-bucket']).toMatchObject({ status: 'waiting', waiting, error });
    await store.remember({ stack: 'a' });
    await store.recordChange(change('one'));
    later(60);
    await store.finish({ status: 'succeeded', output: { bucket: 'cur' }, warnings: ['empty'] });
    expect((await storedRun(runId)).steps['cur-bucket']).toEqual({
      status: 'succeeded',
      startedAt: '2026-03-01T00:00:00.000Z',
      endedAt: '2026-03-01T00:01:00.000Z',
      invocations: 1,
      changes: [change('one')],
      memo: { stack: 'a' },
      output: { bucket: 'cur' },
      warnings: ['empty'],
    });
  });

  it('has not ended while the step runs again', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(Date.now() + 60_000);
    await store.finish({ status: 'succeeded', output: { bucket: 'cur' }, warnings: [] });
    expect((await store.begin(Date.now() + 60_000)).steps['cur-bucket']).toMatchObject({
      status: 'running',
      output: { bucket: 'cur' },
    });
    expect((await storedRun(runId)).steps['cur-bucket']).not.toHaveProperty('endedAt');
  });

  it('loses nothing to the steps of other branches', async () => {
    const runId = await givenRun({ status: 'queued' });
    const names = ['cur-bucket', 'athena-results', 'cluster-access', 'pod-role'] as const;
    await Promise.all(
      names.map(async (name) => {
        const store = new StepStore(runId, 1, name);
        await store.begin(Date.now() + 60_000);
        for (let number = 0; number < 5; number++) await store.recordChange(change(`${name}-${number}`));
        await store.finish({ status: 'succeeded', output: { name }, warnings: [] });
      }),
    );
    const { steps } = await storedRun(runId);
    for (const name of names) {
      expect(steps[name]).toMatchObject({ status: 'succeeded', invocations: 1, output: { name } });
      expect(steps[name]?.changes.map(({ resource }) => resource)).toEqual([0, 1, 2, 3, 4].map((n) => `${name}-${n}`));
    }
  });

  it.each([
    ['another attempt took over', { attempt: 2, status: 'running' }],
    ['the run ended', { attempt: 1, status: 'failed' }],
    ['the run was cancelled', { attempt: 1, status: 'cancelled' }],
  ] as const)('is not written any more once %s', async (_, { attempt, status }) => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(Date.now() + 60_000);
    const [item] = await hub.items('run#');
    await hub.put({ ...item, attempt, status });
    const before = await hub.items();
    const writes = [
      () => store.begin(Date.now() + 60_000),
      () => store.recordChange(change('late')),
      () => store.remember({ late: true }),
      () => store.finish({ status: 'succeeded', warnings: [] }),
    ];
    for (const write of writes)
      await expect(write()).rejects.toMatchObject({ name: 'TerminalError', code: 'stale-attempt' });
    expect(await hub.items()).toEqual(before);
  });

  it('needs a run', async () => {
    await expect(new StepStore('none', 1, 'cur-bucket').begin(Date.now() + 60_000)).rejects.toMatchObject({
      code: 'stale-attempt',
    });
    expect(await hub.items()).toEqual([]);
  });
});

describe('a list of runs', () => {
  const values: Record<keyof typeof runIndexes, string> = {
    all: 'runs',
    status: 'queued',
    batchId: '',
    batchStatus: '',
    payerAccountId: '111122223333',
    cluster: finop,
  };

  it.each(Object.keys(runIndexes) as (keyof typeof runIndexes)[])(
    'comes newest first and page by page: %s',
    async (by) => {
      const ids: string[] = [];
      for (const day of [1, 2, 3, 4, 5])
        ids.unshift(await givenRun({ status: 'queued', createdAt: `2026-03-0${day}T00:00:00.000Z` }));
      const seen: string[] = [];
      let start: Record<string, unknown> | undefined;
      do {
        const page = await listRuns({ by, value: values[by] }, 2, start);
        expect(page.runs.length).toBeLessThanOrEqual(2);
        seen.push(...page.runs.map(({ runId }) => runId));
        start = page.next;
      } while (start);
      expect(seen).toEqual(ids);
    },
  );

  it('shows what a start needs to be completed', async () => {
    const runId = await givenRun({ status: 'queued' });
    const { steps, ...rest } = await storedRun(runId);
    expect(steps).toBeDefined();
    expect((await listRuns({ by: 'status', value: 'queued' }, 1)).runs).toEqual([rest]);
  });
});
