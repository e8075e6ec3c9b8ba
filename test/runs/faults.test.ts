import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { FaultRule } from '../sandbox/index.ts';
import { RunHarness } from '../support/run-harness.ts';
import { exampleRequest } from '../support/scenario.ts';
import type { Example } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

beforeAll(() => vi.spyOn(process.stdout, 'write').mockReturnValue(true));
afterAll(() => vi.restoreAllMocks());

let runHarness: RunHarness | undefined;
afterEach(() => runHarness?.close());

/** A payer's coming and going, and what the world looks like after each. */
async function comeAndGo(example: Example, faults: FaultRule[]) {
  runHarness = await RunHarness.open({ deliveryHours: 0.25 });
  const { world } = runHarness.stepHarness;
  const { payerAccountId, cluster } = exampleRequest(example);
  const landscapes: Awaited<ReturnType<typeof worldSnapshot>>[] = [];
  let struck = 0;
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
    struck = struck === 0 ? hits : Math.min(struck, hits);
    landscapes.push(await worldSnapshot(runHarness.stepHarness));
  }
  return { struck, landscapes };
}

const aws = ['athena', 'cloudformation', 'cur', 'eks', 'glue', 'iam', 's3', 'sts'];
/** The SDK tries a call three times; nobody does so for Kubernetes, where one invocation makes dozens of calls. */
const fail: FaultRule[] = [
  ...aws.flatMap((service): FaultRule[] => [
    { service, kind: '500', nth: 'every-5' },
    { service, kind: 'reset', nth: 'every-7' },
  ]),
  { service: 'kubernetes', kind: '500', nth: 'every-61' },
  { service: 'kubernetes', kind: 'reset', nth: 'every-67' },
];
const lose: FaultRule[] = [{ kind: 'applied-but-lost', writes: true, nth: 'every-2' }];

const histories: [Example, string, FaultRule[]][] = [
  ['new-irsa', 'servers that fail and connections that break', fail],
  ['take-over-hand-made', 'all of it at once', [...fail, ...lose]],
];

describe('an onboarding and an offboarding through bad weather', () => {
  it.each(histories)('take %s where they would have gone: %s', async (example, _, faults) => {
    const calm = await comeAndGo(example, []);
    await runHarness?.close();
    const rough = await comeAndGo(example, faults);
    expect(rough.struck).toBeGreaterThan(10);
    expect(rough.landscapes).toEqual(calm.landscapes);
  });
});
