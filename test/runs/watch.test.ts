import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SFNClient, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { DeleteCommand, DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { hubClient } from '../../shared/aws/clients.ts';
import type { Watch } from '../../shared/step/contract.ts';
import { watchRuns } from '../../shared/step-runner/watch-runs.ts';
import { crashAfterWrite } from '../sandbox/index.ts';
import { hubAccountId, hubRegion, machineArn, tableName } from '../support/deployed-sandbox.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { minutesOf, RunHarness, stepOf } from '../support/run-harness.ts';
import { exampleRequest } from '../support/scenario.ts';

const minute = 60_000;
const hour = 60 * minute;
const payer = '111122220001';

/** Everything that the functions wrote to their logs. */
let lines: string[];
let runHarness: RunHarness;
beforeEach(async () => {
  lines = [];
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    lines.push(String(chunk));
    return true;
  });
  runHarness = await RunHarness.open({ deliveryHours: 0.7 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

type Item = Record<string, unknown> & { token: string };
const waits = async () => (await runHarness.stepHarness.items('waits')) as Item[];
const tokenAnswer = (token: string) => {
  const tokens = runHarness.stepHarness.world.states.tokens({ accountId: hubAccountId, region: hubRegion });
  return tokens.heartbeat(token, runHarness.stepHarness.world.clock.now());
};
const executionArnOf = (runId: string, attempt = 1) =>
  `${machineArn('provision').replace(':stateMachine:', ':execution:')}:${runId}-${attempt}`;
const invocationsOf = (key: string) =>
  runHarness.stepHarness.sandbox.invocations.filter(({ functionKey }) => functionKey === key);

async function start(changes: object = {}): Promise<string> {
  return (await runHarness.api.start({ ...exampleRequest('new-irsa'), ...changes })).runId;
}

async function put(item: Item): Promise<void> {
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({ endpoint: runHarness.stepHarness.sandbox.tableEndpoint }),
  );
  await client.send(new PutCommand({ TableName: tableName, Item: item }));
  client.destroy();
}

async function forget(sk: string): Promise<void> {
  const client = DynamoDBDocumentClient.from(
    new DynamoDBClient({ endpoint: runHarness.stepHarness.sandbox.tableEndpoint }),
  );
  await client.send(new DeleteCommand({ TableName: tableName, Key: { pk: 'waits', sk } }));
  client.destroy();
}

/** Stops the execution as somebody in the console does, and no event says so. */
function dieInSilence(runId: string, attempt = 1): Promise<unknown> {
  for (const machine of runHarness.stepHarness.world.states.machines.values()) delete machine.onStatusChange;
  return hubClient(SFNClient).send(new StopExecutionCommand({ executionArn: executionArnOf(runId, attempt) }));
}

describe('a run that waits for its first delivery', () => {
  it('sleeps until the watcher sees the delivery', async () => {
    const runId = await start();
    const items = await runHarness.later(25, waits);
    expect(items).toMatchObject([
      { runId, attempt: 1, step: 'first-delivery', payerAccountId: payer, watchMinutes: 4 },
    ]);
    const run = await runHarness.api.untilEnded(runId);
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'first-delivery').invocations).toBeLessThan(8);
    expect(await waits()).toEqual([]);
    const watcher = invocationsOf('watch').flatMap(({ tableCalls }) => tableCalls);
    expect(watcher.filter((call) => !['Query', 'GetItem'].includes(call))).toEqual(['DeleteItem']);
  });

  it('shows its token to nobody', async () => {
    const { stepHarness, api } = runHarness;
    const runId = await start();
    const [item] = await runHarness.later(25, waits);
    const token = item?.token ?? '';
    expect(tokenAnswer(token)).toBe('accepted');
    const answers = [JSON.stringify(await api.run(runId)), await (await api.fetch('GET', '/v1/runs')).text()];
    await api.untilEnded(runId);
    const events = JSON.stringify([...stepHarness.world.events.buses.values()]);
    const stored = JSON.stringify(await stepHarness.items('run#'));
    const kept = stepHarness.sandbox.invocations.filter(({ functionKey }) => functionKey === 'keepToken');
    expect(kept.length).toBeGreaterThan(0);
    for (const text of [...answers, ...lines, events, stored]) expect(text.includes(token)).toBe(false);
    expect(token.length).toBeGreaterThan(20);
    expect(tokenAnswer(token)).toBe('closed');
  });

  it('ends at once when it is cancelled, and its token is dead', async () => {
    const { api } = runHarness;
    const runId = await start();
    const [item] = await runHarness.later(17, waits);
    await api.fetch('POST', `/v1/runs/${runId}/cancel`);
    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ status: 'cancelled', waiting: [] });
    expect(await waits()).toEqual([]);
    expect(tokenAnswer(item?.token ?? '')).toBe('closed');
  });

  it('waits anew after a retry, and the old token wakes nobody', async () => {
    const { api } = runHarness;
    const runId = await start();
    const [old] = await runHarness.later(17, async () => {
      const items = await waits();
      await api.fetch('POST', `/v1/runs/${runId}/cancel`);
      await api.fetch('POST', `/v1/runs/${runId}/retry`);
      return items;
    });
    const [current] = await runHarness.later(20, waits);
    expect(current).toMatchObject({ runId, attempt: 2, step: 'first-delivery' });
    expect(current?.token).not.toBe(old?.token);
    const run = await api.untilEnded(runId);
    expect(run).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(tokenAnswer(current?.token ?? '')).toBe('closed');
  });

  it('fails at its deadline, within a minute', async () => {
    runHarness.stepHarness.world.cur.firstDeliveryHours.set(payer, 10);
    const run = await runHarness.api.untilEnded(await start({ wait: { intervalMinutes: 5, deadlineHours: 1 } }));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'delivery-overdue', step: 'first-delivery' } });
    expect(minutesOf(run)).toBeGreaterThanOrEqual(60);
    expect(minutesOf(run)).toBeLessThan(62.5);
    expect(await waits()).toEqual([]);
  });

  it('fails an hour after its deadline if nobody calls it back', async () => {
    const { world } = runHarness.stepHarness;
    world.cur.firstDeliveryHours.set(payer, 10);
    world.faults.push({ service: 'states', operation: 'SendTaskSuccess', kind: 'denied' });
    const run = await runHarness.api.untilEnded(await start({ wait: { intervalMinutes: 5, deadlineHours: 1 } }));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'delivery-overdue' } });
    expect(minutesOf(run)).toBeGreaterThanOrEqual(120);
    expect(minutesOf(run)).toBeLessThan(123);
  });

  it('continues once if the answer to its callback is lost', async () => {
    const { world } = runHarness.stepHarness;
    world.faults.push({ service: 'states', operation: 'SendTaskSuccess', kind: 'applied-but-lost' });
    const run = await runHarness.api.untilEnded(await start());
    expect(run.status).toBe('succeeded');
    expect(await waits()).toEqual([]);
    const calls = world.calls.filter(({ operation }) => operation === 'SendTaskSuccess');
    expect(calls.some(({ error }) => error === 'TaskTimedOut')).toBe(true);
  });

  it('continues once if the watcher dies after its callback', async () => {
    const { api } = runHarness;
    const runId = await start();
    const [item] = await runHarness.later(25, waits);
    const run = await api.untilEnded(runId);
    expect(run.status).toBe('succeeded');
    expect(tokenAnswer(item?.token ?? '')).toBe('closed');
    // What a dead watcher did not delete.
    if (item) await put(item);
    await runHarness.stepHarness.world.clock.sleep(10 * minute);
    expect(await waits()).toEqual([]);
    expect((await api.run(runId)).status).toBe('succeeded');
  });

  it.each(['TaskDoesNotExist', 'TaskTimedOut', 'InvalidToken'])(
    'is called again while Step Functions answers %s too early',
    async (code) => {
      const { world } = runHarness.stepHarness;
      world.faults.push({
        service: 'states',
        operation: 'SendTaskSuccess',
        kind: { code, message: 'no task' },
        times: 2,
      });
      const run = await runHarness.api.untilEnded(await start());
      expect(run.status).toBe('succeeded');
      expect(lines.filter((line) => line.includes('"message":"not yet'))).toEqual([]);
      const calls = world.calls.filter(({ operation }) => operation === 'SendTaskSuccess');
      expect(calls.map(({ error }) => error)).toEqual([...Array<string>(2).fill(`injected:${code}`), undefined]);
    },
  );

  it('is not called back before its registration has returned', async () => {
    const runId = await start();
    const [item] = await runHarness.later(25, waits);
    const { world, sandbox } = runHarness.stepHarness;
    const tick = async (keptSecondsAgo: number) => {
      const at = world.clock.now();
      if (item) await put({ ...item, keptAt: new Date(at - keptSecondsAgo * 1000).toISOString(), next: item.at });
      await sandbox.invoke('watch', { time: new Date(at).toISOString() });
      return tokenAnswer(item?.token ?? '');
    };
    expect(await runHarness.later(1, () => tick(5))).toBe('accepted');
    expect(await runHarness.later(1, () => tick(100))).toBe('closed');
    expect((await runHarness.api.untilEnded(runId)).status).toBe('succeeded');
  });

  it('is looked after by the next tick if the watcher is killed half-way', async () => {
    const { api, stepHarness } = runHarness;
    stepHarness.world.cur.firstDeliveryHours.set('111122220002', 0.7);
    const runs = [await start(), (await api.start(exampleRequest('new-pod-identity'))).runId];
    await runHarness.later(25, async () => {
      for (const item of await waits()) await put({ ...item, next: item.at });
      const repair = crashAfterWrite(stepHarness.world, 1);
      await stepHarness.sandbox.invoke('watch', {});
      repair();
    });
    const ended = await Promise.all(runs.map((runId) => api.untilEnded(runId)));
    expect(ended.map(({ status }) => status)).toEqual(['succeeded', 'succeeded']);
    await stepHarness.world.clock.sleep(10 * minute);
    expect(await waits()).toEqual([]);
  });

  it('is called back while another payer does not answer', async () => {
    const { api, stepHarness } = runHarness;
    const [hanging, other] = [await start(), (await api.start(exampleRequest('new-pod-identity'))).runId];
    const watch: Watch = {
      subject: z.object({}),
      subjectOf: () => ({}),
      readPayer: ({ accountId }) => (accountId === payer ? new Promise(() => undefined) : Promise.resolve([])),
      hasChanged: () => Promise.resolve(true),
    };
    const answers = await runHarness.later(25, async () => {
      const items = await waits();
      const at = stepHarness.world.clock.now();
      for (const item of items) await put({ ...item, watchMinutes: 1, newsFrom: item.at });
      const limits = { concurrency: 1, lookMs: 200, untilMs: at + 40_000 };
      await watchRuns({ 'first-delivery': watch }, at, limits);
      return items.map(({ runId, token }) => [runId, tokenAnswer(token)]);
    });
    expect(Object.fromEntries(answers)).toEqual({ [hanging]: 'accepted', [other]: 'closed' });
    expect(lines.some((line) => line.includes('no answer within 0.2 s') && line.includes(hanging))).toBe(true);
  });

  it('looks for itself if the watcher is denied its payer', async () => {
    const { world } = runHarness.stepHarness;
    void runHarness.later(25, () => {
      world.faults.push({ service: 'sts', operation: 'AssumeRole', kind: 'denied' });
      return Promise.resolve();
    });
    const run = await runHarness.api.untilEnded(await start());
    expect(run).toMatchObject({ status: 'failed', error: { code: 'payer-access-denied', step: 'first-delivery' } });
    expect(minutesOf(run)).toBeLessThan(35);
  });

  it.runIf(isLongSuite)('ends as it should at the longest deadline and shortest interval', async () => {
    const { world } = runHarness.stepHarness;
    world.cur.firstDeliveryHours.set(payer, 10_000);
    const run = await runHarness.api.untilEnded(await start({ wait: { intervalMinutes: 5, deadlineHours: 336 } }));
    expect(run).toMatchObject({ status: 'failed', error: { code: 'delivery-overdue' } });
    expect(minutesOf(run) / 60).toBeCloseTo(336, 0);
    const [execution] = world.states.executions.values();
    expect(execution?.execution.events()).toBeLessThan(600);
  });

  it.runIf(isLongSuite)('succeeds if the delivery comes on the last day of the longest deadline', async () => {
    const { world } = runHarness.stepHarness;
    world.cur.firstDeliveryHours.set(payer, 335);
    const run = await runHarness.api.untilEnded(await start({ wait: { intervalMinutes: 5, deadlineHours: 336 } }));
    expect([run.status, run.error]).toEqual(['succeeded', null]);
    expect(minutesOf(run) / 60).toBeGreaterThan(334);
    const [execution] = world.states.executions.values();
    expect(execution?.execution.events()).toBeLessThan(1000);
  });

  it('keeps its token to itself if Step Functions answers with it', async () => {
    const { api, stepHarness } = runHarness;
    const runId = await start();
    const [item] = await runHarness.later(25, waits);
    const token = item?.token ?? '';
    stepHarness.world.faults.push({
      service: 'states',
      operation: 'SendTaskSuccess',
      kind: { code: 'ValidationException', message: `Value '${token}' at 'taskToken' failed` },
      times: 3,
    });
    const run = await api.untilEnded(runId);
    expect(run.status).toBe('succeeded');
    expect(lines.some((line) => line.includes('waiting step looked after'))).toBe(true);
    for (const text of [JSON.stringify(run), ...lines]) expect(text.includes(token)).toBe(false);
  });
});

