import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { steps } from '../../functions/steps/index.ts';
import { errorCatalogue } from '../../shared/errors/catalogue.ts';
import { isKnownError, type KnownError } from '../../shared/errors/errors.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { type CallRecord, crashAfterWrite, type FaultRule } from '../sandbox/index.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { examples } from '../support/scenario.ts';
import { type Example, type OneRun, StepHarness, stepsOf, writesOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

/** The examples that create everything, with both identity modes, with and without a crawler. */
const created: readonly Example[] = ['new-irsa', 'new-pod-identity'];

/**
 * Faults that a step was tested with in an earlier example. The step handles the same call in the same way there, so only the long
 * suite repeats it.
 */
const tested = new Set<string>();

function remember(fault: string): void {
  if (!isLongSuite) tested.add(fault);
}

/** The result of a step without faults; with faults the step must reach the same. */
interface StepResult {
  worldSnapshot: Record<string, unknown>;
  calls: CallRecord[];
  changes: StepRecord['changes'];
}

beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  // The SDK multiplies its back-off, which takes real time, by a random number.
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterAll(() => vi.restoreAllMocks());

describe.each(isLongSuite ? examples : created)('in the example %s', (example) => {
  const names = stepsOf(example);
  const withoutFaults = new Map<StepName, StepResult>();

  describe('without faults', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('step %s succeeds with the output that it declares', async (name) => {
      const { answer, record, calls } = await run().take(name);
      expect(answer?.status).toBe('succeeded');
      expect(record.status).toBe('succeeded');
      expect(outputs[name].strict().parse(record.output)).toEqual(record.output);
      if (steps[name].proof) expect(record.changes).toEqual([]);
      withoutFaults.set(name, { worldSnapshot: await worldSnapshot(stepHarness()), calls, changes: record.changes });

      const again = await run().take(name);
      expect(again.answer?.status).toBe('succeeded');
      expect(writesOf(again.calls)).toEqual([]);
      expect(again.record.changes).toEqual(record.changes);
    });

    it('a second run changes nothing', async () => {
      const before = await worldSnapshot(stepHarness());
      const second = await stepHarness().begin(example);
      for (const name of names) {
        const { record, calls } = await second.take(name);
        expect(record, name).toMatchObject({ status: 'succeeded', changes: [] });
        expect(writesOf(calls), name).toEqual([]);
      }
      expect(await worldSnapshot(stepHarness())).toEqual(before);
    });

    it('a later dry run plans no changes', async () => {
      const dry = await stepHarness().begin(example, { dryRun: true });
      for (const name of names) {
        const { record, calls } = await dry.take(name);
        expect(record, name).toMatchObject({ status: steps[name].proof ? 'planned' : 'succeeded', changes: [] });
        expect(writesOf(calls), name).toEqual([]);
      }
    });
  });

  describe('in a dry run', () => {
    const { stepHarness, run } = onHarness(example, { dryRun: true });

    it.each(names)('step %s plans its changes and writes nothing', async (name) => {
      const { answer, record, calls } = await run().take(name);
      expect(['planned', 'succeeded']).toContain(answer?.status);
      expect(writesOf(calls)).toEqual([]);
      const changes = withoutFaults.get(name)?.changes ?? [];
      if (changes.length > 0) expect(record.changes).not.toEqual([]);
    });

    it('the world stays unchanged', async () => {
      const untouched = await StepHarness.open({ deliveryHours: 0.25 });
      try {
        expect(await worldSnapshot(stepHarness())).toEqual(await worldSnapshot(untouched));
      } finally {
        await untouched.close();
      }
    });
  });

  describe('with a crash after each write', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('step %s reaches the same result', async (name) => {
      const { world } = stepHarness();
      const written = writesOf(withoutFaults.get(name)?.calls ?? []).filter(({ error }) => !error).length;
      let crashes = 0;
      for (let status = ''; status !== 'succeeded';) {
        // After a crash at each write, an invocation may make one more: to open and close the window takes two writes.
        const repair = crashAfterWrite(world, 1 + Math.floor(crashes / (written + 1)));
        const before = world.calls.length;
        const answer = await run().invoke(name).catch(expectRetryable);
        repair();
        if (wasInjected(stepHarness(), before, 'reset')) crashes++;
        status = answer?.status ?? '';
        if (status !== 'succeeded') await world.clock.sleep((answer?.seconds ?? 4) * 1000);
        expect(crashes).toBeLessThan(30);
      }
      expect(crashes).toBeGreaterThanOrEqual(written);
      expect(await worldSnapshot(stepHarness())).toEqual(withoutFaults.get(name)?.worldSnapshot);
    });
  });

  // The other two examples differ from these only in what already exists.
  if (!created.includes(example)) return;

  describe('with a lost answer to each write', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('step %s reaches the same result', async (name) => {
      // The SDK repeats a call that got no answer, so every second write is a repetition.
      const rules = Array.from({ length: 12 }, (_, index): FaultRule => {
        return { kind: 'applied-but-lost', writes: true, nth: 2 * index + 1 };
      });
      const { answer } = await withFaults(stepHarness(), rules, () => run().take(name));
      expect(answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(withoutFaults.get(name)?.worldSnapshot);
    });
  });

  describe('with a missing right', () => {
    // In mode auto, a run that may not deploy AWS's template makes its own table.
    const { stepHarness, run } = onHarness(example, example === 'new-irsa' ? { crawler: 'template' } : {});

    it.each(names)('step %s reports the denial of each call', async (name) => {
      for (const { service, operation } of distinct(withoutFaults.get(name)?.calls ?? [])) {
        const call = `${service}:${operation}`;
        if (mayBeDenied.has(call) || mayBeDenied.has(`${name} ${call}`) || tested.has(`${name} without ${call}`))
          continue;
        const before = stepHarness().world.calls.length;
        const error = await withFaults(stepHarness(), [{ kind: 'denied', service, operation }], () =>
          run().take(name, { leastSeconds: 60 }).then(undefined, expectKnown),
        );
        await stepHarness().world.clock.sleep(1000);
        if (!wasInjected(stepHarness(), before, 'denied')) continue;
        remember(`${name} without ${call}`);
        expect(error, call).toBeInstanceOf(Error);
        if (!isKnownError(error)) continue;
        expect(errorCatalogue, call).toHaveProperty(error.code);
        expect(['unexpected', 'aws-unavailable', 'throttled'], call).not.toContain(error.code);
        expect((await run().record(name)).error, call).toMatchObject({ code: error.code, step: name });
      }
      expect((await run().take(name)).answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(withoutFaults.get(name)?.worldSnapshot);
    });
  });

  describe('with throttling by AWS', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('step %s asks for a retry and then succeeds', async (name) => {
      const services = new Set((withoutFaults.get(name)?.calls ?? []).map(({ service }) => service));
      // Preflight only checks that the cluster's endpoint answers, and a throttled answer is enough.
      if (name === 'preflight') services.delete('kubernetes');
      for (const service of services) {
        if (tested.has(`${name} throttled by ${service}`)) continue;
        const error = await withFaults(stepHarness(), [{ kind: 'throttle', service }], () =>
          untilThrottled(stepHarness(), run(), name),
        );
        expect(error, service).toMatchObject({ name: 'RetryableError', code: 'throttled' });
        remember(`${name} throttled by ${service}`);
        expect((await run().record(name)).status).toBe('running');
      }
      expect((await run().take(name)).answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(withoutFaults.get(name)?.worldSnapshot);
    });
  });
});

