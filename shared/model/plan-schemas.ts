import * as z from 'zod';
import { prices } from './prices.ts';
import { Quota, RunError, StepNameView } from './run-schemas.ts';

const CostLine = z
  .object({
    what: z.string(),
    usd: z.number(),
    per: z.enum(['run', 'month']),
    assumption: z.string().meta({ description: 'What the figure rests on' }),
  })
  .meta({ id: 'CostLine' });
export type CostLine = z.infer<typeof CostLine>;

export const PlannedCost = z
  .object({
    once: z.number().meta({ description: 'For the run itself' }),
    perMonth: z.number().meta({ description: 'What the run leaves behind costs every month; negative: what it saves' }),
    lines: z.array(CostLine),
  })
  .meta({ id: 'PlannedCost', description: `USD, list prices of us-east-1 as of ${prices.asOf}, without free tiers` });
export type PlannedCost = z.infer<typeof PlannedCost>;

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
