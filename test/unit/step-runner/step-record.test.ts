import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runErrorOf, type Waiting } from '../../../shared/model/run-schemas.ts';
import { endRun } from '../../../shared/runs/record-end.ts';
import { StepStore } from '../../../shared/step-runner/step-record.ts';
import { HubServices } from '../../support/hub-services.ts';
import { givenRun, storedRun } from '../../support/stored-runs.ts';

let hub: HubServices;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});

const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const change = (resource: string) => ({ do: 'create-bucket', resource, at: '2026-03-01T00:00:00.000Z' });
const busyUntil = () => Date.now() + 60_000;

describe('a step’s record', () => {
  it('counts invocations and keeps the first start time', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(busyUntil());
    later(60);
    const run = await store.begin(busyUntil());
    expect(run).toEqual(await storedRun(runId));
    expect(run).toMatchObject({ status: 'running', startedAt: '2026-03-01T00:00:00.000Z' });
    expect(run.steps['cur-bucket']).toEqual({
      status: 'running',
      startedAt: '2026-03-01T00:00:00.000Z',
      invocations: 2,
      changes: [],
      warnings: [],
      busyUntil: '2026-03-01T00:02:00.000Z',
    });
  });

  it('gets end, output and warnings and loses wait and error', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(busyUntil());
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
    await store.keepNotes({ stack: 'a' });
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
      announced: '1 succeeded',
    });
  });

  it('has no end while the step runs again', async () => {
    const runId = await givenRun({ status: 'queued' });
    const store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(busyUntil());
    await store.finish({ status: 'succeeded', output: { bucket: 'cur' }, warnings: [] });
    expect((await store.begin(busyUntil())).steps['cur-bucket']).toMatchObject({
      status: 'running',
      output: { bucket: 'cur' },
    });
    expect((await storedRun(runId)).steps['cur-bucket']).not.toHaveProperty('endedAt');
  });

  it('keeps its content when parallel steps write theirs', async () => {
    const runId = await givenRun({ status: 'queued' });
    const names = ['cur-bucket', 'athena-results', 'cluster-access', 'pod-role'] as const;
    await Promise.all(
      names.map(async (name) => {
        const store = new StepStore(runId, 1, name);
        await store.begin(busyUntil());
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
    await store.begin(busyUntil());
    const [item] = await hub.items('run#');
    await hub.put({ ...item, attempt, status });
    const before = await hub.items();
    const writes = [
      () => store.begin(busyUntil()),
      () => store.recordChange(change('late')),
      () => store.keepNotes({ late: true }),
      () => store.finish({ status: 'succeeded', warnings: [] }),
    ];
    for (const write of writes)
      await expect(write()).rejects.toMatchObject({ name: 'TerminalError', code: 'stale-attempt' });
    expect(await hub.items()).toEqual(before);
  });

  it('is not written if the run does not exist', async () => {
    await expect(new StepStore('none', 1, 'cur-bucket').begin(busyUntil())).rejects.toMatchObject({
      code: 'stale-attempt',
    });
    expect(await hub.items()).toEqual([]);
  });
});

describe('the outbox of a step', () => {
  let runId: string;
  let store: StepStore;
  beforeEach(async () => {
    runId = await givenRun({ status: 'queued' });
    store = new StepStore(runId, 1, 'cur-bucket');
    await store.begin(busyUntil());
  });

  /** Transitions in the outbox, oldest first: `step status seconds`, of a wait with its reason. */
  async function outboxLines(): Promise<string[]> {
    const events = Object.values((await storedRun(runId)).outbox ?? {});
    const start = Date.parse('2026-03-01T00:00:00Z');
    return events
      .map(({ step, status, at, waitingFor }) => ({
        text: [step ?? 'run', status, waitingFor ?? ''].join(' ').trim(),
        at,
      }))
      .sort((one, other) => Date.parse(one.at) - Date.parse(other.at))
      .map(({ text, at }) => `${text} ${(Date.parse(at) - start) / 1000}`);
  }

  const waitFor = (reason: string) => {
    const at = new Date().toISOString();
    const waiting: Waiting = { for: reason, since: at, expectedBy: null, deadline: at, next: at };
    return store.finish({ status: 'waiting', waiting, warnings: [] });
  };
  const again = async (seconds: number) => {
    later(seconds);
    await store.begin(busyUntil());
  };

  it('contains its start and its end', async () => {
    expect(await outboxLines()).toEqual(['run queued 0', 'run running 0']);
    later(20);
    await store.finish({ status: 'succeeded', output: {}, warnings: [] });
    expect((await outboxLines()).sort()).toEqual([
      'cur-bucket running 0',
      'cur-bucket succeeded 20',
      'run queued 0',
      'run running 0',
    ]);
  });

  it('contains a repeated wait once for each reason', async () => {
    for (const reason of ['the delivery', 'the delivery', 'the table', 'the delivery']) {
      await waitFor(reason);
      await again(60);
    }
    expect((await outboxLines()).filter((line) => line.includes('waiting'))).toEqual([
      'cur-bucket waiting the delivery 0',
      'cur-bucket waiting the table 120',
      'cur-bucket waiting the delivery 180',
    ]);
  });

  it('does not contain an error that is retried', async () => {
    const error = runErrorOf({ code: 'throttled', message: 'SlowDown' }, 'cur-bucket');
    await store.finish({ status: 'running', warnings: [], error });
    await again(5);
    await waitFor('the delivery');
    await again(60);
    await store.finish({ status: 'running', warnings: [], error });
    await again(5);
    await waitFor('the delivery');
    expect((await outboxLines()).filter((line) => line.startsWith('cur-bucket'))).toEqual([
      'cur-bucket running 0',
      'cur-bucket waiting the delivery 5',
    ]);
  });

  it('contains the start and end of a repetition', async () => {
    await store.finish({ status: 'succeeded', output: {}, warnings: [] });
    await again(60);
    later(10);
    await store.finish({ status: 'succeeded', output: {}, warnings: [] });
    expect((await outboxLines()).filter((line) => line.startsWith('cur-bucket')).slice(2)).toEqual([
      'cur-bucket running 60',
      'cur-bucket succeeded 70',
    ]);
  });

  it('contains its start in a new attempt after a wait', async () => {
    await waitFor('the delivery');
    const [item] = await hub.items('run#');
    await hub.put({ ...item, attempt: 2 });
    later(3600);
    const second = new StepStore(runId, 2, 'cur-bucket');
    await second.begin(busyUntil());
    await second.finish({ status: 'succeeded', output: {}, warnings: [] });
    const events = Object.values((await storedRun(runId)).outbox ?? {}).filter(({ attempt }) => attempt === 2);
    expect(events.map(({ step, status, at }) => `${step ?? 'run'} ${status} ${at}`).sort()).toEqual([
      'cur-bucket running 2026-03-01T01:00:00.000Z',
      'cur-bucket succeeded 2026-03-01T01:00:00.000Z',
      'run running 2026-03-01T01:00:00.000Z',
    ]);
  });

  it('contains a failure’s code and remedy, but not its message', async () => {
    const error = runErrorOf({ code: 'bucket-not-ours', message: 'bucket of somebody' }, 'cur-bucket');
    await store.finish({ status: 'failed', warnings: [], error });
    const ended = await endRun(await storedRun(runId), 'failed', error);
    const failures = Object.values(ended?.outbox ?? {}).filter(({ status }) => status === 'failed');
    const { message, ...published } = error;
    expect(failures.map((event) => event.error)).toEqual([published, published]);
    expect(JSON.stringify(ended?.outbox)).not.toContain(message);
  });

  it('contains the run’s start once after a crash', async () => {
    const other = await givenRun({ status: 'queued' });
    hub.crash({ atWrite: 2, applied: false });
    await expect(new StepStore(other, 1, 'preflight').begin(busyUntil())).rejects.toThrow();
    hub.crash(undefined);
    later(60);
    await new StepStore(other, 1, 'preflight').begin(busyUntil());
    const { outbox = {} } = await storedRun(other);
    expect(Object.keys(outbox).sort()).toEqual([`${other}/1/run/queued`, `${other}/1/run/running`]);
  });
});