describe('a run whose execution dies without an event', () => {
  it.each<[string, number]>([
    ['while it waits for hours', 20],
    ['while its steps are at work', 0.3],
  ])('is closed by the watcher: %s', async (_, minutes) => {
    const { api, stepHarness } = runHarness;
    const runId = await start();
    await runHarness.later(minutes, () => dieInSilence(runId));
    await stepHarness.world.clock.sleep(1.5 * hour);
    const run = await api.run(runId);
    expect(run).toMatchObject({ status: 'failed', error: { code: 'execution-stopped' } });
    expect(run.error?.message).toContain('the execution ended with the status ABORTED, and no event said so');
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(await waits()).toEqual([]);
  });

  it('is closed within an hour or so at the longest interval', async () => {
    const { api, stepHarness } = runHarness;
    stepHarness.world.cur.firstDeliveryHours.set(payer, 20);
    const runId = await start({ wait: { intervalMinutes: 240 } });
    await runHarness.later(20, async () => {
      // Hardly ever, so that no look for news comes by chance.
      for (const item of await waits()) await put({ ...item, watchMinutes: 100_000 });
      await dieInSilence(runId);
    });
    await stepHarness.world.clock.sleep(1.5 * hour);
    expect(await api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'execution-stopped' } });
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(await waits()).toEqual([]);
  });

  it('is closed within an hour or so if it died before its token was stored', async () => {
    const { api, stepHarness } = runHarness;
    stepHarness.world.cur.firstDeliveryHours.set(payer, 20);
    const runId = await start();
    await runHarness.later(20, async () => {
      await dieInSilence(runId);
      for (const { runId, step } of await waits()) await forget(`${String(runId)}#${String(step)}`);
    });
    await stepHarness.world.clock.sleep(1.5 * hour);
    expect(await api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'execution-stopped' } });
    expect(await stepHarness.items('lock#')).toEqual([]);
  });

  it('is closed within an hour or so from a Wait state', async () => {
    const { api, stepHarness } = runHarness;
    const runId = await start();
    const waiting = () => api.run(runId).then((run) => run.waiting.map(({ step }) => step));
    const dies = async (minutes: number): Promise<string[]> => {
      const steps = await runHarness.later(minutes, async () => {
        const steps = await waiting();
        if (steps.length > 0 && !steps.includes('first-delivery')) await dieInSilence(runId);
        return steps;
      });
      return steps.length > 0 && !steps.includes('first-delivery') ? steps : dies(0.1);
    };
    expect(await dies(40)).not.toEqual([]);
    await stepHarness.world.clock.sleep(1.5 * hour);
    expect(await api.run(runId)).toMatchObject({ status: 'failed', error: { code: 'execution-stopped' } });
    expect(await stepHarness.items('lock#')).toEqual([]);
    expect(await waits()).toEqual([]);
  });

  it('is not closed while its execution goes on', async () => {
    const { api, stepHarness } = runHarness;
    stepHarness.world.cur.firstDeliveryHours.set(payer, 20);
    const runId = await start();
    await stepHarness.world.clock.sleep(4 * hour);
    expect((await api.run(runId)).status).toBe('running');
  });
});
