import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { startRights } from '../../shared/model/function-rights.ts';
import { runLink } from '../../shared/model/run-link.ts';
import { OffboardingRequest } from '../../shared/model/run-requests.ts';
import { runView } from '../../shared/runs/api-view.ts';
import { startRun } from '../../shared/runs/start.ts';
import { startHeaders, startResponses } from './start-contract.ts';

export const route = {
  method: 'POST',
  path: '/v1/offboardings',
  operationId: 'createOffboarding',
  summary: 'Remove a payer account from Kubecost or OpenCost',
  description:
    'Starts a run and responds immediately. The run removes what onboardings created for this payer and target (cluster, namespace, secret), the entry first. ' +
    'It keeps what other payers or clusters still use. It also keeps adopted resources and the data that AWS delivered, unless `purge` names them. The output of each step lists what was kept and why. ' +
    'Safe to repeat. Only one run at a time, onboarding or offboarding, is active for a payer and target.',
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
