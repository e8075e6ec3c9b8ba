import type { Context } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryableError, TerminalError, UserError } from '../../../shared/errors/errors.ts';
import { outputOf } from '../../../shared/model/run.ts';
import type { OnboardingRequestInput } from '../../../shared/model/run-requests.ts';
import type { StepRecord } from '../../../shared/model/run-schemas.ts';
import { endRun } from '../../../shared/runs/record-end.ts';
import { readRun } from '../../../shared/runs/run-table.ts';
import type { Step, Wait } from '../../../shared/step/contract.ts';
import { type StepAnswer, stepHandler } from '../../../shared/step-runner/handler.ts';
import { takeLease } from '../../../shared/table/lease.ts';
import { HubServices } from '../../support/hub-services.ts';
import { logLines } from '../../support/log-lines.ts';
import { sampleOutput, type SamplePlan, SampleStep } from '../../support/sample-step.ts';
import { givenRun, smallest, storedRun } from '../../support/stored-runs.ts';

let hub: HubServices;
let lines: () => Record<string, unknown>[];
let runId: string;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  lines = logLines();
  hub = new HubServices();
  await hub.start();
  runId = await queued();
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await hub.stop();
});

const queued = (request: Partial<OnboardingRequestInput> = {}) =>
  givenRun({ status: 'queued', request: { ...smallest, ...request } });
const later = (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000);
const context = { getRemainingTimeInMillis: () => 60_000 } as Context;

function invoke(sample: SampleStep, event: unknown = { runId, attempt: 1 }): Promise<StepAnswer> {
  return stepHandler(sample.step)(event, context);
}

async function record(): Promise<StepRecord | undefined> {
  return (await readRun(runId))?.steps['payer-policy'];
}

/** An error in the form that the SDK throws. */
const awsError = (name: string) => Object.assign(new Error('in AWS’s words'), { name });

const waitFor = (reason: string): SamplePlan => ({
  kind: 'wait',
  reason,
  seconds: 900,
  deadlineSeconds: 3000,
  expectedSeconds: 1800,
  overdue: 'delivery-overdue',
  expected: sampleOutput,
});

describe('a step’s invocation', () => {
  it('records status, output, warnings and each change with its time', async () => {
    const sample = new SampleStep();
    expect(await invoke(sample)).toEqual({ status: 'succeeded', seconds: 0, outdated: '' });
    const at = '2026-03-01T00:00:00.000Z';
    const changes = ['bucket', 'policy', 'tags'].map((resource) => ({
      do: 'put-note',
      resource,
      note: `${resource} note`,
      at,
    }));
    expect(await record()).toEqual({
      status: 'succeeded',
      startedAt: at,
      endedAt: at,
      invocations: 1,
      output: sampleOutput,
      warnings: ['nearly full'],
      changes,
      announced: '1 succeeded',
    });
  });

  it('logs each change and its end, without documents', async () => {
    await invoke(new SampleStep());
    const fields = { runId, step: 'payer-policy', time: '2026-03-01T00:00:00.000Z' };
    expect(lines()).toEqual([
      ...['bucket', 'policy', 'tags'].map((resource) => ({
        ...fields,
        message: `put note ${resource} (${resource} note)`,
        change: 'put-note',
        resource,
      })),
      { ...fields, message: 'step ended', status: 'succeeded' },
    ]);
    expect(JSON.stringify([lines(), await hub.items()])).not.toContain('not for logs');
  });

  it('changes and records nothing new when repeated', async () => {
    const sample = new SampleStep();
    await invoke(sample);
    await invoke(sample);
    expect(sample.written).toHaveLength(3);
    const { changes, invocations } = (await record()) ?? {};
    expect(changes).toHaveLength(3);
    expect(invocations).toBe(2);
  });

  // Step start, run start, lease, three changes, step end, lease release, events published, outbox cleared.
  for (const atWrite of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
    for (const applied of [false, true]) {
      it(`is completed by the next invocation after a crash (write ${atWrite}, ${applied ? 'applied' : 'not applied'})`, async () => {
        const sample = new SampleStep({ lease: 'payer' });
        hub.crash({ atWrite, applied });
        await invoke(sample).catch(() => undefined);
        hub.crash(undefined);
        later(91);
        expect((await invoke(sample)).status).toBe('succeeded');
        expect(sample.written).toEqual(['bucket', 'policy', 'tags']);
        expect(await record()).toMatchObject({ status: 'succeeded', output: sampleOutput });
        expect(await record()).not.toHaveProperty('error');
        expect(await hub.items('lease#')).toEqual([]);
      });
    }
  }
});

