import * as z from 'zod';
import { prices } from './aws-prices.ts';
import { Quota, RunError, StepNameView } from './run-schemas.ts';

const CostLine = z
  .object({
    what: z.string(),
    usd: z.number(),
    per: z.enum(['run', 'month']),
    assumption: z.string().meta({ description: 'The assumption behind the figure' }),
  })
  .meta({ id: 'CostLine' });
export type CostLine = z.infer<typeof CostLine>;

export const PlannedCost = z
  .object({
    once: z.number().meta({ description: 'Cost of the run itself' }),
    perMonth: z.number().meta({ description: 'Monthly cost of what the run creates; negative if the run saves cost' }),
    lines: z.array(CostLine),
  })
  .meta({ id: 'PlannedCost', description: `USD, list prices of us-east-1 as of ${prices.asOf}, without free tiers` });
export type PlannedCost = z.infer<typeof PlannedCost>;

export const RunPlan = z
  .object({
    changes: z
      .array(z.object({ step: StepNameView, do: z.string(), resource: z.string(), why: z.string() }))
      .meta({ description: 'The changes that the run would make, in order' }),
    refusals: z.array(RunError).meta({ description: 'Every problem that would make the run fail' }),
    notVisible: z
      .array(z.object({ step: StepNameView, willCheck: z.string(), why: z.string() }))
      .meta({ description: 'Steps that cannot check their resources yet, what they will check, and why they cannot' }),
    quotas: z.array(Quota).meta({ description: 'AWS limits that the changes count towards' }),
    usd: PlannedCost,
    expectedMinutes: z
      .int()
      .nullable()
      .meta({ description: 'Duration of the run; null if we cannot see whether a report can be adopted' }),
  })
  .meta({
    id: 'RunPlan',
    description: 'What a run would do. “(known after <step>)” replaces a value that does not exist yet',
  });
export type RunPlan = z.output<typeof RunPlan>;

/** A plan in figures, for lists of many plans. */
export const PlanSummary = z
  .object({
    changes: z.int().meta({ description: 'Number of changes' }),
    refusals: z.array(RunError.pick({ code: true, step: true, actor: true, remedy: true })).meta({
      description: 'Every problem that would make the run fail; each code once, with the first step that reports it',
    }),
    notVisible: z.array(StepNameView).meta({ description: 'Steps that cannot check their resources yet' }),
    usd: PlannedCost.pick({ once: true, perMonth: true }).meta({ id: 'PlannedTotals' }),
    expectedMinutes: RunPlan.shape.expectedMinutes,
  })
  .meta({ id: 'PlanSummary' });
export type PlanSummary = z.output<typeof PlanSummary>;
