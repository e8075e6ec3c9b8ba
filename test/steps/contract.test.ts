import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { steps } from '../../functions/steps/index.ts';
import { errorCatalogue } from '../../shared/errors/catalogue.ts';
import { isKnownError, type KnownError } from '../../shared/errors/errors.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { outputs } from '../../shared/model/step-outputs.ts';
import { type CallRecord, crashAfterWrite, type FaultRule } from '../sandbox/index.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { examples } from '../support/scenario.ts';
import { type Example, type OneRun, StepHarness, stepsOf, writesOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

/** Both identity modes, both crawlers. */
const created: readonly Example[] = ['new-irsa', 'new-pod-identity'];

/**
 * Disturbances that a step has stood in one example. It handles the same call in the same way in the next one, where only the long
 * suite repeats it.
 */
const seen = new Set<string>();
function remember(disturbance: string): void {
  if (!isLongSuite) seen.add(disturbance);
}

/** What the undisturbed run did: the measure for every disturbed one. */
interface Undisturbed {
  worldSnapshot: Record<string, unknown>;
  calls: CallRecord[];
  changes: StepRecord['changes'];
}

beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  // The SDK's back-off is real time multiplied by chance.
  vi.spyOn(Math, 'random').mockReturnValue(0);
});
afterAll(() => vi.restoreAllMocks());

