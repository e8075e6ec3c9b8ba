import * as z from 'zod';
import { Batch, batchLink, batchView } from '../../shared/batches/api-view.ts';
import { pauseBatch } from '../../shared/batches/commands.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches/{batchId}/pause',
  operationId: 'pauseBatch',
  summary: 'Pause a batch',
  description: 'Active runs continue; no further run starts. Resume or retry starts the rest. Safe to repeat.',
  params: z.object({ batchId: z.string().meta({ description: 'Id of the batch' }) }),
  responses: { 202: { description: 'The batch', schema: Batch, headers: { Location: 'Path of the batch' } } },
  refusals: ['batch-not-found', 'batch-ended'],
  permissions: { table: ['GetItem', 'Query', 'UpdateItem'], indexes: true },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { batchId } }) => {
  const batch = await pauseBatch(batchId);
  return { status: 202, headers: { location: batchLink(batchId) }, body: await batchView(batch) };
});
