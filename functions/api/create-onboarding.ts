import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { startRights } from '../../shared/model/function-rights.ts';
import { runLink } from '../../shared/model/run-link.ts';
import { OnboardingRequest } from '../../shared/model/run-requests.ts';
import { runView } from '../../shared/runs/api-view.ts';
import { startRun } from '../../shared/runs/start.ts';
import { startHeaders, startResponses } from './start-contract.ts';

export const route = {
  method: 'POST',
  path: '/v1/onboardings',
  operationId: 'createOnboarding',
  summary: 'Onboard a payer account: Kubecost or OpenCost reads its bill',
  description:
    'Starts a run and responds immediately. The run takes minutes if a report exists, and about a day if AWS has to deliver a new report first. ' +
    'Only one run at a time is active for a payer and target (cluster, namespace, secret).',
  headers: startHeaders,
  body: OnboardingRequest,
  responses: startResponses,
  refusals: ['invalid-request', 'run-active', 'target-differs', 'idempotency-key-reused'],
  permissions: startRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ headers, body }) => {
  const run = await startRun({ kind: 'onboarding', request: body }, headers['idempotency-key']);
  return { status: 202, headers: { location: runLink(run.runId) }, body: runView(run) };
});
