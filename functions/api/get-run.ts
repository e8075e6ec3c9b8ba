import * as z from 'zod';
import { RequestRefusal } from '../../shared/errors/request-refusal.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { Run, runView } from '../../shared/runs/api-view.ts';
import { readRun } from '../../shared/runs/run-table.ts';

export const route = {
  method: 'GET',
  path: '/v1/runs/{runId}',
  operationId: 'getRun',
  summary: 'Read a run',
  description:
    'Progress, what the run waits for and until when, every step with its changes, and the evidence at the end.',
  params: z.object({ runId: z.string().meta({ description: 'Id of the run' }) }),
  responses: { 200: { description: 'The run', schema: Run } },
  refusals: ['run-not-found'],
  permissions: { table: ['GetItem'] },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (!run) throw new RequestRefusal('run-not-found', 'There is no run with this id.');
  return { status: 200, body: runView(run) };
});