describe('a step that waits', () => {
  it('records its reason, start, deadline and next check', async () => {
    const sample = new SampleStep({ plan: () => waitFor('the delivery') });
    expect(await invoke(sample)).toEqual({ status: 'waiting', seconds: 900, outdated: '' });
    expect(await record()).toMatchObject({
      status: 'waiting',
      waiting: {
        for: 'the delivery',
        since: '2026-03-01T00:00:00.000Z',
        expectedBy: '2026-03-01T00:30:00.000Z',
        deadline: '2026-03-01T00:50:00.000Z',
        next: '2026-03-01T00:15:00.000Z',
      },
    });
  });

  it('checks last at its deadline and then fails with its code', async () => {
    const sample = new SampleStep({ plan: () => waitFor('the delivery') });
    const seconds: number[] = [];
    for (let look = 0; look < 4; look++) {
      seconds.push((await invoke(sample)).seconds);
      later(seconds.at(-1) ?? 0);
    }
    expect(seconds).toEqual([900, 900, 1080, 120]);
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'UserError', code: 'delivery-overdue' });
    expect(await record()).toMatchObject({
      status: 'failed',
      invocations: 5,
      error: { code: 'delivery-overdue', step: 'payer-policy', message: 'waited 3000 s for the delivery' },
    });
    expect(await record()).not.toHaveProperty('waiting');
  });

  it('counts from its first wait even after an error', async () => {
    const sample = new SampleStep({ plan: () => waitFor('the delivery') });
    await invoke(sample);
    later(900);
    sample.beforeLook = () => {
      throw awsError('SlowDown');
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'RetryableError' });
    sample.beforeLook = () => undefined;
    await invoke(sample);
    expect((await record())?.waiting).toMatchObject({ since: '2026-03-01T00:00:00.000Z' });
    later(2100);
    await expect(invoke(sample)).rejects.toMatchObject({ code: 'delivery-overdue' });
  });

  it('starts a new deadline for another reason', async () => {
    let reason = 'the delivery';
    const sample = new SampleStep({ plan: () => waitFor(reason) });
    await invoke(sample);
    later(900);
    reason = 'the table';
    await invoke(sample);
    expect((await record())?.waiting).toMatchObject({ for: 'the table', since: '2026-03-01T00:15:00.000Z' });
  });

  it('clears the wait when the wait is over', async () => {
    let delivered = false;
    const sample = new SampleStep({ plan: () => (delivered ? undefined : waitFor('the delivery')) });
    await invoke(sample);
    delivered = true;
    expect((await invoke(sample)).status).toBe('succeeded');
    expect(await record()).not.toHaveProperty('waiting');
  });

  it('fails if its change is undone each time', async () => {
    const sample = new SampleStep();
    sample.holds = false;
    expect(await invoke(sample)).toEqual({ status: 'waiting', seconds: 5, outdated: '' });
    later(235);
    expect(await invoke(sample)).toEqual({ status: 'waiting', seconds: 5, outdated: '' });
    later(5);
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'UserError', code: 'change-does-not-hold' });
    expect((await record())?.error?.message).toBe('waited 240 s for the change to take effect: put note bucket');
  });
});

