import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { sweep } from '../../functions/sweep.ts';
import type { Batch } from '../../shared/batches/api-view.ts';
import { dispatch } from '../../shared/batches/dispatch.ts';
import type { BatchRequestInput } from '../../shared/batches/request.ts';
import { UserError } from '../../shared/errors/errors.ts';
import type { ProblemDocument } from '../../shared/errors/request-refusal.ts';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { runErrorOf, type RunStatus } from '../../shared/model/run-schemas.ts';
import { clusterArnOf } from '../../shared/model/target.ts';
import { type ListedRun, listedRun } from '../../shared/runs/api-view.ts';
import { releaseLock, takeLock } from '../../shared/runs/payer-target-lock.ts';
import { endRun } from '../../shared/runs/record-end.ts';
import { listRuns } from '../../shared/runs/run-table.ts';
import { StepStore } from '../../shared/step-runner/step-record.ts';
import { documentClient } from '../../shared/table/document-table.ts';
import { fixTargetSettings } from '../../shared/targets/target-settings.ts';
import { type Answer, call } from '../support/api-call.ts';
import { HubServices } from '../support/hub-services.ts';
import { givenRun, smallest, storedRun } from '../support/stored-runs.ts';

const start = Date.parse('2026-03-01T00:00:00Z');

let hub: HubServices;
beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
  hub = new HubServices();
  await hub.start();
});
afterEach(async () => {
  vi.useRealTimers();
  await hub.stop();
});
afterAll(() => vi.restoreAllMocks());

const payer = (index: number) => String(444400000000 + index);
const defaults = { cluster: smallest.cluster };
const payers = (count: number): BatchRequestInput['onboardings'] =>
  Array.from({ length: count }, (_, index) => ({ payerAccountId: payer(index) }));
const post = (body: unknown, key?: string) =>
  call('POST', '/v1/batches', { body, ...(key !== undefined && { headers: { 'idempotency-key': key } }) });

async function started(count: number, options: Partial<BatchRequestInput> = {}): Promise<string> {
  const answer = await post({ defaults, onboardings: payers(count), ...options });
  expect(answer.status).toBe(202);
  return (answer.body as Batch).batchId;
}

const read = async (batchId: string) => (await call('GET', `/v1/batches/${batchId}`)).body as Batch;
const control = (batchId: string, verb: 'pause' | 'resume' | 'cancel' | 'retry') =>
  call('POST', `/v1/batches/${batchId}/${verb}`);
const wake = (batchId: string) => dispatch(batchId, Date.now() + 10_000);
const minutes = (after: number) => vi.setSystemTime(start + after * 60_000);

/** The batch's runs in the order of their start. */
async function runsOf(batchId: string, status?: RunStatus): Promise<ListedRun[]> {
  const filter = status
    ? ({ by: 'batchStatus', value: `${batchId}#${status}` } as const)
    : ({ by: 'batchId', value: batchId } as const);
  return (await listRuns(filter, 100)).runs.map(listedRun).reverse();
}

const refused = runErrorOf(new UserError('payer-access-denied', 'no role'), 'preflight');

/** Ends runs in the way of their executions. */
async function end(runs: readonly ListedRun[], status: RunStatus): Promise<void> {
  await Promise.all(
    runs.map(async ({ runId }) => {
      const run = await storedRun(runId);
      await endRun(run, status, status === 'failed' ? refused : undefined);
      await releaseLock(run);
    }),
  );
}

const active = (batchId: string) => runsOf(batchId, 'queued');

/** Ends every run that is started, wave after wave; the payers in `failing` fail. */
async function play(batchId: string, failing: readonly string[] = []): Promise<void> {
  for (let runs = await active(batchId); runs.length > 0; runs = await active(batchId)) {
    const fails = ({ request }: ListedRun) => failing.includes(request.payerAccountId);
    await end(runs.filter(fails), 'failed');
    await end(
      runs.filter((run) => !fails(run)),
      'succeeded',
    );
    await wake(batchId);
  }
}

const problemsOf = ({ body }: Answer) =>
  (body as ProblemDocument).errors?.map(({ pointer, detail }) => `${pointer ?? ''} ${detail}`);

