import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OnboardingRequest } from '../../../shared/model/run-requests.ts';
import { endRun } from '../../../shared/runs/record-end.ts';
import { createRun, deleteQueuedRun, listRuns, readRun, runIndexes } from '../../../shared/runs/run-table.ts';
import { HubServices } from '../../support/hub-services.ts';
import { givenRun, smallest, storedRun } from '../../support/stored-runs.ts';

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
const finop = 'arn:aws:eks:eu-west-1:222233334444:cluster/finops';

describe('a run', () => {
  it('is written once and skips the other identity mode’s step', async () => {
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
    const { steps, outbox, ...rest } = await storedRun('a');
    expect(rest).toEqual(run);
    expect(Object.values(outbox ?? {})).toMatchObject([{ step: null, status: 'queued', at: run.createdAt }]);
    expect(steps['pod-identity']?.status).toBe('skipped');
    expect(steps['pod-role']?.status).toBe('pending');
  });

  it('is deleted only while it is queued', async () => {
    const [queued, running] = [await givenRun({ status: 'queued' }), await givenRun({ status: 'running' })];
    await deleteQueuedRun(queued);
    await deleteQueuedRun(running);
    expect(await readRun(queued)).toBeUndefined();
    expect(await readRun(running)).toBeDefined();
  });

  it('ends once even if several callers end it', async () => {
    const runId = await givenRun({ status: 'running' });
    const error = { code: 'unexpected', step: null, title: 't', message: 'm', actor: 'operator', remedy: 'r' };
    const ended = await Promise.all([
      endRun(await storedRun(runId), 'failed', error),
      endRun(await storedRun(runId), 'failed', error),
      endRun(await storedRun(runId), 'failed', error),
    ]);
    expect(ended.filter(Boolean)).toHaveLength(1);
    later(60);
    expect(await endRun(await storedRun(runId), 'succeeded')).toBeUndefined();
    expect(await storedRun(runId)).toMatchObject({ status: 'failed', error, endedAt: '2026-03-01T00:00:00.000Z' });
  });

  it('is not ended by an earlier attempt', async () => {
    const runId = await givenRun({ status: 'running' });
    expect(await endRun({ ...(await storedRun(runId)), attempt: 0 }, 'failed')).toBeUndefined();
    expect((await storedRun(runId)).status).toBe('running');
  });
});

describe('a list of runs', () => {
  const values: Record<keyof typeof runIndexes, string> = {
    all: 'runs',
    status: 'queued',
    batchId: 'fleet',
    batchStatus: 'fleet#queued',
    payerAccountId: '111122223333',
    cluster: finop,
  };

  it.each(Object.keys(runIndexes) as (keyof typeof runIndexes)[])(
    'has the newest first and has pages: %s',
    async (by) => {
      const ids: string[] = [];
      for (const day of [1, 2, 3, 4, 5])
        ids.unshift(await givenRun({ status: 'queued', createdAt: `2026-03-0${day}T00:00:00.000Z`, batchId: 'fleet' }));
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

  it('contains the fields needed to complete a start', async () => {
    const runId = await givenRun({ status: 'queued' });
    const { steps, outbox, ...rest } = await storedRun(runId);
    expect([steps, outbox]).not.toContain(undefined);
    expect((await listRuns({ by: 'status', value: 'queued' }, 1)).runs).toEqual([rest]);
  });
});