describe.each(examples)('every step of %s', (example) => {
  const names = stepsOf(example);
  const undisturbed = new Map<StepName, Undisturbed>();

  describe('undisturbed', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('%s succeeds and leaves what it declares', async (name) => {
      const { answer, record, calls } = await run().take(name);
      expect(answer?.status).toBe('succeeded');
      expect(record.status).toBe('succeeded');
      expect(outputs[name].strict().parse(record.output)).toEqual(record.output);
      if (steps[name].proof) expect(record.changes).toEqual([]);
      undisturbed.set(name, { worldSnapshot: await worldSnapshot(stepHarness()), calls, changes: record.changes });

      const again = await run().take(name);
      expect(again.answer?.status).toBe('succeeded');
      expect(writesOf(again.calls)).toEqual([]);
      expect(again.record.changes).toEqual(record.changes);
    });

    it('another run only looks, in every step', async () => {
      const before = await worldSnapshot(stepHarness());
      const second = await stepHarness().begin(example);
      for (const name of names) {
        const { record, calls } = await second.take(name);
        expect(record, name).toMatchObject({ status: 'succeeded', changes: [] });
        expect(writesOf(calls), name).toEqual([]);
      }
      expect(await worldSnapshot(stepHarness())).toEqual(before);
    });

    it('a dry run finds nothing to plan', async () => {
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

    it.each(names)('%s plans what it would do and writes nothing', async (name) => {
      const { answer, record, calls } = await run().take(name);
      expect(['planned', 'succeeded']).toContain(answer?.status);
      expect(writesOf(calls)).toEqual([]);
      const changes = undisturbed.get(name)?.changes ?? [];
      if (changes.length > 0) expect(record.changes).not.toEqual([]);
    });

    it('leaves the world as it was', async () => {
      const untouched = await StepHarness.open({ deliveryHours: 0.25 });
      try {
        expect(await worldSnapshot(stepHarness())).toEqual(await worldSnapshot(untouched));
      } finally {
        await untouched.close();
      }
    });
  });

  describe('killed after each of its writes', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('%s goes on and arrives where it would have', async (name) => {
      const { world } = stepHarness();
      const written = writesOf(undisturbed.get(name)?.calls ?? []).filter(({ error }) => !error).length;
      let deaths = 0;
      for (let status = ''; status !== 'succeeded';) {
        // Once every write has been an invocation's last one, they live longer: closing what one has opened takes two.
        const repair = crashAfterWrite(world, 1 + Math.floor(deaths / (written + 1)));
        const before = world.calls.length;
        const answer = await run().invoke(name).catch(expectRetryable);
        repair();
        if (wasStruck(stepHarness(), before, 'reset')) deaths++;
        status = answer?.status ?? '';
        if (status !== 'succeeded') await world.clock.sleep((answer?.seconds ?? 4) * 1000);
        expect(deaths).toBeLessThan(30);
      }
      expect(deaths).toBeGreaterThanOrEqual(written);
      expect(await worldSnapshot(stepHarness())).toEqual(undisturbed.get(name)?.worldSnapshot);
    });
  });

  // The other two differ from these only in what they find.
  if (!created.includes(example)) return;

  describe('when the answer to each write is lost', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('%s arrives where it would have', async (name) => {
      // The SDK repeats a call without an answer, so every other write is the repetition.
      const rules = Array.from({ length: 12 }, (_, index): FaultRule => {
        return { kind: 'applied-but-lost', writes: true, nth: 2 * index + 1 };
      });
      const { answer } = await withFaults(stepHarness(), rules, () => run().take(name));
      expect(answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(undisturbed.get(name)?.worldSnapshot);
    });
  });

  describe('when a right is missing', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('%s says so, for each call it makes', async (name) => {
      for (const { service, operation } of distinct(undisturbed.get(name)?.calls ?? [])) {
        const struck = `${service}:${operation}`;
        if (mayBeDenied.has(struck) || seen.has(`${name} without ${struck}`)) continue;
        const before = stepHarness().world.calls.length;
        const error = await withFaults(stepHarness(), [{ kind: 'denied', service, operation }], () =>
          run().take(name, { leastSeconds: 60 }).then(undefined, expectKnown),
        );
        await stepHarness().world.clock.sleep(1000);
        if (!wasStruck(stepHarness(), before, 'denied')) continue;
        remember(`${name} without ${struck}`);
        expect(error, struck).toBeInstanceOf(Error);
        if (!isKnownError(error)) continue;
        expect(errorCatalogue, struck).toHaveProperty(error.code);
        expect(['unexpected', 'aws-unavailable', 'throttled'], struck).not.toContain(error.code);
        expect((await run().record(name)).error, struck).toMatchObject({ code: error.code, step: name });
      }
      expect((await run().take(name)).answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(undisturbed.get(name)?.worldSnapshot);
    });
  });

  describe('when AWS throttles', () => {
    const { stepHarness, run } = onHarness(example);

    it.each(names)('%s is tried again later and then succeeds', async (name) => {
      const services = new Set((undisturbed.get(name)?.calls ?? []).map(({ service }) => service));
      // The probe of preflight takes any answer for an answer.
      if (name === 'preflight') services.delete('kubernetes');
      for (const service of services) {
        const error = await withFaults(stepHarness(), [{ kind: 'throttle', service }], () =>
          untilThrottled(stepHarness(), run(), name),
        );
        expect(error, service).toMatchObject({ name: 'RetryableError', code: 'throttled' });
        remember(`${name} throttled by ${service}`);
        expect((await run().record(name)).status).toBe('running');
      }
      expect((await run().take(name)).answer?.status).toBe('succeeded');
      expect(await worldSnapshot(stepHarness())).toEqual(undisturbed.get(name)?.worldSnapshot);
    });
  });
});

/**
 * Calls that AWS denies nobody, or whose denial is an answer: the endpoint is there; a bucket we may not look into is not ours; where
 * the proxy is closed the logs tell; where EKS Auth is, both sides' documents.
 */
const mayBeDenied = new Set([
  'eks-auth:AssumeRoleForPodIdentity',
  'kubernetes:GET /version',
  'kubernetes:GET services/proxy',
  'kubernetes:POST selfsubjectaccessreviews',
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
  if (value === undefined) throw new Error('the stepHarness is not open');
  return value;
}

/** A step may wait before it calls the service at all. */
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

function wasStruck({ world }: StepHarness, since: number, fault: string): boolean {
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