describe('a step that waits for long', () => {
  it('is called back after fifteen minutes, at growing intervals', async () => {
    const plan = { ...waitFor('the delivery'), seconds: 60, deadlineSeconds: 86_400 };
    const sample = new SampleStep({ plan: () => plan });
    const answers: StepAnswer[] = [];
    for (let waited = 0; waited < 6 * 3600; waited += answers.at(-1)?.seconds ?? 0) {
      answers.push(await invoke(sample));
      later(answers.at(-1)?.seconds ?? 0);
    }
    expect(answers.slice(0, 2)).toEqual(Array(2).fill({ status: 'waiting', seconds: 60, outdated: '' }));
    const called = answers.findIndex(({ callback }) => callback);
    const before = answers.slice(0, called).reduce((sum, { seconds }) => sum + seconds, 0);
    expect(before).toBeGreaterThanOrEqual(900);
    expect(before - (answers[called - 1]?.seconds ?? 0)).toBeLessThan(900);
    expect(answers.slice(called).every(({ callback }) => callback)).toBe(true);
    expect(answers[called]?.timeoutSeconds).toBe(86_400 - before + 3600);
    expect(answers.length).toBeLessThan(16);
  });

  it('waits for the watcher from the beginning if it looks meanwhile', async () => {
    const plan = { ...waitFor('the delivery'), seconds: 300, deadlineSeconds: 7200, watched: true as const };
    const sample = new SampleStep({
      plan: () => plan,
      watchedWaits: { 'delivery-overdue': { seconds: 300, longestSeconds: 7200 } },
    });
    expect(await invoke(sample)).toEqual({
      status: 'waiting',
      seconds: 300,
      outdated: '',
      callback: true,
      timeoutSeconds: 7200 + 3600,
    });
    expect((await record())?.waiting).toMatchObject({ callback: true, next: '2026-03-01T02:00:00.000Z' });
  });

  it.each<[string, Partial<Wait>]>([
    ['is not declared', { overdue: 'query-overdue' }],
    ['is longer than declared', { deadlineSeconds: 49 * 3600 }],
  ])('is refused if its wait %s', async (_, changes) => {
    const plan = { ...waitFor('the delivery'), ...changes };
    await expect(invoke(new SampleStep({ plan: () => plan }))).rejects.toMatchObject({
      name: 'TerminalError',
      code: 'unexpected',
    });
  });

  it('fails when all its reasons together take longer than declared', async () => {
    let reason = 0;
    const waits = { 'delivery-overdue': { seconds: 5, longestSeconds: 3000 } } as const;
    const sample = new SampleStep({ plan: () => waitFor(`reason ${reason++}`), waits });
    const looks: number[] = [];
    const observeOnce = async (): Promise<void> => {
      const { seconds } = await invoke(sample);
      looks.push(seconds);
      later(seconds);
    };
    await expect(
      (async () => {
        for (;;) await observeOnce();
      })(),
    ).rejects.toMatchObject({ code: 'delivery-overdue' });
    expect(looks.length).toBeLessThan(5);
  });
});

describe('a step that fails', () => {
  it('records code, actor and remedy of a refusal', async () => {
    const sample = new SampleStep({ plan: () => ({ kind: 'refuse', code: 'bucket-not-ours', detail: 'bucket cur' }) });
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'UserError' });
    expect(await record()).toMatchObject({
      status: 'failed',
      endedAt: '2026-03-01T00:00:00.000Z',
      error: { code: 'bucket-not-ours', step: 'payer-policy', message: 'bucket cur', actor: 'caller' },
    });
    expect(lines()).toMatchObject([{ message: 'step error', runId, step: 'payer-policy', code: 'bucket-not-ours' }]);
  });

  it('stays running with its last error while the state machine retries', async () => {
    const sample = new SampleStep();
    sample.beforeLook = () => {
      throw awsError('ThrottlingException');
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'RetryableError' });
    expect(await record()).toMatchObject({ status: 'running', error: { code: 'throttled', step: 'payer-policy' } });
    expect(await record()).not.toHaveProperty('endedAt');
    sample.beforeLook = () => undefined;
    await invoke(sample);
    expect(await record()).not.toHaveProperty('error');
  });

  it.each([
    ['RetryableError', awsError('ThrottlingException')],
    ['RetryableError', awsError('InternalFailure')],
    ['UserError', awsError('AccessDenied')],
    ['UserError', new UserError('report-differs', 'daily')],
    ['TerminalError', awsError('ValidationException')],
    ['TerminalError', new TypeError('a bug')],
    ['TerminalError', new TerminalError('unexpected', 'odd')],
  ])('throws an error that the state machine handles: %s', async (name, thrown) => {
    const sample = new SampleStep();
    sample.beforeLook = () => {
      throw thrown;
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name });
  });

  it('throws a terminal error if its input is not ids', async () => {
    await expect(invoke(new SampleStep(), { runId })).rejects.toMatchObject({
      name: 'TerminalError',
      code: 'unexpected',
    });
  });

  it('keeps the changes made before the failure', async () => {
    const sample = new SampleStep();
    sample.afterWrite = (resource) => {
      if (resource === 'tags') throw new TypeError('a bug');
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'TerminalError' });
    expect((await record())?.changes.map(({ resource }) => resource)).toEqual(['bucket', 'policy']);
  });
});

