import * as z from 'zod';
import { Refusal } from '../../shared/errors/problem.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { runLink } from '../../shared/model/links.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { cancelRun } from '../../shared/runs/cancel.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { Run, runView } from '../../shared/runs/view.ts';

export const route = {
  method: 'POST',
  path: '/v1/runs/{runId}/cancel',
  operationId: 'cancelRun',
  summary: 'Stop a run',
  description:
    'No step begins any more. The run is `cancelled` once none of its steps can still write: at once if it only waits, else when the ' +
    'step at work has recorded what it did, a minute later at most; until then `cancelling` is true. What the run has made stays and is ' +
    'in its record; retry goes on from there, an offboarding removes it.',
  params: z.object({ runId: z.string().meta({ description: 'As the run’s Location names it' }) }),
  responses: {
    202: {
      description: 'The run, cancelled or being cancelled',
      schema: Run,
      headers: { Location: 'Path of the run' },
    },
  },
  refusals: ['run-not-found', 'run-ended'],
  permissions: { table: ['DeleteItem', 'GetItem', 'UpdateItem'], stopsExecutions: true },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (!run) throw new Refusal('run-not-found', 'No run has this id.');
  const cancelled = await cancelRun(run);
  return { status: 202, headers: { location: runLink(runId) }, body: runView(cancelled) };
});
