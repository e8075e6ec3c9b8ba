import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Run } from '../../shared/runs/api-view.ts';
import { minutesOf, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters, exampleRequest, readSecret } from '../support/scenario.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1.5 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

describe('a run that is cancelled while AWS prepares the first delivery', () => {
  it('ends at once, invokes no further step and continues on retry', async () => {
    const { stepHarness, api } = runHarness;
    const { runId } = await api.start(exampleRequest('new-irsa'));
    const cancel = async () => (await (await api.fetch('POST', `/v1/runs/${runId}/cancel`)).json()) as Run;
    const answers = await runHarness.later(37, async () => [await cancel(), await cancel()]);
    const cancelled = await api.run(runId);
    expect(minutesOf(cancelled)).toBeCloseTo(37, 0);
    expect(cancelled).toMatchObject({ status: 'cancelled', error: null, waiting: [] });
    expect(answers).toEqual([cancelled, cancelled]);
    expect(cancelled.progress.currentSteps).toEqual([]);
    await stepHarness.world.clock.sleep(3 * 3600_000);
    const after = stepHarness.sandbox.invocations.filter(
      (invocation) => invocation.runId === runId && invocation.at > Date.parse(cancelled.endedAt ?? ''),
    );
    expect(after).toEqual([]);
    const [execution] = stepHarness.world.states.executions.values();
    expect(execution?.result?.status).toBe('ABORTED');
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(await api.run(runId)).toEqual(cancelled);

    expect((await api.fetch('POST', `/v1/runs/${runId}/retry`)).status).toBe(202);
    const retried = await api.untilEnded(runId);
    expect(retried).toMatchObject({ status: 'succeeded', attempt: 2, evidence: { level: 'connection' } });
    for (const name of ['cur-bucket', 'cur-report', 'pod-role'] as const)
      expect(stepOf(retried, name).changes).toEqual(stepOf(cancelled, name).changes);
    expect(readSecret(stepHarness.world, clusters[0])).toContain('111122220001');
  });
});