describe('a step of an ended attempt', () => {
  it('reads and writes nothing', async () => {
    const sample = new SampleStep();
    await endRun(await storedRun(runId), 'cancelled');
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'TerminalError', code: 'stale-attempt' });
    expect(sample.written).toEqual([]);
    expect((await record())?.status).toBe('pending');
  });

  it('stops at its next write and does not change the record', async () => {
    const sample = new SampleStep();
    sample.afterWrite = async (resource) => {
      if (resource === 'policy') await endRun(await storedRun(runId), 'cancelled');
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'TerminalError', code: 'stale-attempt' });
    expect(sample.written).toEqual(['bucket', 'policy']);
    expect(await record()).toMatchObject({ status: 'running', changes: [{ resource: 'bucket' }] });
  });
});

describe('a dry run', () => {
  beforeEach(async () => {
    runId = await queued({ dryRun: true });
  });

  const planned = { status: 'planned', seconds: 0, outdated: '' };

  it('records planned changes and writes nothing', async () => {
    const sample = new SampleStep({ lease: 'target' });
    expect(await invoke(sample)).toEqual(planned);
    expect(sample.written).toEqual([]);
    expect(await record()).toMatchObject({
      status: 'planned',
      output: sampleOutput,
      changes: [{ do: 'put-note', resource: 'bucket', note: 'bucket note' }],
    });
    expect(await hub.items('lease#')).toEqual([]);
    expect(JSON.stringify(await hub.items())).not.toContain('not for logs');
  });

  it('records the same plan when repeated', async () => {
    const sample = new SampleStep();
    await invoke(sample);
    await invoke(sample);
    expect((await record())?.changes).toHaveLength(1);
  });

  it('records a wait and continues as if it were over', async () => {
    expect(await invoke(new SampleStep({ plan: () => waitFor('the delivery') }))).toEqual(planned);
    expect(await record()).toMatchObject({
      status: 'planned',
      output: sampleOutput,
      changes: [],
      warnings: ['will wait for the delivery'],
    });
  });

  it('skips proofs and records a limit', async () => {
    const sample = new SampleStep({ proof: true });
    sample.beforeLook = () => {
      throw new TypeError('must not look');
    };
    expect(await invoke(sample)).toEqual(planned);
    const { status, changes, warnings } = (await record()) ?? {};
    expect({ status, changes }).toEqual({ status: 'planned', changes: [] });
    expect(warnings?.join()).toContain('a dry run skips this check');
  });

  it('records a refusal and continues with the expected output', async () => {
    const refusal = { kind: 'refuse', code: 'bucket-not-ours', detail: 'bucket cur', expected: sampleOutput } as const;
    expect(await invoke(new SampleStep({ plan: () => refusal }))).toEqual(planned);
    const found = await record();
    expect(found).toMatchObject({ status: 'failed', error: { code: 'bucket-not-ours' }, output: sampleOutput });
    expect(found?.preview?.refusals).toEqual([found?.error]);
  });

  it('records an unknown failure like a refusal', async () => {
    const sample = new SampleStep();
    sample.beforeLook = () => {
      throw new TypeError('a bug');
    };
    expect(await invoke(sample)).toEqual(planned);
    expect(await record()).toMatchObject({ status: 'failed', error: { code: 'unexpected' } });
  });

  it('does not refuse because access has not been granted yet', async () => {
    const sample = new SampleStep();
    sample.beforeLook = () => {
      throw new UserError('payer-access-denied', 'role cannot be assumed');
    };
    expect(await invoke(sample)).toEqual(planned);
    const found = await record();
    expect(found).toMatchObject({
      status: 'not-visible',
      preview: { summary: 'Puts notes on a sample', refusals: [] },
    });
    expect(found?.error).toBeUndefined();
  });

  it('records a limit when an earlier step’s output is unknown', async () => {
    const sample = new SampleStep({ plan: (_, { run }) => ({ kind: 'ready', output: outputOf(run, 'payer-policy') }) });
    expect(await invoke(sample)).toEqual(planned);
    expect(await record()).toMatchObject({
      status: 'not-visible',
      warnings: ['step payer-policy could not find what this step needs'],
    });
  });

  it('throws a retryable error so that it is retried', async () => {
    const sample = new SampleStep();
    sample.beforeLook = () => {
      throw new RetryableError('throttled', 'too many calls');
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'RetryableError', code: 'throttled' });
  });
});

