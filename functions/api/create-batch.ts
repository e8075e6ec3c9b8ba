import { startBatch } from '../../shared/batches/commands.ts';
import { BatchRequest } from '../../shared/batches/request.ts';
import { Batch, batchLink, batchView } from '../../shared/batches/view.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { dispatchRights } from '../../shared/model/rights.ts';
import { startHeaders } from './start-contract.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches',
  operationId: 'createBatch',
  summary: 'Bring many payer accounts’ bills into Kubecost or OpenCost',
  description:
    'Up to 1,000 onboardings with shared defaults. All of them are checked first: one answer names every problem of every onboarding. Then so many ' +
    'run at a time as `concurrency` says. One that cannot be started is a run that has failed, and the others go on; too many failures hold the batch. ' +
    '`dryRun` in the defaults makes it a batch of plans.',
  headers: startHeaders,
  body: BatchRequest,
  maxBodyBytes: 4 * 1024 * 1024,
  responses: {
    202: {
      description: 'The batch, new or of an earlier request with the same key',
      schema: Batch,
      headers: { Location: 'Path of the batch' },
    },
  },
  refusals: ['invalid-request', 'idempotency-key-reused'],
  permissions: dispatchRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ headers, body }) => {
  const batch = await startBatch(body, headers['idempotency-key']);
  return { status: 202, headers: { location: batchLink(batch.batchId) }, body: await batchView(batch) };
});
