import * as z from 'zod';
import { Artifacts, artifactsOf } from '../../shared/artifacts/artifacts.ts';
import { RequestRefusal } from '../../shared/errors/request-refusal.ts';
import { apiHandler } from '../../shared/http/api-handler.ts';
import type { Route } from '../../shared/http/route.ts';
import { isRunId } from '../../shared/model/run-id.ts';
import { readSettings } from '../../shared/platform/settings.ts';
import { readRun } from '../../shared/runs/run-table.ts';

export const route = {
  method: 'GET',
  path: '/v1/runs/{runId}/artifacts',
  operationId: 'getArtifacts',
  summary: 'Read the files and commands for a manual setup',
  description:
    'The entry of the payer in both formats, Helm values for each chart generation, every IAM document, the manifest for the cluster, ' +
    'and commands that do the same as the run. Available at any stage of the run: values that are not known yet are null, and `missing` lists the steps that will find them.',
  params: z.object({ runId: z.string().meta({ description: 'Id of the run' }) }),
  responses: { 200: { description: 'The artifacts', schema: Artifacts } },
  refusals: ['run-not-found'],
  permissions: { table: ['GetItem'] },
} as const satisfies Route;

export const handler = apiHandler(route, async ({ params: { runId } }) => {
  const run = isRunId(runId) ? await readRun(runId) : undefined;
  if (run?.kind !== 'onboarding') throw new RequestRefusal('run-not-found', 'There is no onboarding with this id.');
  const provisionerArn = readSettings().clusterProvisionerArn(run.request.cluster.accountId);
  return { status: 200, body: artifactsOf(run, provisionerArn) };
});
