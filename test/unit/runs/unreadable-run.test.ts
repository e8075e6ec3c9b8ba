import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { handler as close } from '../../../functions/close.ts';
import { sweep } from '../../../functions/sweep.ts';
import { startItem } from '../../../shared/batches/batch-run.ts';
import { OnboardingRequest } from '../../../shared/model/run-requests.ts';
import { takeLock } from '../../../shared/runs/payer-target-lock.ts';
import { listRuns, readRun, readRunHead } from '../../../shared/runs/run-table.ts';
import { StepStore } from '../../../shared/step-runner/step-record.ts';
import { call } from '../../support/api-call.ts';
import { HubServices } from '../../support/hub-services.ts';
import { logLines } from '../../support/log-lines.ts';
import { givenRun, smallest, storedRun } from '../../support/stored-runs.ts';

let hub: HubServices;
let lines: () => Record<string, unknown>[];
beforeEach(async () => {
  lines = logLines();
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await hub.stop();
});

/** Replaces an attribute of the run by a value that no release writes. */
async function damage(runId: string, fields: Record<string, unknown> = { steps: 'torn' }): Promise<void> {
  const item = (await hub.items(`run#${runId}`))[0] ?? expect.unreachable();
  await hub.put({ ...item, ...fields });
}

const unreadable = { code: 'record-unreadable' };
const closing = (runId: string, attempt = 1) =>
  close({ runId, attempt, failure: { Error: 'TerminalError', Cause: 'unreadable' } }, {} as never);

describe('a run whose record cannot be read', () => {
  it('fails with a code and keeps its other attributes', async () => {
    const runId = await givenRun({ status: 'running', batchId: 'fleet' });
    await damage(runId, { createdAt: 5 });
    await expect(readRun(runId)).rejects.toMatchObject(unreadable);
    await expect(new StepStore(runId, 1, 'preflight').begin(0)).rejects.toMatchObject(unreadable);
    expect(await closing(runId)).toEqual({ status: 'failed' });
    const [item] = await hub.items(`run#${runId}`);
    expect(item).toMatchObject({ status: 'failed', batchStatusKey: 'fleet#failed', error: unreadable, createdAt: 5 });
    expect(item).not.toHaveProperty('atWorkKey');
    expect(lines().at(-1)).toMatchObject({ message: 'run ended', runId, status: 'failed', ...unreadable });
  });

  it('is not ended by an earlier attempt or a second time', async () => {
    const [running, ended] = [await givenRun({ status: 'running' }), await givenRun({ status: 'succeeded' })];
    for (const runId of [running, ended]) await damage(runId);
    await closing(running, 2);
    await closing(ended);
    expect(await readRunHead(running)).toMatchObject({ status: 'running' });
    expect(await readRunHead(ended)).toMatchObject({ status: 'succeeded' });
  });

  it('releases its lock for the next run after its end', async () => {
    const runId = await givenRun({ status: 'running' });
    await takeLock(await storedRun(runId));
    await damage(runId);
    const next = await storedRun(await givenRun({ status: 'queued' }));
    await expect(takeLock(next)).rejects.toMatchObject(unreadable);
    await closing(runId);
    expect(await takeLock(next)).toBe('taken');
  });

  it('is omitted from lists and logged once', async () => {
    const [good, bad] = [await givenRun(), await givenRun()];
    await damage(bad, { request: 'torn' });
    expect((await listRuns({ by: 'all', value: 'runs' }, 10)).runs.map(({ runId }) => runId)).toEqual([good]);
    expect(lines()).toMatchObject([{ message: 'item skipped', item: `run#${bad} run` }]);
    expect(await call('GET', '/v1/runs')).toMatchObject({ status: 200, body: { runs: [{ runId: good }] } });
    expect(await call('GET', `/v1/runs/${bad}`)).toMatchObject({ status: 500, body: unreadable });
  });

  it('does not prevent the sweeper from processing other runs', async () => {
    const createdAt = '2026-03-01T00:00:00.000Z';
    const bad = await givenRun({ status: 'queued', createdAt });
    const request = { ...smallest, payerAccountId: '444455556666' };
    const good = await givenRun({ status: 'queued', createdAt: '2026-03-01T00:00:01.000Z', request });
    await damage(bad);
    await sweep();
    expect([...hub.executions.keys()]).toEqual([`${good}-1`]);
    expect(await readRunHead(bad)).toMatchObject({ status: 'failed' });
  });

  it('counts as failed in its batch', async () => {
    const batchId = '01kjzv9r00aaaaaaaaaaaaaaaa';
    const request = OnboardingRequest.parse(smallest);
    const runId = await startItem(batchId, 0, request);
    await damage(runId);
    expect(await startItem(batchId, 0, request)).toBe(runId);
    expect(await readRunHead(runId)).toMatchObject({ status: 'failed' });
  });
});
