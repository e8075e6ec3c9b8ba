import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { untilBatchRests } from '../support/fleet-run.ts';
import { quietly } from '../support/mute-logs.ts';
import { exampleRequest, seedScenario } from '../support/scenario.ts';

/** Calls every route that starts, stops or retries runs; the runs fail at once because we have no access. */
async function controlEverything(api: ApiClient): Promise<void> {
  const { cluster } = exampleRequest('adopt-report');
  const runId = await api.start({ payerAccountId: '444455556666', cluster }).then((run) => run.runId);
  await api.untilEnded(runId);
  await api.fetch('POST', `/v1/runs/${runId}/retry`);
  await api.fetch('POST', `/v1/runs/${runId}/cancel`);
  await api.untilEnded(runId);
  const offboarding = await api.startOffboarding({ payerAccountId: '444455556666', cluster });
  await api.untilEnded(offboarding.runId);
  const onboardings = ['444455556667', '444455556668'].map((payerAccountId) => ({ payerAccountId, cluster }));
  const { batchId, links } = await api.startBatch({ onboardings, concurrency: 1, failureTolerance: 0 });
  for (const verb of ['pause', 'resume', 'cancel']) await api.fetch('POST', `${links.self}/${verb}`);
  await untilBatchRests(api, batchId);
  await api.fetch('POST', `${links.self}/retry`);
  expect(await untilBatchRests(api, batchId)).toMatchObject({ status: 'held' });
}

/** All functions share one role in the sandbox, so each function's calls are compared with the rights of its own role. */
describe('the role', () => {
  let sandbox: DeployedSandbox;

  beforeAll(async () => {
    sandbox = await startDeployedSandbox();
    await seedScenario(sandbox.world);
    const api = new ApiClient(sandbox.apiUrl);
    await quietly(() =>
      Promise.all(
        (['take-over-hand-made', 'new-pod-identity'] as const).map(async (example) => {
          const request = exampleRequest(example);
          const { runId } = await api.start(request, example);
          await api.untilEnded(runId);
          await api.fetch('GET', '/v1/runs');
          const { payerAccountId, cluster } = request;
          const offboarding = await api.startOffboarding({ payerAccountId, cluster });
          const { status } = await api.untilEnded(offboarding.runId);
          expect(status).toBe('succeeded');
        }),
      ),
    );
    await quietly(() => controlEverything(api));
  });

  afterAll(() => sandbox.close());

  const invocationsOf = (key: string) =>
    sandbox.invocations.flatMap(({ functionKey }, index) => (functionKey === key ? [index] : []));

  it.each(deployedFunctions)('of $key covers its calls to the table', ({ key, table = [] }) => {
    const done = new Set(invocationsOf(key).flatMap((index) => sandbox.invocations[index]?.tableCalls ?? []));
    expect([...done].filter((action) => !table.some((allowed) => allowed === action))).toEqual([]);
  });

  it('is used by every function that may start or stop executions', () => {
    const may = deployedFunctions.filter(
      ({ startsExecutions, stopsExecutions }) => startsExecutions ?? stopsExecutions,
    );
    expect(may.filter(({ key }) => invocationsOf(key).length === 0)).toEqual([]);
  });

  it.each(deployedFunctions)('of $key covers the executions it starts and stops', ({ key, ...rights }) => {
    const own = new Set(invocationsOf(key));
    const asks = (operation: string) =>
      sandbox.world.calls.some((call) => call.operation === operation && own.has(call.invocation ?? -1));
    if (asks('StartExecution')) expect(rights.startsExecutions).toBe(true);
    if (asks('StopExecution')) expect(rights.stopsExecutions).toBe(true);
    if (asks('DescribeExecution') || asks('SendTaskSuccess')) expect(rights.watchesExecutions).toBe(true);
  });

  it.each(deployedFunctions)('of $key allows events only if it publishes events', ({ key, publishesEvents }) => {
    const own = new Set(invocationsOf(key));
    const publishes = sandbox.world.calls.some(
      ({ service, invocation = -1 }) => service === 'events' && own.has(invocation),
    );
    // The watcher publishes only the end of a run whose execution died.
    if (own.size > 0 && !['sweep', 'watch'].includes(key)) expect(publishes).toBe(publishesEvents ?? false);
  });

  it.each(deployedFunctions)(
    'of $key allows exactly the accounts that it enters',
    ({ key, entersPayer, entersCluster }) => {
      const own = new Set(invocationsOf(key));
      const callers = sandbox.world.calls
        .filter(({ invocation = -1 }) => own.has(invocation))
        .map(({ callerArn }) => callerArn);
      const entered = (provisioner: string) => callers.some((arn) => arn.includes(`:assumed-role/${provisioner}/`));
      // This test has no open windows, and no runs that a crash left behind.
      if (['close', 'sweep', 'watch'].includes(key)) return;
      expect({
        // The inventory only checks its access to the payer account.
        payer: key === 'inventory' || entered('kubecost-payer-provisioner'),
        cluster: entered('kubecost-cluster-provisioner'),
      }).toEqual({
        payer: entersPayer ?? false,
        cluster: entersCluster ?? false,
      });
    },
  );
});