/**
 * Calls that AWS never denies, or whose denial is enough for the step: an endpoint that denies exists; a bucket with hidden tags is
 * not ours; without the proxy, the step reads the logs; without EKS Auth, it reads the policies of both sides. The access template of
 * release 0.3.0 denies the reads of tags, keys and the catalog's encryption; the figure of Lambda is not needed.
 */
const mayBeDenied = new Set([
  // Later steps report it; preflight only observes for a key of the bucket.
  'preflight s3:GetBucketLocation',
  'eks-auth:AssumeRoleForPodIdentity',
  'glue:GetDataCatalogEncryptionSettings',
  'iam:ListRoleTags',
  'kms:ListAliases',
  'kubernetes:GET /version',
  'kubernetes:GET services/proxy',
  'kubernetes:POST selfsubjectaccessreviews',
  'lambda:GetAccountSettings',
  's3:GetBucketTagging',
  'sts:GetCallerIdentity',
]);

function onHarness(example: Example, changes: Parameters<StepHarness['begin']>[1] = {}) {
  let stepHarness: StepHarness | undefined;
  let run: OneRun | undefined;
  beforeAll(async () => {
    stepHarness = await StepHarness.open({ deliveryHours: 0.25 });
    run = await stepHarness.begin(example, changes);
  });
  afterAll(() => stepHarness?.close());
  return { stepHarness: () => defined(stepHarness), run: () => defined(run) };
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the step harness is not open');
  return value;
}

/** Invokes the step until it throws or ends, because it may wait before it calls the service. */
async function untilThrottled({ world }: StepHarness, run: OneRun, name: StepName) {
  for (;;) {
    const result = await run.invoke(name).then(undefined, expectKnown);
    if (isKnownError(result) || result.status !== 'waiting') return result;
    await world.clock.sleep(result.seconds * 1000);
  }
}

async function withFaults<T>({ world }: StepHarness, rules: FaultRule[], work: () => Promise<T>): Promise<T> {
  world.faults.push(...rules);
  try {
    return await work();
  } finally {
    world.faults.splice(0);
  }
}

function wasInjected({ world }: StepHarness, since: number, fault: string): boolean {
  return world.calls.slice(since).some(({ error }) => error === `injected:${fault}`);
}

function expectKnown(error: unknown): KnownError {
  if (!isKnownError(error)) throw error;
  return error;
}

function expectRetryable(error: unknown): undefined {
  expect(error).toMatchObject({ name: 'RetryableError' });
}

function distinct(calls: readonly CallRecord[]): CallRecord[] {
  return [...new Map(calls.map((call) => [`${call.service} ${call.operation}`, call])).values()];
}
