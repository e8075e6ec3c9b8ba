import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sweep } from '../../functions/sweep.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { takeLock } from '../../shared/runs/payer-target-lock.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { HubServices } from '../support/hub-services.ts';
import { logLines } from '../support/log-lines.ts';
import { givenRun, smallest, storedRun } from '../support/stored-runs.ts';

const created = Date.parse('2026-03-01T00:00:00Z');

let hub: HubServices;
let lines: () => Record<string, unknown>[];
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: created });
  lines = logLines();
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await hub.stop();
});

const queued = (request: Partial<OnboardingRequestInput> = {}) =>
  givenRun({ status: 'queued', request: { ...smallest, ...request } });
const minutes = (after: number) => vi.setSystemTime(created + after * 60_000);
const started = () => [...hub.executions.keys()];

describe('the sweeper', () => {
  it('starts a run that has been queued for ten minutes', async () => {
    const runId = await queued();
    minutes(10);
    await sweep();
    expect(started()).toEqual([`${runId}-1`]);
    expect((await hub.items('lock#')).map((lock) => lock.runId)).toEqual([runId]);
    expect(lines()).toMatchObject([{ message: 'queued run started', runId, step: 'sweep' }]);
  });

  it('does not start a run queued for less than ten minutes', async () => {
    await queued();
    minutes(9.99);
    await sweep();
    expect(started()).toEqual([]);
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('does not change runs that have started or ended', async () => {
    for (const status of ['running', 'succeeded', 'failed', 'cancelled', 'planned'] as const)
      await givenRun({ status });
    minutes(60);
    // The first sweep publishes their events.
    await sweep();
    const before = await hub.items();
    await sweep();
    expect(started()).toEqual([]);
    expect(await hub.items()).toEqual(before);
  });

  it('publishes an event once after it was unpublished for two minutes', async () => {
    const runId = await givenRun({ status: 'running' });
    minutes(1.99);
    await sweep();
    expect(hub.events).toEqual([]);
    minutes(2);
    await sweep();
    await sweep();
    expect(hub.events).toMatchObject([{ runId, step: null }]);
    expect((await hub.items('run#'))[0]).not.toHaveProperty('pendingKey');
  });

  it('stops at the first failed publication and publishes everything later', async () => {
    const runs = [await givenRun({ status: 'running' }), await givenRun({ status: 'running' })];
    minutes(5);
    hub.crash({ atWrite: 1, applied: false });
    await sweep();
    expect(lines().map(({ message }) => message)).toEqual(['events not published']);
    hub.crash(undefined);
    await sweep();
    expect(hub.events.map(({ runId }) => runId).sort()).toEqual(runs.toSorted());
  });

  it('publishes a queued run’s event and still starts the run', async () => {
    const runId = await queued();
    minutes(5);
    await sweep();
    expect(hub.events).toMatchObject([{ runId, status: 'queued' }]);
    minutes(10);
    await sweep();
    expect(started()).toEqual([`${runId}-1`]);
    expect(hub.events).toHaveLength(1);
  });

  it('starts each run only once', async () => {
    const runId = await queued();
    minutes(10);
    await sweep();
    minutes(15);
    await sweep();
    expect(started()).toEqual([`${runId}-1`]);
  });

  it('deletes a queued run if another run has its lock', async () => {
    const [active, left] = [await givenRun({ status: 'running' }), await queued()];
    const run = await readRun(active);
    if (run) await takeLock(run);
    minutes(10);
    await sweep();
    expect(started()).toEqual([]);
    expect(await readRun(left)).toBeUndefined();
  });

  it('finds the oldest run among more than a hundred newer runs', async () => {
    const runId = await queued();
    const [item] = await hub.items('run#');
    await Promise.all(
      Array.from({ length: 120 }, (_, number) => {
        const listKey = `2026-03-01T00:09:00.000Z#${number}`;
        return hub.put({ ...item, pk: `run#${number}`, runId: `${number}`, listKey, createdAt: listKey.split('#')[0] });
      }),
    );
    minutes(10);
    await sweep();
    expect(started()).toEqual([`${runId}-1`]);
  });

  it('continues with the next run if one cannot be started', async () => {
    const blocked = await givenRun({ status: 'queued', createdAt: '2026-02-28T23:00:00.000Z' });
    await takeLock(await storedRun(blocked));
    const [lock] = await hub.items('lock#');
    await hub.put({ ...lock, runId: 1 });
    const next = await queued({ payerAccountId: '444455556666' });
    minutes(12);
    await sweep();
    expect(started()).toEqual([`${next}-1`]);
    expect(lines()).toMatchObject([
      { message: 'not yet: queued run started', runId: blocked },
      { message: 'queued run started', runId: next },
    ]);
  });

  it('ends an unreadable run as failed and continues with the next', async () => {
    const first = await queued();
    const [item] = await hub.items('run#');
    const listKey = '2026-02-28T23:59:59.000Z#unreadable';
    await hub.put({ ...item, pk: 'run#unreadable', runId: 'unreadable', listKey, request: {} });
    minutes(11);
    await sweep();
    expect(started()).toEqual([`${first}-1`]);
    expect(lines()).toMatchObject([
      { message: 'run ended', runId: 'unreadable', status: 'failed', code: 'record-unreadable' },
      { message: 'unreadable run skipped', runId: 'unreadable' },
      { message: 'queued run started', runId: first },
    ]);
  });
});
