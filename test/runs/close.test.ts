import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { handler } from '../../functions/close.ts';
import { type KnownError, RetryableError, TerminalError, UserError } from '../../shared/errors/errors.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { runErrorOf } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { takeLock } from '../../shared/runs/payer-target-lock.ts';
import { endRun } from '../../shared/runs/record-end.ts';
import { StepStore } from '../../shared/step-runner/step-record.ts';
import { listOpenWindows } from '../../shared/targets/admin-windows.ts';
import { AccessHarness } from '../support/access-harness.ts';
import { ApiClient } from '../support/api-client.ts';
import { HubServices } from '../support/hub-services.ts';
import { logLines } from '../support/log-lines.ts';
import { givenRun, smallest, storedRun } from '../support/stored-runs.ts';

const close = (event: unknown) => handler(event, {} as never) as Promise<{ status: string }>;

/** The failure of a Lambda task: the error's name, and its message in JSON text. */
const failure = ({ name, message }: Pick<Error, 'name' | 'message'>) => ({
  Error: name,
  Cause: JSON.stringify({ errorType: name, errorMessage: message, trace: [] }),
});

/** The event that EventBridge sends when an execution ends. */
const statusChange = (runId: string, status: 'FAILED' | 'TIMED_OUT' | 'ABORTED', attempt = 1) => ({
  'detail-type': 'Step Functions Execution Status Change',
  source: 'aws.states',
  detail: { status, input: JSON.stringify({ runId, attempt, identityMode: 'irsa' }), output: null },
});

