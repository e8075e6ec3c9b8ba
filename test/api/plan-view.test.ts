import { describe, expect, it } from 'vitest';
import type { AnyRun, RunRecord } from '../../shared/model/run.ts';
import { OffboardingRequest, OnboardingRequest } from '../../shared/model/run-requests.ts';
import { runErrorOf, type StepRecord } from '../../shared/model/run-schemas.ts';
import { Run, runView } from '../../shared/runs/api-view.ts';
import { planOf } from '../../shared/runs/dry-run-plan.ts';
import { smallest } from '../support/stored-runs.ts';

const at = '2026-03-02T09:00:00.000Z';

function previewed(fields: Partial<StepRecord> = {}): StepRecord {
  return {
    status: 'succeeded',
    startedAt: at,
    endedAt: at,
    invocations: 1,
    changes: [],
    warnings: [],
    preview: { summary: 'Looks at something.', refusals: [], quotas: [] },
    ...fields,
  };
}

const ids = { runId: '01kjq3w5e8f2c9m4x7v1t6s0rz', attempt: 1, status: 'planned', createdAt: at } as const;

function onboarding(steps: RunRecord['steps'], request: object = {}): AnyRun {
  return {
    ...ids,
    kind: 'onboarding',
    request: OnboardingRequest.parse({ ...smallest, dryRun: true, ...request }),
    steps,
  };
}

function offboarding(steps: RunRecord['steps'], request: object = {}): AnyRun {
  return {
    ...ids,
    kind: 'offboarding',
    request: OffboardingRequest.parse({ ...smallest, dryRun: true, ...request }),
    steps,
  };
}

const change = { do: 'delete-something', resource: 'arn:aws:iam::111122223333:role/one' };
const adopted = {
  choice: 'adopt',
  reportName: 'acme',
  bucket: 'acme',
  prefix: 'cur',
  region: 'us-east-1',
  considered: [],
};

describe('the plan of a run', () => {
  it('exists only for a dry run', () => {
    expect(runView(onboarding({}, { dryRun: false })).plan).toBeNull();
  });

  it('gives for each change the step’s purpose and special reason', () => {
    const changes = [change, { ...change, note: '30 days' }];
    const run = onboarding({ 'cur-bucket': previewed({ status: 'planned', changes }) });
    expect(planOf(run)?.changes).toEqual([
      { step: 'cur-bucket', ...change, why: 'Looks at something.' },
      { step: 'cur-bucket', ...change, why: 'Looks at something: 30 days' },
    ]);
    expect(Run.parse(runView(run))).toEqual(runView(run));
  });

  it('collects refusals, limits and invisible resources in step order', () => {
    const refusal = runErrorOf({ code: 'bucket-not-ours', message: 'bucket cur' }, 'cur-bucket');
    const quota = { quota: 'policies', used: 9, adds: 1, limit: 10 };
    const plan = planOf(
      onboarding({
        publish: previewed({ status: 'not-visible', warnings: ['no access', 'yet'] }),
        'cur-bucket': previewed({
          status: 'failed',
          error: refusal,
          preview: { summary: 'Makes the bucket', refusals: [refusal], quotas: [quota] },
        }),
      }),
    );
    expect(plan).toMatchObject({ refusals: [refusal], quotas: [quota] });
    expect(plan?.notVisible).toEqual([{ step: 'publish', willCheck: 'Looks at something.', why: 'no access; yet' }]);
  });

  it('costs more for a new report than for an existing one', () => {
    const fresh = planOf(onboarding({ 'report-choice': previewed({ output: { ...adopted, choice: 'create' } }) }));
    const there = planOf(
      onboarding({
        'report-choice': previewed({ output: adopted }),
        'cur-report': previewed(),
        'first-delivery': previewed(),
        'crawler-stack': previewed(),
        'crawler-table': previewed(),
        publish: previewed(),
      }),
    );
    expect(fresh?.usd.perMonth).toBeCloseTo(4.87, 2);
    expect(fresh?.expectedMinutes).toBe(24 * 60 + 15);
    expect(there?.usd.perMonth).toBe(0);
    expect(there?.usd.once).toBeLessThan(0.01);
    expect(there?.expectedMinutes).toBe(5);
    for (const plan of [fresh, there])
      expect(plan?.usd.lines.filter(({ per }) => per === 'run').reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo(
        plan?.usd.once ?? NaN,
        5,
      );
  });

  it('costs the same at any interval between delivery checks', () => {
    const once = (intervalMinutes: number) => planOf(onboarding({}, { wait: { intervalMinutes } }))?.usd.once ?? NaN;
    expect(once(5)).toBeGreaterThan(0);
    expect(once(5)).toBe(once(15));
  });

  it('of an offboarding contains monthly savings, including a deleted report', () => {
    const steps = {
      'remove-entry': previewed({ status: 'planned', changes: [change] }),
      'remove-crawler-stack': previewed({ status: 'planned', changes: [change] }),
      'remove-report': previewed({ status: 'planned', changes: [change] }),
    };
    const kept = planOf(offboarding(steps))?.usd.perMonth ?? NaN;
    const purged = planOf(offboarding(steps, { purge: ['report', 'data'] }))?.usd.perMonth ?? NaN;
    expect(kept).toBeCloseTo(-4.64, 2);
    expect(purged).toBeLessThan(kept);
    expect(planOf(offboarding({}))?.usd.perMonth).toBe(0);
  });
});
