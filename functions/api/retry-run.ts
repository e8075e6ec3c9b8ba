import * as z from 'zod';
import { RequestRefusal } from '../../shared/errors/request-refusal.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { startRights } from '../../shared/model/function-rights.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { runLink } from '../../shared/model/run-link.ts';
import { Run, runView } from '../../shared/runs/api-view.ts';
import { retryRun } from '../../shared/runs/retry.ts';
import { readRun } from '../../shared/runs/run-table.ts';

export const route = {
  method: 'POST',
  path: '/v1/runs/{runId}/retry',
  operationId: 'retryRun',
  summary: 'Retry a run',
  description:
    'Starts a new attempt of a failed or cancelled run, at any time after its end. Finished steps only check their resources; the other steps run. ' +
    'A run that succeeded with evidence below `connection` repeats only the check of the connection. ' +
    'If an attempt is already active, the response shows that attempt.',
  params: z.object({ runId: z.string().meta({ description: 'Id of the run' }) }),
  responses: {
    202: { description: 'The run with its new attempt', schema: Run, headers: { Location: 'Path of the run' } },
  },
  refusals: ['run-not-found', 'run-not-retryable', 'run-active'],
  permissions: startRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (!run) throw new RequestRefusal('run-not-found', 'There is no run with this id.');
  const retried = await retryRun(run);
  return { status: 202, headers: { location: runLink(runId) }, body: runView(retried) };
});
