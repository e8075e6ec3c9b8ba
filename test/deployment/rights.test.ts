import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployedFunctions } from '../../.ci/functions.ts';
import { ApiClient } from '../demo/api-client.ts';
import { quietly } from '../quiet.ts';
import { exampleRequest, seedScenario } from '../demo/scenario.ts';
import { startSandbox, type Sandbox } from '../sandbox/hub.ts';

/** All functions share one role in the sandbox, so what each really did is held against what its own role allows. */
describe('the role', () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await startSandbox();
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
          const leaving = await api.fetch('POST', '/v1/offboardings', {
            body: JSON.stringify({ payerAccountId, cluster }),
            headers: { 'content-type': 'application/json' },
          });
          const { status } = await api.untilEnded(((await leaving.json()) as { runId: string }).runId);
          expect(status).toBe('succeeded');
        }),
      ),
    );
  });

  afterAll(() => sandbox.close());

  const invocationsOf = (key: string) =>
    sandbox.invocations.flatMap(({ functionKey }, index) => (functionKey === key ? [index] : []));

  it.each(deployedFunctions)('of $key covers what it does to the table', ({ key, table }) => {
    const done = new Set(invocationsOf(key).flatMap((index) => sandbox.invocations[index]?.tableCalls ?? []));
    expect([...done].filter((action) => !(table as readonly string[]).includes(action))).toEqual([]);
  });

  it.each(deployedFunctions)('of $key covers what it tells the event bus', ({ key, tellsEvents }) => {
    const own = new Set(invocationsOf(key));
    const tells = sandbox.world.calls.some(
      ({ service, invocation = -1 }) => service === 'events' && own.has(invocation),
    );
    if (own.size > 0 && key !== 'sweep') expect(tells).toBe(tellsEvents ?? false);
  });

  it.each(deployedFunctions)(
    'of $key lets it into the accounts it enters, and no others',
    ({ key, entersPayer, entersCluster }) => {
      const own = new Set(invocationsOf(key));
      const callers = sandbox.world.calls
        .filter(({ invocation = -1 }) => own.has(invocation))
        .map(({ callerArn }) => callerArn);
      const entered = (provisioner: string) => callers.some((arn) => arn.includes(`:assumed-role/${provisioner}/`));
      // Windows left open and queued runs left behind do not occur here.
      if (key === 'close' || key === 'sweep') return;
      expect({
        // That the payer can be entered is all that the inventory asks there.
        payer: key === 'inventory' || entered('kubecost-payer-provisioner'),
        cluster: entered('kubecost-cluster-provisioner'),
      }).toEqual({
        payer: entersPayer ?? false,
        cluster: entersCluster ?? false,
      });
    },
  );
});
