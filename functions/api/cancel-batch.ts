import * as z from 'zod';
import { Batch, batchLink, batchView } from '../../shared/batches/api-view.ts';
import { cancelBatch } from '../../shared/batches/commands.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { dispatchRights } from '../../shared/model/function-rights.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches/{batchId}/cancel',
  operationId: 'cancelBatch',
  summary: 'Cancel a batch and its runs',
  description:
    'No further run starts, and every active run is cancelled. `endedAt` is set when no run can write any more. ' +
    'Everything that the runs created is kept; retry continues from there. Safe to repeat.',
  params: z.object({ batchId: z.string().meta({ description: 'Id of the batch' }) }),
  responses: { 202: { description: 'The batch', schema: Batch, headers: { Location: 'Path of the batch' } } },
  refusals: ['batch-not-found', 'batch-ended'],
  permissions: dispatchRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { batchId } }) => {
  const batch = await cancelBatch(batchId);
  return { status: 202, headers: { location: batchLink(batchId) }, body: await batchView(batch) };
});
