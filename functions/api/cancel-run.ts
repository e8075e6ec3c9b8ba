import * as z from 'zod';
import { RequestRefusal } from '../../shared/errors/request-refusal.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { runLink } from '../../shared/model/run-link.ts';
import { Run, runView } from '../../shared/runs/api-view.ts';
import { cancelRun } from '../../shared/runs/cancel.ts';
import { readRun } from '../../shared/runs/run-table.ts';

export const route = {
  method: 'POST',
  path: '/v1/runs/{runId}/cancel',
  operationId: 'cancelRun',
  summary: 'Cancel a run',
  description:
    'No further step starts. The status becomes `cancelled` when no step can write any more: immediately if the run only waits, otherwise ' +
    'when the active step has recorded its changes, after one minute at most. Until then `cancelling` is true. Everything that the run ' +
    'created is kept and listed in its steps. Retry continues from there; an offboarding removes it.',
  params: z.object({ runId: z.string().meta({ description: 'Id of the run' }) }),
  responses: {
    202: {
      description: 'The run, which is cancelled or still being cancelled',
      schema: Run,
      headers: { Location: 'Path of the run' },
    },
  },
  refusals: ['run-not-found', 'run-ended'],
  permissions: { table: ['DeleteItem', 'GetItem', 'UpdateItem'], stopsExecutions: true },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (!run) throw new RequestRefusal('run-not-found', 'There is no run with this id.');
  const cancelled = await cancelRun(run);
  return { status: 202, headers: { location: runLink(runId) }, body: runView(cancelled) };
});
