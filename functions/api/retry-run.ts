import * as z from 'zod';
import { Refusal } from '../../shared/errors/problem.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { runLink } from '../../shared/model/links.ts';
import { startRights } from '../../shared/model/rights.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { retryRun } from '../../shared/runs/retry.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { Run, runView } from '../../shared/runs/view.ts';

export const route = {
  method: 'POST',
  path: '/v1/runs/{runId}/retry',
  operationId: 'retryRun',
  summary: 'Take a run up again',
  description:
    'A new attempt of a run that has failed or was cancelled, however long ago: finished steps only look, the others are taken. ' +
    'A run that has succeeded without the consumer’s own word (evidence below `connection`) repeats only that proof. ' +
    'Repeating the request answers the attempt that is under way.',
  params: z.object({ runId: z.string().meta({ description: 'As the run’s Location names it' }) }),
  responses: {
    202: { description: 'The run in its new attempt', schema: Run, headers: { Location: 'Path of the run' } },
  },
  refusals: ['run-not-found', 'run-not-retryable', 'run-active'],
  permissions: startRights,
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (!run) throw new Refusal('run-not-found', 'No run has this id.');
  const retried = await retryRun(run);
  return { status: 202, headers: { location: runLink(runId) }, body: runView(retried) };
});