describe('POST /v1/batches', () => {
  it('answers the batch and starts runs up to its concurrency', async () => {
    const answer = await post({ defaults, onboardings: payers(30), concurrency: 12 });
    const batch = answer.body as Batch;
    expect(answer.status).toBe(202);
    expect(answer.headers.location).toBe(`/v1/batches/${batch.batchId}`);
    expect(batch).toMatchObject({
      status: 'running',
      size: 30,
      counts: { notStarted: 18, queued: 12, running: 0, succeeded: 0, failed: 0 },
      percent: 0,
      endedAt: null,
      options: { canary: null, concurrency: 12, failureTolerance: '10%' },
    });
    expect(await read(batch.batchId)).toEqual(batch);
    const runs = await runsOf(batch.batchId);
    expect(runs.map(({ request }) => request.payerAccountId)).toEqual(Array.from({ length: 12 }, (_, n) => payer(n)));
    expect([...hub.executions.keys()].sort()).toEqual(runs.map(({ runId }) => `${runId}-1`));
    expect(runs[0]).toMatchObject({ batchId: batch.batchId, links: { batch: `/v1/batches/${batch.batchId}` } });
  });

  it('applies the defaults to each field of each onboarding', async () => {
    const body = {
      defaults: { ...defaults, kubecost: { namespace: 'opencost' }, wait: { deadlineHours: 72 } },
      onboardings: [
        { payerAccountId: payer(0) },
        { payerAccountId: payer(1), cluster: { name: 'other' }, wait: { intervalMinutes: 30 }, existing: 'take-over' },
      ],
    };
    const { batchId } = (await post(body)).body as Batch;
    const kubecost = { namespace: 'opencost' } as const;
    expect((await runsOf(batchId)).map(({ request }) => request)).toEqual([
      OnboardingRequest.parse({ ...smallest, payerAccountId: payer(0), kubecost, wait: { deadlineHours: 72 } }),
      OnboardingRequest.parse({
        ...smallest,
        payerAccountId: payer(1),
        cluster: { ...smallest.cluster, name: 'other' },
        kubecost,
        wait: { deadlineHours: 72, intervalMinutes: 30 },
        existing: 'take-over',
      }),
    ]);
  });

  it('names all problems of all onboardings at their pointers', async () => {
    const answer = await post({
      defaults: { cluster: { accountId: '222233334444', region: 'Ireland' }, crawler: 'own', 'a/b': 1 },
      onboardings: [
        { payerAccountId: payer(0) },
        { payerAccountId: '1', cluster: { name: 'finops', region: 'eu-west-1' }, wait: { intervalMinutes: 4 } },
        'finops',
        { payerAccountId: payer(2), cluster: { name: 'finops' }, colour: 'red' },
      ],
      concurrency: 0,
      failureTolerance: '200%',
      canaries: 1,
    });
    expect(answer.status).toBe(400);
    expect(
      problemsOf(answer)
        ?.map((problem) => problem.split(' ')[0])
        .sort(),
    ).toEqual([
      '/canaries',
      '/concurrency',
      '/defaults/a~1b',
      '/defaults/cluster/region',
      '/defaults/crawler',
      '/failureTolerance',
      '/onboardings/0/cluster/name',
      '/onboardings/1/payerAccountId',
      '/onboardings/1/wait/intervalMinutes',
      '/onboardings/2',
      '/onboardings/3/colour',
    ]);
    expect(await hub.items()).toEqual([]);
  });

  it('names both onboardings of a duplicate payer and target', async () => {
    const onboardings = [
      { payerAccountId: payer(1) },
      { payerAccountId: payer(2) },
      { payerAccountId: payer(2), kubecost: { secretName: 'other' } },
      { payerAccountId: payer(1), report: { mode: 'adopt' } },
    ];
    expect(problemsOf(await post({ defaults, onboardings }))).toEqual([
      '/onboardings/3 has the same payer and target as /onboardings/0',
      '/onboardings/0 has the same payer and target as /onboardings/3',
    ]);
  });

  it('names duplicates that have other problems too', async () => {
    const onboardings = [
      { payerAccountId: payer(1), kubecost: { format: 'yaml' } },
      { payerAccountId: payer(1), cluster: { colour: 'red' } },
    ];
    expect(problemsOf(await post({ defaults: { ...defaults, crawler: 'own' }, onboardings }))?.sort()).toEqual([
      expect.stringMatching(/^\/defaults\/crawler /) as string,
      '/onboardings/0 has the same payer and target as /onboardings/1',
      expect.stringMatching(/^\/onboardings\/0\/kubecost\/format /) as string,
      '/onboardings/1 has the same payer and target as /onboardings/0',
      '/onboardings/1/cluster/colour is not a known field',
    ]);
  });

  it('accepts at most a thousand onboardings, with few writes', async () => {
    const batchId = await started(1000, { concurrency: 1 });
    const items = await hub.items('batch#');
    expect(items).toHaveLength(21);
    for (const item of items) expect(JSON.stringify(item).length).toBeLessThan(300_000);
    expect(await read(batchId)).toMatchObject({ size: 1000, counts: { notStarted: 999, queued: 1 } });
    expect(problemsOf(await post({ defaults, onboardings: payers(1001) }))).toEqual([
      expect.stringMatching(/^\/onboardings /) as string,
    ]);
  });

  it('accepts a body of at most 4 MB', async () => {
    const text = (bytes: number) => {
      const body = JSON.stringify({ defaults, onboardings: payers(1) });
      return body + ' '.repeat(bytes - body.length);
    };
    expect((await call('POST', '/v1/batches', { text: text(4 * 1024 * 1024) })).status).toBe(202);
    expect((await call('POST', '/v1/batches', { text: text(4 * 1024 * 1024 + 1) })).status).toBe(413);
  });

  it('lists problems up to the maximum size of an answer', async () => {
    const unknown = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`field-${index}`, '~'.repeat(10)]));
    const onboardings = payers(100).map((part) => ({ ...part, ...unknown }));
    const answer = await post({ defaults, onboardings });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body).length).toBeLessThan(1.2 * 1024 * 1024);
    expect(answer.body).toMatchObject({
      detail: expect.stringMatching(/^The request has 30000 problems\. The first \d+ are listed\.$/) as string,
    });
  });

  it('treats JavaScript’s special names like other names', async () => {
    const text = `{"defaults":{"__proto__":{"existing":"take-over"},"cluster":${JSON.stringify(smallest.cluster)}},"onboardings":[{"payerAccountId":"${payer(0)}"}]}`;
    const { status, body } = await call('POST', '/v1/batches', { text });
    if (status === 202) {
      const [run] = await runsOf((body as Batch).batchId);
      expect((run?.request as OnboardingRequestInput | undefined)?.existing).toBe('refuse');
    } else expect(status).toBe(400);
  });

  it('answers below 500 for any body', async () => {
    const part = fc.dictionary(
      fc.constantFrom('payerAccountId', 'cluster', 'wait', 'x'),
      fc.jsonValue({ maxDepth: 6 }),
    );
    const body = fc.record(
      { defaults: fc.oneof(part, fc.jsonValue()), onboardings: fc.oneof(fc.array(part), fc.jsonValue()) },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(body, fc.jsonValue()), async (value) => {
        expect((await post(value)).status).toBe(400);
      }),
      { numRuns: 60 },
    );
    const deep = '{"cluster":'.repeat(50_000) + '1' + '}'.repeat(50_000);
    const text = `{"defaults":${deep},"onboardings":[${deep}]}`;
    expect((await call('POST', '/v1/batches', { text })).status).toBe(400);
  });

  it('answers the same batch to the same Idempotency-Key and body', async () => {
    const body = { defaults, onboardings: payers(3), concurrency: 2 };
    const first = await post(body, 'monday');
    expect(await post({ ...body, failureTolerance: '10%' }, 'monday')).toEqual(first);
    expect((await post({ ...body, concurrency: 3 }, 'monday')).status).toBe(422);
    expect(hub.executions.size).toBe(2);
  });

  it('creates one batch for simultaneous requests with one Idempotency-Key', async () => {
    const body = { defaults, onboardings: payers(3) };
    const answers = await Promise.all(Array.from({ length: 4 }, () => post(body, 'monday')));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202]);
    expect(new Set(answers.map((answer) => (answer.body as Batch).batchId)).size).toBe(1);
    expect(hub.executions.size).toBe(3);
  });

  it('answers before its time limit; the sweeper starts the rest', async () => {
    const takeTime = (ms: number) => {
      documentClient().middlewareStack.add(
        (next) => (args) => {
          vi.setSystemTime(Date.now() + ms);
          return next(args);
        },
        { name: 'slow', override: true },
      );
    };
    takeTime(50);
    const batchId = await started(100, { concurrency: 100 });
    expect(Date.now() - start).toBeLessThan(20_000);
    takeTime(0);
    const { counts } = await read(batchId);
    expect(counts.queued).toBeGreaterThan(10);
    expect(counts.notStarted).toBeGreaterThan(10);
    await sweep();
    expect((await read(batchId)).counts).toMatchObject({ queued: 100, notStarted: 0 });
  });

  it('is completed by a repeat after a crash at any write', async () => {
    const body = { onboardings: payers(1) };
    for (let atWrite = 1, died = true; died; atWrite++) {
      const key = `key-${atWrite}`;
      const request = { ...body, defaults: { cluster: { ...smallest.cluster, name: key } } };
      hub.crash({ atWrite, applied: atWrite % 2 === 0 });
      died = (await post(request, key)).status !== 202;
      hub.crash(undefined);
      minutes(atWrite * 10);
      const repeat = await post(request, key);
      expect(repeat.status).toBe(202);
      const { batchId, counts } = repeat.body as Batch;
      expect(counts).toMatchObject({ queued: 1, notStarted: 0 });
      expect([...hub.executions.keys()].filter((name) => name.startsWith(batchId.slice(0, 23)))).toHaveLength(1);
      if (!died) expect(atWrite).toBeGreaterThan(8);
    }
  });

  it('creates a batch of plans, which take no locks', async () => {
    const batchId = await started(2, { defaults: { ...defaults, dryRun: true } });
    expect(await hub.items('lock#')).toEqual([]);
    await end(await active(batchId), 'planned');
    await wake(batchId);
    expect(await read(batchId)).toMatchObject({ status: 'ended', dryRun: true, percent: 100, counts: { planned: 2 } });
  });
});

