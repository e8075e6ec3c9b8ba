import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { close } from '../../functions/close.ts';
import { sweep } from '../../functions/sweep.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { endRun } from '../../shared/runs/record-end.ts';
import { StepStore } from '../../shared/step-runner/step-record.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { givenRun, smallest, storedRun } from '../support/stored-runs.ts';

let hub: HubServices;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});
afterAll(() => vi.restoreAllMocks());

const start = async () => ((await call('POST', '/v1/onboardings', { body: smallest })).body as Run).runId;
const cancel = (runId: string) => call('POST', `/v1/runs/${runId}/cancel`);
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const aborted = (runId: string) => ({ detail: { status: 'ABORTED', input: JSON.stringify({ runId, attempt: 1 }) } });

async function runAtWork(): Promise<{ runId: string; store: StepStore }> {
  const runId = await start();
  const store = new StepStore(runId, 1, 'cur-bucket');
  await store.begin(Date.now() + 60_000);
  return { runId, store };
}

describe('POST /v1/runs/{runId}/cancel', () => {
  it('ends a run without started steps at once, releasing its lock', async () => {
    const runId = await start();
    const answer = await cancel(runId);
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/v1/runs/${runId}`);
    expect(answer.body).toMatchObject({ status: 'cancelled', cancelling: false, error: null });
    expect((answer.body as Run).endedAt).not.toBeNull();
    expect(hub.executions.get(`${runId}-1`)?.ended).toBe(true);
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('ends a queued run that was never started', async () => {
    const runId = await givenRun({ status: 'queued' });
    expect((await cancel(runId)).body).toMatchObject({ status: 'cancelled' });
    later(3600);
    await sweep();
    expect(hub.executions.size).toBe(0);
  });

  it('ends an offboarding without started steps at once', async () => {
    const { runId } = (await call('POST', '/v1/offboardings', { body: smallest })).body as Run;
    expect((await cancel(runId)).body).toMatchObject({ kind: 'offboarding', status: 'cancelled' });
    expect(hub.executions.get(`${runId}-1`)?.ended).toBe(true);
  });

  it('waits for the active step and starts no further step', async () => {
    const { runId, store } = await runAtWork();
    expect((await cancel(runId)).body).toMatchObject({ status: 'running', cancelling: true });
    expect(await close(aborted(runId))).toEqual({ status: 'running' });
    await expect(new StepStore(runId, 1, 'cur-report').begin(Date.now() + 60_000)).rejects.toMatchObject({
      code: 'stale-attempt',
    });
    await store.recordChange({ do: 'create-bucket', resource: 'bucket' });
    await store.finish({ status: 'succeeded', output: { bucket: 'bucket' }, warnings: [] });
    await sweep();
    expect(await storedRun(runId)).toMatchObject({
      status: 'cancelled',
      steps: { 'cur-bucket': { status: 'succeeded', changes: [{ do: 'create-bucket' }] } },
    });
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('is completed by the sweeper after a crashed function’s time limit', async () => {
    const { runId } = await runAtWork();
    await cancel(runId);
    later(59);
    await sweep();
    expect((await storedRun(runId)).status).toBe('running');
    later(2);
    await sweep();
    expect((await storedRun(runId)).status).toBe('cancelled');
  });

  it('answers the same when repeated', async () => {
    const { runId, store } = await runAtWork();
    const first = await cancel(runId);
    expect(await cancel(runId)).toEqual(first);
    await store.finish({ status: 'succeeded', warnings: [] });
    const ended = await cancel(runId);
    expect(ended.body).toMatchObject({ status: 'cancelled' });
    later(60);
    expect(await cancel(runId)).toEqual(ended);
  });

  it('ends a run as cancelled even if the stop fails it', async () => {
    const { runId, store } = await runAtWork();
    await cancel(runId);
    await store.finish({ status: 'running', warnings: [] });
    const failure = { Error: 'TerminalError', Cause: JSON.stringify({ errorMessage: 'not in attempt 1 any more' }) };
    expect(await close({ runId, attempt: 1, failure })).toEqual({ status: 'cancelled' });
    expect(await storedRun(runId)).not.toHaveProperty('error');
  });

  // Writes in order: request, execution, end, lock.
  for (const atWrite of [1, 2, 3, 4]) {
    for (const applied of [false, true]) {
      it(`is completed by a repeat or the sweeper after a crash (write ${atWrite}, ${applied ? 'applied' : 'not applied'})`, async () => {
        const runId = await start();
        hub.crash({ atWrite, applied });
        expect((await cancel(runId)).status).toBe(500);
        hub.crash(undefined);
        if (atWrite > 1 || applied) await sweep();
        else await cancel(runId);
        expect((await storedRun(runId)).status).toBe('cancelled');
        expect(hub.executions.get(`${runId}-1`)?.ended).toBe(true);
        const next = await call('POST', '/v1/onboardings', { body: smallest });
        expect(next.status).toBe(202);
      });
    }
  }

  it.each(['succeeded', 'failed', 'planned'] as const)('refuses a run that has %s', async (status) => {
    const runId = await givenRun({ status: 'running' });
    await endRun(await storedRun(runId), status);
    const answer = await cancel(runId);
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'run-ended', detail: expect.stringContaining(status) as string });
  });

  it('answers 404 for an unknown run', async () => {
    for (const runId of ['nobody', '01kjq3w5e8f2c9m4x7v1t6s0rz'])
      expect((await cancel(runId)).body).toMatchObject({ code: 'run-not-found' });
  });
});
