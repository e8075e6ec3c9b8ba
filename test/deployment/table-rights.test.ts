import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deployedFunctions } from '../../.ci/functions.ts';
import { ApiClient } from '../demo/api-client.ts';
import { quietly } from '../quiet.ts';
import { exampleRequest, seedScenario } from '../demo/scenario.ts';
import { startSandbox, type Sandbox } from '../sandbox/hub.ts';

/** The table does not check rights here, so what each function really did is held against what its role allows. */
describe('rights on the table', () => {
  let sandbox: Sandbox;

  beforeAll(async () => {
    sandbox = await startSandbox();
    await seedScenario(sandbox.world);
    const api = new ApiClient(sandbox.apiUrl);
    await quietly(() =>
      Promise.all(
        (['take-over-hand-made', 'new-pod-identity'] as const).map(async (example) => {
          const { runId } = await api.start(exampleRequest(example), example);
          await api.untilEnded(runId);
          await api.fetch('GET', '/v1/runs');
        }),
      ),
    );
  });

  afterAll(() => sandbox.close());

  it.each(deployedFunctions)('of $key cover what it does', ({ key, table }) => {
    const done = new Set(
      sandbox.invocations.filter(({ functionKey }) => functionKey === key).flatMap(({ tableCalls }) => tableCalls),
    );
    expect([...done].filter((action) => !(table as readonly string[]).includes(action))).toEqual([]);
  });
});