describe('a batch', () => {
  it('starts an onboarding after each run, and ends after the last', async () => {
    const batchId = await started(4, { concurrency: 2 });
    const [first] = await active(batchId);
    await end(first ? [first] : [], 'succeeded');
    await wake(batchId);
    expect((await read(batchId)).counts).toMatchObject({ notStarted: 1, queued: 2, succeeded: 1 });
    minutes(30);
    await play(batchId);
    expect(await read(batchId)).toMatchObject({
      status: 'ended',
      endedAt: '2026-03-01T00:30:00.000Z',
      percent: 100,
      eta: null,
      counts: { notStarted: 0, succeeded: 4 },
    });
    const before = await hub.items();
    await sweep();
    expect(await hub.items('batch#')).toEqual(before.filter(({ pk }) => String(pk).startsWith('batch#')));
  });

  it('does not count a run that waits long as active', async () => {
    const batchId = await started(3, { concurrency: 1 });
    const [first] = await active(batchId);
    const waits = async (seconds: number) => {
      const store = new StepStore(first?.runId ?? '', 1, 'first-delivery');
      await store.begin(Date.now() + 60_000);
      const at = new Date().toISOString();
      const next = new Date(Date.now() + seconds * 1000).toISOString();
      const waiting = { for: 'the delivery', since: at, expectedBy: null, deadline: next, next };
      await store.finish({ status: 'waiting', waiting, warnings: [] });
      await wake(batchId);
    };
    minutes(1);
    await waits(60);
    expect((await read(batchId)).counts).toMatchObject({ notStarted: 2, running: 1, queued: 0 });
    await waits(900);
    expect((await read(batchId)).counts).toMatchObject({ notStarted: 1, running: 1, queued: 1 });
  });

  it('is continued by the sweeper if no end event arrives', async () => {
    const batchId = await started(3, { concurrency: 1 });
    for (let left = 3; left > 0; left--) {
      await end(await active(batchId), 'succeeded');
      await sweep();
    }
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { succeeded: 3 } });
  });

  it('starts each onboarding once when several functions dispatch at once', async () => {
    const batchId = await started(24, { concurrency: 12 });
    await end((await active(batchId)).slice(0, 9), 'succeeded');
    await Promise.all(Array.from({ length: 8 }, () => wake(batchId)));
    expect((await read(batchId)).counts).toMatchObject({ succeeded: 9, queued: 12, notStarted: 3 });
    expect(hub.executions.size).toBe(21);
    expect(await hub.items('lease#')).toEqual([]);
  });

  it('considers a run that ends during a dispatch', async () => {
    const batchId = await started(18, { concurrency: 6 });
    const runs = await active(batchId);
    await Promise.all(
      runs.map(async (run) => {
        await end([run], 'succeeded');
        await wake(batchId);
      }),
    );
    expect((await read(batchId)).counts).toMatchObject({ succeeded: 6, queued: 6, notStarted: 6 });
  });

  it.each(['starts', 'retries'])('continues after a crash of a dispatch that %s', async (what) => {
    // Writes in order: lease, run, lock, execution, batch, lease.
    const crashes = [1, 2, 3, 4, 5, 6].flatMap((atWrite) => [true, false].map((applied) => ({ atWrite, applied })));
    const size = 1 + crashes.length;
    const batchId = await started(size, { concurrency: 1, failureTolerance: '100%' });
    if (what === 'retries') {
      await play(
        batchId,
        Array.from({ length: size }, (_, index) => payer(index)),
      );
      minutes(10);
      await control(batchId, 'retry');
    }
    for (const crash of crashes) {
      await end(await active(batchId), 'succeeded');
      hub.crash(crash);
      await expect(wake(batchId)).rejects.toThrow('the function died');
      hub.crash(undefined);
      vi.setSystemTime(Date.now() + 11 * 60_000);
      await sweep();
      expect(await active(batchId)).toHaveLength(1);
    }
    await end(await active(batchId), 'succeeded');
    await sweep();
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { succeeded: size } });
    expect(hub.executions.size).toBe(what === 'retries' ? 2 * size : size);
  });

  it('records a refused onboarding as a failed run with the reason', async () => {
    const rival = await givenRun({ status: 'running', request: { ...smallest, payerAccountId: payer(0) } });
    await takeLock(await storedRun(rival));
    const other = { ...smallest, cluster: { ...smallest.cluster, name: 'other' } };
    const target = { clusterArn: clusterArnOf(other), namespace: 'kubecost', secretName: 'cloud-integration' };
    await fixTargetSettings(target, { identityMode: 'pod-identity', serviceAccount: 'kubecost', format: 'legacy' });
    const [first, second, third] = payers(3);
    const batchId = await started(3, {
      onboardings: [first ?? {}, { ...second, cluster: other.cluster }, third ?? {}],
      failureTolerance: 2,
    });
    const batch = await read(batchId);
    expect(batch).toMatchObject({ status: 'running', counts: { failed: 2, queued: 1 } });
    expect(batch.failed.map(({ payerAccountId, error: { code } }) => [payerAccountId, code]).sort()).toEqual([
      [payer(0), 'run-active'],
      [payer(1), 'target-differs'],
    ]);
    for (const { error } of batch.failed) expect(error.remedy).toMatch(/^[A-Z].*\.$/);
    const [, differing] = await runsOf(batchId);
    expect(differing?.error?.message).toContain(
      '/identity/mode must be pod-identity, as in the first run for this target.',
    );
  });

  it('starts the canaries first, and the others after their success', async () => {
    const batchId = await started(20, { canary: 2 });
    expect((await read(batchId)).counts).toMatchObject({ queued: 2, notStarted: 18 });
    const [one, two] = await active(batchId);
    await end(one ? [one] : [], 'succeeded');
    await wake(batchId);
    expect((await read(batchId)).counts).toMatchObject({ queued: 1, notStarted: 18 });
    await end(two ? [two] : [], 'succeeded');
    await wake(batchId);
    expect((await read(batchId)).counts).toMatchObject({ queued: 18, notStarted: 0, succeeded: 2 });
  });

  it('is held when a canary fails, regardless of the failure tolerance', async () => {
    const batchId = await started(30, { canary: 3, failureTolerance: '50%' });
    await end((await active(batchId)).slice(0, 2), 'failed');
    await wake(batchId);
    expect(await read(batchId)).toMatchObject({
      status: 'held',
      heldBecause: '2 runs have failed; the limit is 1 for the canaries',
      counts: { failed: 2, notStarted: 27 },
    });
  });

  it('is held above its failure tolerance until it is resumed', async () => {
    const batchId = await started(20, { concurrency: 5, failureTolerance: '10%' });
    await play(batchId, [payer(0), payer(3), payer(4)]);
    const held = await read(batchId);
    expect(held).toMatchObject({ status: 'held', heldBecause: '3 runs have failed; the limit is 2', eta: null });
    expect(held.counts).toMatchObject({ failed: 3, succeeded: 2, notStarted: 15 });
    await wake(batchId);
    expect((await read(batchId)).counts.notStarted).toBe(15);
    const resumed = await control(batchId, 'resume');
    expect(resumed.body).toMatchObject({ status: 'running', heldBecause: null, counts: { queued: 5 } });
    await play(batchId, [payer(10), payer(15)]);
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { failed: 5, succeeded: 15 } });
  });

  it('is held again when as many fail after a resume', async () => {
    const batchId = await started(20, { concurrency: 5, failureTolerance: 1 });
    await play(
      batchId,
      Array.from({ length: 10 }, (_, index) => payer(index)),
    );
    await control(batchId, 'resume');
    await play(
      batchId,
      Array.from({ length: 10 }, (_, index) => payer(index)),
    );
    expect(await read(batchId)).toMatchObject({
      status: 'held',
      heldBecause: '10 runs have failed; the limit is 6',
      counts: { notStarted: 10 },
    });
  });

  it('starts no run while paused, but ends if none is left', async () => {
    const batchId = await started(4, { concurrency: 2 });
    expect(await control(batchId, 'pause')).toMatchObject({ status: 202, body: { status: 'paused', eta: null } });
    expect((await control(batchId, 'pause')).status).toBe(202);
    await end(await active(batchId), 'succeeded');
    await sweep();
    expect(await read(batchId)).toMatchObject({ status: 'paused', counts: { succeeded: 2, notStarted: 2, queued: 0 } });
    expect((await control(batchId, 'resume')).body).toMatchObject({ status: 'running', counts: { queued: 2 } });
    expect((await control(batchId, 'resume')).status).toBe(202);
    await control(batchId, 'pause');
    await end(await active(batchId), 'succeeded');
    await sweep();
    expect((await read(batchId)).status).toBe('ended');
  });

  it('starts no run after a cancel and ends with its last', async () => {
    const batchId = await started(4, { concurrency: 2 });
    const [atWork] = await active(batchId);
    const store = new StepStore(atWork?.runId ?? '', 1, 'preflight');
    await store.begin(Date.now() + 60_000);
    const answer = await control(batchId, 'cancel');
    expect(answer).toMatchObject({
      status: 202,
      body: { status: 'cancelled', endedAt: null, counts: { cancelled: 1, running: 1, notStarted: 2 } },
    });
    expect((await control(batchId, 'retry')).body).toMatchObject({ code: 'batch-not-retryable' });
    minutes(2);
    await sweep();
    expect(await read(batchId)).toMatchObject({
      status: 'cancelled',
      endedAt: '2026-03-01T00:02:00.000Z',
      counts: { cancelled: 2, notStarted: 2 },
    });
    expect((await control(batchId, 'cancel')).status).toBe(202);
    expect(await hub.items('lock#')).toEqual([]);
    expect([...hub.executions.values()].map(({ ended }) => ended)).toEqual([true, true]);
  });

  it('stops executions within the rate limit of Step Functions', async () => {
    const batchId = await started(8);
    const [item] = await hub.items('run#');
    const stopped = Array.from({ length: 395 }, (_, index) => {
      const runId = `stopped-${index}`;
      return { ...item, pk: `run#${runId}`, runId, status: 'cancelled', batchStatusKey: `${batchId}#cancelled` };
    });
    await hub.putAll(stopped);
    vi.setSystemTime(start + 10_000);
    const answer = await control(batchId, 'cancel');
    expect(answer.body).toMatchObject({ status: 'cancelled', counts: { queued: 3, cancelled: 400 } });
    await wake(batchId);
    expect((await read(batchId)).counts.queued).toBe(3);
    vi.setSystemTime(start + 10_100);
    await wake(batchId);
    expect((await read(batchId)).counts.queued).toBe(1);
    minutes(5);
    await wake(batchId);
    expect(await read(batchId)).toMatchObject({ endedAt: '2026-03-01T00:05:00.000Z', counts: { queued: 0 } });
  });

  it('retries only failed runs, up to its concurrency', async () => {
    const batchId = await started(12, { concurrency: 4, failureTolerance: '100%' });
    const failing = [1, 2, 5, 8, 9, 11].map(payer);
    await play(batchId, failing);
    const before = await read(batchId);
    expect(before).toMatchObject({ status: 'ended', counts: { failed: 6, succeeded: 6 } });
    expect(before.failed).toHaveLength(6);
    minutes(60);
    expect(await control(batchId, 'retry')).toMatchObject({
      status: 202,
      body: { status: 'running', endedAt: null, counts: { failed: 2, queued: 4 } },
    });
    expect((await control(batchId, 'retry')).status).toBe(202);
    minutes(61);
    await play(batchId, [payer(8)]);
    expect(await read(batchId)).toMatchObject({ status: 'ended', percent: 100, counts: { failed: 1, succeeded: 11 } });
    expect((await runsOf(batchId)).map(({ attempt }) => attempt)).toEqual([1, 2, 2, 1, 1, 2, 1, 1, 2, 2, 1, 2]);
  });

  it('starts the remaining onboardings after a retry', async () => {
    const batchId = await started(5, { concurrency: 2, failureTolerance: 0 });
    await play(batchId, [payer(0), payer(1)]);
    expect((await read(batchId)).status).toBe('held');
    minutes(10);
    await control(batchId, 'retry');
    await play(batchId);
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { succeeded: 5 } });
  });

  it('starts onboardings on retry that a cancel prevented', async () => {
    const batchId = await started(4, { concurrency: 2 });
    await control(batchId, 'cancel');
    minutes(10);
    expect((await control(batchId, 'retry')).body).toMatchObject({ status: 'running', counts: { queued: 2 } });
    await play(batchId);
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { succeeded: 4, cancelled: 0 } });
  });

  it('retries the other runs if one cannot be retried', async () => {
    const batchId = await started(3, { failureTolerance: 3 });
    await end(await active(batchId), 'failed');
    await wake(batchId);
    const rival = await givenRun({ status: 'running', request: { ...smallest, payerAccountId: payer(1) } });
    await takeLock(await storedRun(rival));
    minutes(10);
    await control(batchId, 'retry');
    await play(batchId);
    expect(await read(batchId)).toMatchObject({ status: 'ended', counts: { succeeded: 2, failed: 1 } });
  });

  it('refuses an action that does not apply, with the reason', async () => {
    const batchId = await started(2);
    await play(batchId);
    for (const verb of ['pause', 'resume', 'cancel'] as const) {
      expect((await control(batchId, verb)).body).toMatchObject({
        status: 409,
        code: 'batch-ended',
        detail: 'The batch ended at 2026-03-01T00:00:00.000Z.',
      });
    }
    expect((await control(batchId, 'retry')).body).toMatchObject({
      status: 409,
      code: 'batch-not-retryable',
      detail: 'The batch has no failed or cancelled run.',
    });
    const cancelled = await started(2, { defaults: { cluster: { ...smallest.cluster, name: 'other' } } });
    await control(cancelled, 'cancel');
    for (const verb of ['pause', 'resume'] as const)
      expect((await control(cancelled, verb)).body).toMatchObject({ status: 409, detail: 'The batch was cancelled.' });
    for (const batchId of ['0'.repeat(26), 'x'])
      expect((await control(batchId, 'pause')).body).toMatchObject({ status: 404, code: 'batch-not-found' });
  });
});

