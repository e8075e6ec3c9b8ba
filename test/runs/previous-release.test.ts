import { readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hubClient } from '../../shared/aws/clients.ts';
import { RunEvent } from '../../shared/model/run-event.ts';
import { takeLock } from '../../shared/runs/lock.ts';
import type { Execution } from '../sandbox/index.ts';
import { eventBusArn, hubAccountId, hubRegion, tableName } from '../support/deployed-sandbox.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { storedRun } from '../support/stored-runs.ts';

/** What release 0.2.0 deployed. */
const definition = readFileSync(new URL('../golden/releases/provision-0.2.0.asl', import.meta.url), 'utf8');

/** What release 0.2.0 wrote of a run and of a step; keys of the table and its indexes included. */
const runFields = [
  ...['pk', 'sk', 'allKey', 'payerKey', 'clusterKey', 'listKey'],
  ...['runId', 'attempt', 'status', 'request', 'createdAt', 'startedAt', 'endedAt', 'error', 'steps'],
];
const stepFields = [
  ...['status', 'startedAt', 'endedAt', 'invocations', 'waiting'],
  ...['changes', 'warnings', 'output', 'memo', 'error'],
];

type Fields = Record<string, unknown>;
const only = (names: readonly string[], fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));

function asPreviousRelease(item: Fields): Fields {
  const steps = Object.entries(item.steps as Record<string, Fields>).map(([name, step]) => {
    const { attempt, ...memo } = { attempt: 1, ...(step.memo as Fields | undefined) };
    expect(attempt).toBe(1);
    return [name, only(stepFields, { ...step, ...(step.memo !== undefined && { memo }) })];
  });
  return { ...only(runFields, item), steps: Object.fromEntries(steps) as Fields };
}

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 1 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

/** Leaves the run's record as the previous release would have. */
async function rewrite(): Promise<void> {
  const [item] = await runHarness.stepHarness.items('run#');
  if (!item) throw new Error('no run');
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({ endpoint: runHarness.stepHarness.sandbox.tableEndpoint }),
  );
  await client.send(new PutCommand({ TableName: tableName, Item: asPreviousRelease(item) }));
  client.destroy();
}

/** A run whose execution release 0.2.0 started on its own definition. */
async function begin(): Promise<{ runId: string; execution: Execution; executionArn: string }> {
  const { stepHarness } = runHarness;
  const { states } = stepHarness.world;
  const machine = states.machines.get(stepHarness.sandbox.stateMachineArn);
  if (!machine) throw new Error('no state machine');
  const deployed = definition.replaceAll(/\$\{(\w+)Arn\}/g, `arn:aws:lambda:${hubRegion}:${hubAccountId}:function:$1`);
  const { runId } = await stepHarness.begin('new-irsa');
  await takeLock(await storedRun(runId));
  await rewrite();
  const input = { runId, attempt: 1, identityMode: 'irsa' };
  const old = { ...machine, definition: JSON.parse(deployed) as object };
  const { execution, arn } = states.startExecution(old, `${runId}-1`, JSON.stringify(input));
  return { runId, execution, executionArn: arn };
}

describe('an execution of release 0.2.0', () => {
  it('finishes on today’s functions after an upgrade half-way: proven, and its events told', async () => {
    const { stepHarness, api } = runHarness;
    const { runId, execution } = await begin();
    await runHarness.later(30, rewrite);

    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ kind: 'onboarding', status: 'succeeded', error: null });
    expect(run.evidence?.level).toBe('connection');
    expect(await execution.done).toMatchObject({ status: 'SUCCEEDED' });
    expect(await stepHarness.items('lock#')).toEqual([]);
    const told = stepHarness.world.events.buses.get(eventBusArn)?.map(({ detail }) => RunEvent.parse(detail)) ?? [];
    expect(told).toContainEqual(expect.objectContaining({ step: 'publish', status: 'succeeded' }));
    expect(told.at(-1)).toMatchObject({ step: null, status: 'succeeded' });
  });

  it('is retried on today’s definition if it had failed before the upgrade', async () => {
    const { api } = runHarness;
    const { runId, executionArn } = await begin();
    await runHarness.later(30, () => hubClient(SFNClient).send(new StopExecutionCommand({ executionArn })));
    const failed = await api.untilEnded(runId);
    expect(failed).toMatchObject({ status: 'failed', attempt: 1, error: { code: 'execution-stopped' } });
    await rewrite();
    expect(await api.run(runId)).toEqual(failed);

    expect((await api.fetch('POST', `/v1/runs/${runId}/retry`)).status).toBe(202);
    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ status: 'succeeded', attempt: 2, error: null, evidence: { level: 'connection' } });
    for (const made of ['cur-bucket', 'cur-report', 'pod-role'] as const)
      expect(stepOf(run, made).changes).toEqual(stepOf(failed, made).changes);
  });
});
