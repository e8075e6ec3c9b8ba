import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sweep } from '../../functions/sweep.ts';
import type { AnyRun } from '../../shared/model/run.ts';
import { runErrorOf } from '../../shared/model/run-schemas.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { releaseLock, takeLock } from '../../shared/runs/payer-target-lock.ts';
import { endRun } from '../../shared/runs/record-end.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { StepStore } from '../../shared/step-runner/step-record.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { endStep, givenRun, smallest, storedRun } from '../support/stored-runs.ts';

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

const retry = (runId: string) => call('POST', `/v1/runs/${runId}/retry`);
const later = (days: number) => vi.setSystemTime(Date.now() + days * 86_400_000);
const stepOf = (answer: { body: unknown }, name: string) =>
  (answer.body as Run).steps.find((candidate) => candidate.name === name);

/** An ended and closed run whose report was created and whose delivery failed. */
async function failedRun(status: 'failed' | 'cancelled' = 'failed'): Promise<AnyRun> {
  const runId = await givenRun({ status: 'queued', createdAt: '2026-03-01T00:00:00.000Z' });
  await takeLock(await storedRun(runId));
  await endStep(runId, 'cur-report', { reportName: 'daily' });
  const store = new StepStore(runId, 1, 'first-delivery');
  await store.begin(Date.now() + 60_000);
  await store.recordChange({ do: 'ask', resource: 'report' });
  await store.keepNotes({ attempt: 1, seen: true });
  const error = runErrorOf({ code: 'delivery-failed', message: 'ERROR_PERMISSIONS' }, 'first-delivery');
  await store.finish({ status: 'failed', warnings: [], error });
  const ended = await endRun(await storedRun(runId), status, status === 'failed' ? error : undefined);
  if (!ended) throw new Error('the run has not ended');
  await releaseLock(ended);
  return ended;
}

