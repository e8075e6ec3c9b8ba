import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultRule } from '../sandbox/index.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { RunHarness } from '../support/run-harness.ts';
import { exampleRequest } from '../support/scenario.ts';
import type { Example } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
afterAll(() => vi.restoreAllMocks());

let runHarness: RunHarness | undefined;
afterEach(() => runHarness?.close());

/** Onboards and offboards a payer; returns the world after each run and the smaller number of faults of the two. */
async function onboardAndOffboard(example: Example, faults: FaultRule[]) {
  runHarness = await RunHarness.open({ deliveryHours: 0.25 });
  const { world } = runHarness.stepHarness;
  const { payerAccountId, cluster } = exampleRequest(example);
  const snapshots: Awaited<ReturnType<typeof worldSnapshot>>[] = [];
  let faultCount = 0;
  for (const start of [
    () => runHarness?.onboard(example),
    () => runHarness?.offboard({ payerAccountId, cluster, purge: example === 'new-irsa' ? ['report', 'data'] : [] }),
  ]) {
    const before = world.calls.length;
    world.faults.push(...faults);
    const run = await start();
    world.faults.splice(0);
    expect(run).toMatchObject({ status: 'succeeded', error: null });
    const hits = world.calls.slice(before).filter(({ error }) => error?.startsWith('injected:')).length;
    faultCount = faultCount === 0 ? hits : Math.min(faultCount, hits);
    snapshots.push(await worldSnapshot(runHarness.stepHarness));
  }
  return { faultCount, snapshots };
}

const aws = ['athena', 'cloudformation', 'cur', 'eks', 'glue', 'iam', 's3', 'sts'];
/** The SDK tries a call three times. A Kubernetes call is tried once, and an invocation makes dozens, so fewer of them get a fault. */
const failures: FaultRule[] = [
  ...aws.flatMap((service): FaultRule[] => [
    { service, kind: '500', nth: 'every-5' },
    { service, kind: 'reset', nth: 'every-7' },
  ]),
  { service: 'kubernetes', kind: '500', nth: 'every-61' },
  { service: 'kubernetes', kind: 'reset', nth: 'every-67' },
];
const lostAnswers: FaultRule[] = [{ kind: 'applied-but-lost', writes: true, nth: 'every-2' }];

const cases: [Example, string, FaultRule[]][] = [
  ['new-irsa', 'failing servers and broken connections', failures],
  ['take-over-hand-made', 'failures and lost answers', [...failures, ...lostAnswers]],
];

describe('an onboarding and an offboarding', () => {
  it.each(isLongSuite ? cases : cases.slice(-1))(
    'reach the same result for %s despite %s',
    async (example, _, faults) => {
      const withoutFaults = await onboardAndOffboard(example, []);
      await runHarness?.close();
      const withFaults = await onboardAndOffboard(example, faults);
      expect(withFaults.faultCount).toBeGreaterThan(10);
      expect(withFaults.snapshots).toEqual(withoutFaults.snapshots);
    },
  );
});
