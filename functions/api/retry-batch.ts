import * as z from 'zod';
import { Batch, batchLink, batchView } from '../../shared/batches/api-view.ts';
import { retryBatch } from '../../shared/batches/commands.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { dispatchRights } from '../../shared/model/function-rights.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches/{batchId}/retry',
  operationId: 'retryBatch',
  summary: 'Retry the failed and cancelled runs of a batch',
  description:
    'Every failed or cancelled run gets a new attempt, at most `concurrency` at a time. Then the onboardings that have not started yet start. The status of the batch becomes `running`. ' +
    'A run is skipped if another run is active for its payer and target.',
  params: z.object({ batchId: z.string().meta({ description: 'Id of the batch' }) }),
  responses: { 202: { description: 'The batch', schema: Batch, headers: { Location: 'Path of the batch' } } },
  refusals: ['batch-not-found', 'batch-not-retryable'],
  permissions: dispatchRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { batchId } }) => {
  const batch = await retryBatch(batchId);
  return { status: 202, headers: { location: batchLink(batchId) }, body: await batchView(batch) };
});