describe('POST /v1/runs/{runId}/retry', () => {
  it('queues a failed run’s second attempt and keeps its succeeded steps', async () => {
    const { runId } = await failedRun();
    later(20);
    const answer = await retry(runId);
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/v1/runs/${runId}`);
    expect(answer.body).toMatchObject({
      status: 'queued',
      attempt: 2,
      createdAt: '2026-03-01T00:00:00.000Z',
      startedAt: null,
      endedAt: null,
      error: null,
    });
    expect(stepOf(answer, 'cur-report')).toMatchObject({ status: 'succeeded', output: { reportName: 'daily' } });
    expect(stepOf(answer, 'first-delivery')).toMatchObject({
      status: 'pending',
      startedAt: null,
      endedAt: null,
      invocations: 1,
      changes: [{ do: 'ask', resource: 'report' }],
      error: null,
    });
    expect([...hub.executions]).toEqual([
      [
        `${runId}-2`,
        { input: `{"runId":"${runId}","attempt":2,"identityMode":"irsa","from":"preflight"}`, ended: false },
      ],
    ]);
    expect((await hub.items('lock#')).map((lock) => [lock.runId, lock.attempt])).toEqual([[runId, 2]]);
    const { outbox = {} } = await storedRun(runId);
    expect(Object.values(outbox).at(-1)).toMatchObject({ attempt: 2, step: null, status: 'queued' });
  });

  it('queues a cancelled run’s second attempt', async () => {
    const { runId } = await failedRun('cancelled');
    expect((await retry(runId)).body).toMatchObject({ status: 'queued', attempt: 2, cancelling: false });
  });

  it('answers the active attempt when repeated', async () => {
    const { runId } = await failedRun();
    const answers = await Promise.all([retry(runId), retry(runId), retry(runId)]);
    expect(answers.map(({ status, body }) => [status, (body as Run).attempt])).toEqual([
      [202, 2],
      [202, 2],
      [202, 2],
    ]);
    await new StepStore(runId, 2, 'preflight').begin(Date.now() + 60_000);
    expect((await retry(runId)).body).toMatchObject({
      status: 'running',
      attempt: 2,
      startedAt: new Date().toISOString(),
    });
    expect([...hub.executions.keys()]).toEqual([`${runId}-2`]);
  });

  // Writes in order: record, lock, execution.
  for (const atWrite of [1, 2, 3]) {
    for (const applied of [false, true]) {
      it(`is completed by a repeat or the sweeper after a crash (write ${atWrite}, ${applied ? 'applied' : 'not applied'})`, async () => {
        const { runId } = await failedRun();
        hub.crash({ atWrite, applied });
        expect((await retry(runId)).status).toBe(500);
        hub.crash(undefined);
        const isRecorded = atWrite > 1 || applied;
        later(1);
        if (isRecorded) await sweep();
        else await retry(runId);
        expect([...hub.executions.keys()]).toEqual([`${runId}-2`]);
        expect((await hub.items('lock#')).map((lock) => lock.runId)).toEqual([runId]);
        expect((await retry(runId)).body).toMatchObject({ status: 'queued', attempt: 2 });
        expect(hub.executions.size).toBe(1);
      });
    }
  }

  it('refuses while another run is active for the payer and target', async () => {
    const { runId } = await failedRun();
    const active = (await call('POST', '/v1/onboardings', { body: smallest })).body as Run;
    const before = await storedRun(runId);
    const answer = await retry(runId);
    expect(answer.status).toBe(409);
    expect(answer.headers.location).toBe(`/v1/runs/${active.runId}`);
    expect(answer.body).toMatchObject({ code: 'run-active', links: { run: `/v1/runs/${active.runId}` } });
    expect(await storedRun(runId)).toEqual(before);
  });

  it('fails a run, instead of deleting it, if it loses its lock', async () => {
    const { runId } = await failedRun();
    hub.crash({ atWrite: 1, applied: true });
    await retry(runId);
    hub.crash(undefined);
    const active = (await call('POST', '/v1/onboardings', { body: smallest })).body as Run;
    expect((await retry(runId)).body).toMatchObject({ code: 'run-active' });
    expect(await readRun(runId)).toMatchObject({
      attempt: 2,
      status: 'failed',
      error: { code: 'run-active', step: null },
      steps: { 'cur-report': { status: 'succeeded' } },
    });
    expect((await hub.items('lock#')).map((lock) => lock.runId)).toEqual([active.runId]);
  });

  it('keeps the lock when the earlier attempt releases its lock late', async () => {
    const ended = await failedRun();
    await retry(ended.runId);
    await releaseLock(ended);
    expect((await hub.items('lock#')).map((lock) => [lock.runId, lock.attempt])).toEqual([[ended.runId, 2]]);
  });

  it('counts a batch’s run as active again', async () => {
    const { runId } = await failedRun();
    const [item] = await hub.items('run#');
    await hub.put({ ...item, batchId: 'b', batchStatusKey: 'b#failed' });
    await retry(runId);
    expect(await hub.items('run#')).toMatchObject([{ batchStatusKey: 'b#queued', atWorkKey: 'b' }]);
  });

  it.each([
    ['pending', 'load-proof'],
    ['not-installed', 'discovery'],
  ])('repeats only the last proof if it is unproven: %s', async (unproven, from) => {
    const runId = await givenRun({ status: 'queued' });
    const output = { verdict: unproven, connectionStatus: null, source: null, pendingFor: null, dataSince: null };
    await endStep(runId, 'publish', {});
    await endStep(runId, 'load-proof', { ...output, chain: 'pod-chain' });
    await endRun(await storedRun(runId), 'succeeded');
    const answer = await retry(runId);
    expect(answer.status).toBe(202);
    expect([stepOf(answer, 'publish')?.status, stepOf(answer, 'load-proof')?.status]).toEqual(['succeeded', 'pending']);
    expect(JSON.parse(hub.executions.get(`${runId}-2`)?.input ?? '')).toMatchObject({ from });
  });

  it('starts an interrupted repetition of the last proof at that step', async () => {
    const runId = await givenRun({ status: 'queued' });
    const output = { connectionStatus: null, source: null, pendingFor: null, dataSince: null, chain: 'pod-chain' };
    await endStep(runId, 'load-proof', { ...output, verdict: 'pending' });
    await endRun(await storedRun(runId), 'succeeded');
    hub.crash({ atWrite: 1, applied: true });
    await retry(runId);
    hub.crash(undefined);
    later(1);
    await sweep();
    expect(JSON.parse(hub.executions.get(`${runId}-2`)?.input ?? '')).toMatchObject({ from: 'load-proof' });
  });

  it.each([
    ['a run that is queued', 'queued', 'has the status queued'],
    ['a run that is running', 'running', 'has the status running'],
    ['a plan', 'planned', 'Start a new run'],
  ] as const)('refuses %s', async (_, status, reason) => {
    const answer = await retry(await givenRun({ status }));
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({ code: 'run-not-retryable', detail: expect.stringContaining(reason) as string });
    expect(hub.executions.size).toBe(0);
  });

  it('refuses a run with a proven connection or a pending cancellation', async () => {
    const proven = await givenRun({ status: 'queued' });
    const output = { connectionStatus: 'Connection Successful', source: 'status', pendingFor: null, dataSince: null };
    await endStep(proven, 'load-proof', { ...output, verdict: 'proven', chain: 'pod-chain' });
    await endRun(await storedRun(proven), 'succeeded');
    expect((await retry(proven)).body).toMatchObject({ code: 'run-not-retryable' });
    const { runId } = await failedRun();
    await retry(runId);
    await new StepStore(runId, 2, 'preflight').begin(Date.now() + 60_000);
    await call('POST', `/v1/runs/${runId}/cancel`);
    expect((await retry(runId)).body).toMatchObject({
      code: 'run-not-retryable',
      detail: expect.stringContaining('is being cancelled') as string,
    });
  });

  it('queues an offboarding’s second attempt unless it has succeeded', async () => {
    const { runId } = (await call('POST', '/v1/offboardings', { body: smallest })).body as Run;
    const end = async (status: 'failed' | 'succeeded') => {
      const run = await readRun(runId);
      if (!run) throw new Error('no run');
      await endRun(run, status);
      await releaseLock(run);
    };
    await end('failed');
    expect((await retry(runId)).body).toMatchObject({ kind: 'offboarding', status: 'queued', attempt: 2 });
    expect(hub.executions.get(`${runId}-2`)).toEqual({ input: `{"runId":"${runId}","attempt":2}`, ended: false });
    await end('succeeded');
    expect((await retry(runId)).body).toMatchObject({ code: 'run-not-retryable' });
  });

  it('answers 404 for an unknown run', async () => {
    for (const runId of ['nobody', '01kjq3w5e8f2c9m4x7v1t6s0rz'])
      expect((await retry(runId)).body).toMatchObject({ code: 'run-not-found' });
  });
});
