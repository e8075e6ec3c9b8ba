import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { runLink } from '../../shared/model/links.ts';
import { OffboardingRequest } from '../../shared/model/onboarding-request.ts';
import { startRights } from '../../shared/model/rights.ts';
import { startRun } from '../../shared/runs/start.ts';
import { runView } from '../../shared/runs/view.ts';
import { startHeaders, startResponses } from './start-contract.ts';

export const route = {
  method: 'POST',
  path: '/v1/offboardings',
  operationId: 'createOffboarding',
  summary: 'Take a payer account’s bill out of Kubecost or OpenCost',
  description:
    'Starts a run that removes what onboardings made for this payer and target (cluster, namespace, secret), the entry first, and answers at once. ' +
    'What others still need, what was adopted and what AWS delivered stays unless `purge` names it; each step’s output lists what was kept and why. ' +
    'Safe to repeat. An onboarding and an offboarding of the same payer and target exclude each other.',
  headers: startHeaders,
  body: OffboardingRequest,
  responses: startResponses,
  refusals: ['invalid-request', 'run-active', 'idempotency-key-reused'],
  permissions: startRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ headers, body }) => {
  const run = await startRun({ kind: 'offboarding', request: body }, headers['idempotency-key']);
  return { status: 202, headers: { location: runLink(run.runId) }, body: runView(run) };
});
