import * as z from 'zod';
import { retryBatch } from '../../shared/batches/commands.ts';
import { Batch, batchLink, batchView } from '../../shared/batches/view.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { dispatchRights } from '../../shared/model/rights.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches/{batchId}/retry',
  operationId: 'retryBatch',
  summary: 'Take up again what a batch did not bring to its end',
  description:
    'Every run that has failed or was cancelled gets a new attempt, as places become free; then what was never started is. Whatever the batch was, it is running then. ' +
    'A run whose payer and target another run has in hand stays as it ended.',
  params: z.object({ batchId: z.string().meta({ description: 'As the batch’s Location names it' }) }),
  responses: { 202: { description: 'The batch', schema: Batch, headers: { Location: 'Path of the batch' } } },
  refusals: ['batch-not-found', 'batch-not-retryable'],
  permissions: dispatchRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { batchId } }) => {
  const batch = await retryBatch(batchId);
  return { status: 202, headers: { location: batchLink(batchId) }, body: await batchView(batch) };
});
