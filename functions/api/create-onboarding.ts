import * as z from 'zod';
import { apiHandler } from '../../shared/api-handler.ts';
import { runLink } from '../../shared/problem.ts';
import { OnboardingRequest } from '../../shared/request.ts';
import type { Route } from '../../shared/route.ts';
import { startRun } from '../../shared/run-start.ts';
import { Run, runView } from '../../shared/run-view.ts';

export const route = {
  method: 'POST',
  path: '/v1/onboardings',
  operationId: 'createOnboarding',
  summary: 'Bring a payer account’s bill into Kubecost or OpenCost',
  description:
    'Starts a run and answers at once; the run takes minutes where a report exists, about a day where AWS has to deliver one first. ' +
    'At most one run is active for a payer and target (cluster, namespace, secret).',
  headers: z.object({
    'idempotency-key': z
      .string()
      .regex(/^[ -~]{1,128}$/, 'must be 1 to 128 printable ASCII characters')
      .optional()
      .meta({ description: 'Honoured for 24 hours: the same key with the same body answers the same run' }),
  }),
  body: OnboardingRequest,
  responses: {
    202: {
      description: 'The run, new or of an earlier request with the same key',
      schema: Run,
      headers: { Location: 'Path of the run' },
    },
  },
  refusals: ['invalid-request', 'run-active', 'target-differs', 'idempotency-key-reused'],
} as const satisfies Route;

export const handler = apiHandler(route, async ({ headers, body }) => {
  const run = await startRun({ kind: 'onboarding', request: body }, headers['idempotency-key']);
  return { status: 202, headers: { location: runLink(run.runId) }, body: runView(run) };
});
