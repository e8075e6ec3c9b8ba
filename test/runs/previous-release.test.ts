import { readFileSync } from 'node:fs';
import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hubClient } from '../../shared/aws/clients.ts';
import { RunEvent } from '../../shared/model/run-event.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import { OffboardingRequest } from '../../shared/model/run-requests.ts';
import { takeLock } from '../../shared/runs/payer-target-lock.ts';
import { createRun, readRun } from '../../shared/runs/run-table.ts';
import type { Execution } from '../sandbox/index.ts';
import { eventBusArn, hubAccountId, hubRegion } from '../support/deployed-sandbox.ts';
import { rewriteRecords } from '../support/previous-release.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { exampleRequest } from '../support/scenario.ts';

/** The definition that release 0.3.0 deployed. */
const definitionOf = (machine: 'provision' | 'offboard') =>
  readFileSync(new URL(`../golden/releases/${machine}-0.3.0.asl`, import.meta.url), 'utf8');

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

interface StartedRun {
  runId: string;
  execution: Execution;
  executionArn: string;
}

/** Starts the run's execution with release 0.3.0's definition. */
async function execute(runId: string, machine: 'provision' | 'offboard', more: object = {}): Promise<StartedRun> {
  const { world, sandbox } = runHarness.stepHarness;
  const arnOf = (name: string) => sandbox.stateMachineArn.replace(/provision$/, name);
  const current = world.states.machines.get(arnOf(machine));
  if (!current) throw new Error(`no state machine ${machine}`);
  const run = (await readRun(runId)) ?? expect.unreachable();
  await takeLock(run);
  await rewriteRecords(runHarness.stepHarness);
  const functionArn = `arn:aws:lambda:${hubRegion}:${hubAccountId}:function:$1`;
  const definition = JSON.parse(definitionOf(machine).replaceAll(/\$\{(\w+)Arn\}/g, functionArn)) as object;
  const input = JSON.stringify({ runId, attempt: 1, ...more });
  const { execution, arn } = world.states.startExecution({ ...current, definition }, `${runId}-1`, input);
  return { runId, execution, executionArn: arn };
}

async function startOnboarding(): Promise<StartedRun> {
  const { runId } = await runHarness.stepHarness.begin('new-irsa');
  return execute(runId, 'provision', { identityMode: 'irsa', from: 'preflight' });
}

async function startOffboarding(): Promise<StartedRun> {
  const { payerAccountId, cluster } = exampleRequest('new-irsa');
  const at = runHarness.stepHarness.world.clock.now();
  const runId = newRunId(at);
  await createRun({
    runId,
    kind: 'offboarding',
    attempt: 1,
    status: 'running',
    createdAt: new Date(at).toISOString(),
    request: OffboardingRequest.parse({ payerAccountId, cluster }),
  });
  return execute(runId, 'offboard');
}

const published = () =>
  runHarness.stepHarness.world.events.buses.get(eventBusArn)?.map(({ detail }) => RunEvent.parse(detail)) ?? [];

describe('an execution of release 0.3.0', () => {
  it('finishes with the current functions after an upgrade half-way', async () => {
    const { stepHarness, api } = runHarness;
    const { runId, execution } = await startOnboarding();
    await runHarness.later(30, () => rewriteRecords(runHarness.stepHarness));

    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ kind: 'onboarding', status: 'succeeded', error: null });
    expect(run.evidence?.level).toBe('connection');
    expect(await execution.done).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(published()).toContainEqual(expect.objectContaining({ step: 'publish', status: 'succeeded' }));
    expect(published().at(-1)).toMatchObject({ step: null, status: 'succeeded' });
  });

  it('is retried with the current definition after an upgrade', async () => {
    const { api } = runHarness;
    const { runId, executionArn } = await startOnboarding();
    await runHarness.later(30, () => hubClient(SFNClient).send(new StopExecutionCommand({ executionArn })));
    const failed = await api.untilEnded(runId);
    expect(failed).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'execution-stopped' } });
    await rewriteRecords(runHarness.stepHarness);
    expect(await api.run(runId)).toEqual(failed);

    expect((await api.fetch('POST', `/v1/runs/${runId}/retry`)).status).toBe(202);
    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ status: 'succeeded', attempt: 2, error: null, evidence: { level: 'connection' } });
    for (const name of ['cur-bucket', 'cur-report', 'pod-role'] as const)
      expect(stepOf(run, name).changes).toEqual(stepOf(failed, name).changes);
  });

  it('offboards a payer with the current functions', async () => {
    const { api, stepHarness } = runHarness;
    await api.untilEnded((await startOnboarding()).runId);
    const { runId, execution } = await startOffboarding();

    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ kind: 'offboarding', status: 'succeeded', error: null });
    expect(await execution.done).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(await stepHarness.items('target#')).toEqual([]);
    expect(published().at(-1)).toMatchObject({ runId, step: null, status: 'succeeded' });
  });
});