describe('the close function', () => {
  let hub: HubServices;
  let lines: () => Record<string, unknown>[];
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
    lines = logLines();
    hub = new HubServices();
    await hub.start();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    await hub.stop();
  });

  /** A run that has its lock and the status running. */
  async function startedRun(request: Partial<OnboardingRequestInput> = {}): Promise<string> {
    const runId = await givenRun({ status: 'running', request: { ...smallest, ...request } });
    await takeLock(await storedRun(runId));
    return runId;
  }

  async function stepEnds(runId: string, name: StepName, error?: KnownError): Promise<void> {
    const store = new StepStore(runId, 1, name);
    await store.begin(Date.now() + 60_000);
    if (!error) await store.finish({ status: 'succeeded', output: {}, warnings: [] });
    else {
      const status = error.name === 'RetryableError' ? 'running' : 'failed';
      await store.finish({ status, warnings: [], error: runErrorOf(error, name) });
    }
  }

  it('sets the status succeeded and releases the lock', async () => {
    const runId = await startedRun();
    expect(await close({ runId, attempt: 1, identityMode: 'irsa', answer: { status: 'succeeded' } })).toEqual({
      status: 'succeeded',
    });
    expect(await storedRun(runId)).toMatchObject({ status: 'succeeded', endedAt: '2026-03-01T00:00:00.000Z' });
    expect(await storedRun(runId)).not.toHaveProperty('error');
    expect(await hub.items('lock#')).toEqual([]);
    expect(lines()).toMatchObject([{ message: 'run ended', runId, step: 'close', status: 'succeeded' }]);
  });

  it('sets the status planned after a dry run', async () => {
    const runId = await startedRun({ dryRun: true });
    expect(await close({ runId, attempt: 1 })).toEqual({ status: 'planned' });
  });

  it('sets the status failed with the failed step’s error', async () => {
    const runId = await startedRun();
    const refused = new UserError('bucket-not-ours', 'bucket cur');
    await stepEnds(runId, 'cur-bucket', refused);
    expect(await close({ runId, attempt: 1, failure: failure(refused) })).toEqual({ status: 'failed' });
    expect((await storedRun(runId)).error).toEqual(runErrorOf(refused, 'cur-bucket'));
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('records the error that ended the run, not another branch’s error', async () => {
    const runId = await startedRun();
    const gaveUp = new RetryableError('throttled', 'SlowDown: again');
    await stepEnds(runId, 'cur-bucket', new RetryableError('aws-unavailable', 'InternalError: once'));
    await stepEnds(runId, 'pod-role', gaveUp);
    await close({ runId, attempt: 1, failure: failure(gaveUp) });
    expect((await storedRun(runId)).error).toEqual(runErrorOf(gaveUp, 'pod-role'));
  });

  it('names the running step if its function crashed without a record', async () => {
    const runId = await startedRun();
    await stepEnds(runId, 'preflight');
    await new StepStore(runId, 1, 'discovery').begin(Date.now() + 60_000);
    const timeout = { name: 'Sandbox.Timedout', message: 'Task timed out after 60.00 seconds' };
    await close({ runId, attempt: 1, failure: failure(timeout) });
    expect((await storedRun(runId)).error).toMatchObject({
      code: 'step-crashed',
      step: 'discovery',
      message: 'Sandbox.Timedout: Task timed out after 60.00 seconds',
    });
  });

  it('names no step if several steps may have crashed', async () => {
    const runId = await startedRun();
    await new StepStore(runId, 1, 'discovery').begin(Date.now() + 60_000);
    await stepEnds(runId, 'cur-bucket', new RetryableError('throttled', 'SlowDown: about to pass'));
    await close({ runId, attempt: 1, failure: { Error: 'States.Runtime', Cause: 'not JSON' } });
    expect((await storedRun(runId)).error).toMatchObject({
      code: 'step-crashed',
      step: null,
      message: 'States.Runtime: not JSON',
    });
  });

  it.each([
    [{ Error: null, Cause: null }, 'a task of the execution failed without an error or a cause'],
    [{ Error: 'States.Timeout', Cause: '' }, 'States.Timeout'],
    [{ Error: 'Denied', Cause: null }, 'Denied'],
    [{ Error: null, Cause: 'by hand' }, 'by hand'],
  ])('ends the run after the failure %j', async (failed, message) => {
    const runId = await startedRun();
    expect(await close({ runId, attempt: 1, failure: failed })).toEqual({ status: 'failed' });
    expect((await storedRun(runId)).error).toMatchObject({ code: 'step-crashed', message });
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('sets the status failed if somebody stopped the execution', async () => {
    const runId = await startedRun();
    await new StepStore(runId, 1, 'discovery').begin(Date.now() + 60_000);
    expect(await close(statusChange(runId, 'ABORTED'))).toEqual({ status: 'failed' });
    expect((await storedRun(runId)).error).toMatchObject({
      code: 'execution-stopped',
      step: null,
      message: 'the execution ended with the status ABORTED',
    });
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('records the failed step’s error after an event of EventBridge', async () => {
    const runId = await startedRun();
    const bug = new TerminalError('unexpected', 'TypeError: a bug');
    await stepEnds(runId, 'grant', bug);
    await close(statusChange(runId, 'FAILED'));
    expect((await storedRun(runId)).error).toEqual(runErrorOf(bug, 'grant'));
  });

  it('keeps the status cancelled after the execution’s end', async () => {
    const runId = await startedRun();
    await endRun(await storedRun(runId), 'cancelled');
    expect(await close(statusChange(runId, 'ABORTED'))).toEqual({ status: 'cancelled' });
    expect(await storedRun(runId)).not.toHaveProperty('error');
    expect(await hub.items('lock#')).toEqual([]);
  });

  it('changes nothing when the end is reported again', async () => {
    const runId = await startedRun();
    const refused = new UserError('bucket-not-ours', 'bucket cur');
    await stepEnds(runId, 'cur-bucket', refused);
    await close({ runId, attempt: 1, failure: failure(refused) });
    const ended = await hub.items();
    vi.setSystemTime(Date.now() + 60_000);
    expect(await close({ runId, attempt: 1 })).toEqual({ status: 'failed' });
    expect(await close(statusChange(runId, 'FAILED'))).toEqual({ status: 'failed' });
    expect(await hub.items()).toEqual(ended);
    expect(lines().filter(({ message }) => message === 'run ended')).toHaveLength(1);
  });

  it('ignores the end of an older attempt', async () => {
    const runId = await startedRun();
    const [item] = await hub.items('run#');
    await hub.put({ ...item, attempt: 2 });
    const before = await hub.items();
    expect(await close(statusChange(runId, 'ABORTED', 1))).toEqual({ status: 'running' });
    expect(await hub.items()).toEqual(before);
  });

  it('keeps a lock that now belongs to another run', async () => {
    const runId = await startedRun();
    const [lock] = await hub.items('lock#');
    await hub.put({ ...lock, runId: 'another' });
    await close({ runId, attempt: 1 });
    expect((await hub.items('lock#')).map((item) => item.runId)).toEqual(['another']);
  });

  // The first write sets the status, the second releases the lock.
  for (const atWrite of [1, 2]) {
    for (const applied of [false, true]) {
      it(`completes its work after a crash at write ${atWrite} (${applied ? 'applied' : 'not applied'})`, async () => {
        const runId = await startedRun();
        hub.crash({ atWrite, applied });
        await expect(close({ runId, attempt: 1 })).rejects.toThrow();
        hub.crash(undefined);
        expect(await close({ runId, attempt: 1 })).toEqual({ status: 'succeeded' });
        expect((await hub.items()).map(({ sk }) => sk)).toEqual(['run']);
      });
    }
  }

  it('throws a terminal error if there is no run', async () => {
    await expect(close({ runId: 'none', attempt: 1 })).rejects.toMatchObject({ name: 'TerminalError' });
    await expect(close({ hello: 'world' })).rejects.toMatchObject({ name: 'TerminalError' });
  });
});

describe('the close function after a crash with an open admin window', () => {
  let world: AccessHarness;
  let lines: () => Record<string, unknown>[];
  let runId: string;
  beforeEach(async () => {
    lines = logLines();
    world = await AccessHarness.start();
    runId = await world.newRun();
    await world.invoke(runId, 'cluster-access');
    await world.world.clock.sleep(60_000);
    await world.crash(runId, 'cluster-access', 1);
    expect(policies()).toHaveLength(1);
  });
  afterEach(async () => {
    await world.close();
    vi.restoreAllMocks();
  });

  const policies = () => [...world.cluster.accessEntries.values()].flatMap((entry) => [...entry.policies.keys()]);
  const end = () => world.sandbox.invoke('close', statusChange(runId, 'TIMED_OUT'));

  it('closes the window', async () => {
    await end();
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
    expect((await storedRun(runId)).status).toBe('failed');
  });

  it('closes the window before a cancelled run ends', async () => {
    const api = new ApiClient(world.sandbox.apiUrl);
    const answer = await api.fetch('POST', `/v1/runs/${runId}/cancel`);
    expect(await answer.json()).toMatchObject({ status: 'running', cancelling: true });
    await world.sandbox.invoke('close', statusChange(runId, 'ABORTED'));
    expect((await storedRun(runId)).status).toBe('cancelled');
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
  });

  it('leaves another run’s window open', async () => {
    const other = await world.newRun();
    await world.sandbox.invoke('close', statusChange(other, 'TIMED_OUT'));
    expect(policies()).toHaveLength(1);
    expect(await listOpenWindows()).toMatchObject([{ runId }]);
  });

  it('leaves the window to the sweeper if AWS denies access', async () => {
    world.world.faults.push({ service: 'sts', operation: 'AssumeRole', kind: 'denied' });
    await end();
    expect((await storedRun(runId)).status).toBe('failed');
    expect(await listOpenWindows()).toMatchObject([{ runId }]);
    expect(lines()).toContainEqual(expect.objectContaining({ message: 'admin window still open', runId }));
    world.world.faults.length = 0;
    await world.world.clock.sleep(11 * 60_000);
    await world.sandbox.invoke('sweep', {});
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
  });

  it('ends the run and closes the window on retry if EKS fails', async () => {
    world.world.faults.push({ service: 'eks', operation: 'DisassociateAccessPolicy', kind: '500', times: 3 });
    await expect(end()).rejects.toMatchObject({ name: 'RetryableError' });
    expect((await storedRun(runId)).status).toBe('failed');
    expect(policies()).toHaveLength(1);
    await end();
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
  });
});