describe('the events of an invocation', () => {
  const publishedEvents = () => hub.events.map(({ step, status }) => `${step ?? 'run'} ${status}`);

  it('are published at its end', async () => {
    await invoke(new SampleStep());
    expect(publishedEvents().sort()).toEqual([
      'payer-policy running',
      'payer-policy succeeded',
      'run queued',
      'run running',
    ]);
    const [run] = await hub.items('run#');
    expect(run).toMatchObject({ outbox: {} });
    expect(run).not.toHaveProperty('pendingKey');
  });

  it('are none while the same wait continues', async () => {
    const sample = new SampleStep({ plan: () => waitFor('the delivery') });
    await invoke(sample);
    const before = hub.events.length;
    for (let invocation = 0; invocation < 3; invocation++) {
      later(900);
      await invoke(sample);
    }
    expect(hub.events).toHaveLength(before);
  });

  it('are published by the next invocation if the event bus fails', async () => {
    let delivered = false;
    const sample = new SampleStep({ plan: () => (delivered ? undefined : waitFor('the delivery')) });
    hub.crash({ atWrite: 4, applied: false });
    expect((await invoke(sample)).status).toBe('waiting');
    hub.crash(undefined);
    expect(hub.events).toEqual([]);
    expect(lines().filter(({ message }) => message === 'events not published')).toHaveLength(1);
    delivered = true;
    await invoke(sample);
    expect(publishedEvents().sort()).toEqual([
      'payer-policy running',
      'payer-policy succeeded',
      'payer-policy waiting',
      'run queued',
      'run running',
    ]);
  });

  it('are published when a requested cancellation ends the run', async () => {
    const sample = new SampleStep();
    sample.afterWrite = async (resource) => {
      const [item] = await hub.items('run#');
      if (resource === 'tags') await hub.put({ ...item, cancelRequestedAt: '2026-03-01T00:00:00.000Z' });
      if (resource === 'tags') throw new TypeError('a bug');
    };
    await expect(invoke(sample)).rejects.toThrow();
    expect((await hub.items('run#'))[0]).toMatchObject({ status: 'cancelled', outbox: {} });
  });
});

describe('a step that invalidates an earlier one', () => {
  it('names that step in every answer, also when repeated', async () => {
    const sample = new SampleStep({ invalidates: () => 'cluster-access' });
    const answer = { status: 'succeeded', seconds: 0, outdated: 'cluster-access' };
    expect(await invoke(sample)).toEqual(answer);
    expect(await invoke(sample)).toEqual(answer);
  });
});

