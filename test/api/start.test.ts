import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { releaseLock } from '../../shared/runs/payer-target-lock.ts';
import { endRun } from '../../shared/runs/record-end.ts';
import { fixTargetSettings, moveServiceAccount } from '../../shared/targets/target-settings.ts';
import { call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { smallest, storedRun } from '../support/stored-runs.ts';

let hub: HubServices;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});
afterAll(() => vi.restoreAllMocks());

const post = (body: OnboardingRequestInput = smallest, key?: string) =>
  call('POST', '/v1/onboardings', { body, headers: key === undefined ? {} : { 'idempotency-key': key } });
const runIdOf = (answer: { body: unknown }) => (answer.body as Run).runId;

describe('POST /v1/onboardings', () => {
  it('answers the queued run with defaults and starts one execution', async () => {
    const answer = await post();
    const run = answer.body as Run;
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/v1/runs/${run.runId}`);
    expect(run).toMatchObject({ status: 'queued', attempt: 1, request: OnboardingRequest.parse(smallest) });
    expect(run.progress).toEqual({ percent: 0, currentSteps: [] });
    expect([...hub.executions]).toEqual([
      [
        `${run.runId}-1`,
        { input: `{"runId":"${run.runId}","attempt":1,"identityMode":"irsa","from":"preflight"}`, ended: false },
      ],
    ]);
    expect((await call('GET', answer.headers.location ?? '')).body).toEqual(run);
  });

  it('creates ids that sort by time and are valid execution names', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
    const first = runIdOf(await post());
    vi.setSystemTime(Date.parse('2026-03-01T00:00:00.001Z'));
    const second = runIdOf(await post({ ...smallest, payerAccountId: '444455556666' }));
    expect(first < second).toBe(true);
    expect(first).toMatch(/^[0-9a-z]{26}$/);
  });

  it('answers the same run to a repeat with the same Idempotency-Key', async () => {
    const first = await post(smallest, 'monday');
    const again = await post({ ...smallest, dryRun: false }, 'monday');
    expect(again.status).toBe(202);
    expect(again.body).toEqual(first.body);
    expect(hub.executions.size).toBe(1);
  });

  it('answers the same run to a repeat after its end', async () => {
    const runId = runIdOf(await post(smallest, 'monday'));
    await endRun(await storedRun(runId), 'succeeded');
    await releaseLock({ runId, attempt: 1, request: OnboardingRequest.parse(smallest) });
    const again = await post(smallest, 'monday');
    expect(again.body).toMatchObject({ runId, status: 'succeeded' });
    expect(hub.executions.size).toBe(1);
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('refuses an Idempotency-Key that was used with another body', async () => {
    await post(smallest, 'monday');
    const answer = await post({ ...smallest, payerAccountId: '444455556666' }, 'monday');
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ code: 'idempotency-key-reused', type: '/docs#error-idempotency-key-reused' });
    expect(hub.executions.size).toBe(1);
  });

  it('forgets an Idempotency-Key after 24 hours', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
    const first = runIdOf(await post(smallest, 'monday'));
    vi.setSystemTime(Date.parse('2026-03-01T23:59:59Z'));
    expect(runIdOf(await post(smallest, 'monday'))).toBe(first);
    vi.setSystemTime(Date.parse('2026-03-02T00:00:01Z'));
    const other = await post({ ...smallest, payerAccountId: '444455556666' }, 'monday');
    expect(other.status).toBe(202);
    expect(runIdOf(other)).not.toBe(first);
  });

  it('refuses a second run for the payer and target without writing', async () => {
    const active = runIdOf(await post());
    const answer = await post({ ...smallest, existing: 'take-over' }, 'tuesday');
    expect(answer.status).toBe(409);
    expect(answer.headers.location).toBe(`/v1/runs/${active}`);
    expect(answer.body).toMatchObject({ code: 'run-active', links: { run: `/v1/runs/${active}` } });
    expect((await hub.items('run#')).map(({ runId }) => runId)).toEqual([active]);
    expect(await hub.items('key#')).toEqual([]);
    expect(hub.executions.size).toBe(1);
  });

  it('accepts a plan while a run is active, and vice versa', async () => {
    const plan = { ...smallest, dryRun: true };
    const answers = [await post(plan), await post(), await post(plan)];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(hub.executions.size).toBe(3);
    expect((await hub.items('lock#')).map(({ runId }) => runId)).toEqual([answers[1] && runIdOf(answers[1])]);
  });

  it('accepts runs for other payers and targets at once', async () => {
    const answers = [
      await post(),
      await post({ ...smallest, payerAccountId: '444455556666' }),
      await post({ ...smallest, kubecost: { secretName: 'other' } }),
      await post({ ...smallest, cluster: { ...smallest.cluster, name: 'other' } }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(hub.executions.size).toBe(4);
  });

  it('takes over a lock that an ended run did not release', async () => {
    const first = runIdOf(await post());
    await endRun(await storedRun(first), 'failed');
    const second = await post();
    expect(second.status).toBe(202);
    expect((await hub.items('lock#')).map(({ runId }) => runId)).toEqual([runIdOf(second)]);
    await releaseLock({ runId: first, attempt: 1, request: OnboardingRequest.parse(smallest) });
    expect(await hub.items('lock#')).toHaveLength(1);
  });

  it('accepts exactly one of many simultaneous requests', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post()));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409, 409, 409, 409, 409, 409]);
    expect(hub.executions.size).toBe(1);
    expect(await hub.items('run#')).toHaveLength(1);
  });

  it('answers the same run to simultaneous requests with one Idempotency-Key', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(smallest, 'monday')));
    expect(new Set(answers.map(runIdOf)).size).toBe(1);
    expect(hub.executions.size).toBe(1);
  });

  it('refuses settings that differ from those of the target’s first run', async () => {
    const target = { clusterArn: clusterArnOf(smallest), namespace: 'kubecost', secretName: 'cloud-integration' };
    await fixTargetSettings(target, { identityMode: 'pod-identity', serviceAccount: 'kubecost', format: 'legacy' });
    const differing = {
      identity: { serviceAccount: { name: 'other' } },
      kubecost: { format: 'configurations' as const },
    };
    const answer = await post({ ...smallest, ...differing }, 'monday');
    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      code: 'target-differs',
      errors: [
        { pointer: '/identity/mode', detail: 'must be pod-identity, as in the first run for this target' },
        { pointer: '/identity/serviceAccount/name', detail: 'must be kubecost, as in the first run for this target' },
        { pointer: '/kubecost/format', detail: 'must be legacy, as in the first run for this target' },
      ],
    });
    expect(await hub.items('run#')).toEqual([]);
    const agreeing = await post({ ...smallest, identity: { mode: 'pod-identity' } }, 'monday');
    expect(agreeing.status).toBe(202);
  });

  it('accepts requests for a target whose service account has moved', async () => {
    const target = { clusterArn: clusterArnOf(smallest), namespace: 'kubecost', secretName: 'cloud-integration' };
    await fixTargetSettings(target, { identityMode: 'irsa', serviceAccount: 'former', format: 'auto' });
    await moveServiceAccount(target, 'former', 'kubecost');
    const named = (name: string) => post({ ...smallest, identity: { serviceAccount: { name } } });
    expect((await named('former')).status).toBe(409);
    expect((await named('kubecost')).status).toBe(202);
    const open = { ...smallest, payerAccountId: '444455556666', kubecost: { format: 'auto' as const } };
    expect((await post(open)).status).toBe(202);
  });
});