describe('GET /v1/batches/{batchId}', () => {
  it('shows failures with remedies, slowest runs and the expected end', async () => {
    const batchId = await started(8, { failureTolerance: 8, concurrency: 6 });
    const [first, second, third, ...others] = await active(batchId);
    for (const run of [first, second, third, ...others]) {
      if (run) await new StepStore(run.runId, 1, 'preflight').begin(Date.now());
      vi.setSystemTime(Date.now() + 60_000);
    }
    minutes(20);
    await end(first ? [first] : [], 'succeeded');
    await end(second ? [second] : [], 'failed');
    minutes(12);
    const batch = await read(batchId);
    expect(batch.counts).toEqual({
      notStarted: 2,
      queued: 0,
      running: 4,
      succeeded: 1,
      failed: 1,
      cancelled: 0,
      planned: 0,
    });
    expect(batch.failed).toEqual([
      {
        runId: second?.runId,
        payerAccountId: payer(1),
        link: `/v1/runs/${second?.runId ?? ''}`,
        error: { code: 'payer-access-denied', title: refused.title, actor: refused.actor, remedy: refused.remedy },
      },
    ]);
    expect(batch.slowest.map(({ payerAccountId }) => payerAccountId)).toEqual([2, 3, 4, 5].map(payer));
    // Two of eight have ended, and four have run for a few minutes of up to a day.
    expect(batch.percent).toBe(25);
    // One more wave: its runs start in ten minutes and take twenty.
    expect(batch.eta).toBe('2026-03-01T00:42:00.000Z');
  });

  it('does not decrease the percentage if one run takes long', async () => {
    const batchId = await started(2, { concurrency: 2 });
    const [first, second] = await active(batchId);
    for (const run of [first, second]) await new StepStore(run?.runId ?? '', 1, 'preflight').begin(Date.now() + 60_000);
    const percents: number[] = [];
    const recordPercent = async () => percents.push((await read(batchId)).percent);
    minutes(5);
    await end(first ? [first] : [], 'succeeded');
    for (const at of [5, 6, 9, 11, 60, 600, 1800]) {
      minutes(at);
      await recordPercent();
    }
    expect(percents).toEqual([50, 50, 50, 50, 52, 70, 97]);
  });

  it('measures progress from the start of the current attempt', async () => {
    const batchId = await started(1);
    const [run] = await active(batchId);
    await new StepStore(run?.runId ?? '', 1, 'preflight').begin(Date.now());
    await end(run ? [run] : [], 'failed');
    await wake(batchId);
    minutes(14 * 24 * 60);
    await control(batchId, 'retry');
    const again = new Date(start + 14 * 86_400_000).toISOString();
    await new StepStore(run?.runId ?? '', 2, 'preflight').begin(Date.now());
    expect(await read(batchId)).toMatchObject({ percent: 0, slowest: [{ startedAt: again }] });
  });

  it('expects runs to take a day until one succeeds', async () => {
    const batchId = await started(2);
    for (const { runId } of await active(batchId)) await new StepStore(runId, 1, 'preflight').begin(Date.now());
    minutes(12 * 60);
    expect(await read(batchId)).toMatchObject({ percent: 50, eta: '2026-03-02T00:00:00.000Z' });
  });

  it('answers 404 for unknown ids', async () => {
    expect((await call('GET', `/v1/batches/${'0'.repeat(26)}`)).body).toMatchObject({ code: 'batch-not-found' });
    expect((await call('GET', '/v1/batches/x')).status).toBe(404);
  });
});
