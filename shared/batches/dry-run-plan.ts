import * as z from 'zod';
import { PlanSummary } from '../model/plan-schemas.ts';
import { runLink } from '../model/run-link.ts';
import type { BatchRecord } from './batch-record.ts';
import type { ShownRun } from './batch-table.ts';

export const RunOfBatch = z.object({ runId: z.string(), payerAccountId: z.string(), link: z.string() });

/** How long a run takes a place before it starts a wait of hours, minutes. */
export const placeMinutes = 10;

export const BatchPlan = z
  .object({
    refused: z.int().meta({ description: 'Number of payers whose runs would fail' }),
    changes: z.int(),
    usd: PlanSummary.shape.usd,
    expectedMinutes: z.int().nullable().meta({
      description: 'From the start of the batch to the end of its slowest run; null if it is not known for any run',
    }),
    payers: z
      .array(RunOfBatch.extend(PlanSummary.shape).meta({ id: 'PlannedRun' }))
      .meta({ description: 'Payers whose runs would fail come first; each link leads to the whole plan' }),
  })
  .meta({ id: 'BatchPlan', description: 'What the runs would do, from those that are planned so far' });
type BatchPlan = z.output<typeof BatchPlan>;

export function shown({ runId, request }: Pick<ShownRun, 'runId' | 'request'>): z.output<typeof RunOfBatch> {
  return { runId, payerAccountId: request.payerAccountId, link: runLink(runId) };
}

/** Null if no run of the batch is planned. */
export function batchPlan({ options, size }: BatchRecord, planned: readonly ShownRun[]): BatchPlan | null {
  const payers = planned.flatMap((run) => (run.planned ? [{ ...shown(run), ...run.planned }] : []));
  if (payers.length === 0) return null;
  const sum = (of: (payer: (typeof payers)[number]) => number) => payers.reduce((total, payer) => total + of(payer), 0);
  const isRefused = ({ refusals }: PlanSummary) => Number(refusals.length > 0);
  const minutes = payers.flatMap(({ expectedMinutes }) => expectedMinutes ?? []);
  const wavesBefore = Math.ceil(size / options.concurrency) - 1;
  return {
    refused: sum(isRefused),
    changes: sum(({ changes }) => changes),
    usd: { once: cents(sum(({ usd }) => usd.once)), perMonth: cents(sum(({ usd }) => usd.perMonth)) },
    expectedMinutes: minutes.length > 0 ? Math.max(...minutes) + wavesBefore * placeMinutes : null,
    payers: payers.toSorted((one, other) => isRefused(other) - isRefused(one)),
  };
}

function cents(usd: number): number {
  return Math.round(usd * 100) / 100;
}
