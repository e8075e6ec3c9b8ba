import type { Context } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { steps } from '../../functions/steps/index.ts';
import { RetryableError } from '../../shared/errors/errors.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import { OffboardingRequest } from '../../shared/model/run-requests.ts';
import { offboardingStepNames, type StepName } from '../../shared/model/step-names.ts';
import { createRun } from '../../shared/runs/run-table.ts';
import type { Applied, Step } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { deployNative } from '../support/crawler-stacks.ts';
import { exampleRequest } from '../support/scenario.ts';
import { type Example, StepHarness, stepsOf } from '../support/step-harness.ts';

const context = { getRemainingTimeInMillis: () => 60_000 } as Context;
const applied = new Set<StepName>();
let stepHarness: StepHarness;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stepHarness = await StepHarness.open({ deliveryHours: 0.25 });
});
afterAll(async () => {
  vi.restoreAllMocks();
  vi.resetModules();
  await stepHarness.close();
});

describe('apply in a fresh module with arguments from JSON', () => {
  it('works in every step that declares apply', async () => {
    await onboard('new-irsa', 'load-proof');
    // Both payers share the policy of the pods’ role, so remove-grant updates it when one of them leaves.
    await onboard('adopt-report', 'grant');
    await offboard('adopt-report');
    await offboard('new-irsa');
    // This cluster uses EKS Pod Identity, and release 0.3.0 left this payer a native crawler stack.
    const { payerAccountId, report } = exampleRequest('new-pod-identity');
    await deployNative(stepHarness.world, payerAccountId, report?.region);
    await onboard('new-pod-identity', 'retire-crawler');

    const declared = Object.values(steps).filter((step) => 'apply' in step);
    expect([...applied].sort()).toEqual(declared.map(({ name }) => name).sort());
  }, 120_000);
});

/** Takes the steps of an onboarding up to and including `last`. */
async function onboard(example: Example, last: StepName): Promise<void> {
  const { runId } = await stepHarness.begin(example);
  const names = stepsOf(example);
  for (const name of names.slice(0, names.indexOf(last) + 1)) await take(name, runId);
}

async function offboard(example: Example): Promise<void> {
  const { payerAccountId, cluster } = exampleRequest(example);
  const purge = ['payer-role', 'pod-role', 'crawler-stack', 'results-bucket', 'report', 'data'];
  const now = stepHarness.world.clock.now();
  const runId = newRunId(now);
  await createRun({
    runId,
    kind: 'offboarding',
    attempt: 1,
    status: 'running',
    createdAt: new Date(now).toISOString(),
    request: OffboardingRequest.parse({ payerAccountId, cluster, purge }),
  });
  for (const name of offboardingStepNames) await take(name, runId);
}

/** Takes the step to its end, as the state machine does. */
async function take(name: StepName, runId: string): Promise<void> {
  const handler = stepHandler(withFreshApply(steps[name]));
  for (let invocations = 0; invocations < 200; invocations++) {
    const answer = await stepHarness.world.clock
      .hold(() => handler({ runId, attempt: 1 }, context), name)
      .catch((error: unknown) => {
        if (!(error instanceof RetryableError)) throw error;
        return { status: 'waiting', seconds: 5 };
      });
    if (answer.status === 'succeeded') return;
    await stepHarness.world.clock.sleep(answer.seconds * 1000);
  }
  throw new Error(`${name} does not end`);
}

/** The step with each apply in a freshly loaded module: only JSON passes from observe to apply. */
function withFreshApply(step: Step): Step {
  return {
    ...step,
    async observe(cx, input) {
      const seen = await step.observe(cx, input);
      expect(notJson(seen), `what ${step.name} observes`).toBeUndefined();
      return seen;
    },
    async apply(cx, change, { input, seen }) {
      const fresh = await freshlyLoaded(step.name);
      try {
        const basis = { input: rebuilt(input), seen: rebuilt(seen) };
        const result = (await fresh.apply?.(cx, rebuilt(change), basis)) ?? never();
        applied.add(step.name);
        return result;
      } catch (error) {
        // The fresh module has its own RetryableError class.
        if (!(error instanceof Error) || error.name !== 'RetryableError') throw error;
        throw new RetryableError('aws-unavailable', error.message);
      }
    },
  };
}

function never(): Applied {
  throw new Error('the fresh module has no apply');
}

async function freshlyLoaded(name: StepName): Promise<Step> {
  vi.resetModules();
  const module = (await import(`../../functions/steps/${name}.ts`)) as Record<string, unknown>;
  const step = Object.values(module).find((value): value is Step => value instanceof Object && 'observe' in value);
  if (!step) throw new Error(`functions/steps/${name}.ts exports no step`);
  return step;
}

function rebuilt<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}

/** The path of the first part that JSON would change or lose; undefined properties may be lost. */
function notJson(value: unknown, path = ''): string | undefined {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'boolean')
    return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : path || '/';
  if (Array.isArray(value)) {
    if (value.includes(undefined)) return path || '/';
  } else if (typeof value !== 'object' || Object.getPrototypeOf(value) !== Object.prototype) return path || '/';
  for (const [key, part] of Object.entries(value)) {
    const found = notJson(part, `${path}/${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}