describe('a step under a lease', () => {
  const scope = 'payer#111122223333';

  it('waits with growing intervals until the other run releases it', async () => {
    await takeLease(scope, 'other', 3_600_000);
    const sample = new SampleStep({ lease: 'payer' });
    const seconds: number[] = [];
    for (let look = 0; look < 10; look++) {
      const answer = await invoke(sample);
      expect(answer.status).toBe('waiting');
      seconds.push(answer.seconds);
      later(answer.seconds);
    }
    expect(seconds).toEqual(seconds.toSorted((a, b) => a - b));
    expect(seconds).toEqual([5, 5, 6, 10, 16, 26, 41, 66, 105, 168]);
    expect(sample.written).toEqual([]);
    expect((await record())?.waiting?.for).toBe('another run to release the lock on these resources');
    later(3700);
    expect((await invoke(sample)).status).toBe('succeeded');
    expect(await hub.items('lease#')).toEqual([]);
  });

  it('succeeds without the lease if nothing is left to do', async () => {
    await takeLease(scope, 'other', 3_600_000);
    const sample = new SampleStep({ lease: 'payer' });
    for (const resource of ['bucket', 'policy', 'tags']) sample.notes.set(resource, 'by the other run');
    expect((await invoke(sample)).status).toBe('succeeded');
    expect(sample.written).toEqual([]);
    expect(await record()).toMatchObject({ output: sampleOutput, changes: [] });
    expect(await hub.items('lease#')).toHaveLength(1);
  });

  it('registers before it takes its lease', async () => {
    await takeLease(scope, 'other', 3_600_000);
    const registered: string[] = [];
    const register: Step['register'] = ({ run }) => {
      registered.push(run.runId);
      return Promise.resolve(undefined);
    };
    expect((await invoke(new SampleStep({ lease: 'payer', register }))).status).toBe('waiting');
    expect(registered).toEqual([runId]);
  });

  it('waits without its lease for other runs to register', async () => {
    const wait: Wait = { reason: 'others to join', seconds: 15, deadlineSeconds: 60, overdue: 'run-queue-overdue' };
    let asked = 0;
    const sample = new SampleStep({
      lease: 'payer',
      register: () => Promise.resolve(asked++ === 0 ? { wait } : undefined),
    });
    expect(await invoke(sample)).toEqual({ status: 'waiting', seconds: 15, outdated: '' });
    expect((await record())?.waiting?.for).toBe('others to join');
    expect(await hub.items('lease#')).toEqual([]);
    expect((await invoke(sample)).status).toBe('succeeded');
  });

  it('fails after hours of waiting for the lease', async () => {
    await takeLease(scope, 'other', 24 * 3_600_000);
    const sample = new SampleStep({ lease: 'payer' });
    await invoke(sample);
    later(4 * 3600);
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'UserError', code: 'run-queue-overdue' });
  });

  it('excludes a second invocation of the same step', async () => {
    const sample = new SampleStep({ lease: 'payer' });
    let second: Promise<StepAnswer> | undefined;
    sample.beforeLook = async () => {
      if (second) return;
      second = invoke(sample);
      expect((await second).status).toBe('waiting');
      expect(sample.written).toEqual([]);
    };
    expect((await invoke(sample)).status).toBe('succeeded');
    expect(sample.written).toEqual(['bucket', 'policy', 'tags']);
  });

  it('releases the lease also when it fails or waits', async () => {
    const refusing = new SampleStep({
      lease: 'payer',
      plan: () => ({ kind: 'refuse', code: 'bucket-not-ours', detail: 'bucket cur' }),
    });
    await expect(invoke(refusing)).rejects.toThrow();
    expect(await hub.items('lease#')).toEqual([]);
    await invoke(new SampleStep({ lease: 'payer', plan: () => waitFor('the delivery') }));
    expect(await hub.items('lease#')).toEqual([]);
  });

  it('keeps its result if the release of the lease fails', async () => {
    const sample = new SampleStep({ lease: 'payer' });
    hub.crash({ atWrite: 8, applied: false });
    expect(await invoke(sample)).toEqual({ status: 'succeeded', seconds: 0, outdated: '' });
    hub.crash(undefined);
    expect((await record())?.status).toBe('succeeded');
    expect(lines()).toContainEqual(
      expect.objectContaining({ message: 'lease not released', scope, step: 'payer-policy' }),
    );
  });

  it('writes nothing shortly before the lease ends', async () => {
    const sample = new SampleStep({ lease: 'payer' });
    let looks = 0;
    sample.beforeLook = () => {
      if (++looks === 2) later(85);
    };
    await expect(invoke(sample)).rejects.toMatchObject({ name: 'RetryableError' });
    expect(sample.written).toEqual(['bucket']);
    expect(await record()).toMatchObject({ status: 'running', changes: [{ resource: 'bucket' }] });
  });

  it('excludes runs for the same target, not for other targets', async () => {
    const sample = new SampleStep({ lease: 'target' });
    let busy: string | undefined;
    let free: string | undefined;
    sample.beforeLook = async () => {
      sample.beforeLook = () => undefined;
      const other = await queued({ payerAccountId: '444455556666' });
      busy = (await invoke(sample, { runId: other, attempt: 1 })).status;
      const elsewhere = await queued({ kubecost: { namespace: 'opencost' } });
      free = (await invoke(new SampleStep({ lease: 'target' }), { runId: elsewhere, attempt: 1 })).status;
    };
    await invoke(sample);
    expect([busy, free]).toEqual(['waiting', 'succeeded']);
  });
});
