import * as z from 'zod';
import { Artifacts, artifactsOf } from '../../shared/artifacts/artifacts.ts';
import { Refusal } from '../../shared/errors/problem.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { readSettings } from '../../shared/platform/settings.ts';
import { readRun } from '../../shared/runs/run-table.ts';

export const route = {
  method: 'GET',
  path: '/v1/runs/{runId}/artifacts',
  operationId: 'getArtifacts',
  summary: 'Read what one would have edited by hand',
  description:
    'This payer’s entry in both formats, Helm values in each chart generation’s own keys, every IAM document, the cluster’s manifest ' +
    'and the commands that do what the run does. At any stage of the run: what is not known yet is null, and `missing` names the steps that will tell.',
  params: z.object({ runId: z.string().meta({ description: 'As the run’s Location names it' }) }),
  responses: { 200: { description: 'The artifacts', schema: Artifacts } },
  refusals: ['run-not-found'],
  permissions: { table: ['GetItem'] },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (run?.kind !== 'onboarding') throw new Refusal('run-not-found', 'No onboarding has this id.');
  const provisionerArn = readSettings().clusterProvisionerArn(run.request.cluster.accountId);
  return { status: 200, body: artifactsOf(run, provisionerArn) };
});
