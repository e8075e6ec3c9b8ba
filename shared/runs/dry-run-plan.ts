import * as z from 'zod';
import { awaitsDelivery, PlannedCost, plannedCost } from './dry-run-cost.ts';
import { Quota, RunError, StepNameView, type AnyRun } from '../model/run.ts';
import { stepNamesOf, type StepName } from '../model/step-names.ts';

export const RunPlan = z
  .object({
    changes: z
      .array(z.object({ step: StepNameView, do: z.string(), resource: z.string(), why: z.string() }))
      .meta({ description: 'What the run would write, in its order' }),
    refusals: z.array(RunError).meta({ description: 'Everything that would end the run' }),
    notVisible: z
      .array(z.object({ step: StepNameView, willCheck: z.string(), why: z.string() }))
      .meta({ description: 'What cannot be looked at yet, what will be done then, and why it cannot' }),
    quotas: z.array(Quota).meta({ description: 'Limits that the changes count towards' }),
    usd: PlannedCost,
    expectedMinutes: z
      .int()
      .nullable()
      .meta({ description: 'From start to end; null where it cannot be seen whether there is a report to adopt' }),
  })
  .meta({
    id: 'RunPlan',
    description: 'What a run would do. (known after a step) stands for what nobody can tell yet',
  });
export type RunPlan = z.output<typeof RunPlan>;

/** A plan in figures, for whoever looks at many. */
export const PlanSummary = z
  .object({
    changes: z.int().meta({ description: 'How many' }),
    refusals: z
      .array(RunError.pick({ code: true, step: true, actor: true, remedy: true }))
      .meta({ description: 'Everything that would end the run, each code once, with the first step it ends' }),
    notVisible: z.array(StepNameView).meta({ description: 'Steps that cannot look yet' }),
    usd: PlannedCost.pick({ once: true, perMonth: true }).meta({ id: 'PlannedTotals' }),
    expectedMinutes: RunPlan.shape.expectedMinutes,
  })
  .meta({ id: 'PlanSummary' });
export type PlanSummary = z.output<typeof PlanSummary>;

/** Of a dry run, from its record alone; as far as it has come. Null for any other run. */
export function planOf(run: AnyRun): RunPlan | null {
  if (!run.request.dryRun) return null;
  const steps = stepNamesOf[run.kind].flatMap((name) => {
    const record = run.steps[name];
    return record?.preview ? [{ name, ...record, ...record.preview }] : [];
  });
  return {
    changes: steps.flatMap(({ name, summary, changes }) =>
      changes.map(({ do: what, resource, note }) => ({
        step: name,
        do: what,
        resource,
        why: note === undefined ? summary : `${summary.replace(/\.$/, '')}: ${note}`,
      })),
    ),
    refusals: steps.flatMap(({ refusals }) => refusals),
    notVisible: steps
      .filter(({ status }) => status === 'not-visible')
      .map(({ name, summary, warnings }) => ({ step: name, willCheck: summary, why: warnings.join('; ') })),
    quotas: steps.flatMap(({ quotas }) => quotas),
    usd: plannedCost(run),
    expectedMinutes: expectedMinutes(run),
  };
}

/** Undefined unless it was a dry run. */
export function planSummaryOf(run: AnyRun): PlanSummary | undefined {
  const plan = planOf(run);
  if (!plan) return undefined;
  const { changes, refusals, notVisible, usd, expectedMinutes } = plan;
  return {
    changes: changes.length,
    refusals: refusals
      .filter(({ code }, index) => refusals.findIndex((other) => other.code === code) === index)
      .map(({ code, step, actor, remedy }) => ({ code, step, actor, remedy })),
    notVisible: notVisible.map(({ step }) => step),
    usd: { once: usd.once, perMonth: usd.perMonth },
    expectedMinutes,
  };
}

/** Up to a day until AWS has delivered (CUR User Guide, "Creating reports"). */
const deliveryMinutes = 24 * 60;
/** What is made or looked at takes seconds each; a stack and a crawl take some minutes, of which AWS decides. */
const fewMinutes = 5;

function expectedMinutes(run: AnyRun): number | null {
  if (run.kind === 'offboarding') return 2 * fewMinutes;
  const isMade = (name: StepName) => run.steps[name]?.status !== 'succeeded';
  if (!run.steps['report-choice']?.output) return null;
  const pieces = (['crawler-stack', 'crawler-table'] as const).filter(isMade);
  return (1 + pieces.length) * fewMinutes + (awaitsDelivery(run) ? deliveryMinutes : 0);
}
