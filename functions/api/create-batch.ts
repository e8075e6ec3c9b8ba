import { Batch, batchLink, batchView } from '../../shared/batches/api-view.ts';
import { startBatch } from '../../shared/batches/commands.ts';
import { BatchRequest } from '../../shared/batches/request.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { dispatchRights } from '../../shared/model/function-rights.ts';
import { startHeaders } from './start-contract.ts';

export const route = {
  method: 'POST',
  path: '/v1/batches',
  operationId: 'createBatch',
  summary: 'Onboard many payer accounts as one batch',
  description:
    'Up to 1,000 onboardings with shared defaults. All requests are checked first: one response lists every problem of every onboarding. ' +
    '`concurrency` limits how many runs are active at a time. An onboarding that cannot start becomes a failed run, and the others continue. ' +
    'Too many failures hold the batch. With `dryRun` in the defaults, every run only plans.',
  headers: startHeaders,
  body: BatchRequest,
  maxBodyBytes: 4 * 1024 * 1024,
  responses: {
    202: {
      description: 'The new batch, or the batch of an earlier request with the same key',
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
