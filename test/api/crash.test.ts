import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Run } from '../../shared/runs/api-view.ts';
import { listRuns } from '../../shared/runs/run-table.ts';
import { completeStart } from '../../shared/runs/start.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { smallest } from '../support/stored-runs.ts';

let hub: HubServices;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  hub = new HubServices();
  await hub.start();
});
afterEach(() => hub.stop());
afterAll(() => vi.restoreAllMocks());

const post = (headers: Record<string, string>) => call('POST', '/v1/onboardings', { body: smallest, headers });

/** Writes in order: key, run, lock, execution. */
const writes = [1, 2, 3, 4];

describe('a start that crashes at a write', () => {
  for (const atWrite of writes) {
    for (const applied of [false, true]) {
      it(`is completed by a repeat (write ${atWrite}, ${applied ? 'applied' : 'not applied'})`, async () => {
        hub.crash({ atWrite, applied });
        const died = await post({ 'idempotency-key': 'monday' });
        expect(died.status).toBe(500);
        hub.crash(undefined);
        const repeat = await post({ 'idempotency-key': 'monday' });
        expect(repeat.status).toBe(202);
        const { runId } = repeat.body as Run;
        expect((await hub.items()).map((item) => [String(item.pk).split('#')[0], item.runId]).sort()).toEqual([
          ['key', runId],
          ['lock', runId],
          ['run', runId],
        ]);
        expect([...hub.executions.keys()]).toEqual([`${runId}-1`]);
      });
    }
  }

  it('is completed by a repeat without a key after taking the lock', async () => {
    hub.crash({ atWrite: 3, applied: false });
    await post({});
    hub.crash(undefined);
    const repeat = await post({});
    expect(repeat.status).toBe(409);
    const [lock] = await hub.items('lock#');
    expect([...hub.executions.keys()]).toEqual([`${String(lock?.runId)}-1`]);
    expect(repeat.headers.location).toBe(`/v1/runs/${String(lock?.runId)}`);
  });

  it('is completed without a repeat from its queued run', async () => {
    hub.crash({ atWrite: 1, applied: true });
    await post({});
    hub.crash(undefined);
    const [left] = (await listRuns({ by: 'status', value: 'queued' }, 10)).runs;
    expect(left && (await completeStart(left))).toBeUndefined();
    expect((await hub.items('lock#')).map(({ runId }) => runId)).toEqual([left?.runId]);
    expect([...hub.executions.keys()]).toEqual([`${left?.runId ?? ''}-1`]);
  });

  it('is deleted if another run was started meanwhile', async () => {
    hub.crash({ atWrite: 1, applied: true });
    await post({});
    hub.crash(undefined);
    const [left] = (await listRuns({ by: 'status', value: 'queued' }, 10)).runs;
    const { runId } = (await post({})).body as Run;
    expect(left && (await completeStart(left))?.runId).toBe(runId);
    expect((await hub.items('run#')).map((item) => item.runId)).toEqual([runId]);
    expect([...hub.executions.keys()]).toEqual([`${runId}-1`]);
  });

  it('is answered with the request id only', async () => {
    hub.crash({ atWrite: 1, applied: false });
    const died = await post({});
    expect(died.body).toMatchObject({ code: 'unexpected', instance: '/v1/onboardings' });
    expect(JSON.stringify(died.body)).toContain('request-1');
    expect(JSON.stringify(died.body)).not.toContain('the function died');
  });
});
