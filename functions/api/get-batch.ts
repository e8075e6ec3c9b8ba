import * as z from 'zod';
import { Batch, batchView } from '../../shared/batches/api-view.ts';
import { findBatch } from '../../shared/batches/batch-table.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';

export const route = {
  method: 'GET',
  path: '/v1/batches/{batchId}',
  operationId: 'getBatch',
  summary: 'Read a batch',
  description: 'Progress, the reason if the batch is held, the failed runs with their remedies, and the slowest runs.',
  params: z.object({ batchId: z.string().meta({ description: 'Id of the batch' }) }),
  responses: { 200: { description: 'The batch', schema: Batch } },
  refusals: ['batch-not-found'],
  permissions: { table: ['GetItem', 'Query'], indexes: true },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { batchId } }) => ({
  status: 200,
  body: await batchView(await findBatch(batchId)),
}));
