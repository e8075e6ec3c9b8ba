import type * as sdk from '@aws-sdk/client-sfn';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import type { CallContext, Operation } from '../service.ts';
import type { World } from '../world.ts';
import type { ExecutionStatusChange } from './states.ts';
import { statesService, StatesState } from './states.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 0, 1);
const hub = { accountId: '999988887777', region: 'eu-west-1' };
const executionOf = (name: string) => `arn:aws:states:eu-west-1:999988887777:execution:provision:${name}`;

let clock: VirtualClock;
let states: StatesState;
let stateMachineArn: string;
let events: ExecutionStatusChange[];

beforeEach(() => {
  clock = new VirtualClock(START);
  const world = { clock } as World;
  states = new StatesState(world);
  world.states = states;
  events = [];
  stateMachineArn = states.createStateMachine({
    ...hub,
    name: 'provision',
    definition: {
      StartAt: 'Work',
      TimeoutSeconds: 10 * 86_400,
      States: {
        Work: {
          Type: 'Task',
          Resource: 'arn:aws:lambda:eu-west-1:999988887777:function:work',
          ResultPath: '$.work',
          Next: 'Wait',
        },
        Wait: { Type: 'Wait', SecondsPath: '$.seconds', End: true },
      },
    },
    invoke: (_, payload) =>
      (payload as { fail?: boolean }).fail
        ? Promise.reject(new RangeError('requested failure'))
        : Promise.resolve('done'),
    onStatusChange: (event) => events.push(event),
  });
});
afterEach(() => {
  clock.stop();
});

async function call<Output>(name: string, input: object): Promise<Output> {
  const operation = statesService.operations[name] as unknown as Operation<object, Output> | undefined;
  if (!operation) throw new Error(`no operation ${name}`);
  const caller = { accountId: hub.accountId, arn: `arn:aws:iam::${hub.accountId}:root` };
  const cx = { world: { clock, states } as World, caller, region: hub.region, now: clock.now() };
  return clock.hold(() => Promise.resolve().then(() => operation.run(input, cx)));
}

const startExecution = (name: string | undefined, input: object | string) =>
  call<sdk.StartExecutionOutput>('StartExecution', {
    stateMachineArn,
    name,
    input: typeof input === 'string' ? input : JSON.stringify(input),
  });
const describeExecution = (name: string) =>
  call<sdk.DescribeExecutionOutput>('DescribeExecution', { executionArn: executionOf(name) });

test('an execution ends and shows its output', async () => {
  const { executionArn, startDate } = await startExecution('run-1', { seconds: 60 });
  expect(executionArn).toBe(executionOf('run-1'));
  expect(startDate).toEqual(new Date(START));
  expect(await describeExecution('run-1')).toMatchObject({ status: 'RUNNING', input: '{"seconds":60}' });
  await clock.sleep(120_000);
  expect(await describeExecution('run-1')).toMatchObject({
    status: 'SUCCEEDED',
    output: '{"seconds":60,"work":"done"}',
    stopDate: new Date(START + 61_000),
  });
});

test('starting again returns a running execution and refuses other cases', async () => {
  const first = await startExecution('run-1', { seconds: 60 });
  await clock.sleep(5000);
  expect(await startExecution('run-1', { seconds: 60 })).toEqual(first);
  expect(states.executions.size).toBe(1);
  await expect(startExecution('run-1', { seconds: 61 })).rejects.toThrow('Execution Already Exists');
  await clock.sleep(120_000);
  await expect(startExecution('run-1', { seconds: 60 })).rejects.toThrow('Execution Already Exists');
});

test('a name can be used again 90 days after its execution closed', async () => {
  await startExecution('run-1', { seconds: 0 });
  await clock.sleep(91 * DAY);
  const { startDate } = await startExecution('run-1', { seconds: 0 });
  expect(startDate).toEqual(new Date(START + 91 * DAY));
});

test.each([
  ['a b', '{}', 'InvalidName'],
  ['x'.repeat(81), '{}', 'InvalidName'],
  ['run/1', '{}', 'InvalidName'],
  ['run-1', '{', 'InvalidExecutionInput'],
  ['run-1', JSON.stringify('x'.repeat(262_143)), 'ValidationException'],
])('the start of %s is refused with %s', async (name, input, code) => {
  await expect(startExecution(name, input)).rejects.toMatchObject({ code });
  expect(states.executions.size).toBe(0);
});

test('errors name unknown machines and executions', async () => {
  await expect(describeExecution('nobody')).rejects.toMatchObject({ code: 'ExecutionDoesNotExist' });
  const unknown = { stateMachineArn: `${stateMachineArn}-2` };
  await expect(call('StartExecution', unknown)).rejects.toMatchObject({ code: 'StateMachineDoesNotExist' });
  await expect(call('DescribeStateMachine', { stateMachineArn: 'provision' })).rejects.toMatchObject({
    code: 'InvalidArn',
  });
});

test('a stopped execution is aborted with the reason given', async () => {
  await startExecution('run-1', { seconds: 3600 });
  await clock.sleep(60_000);
  await call('StopExecution', { executionArn: executionOf('run-1'), error: 'Cancelled', cause: 'by the caller' });
  const stopped = { status: 'ABORTED', error: 'Cancelled', cause: 'by the caller', stopDate: new Date(START + 60_000) };
  expect(await describeExecution('run-1')).toMatchObject(stopped);
  await clock.sleep(DAY);
  await call('StopExecution', { executionArn: executionOf('run-1'), error: 'Again' });
  expect(await describeExecution('run-1')).toMatchObject(stopped);
});

test('every change of status is reported, also the last one', async () => {
  await startExecution('good', { seconds: 1 });
  await startExecution('bad', { seconds: 1, fail: true });
  await startExecution('endless', { seconds: 99 * 86_400 });
  await startExecution('stopped', { seconds: 3600 });
  await clock.sleep(1000);
  await call('StopExecution', { executionArn: executionOf('stopped') });
  await states.executions.get(executionOf('endless'))?.execution.done;
  await clock.sleep(1000);
  const ends = events.map(({ detail }) => `${detail.name} ${detail.status}`).filter((end) => !end.endsWith('RUNNING'));
  expect(ends.toSorted()).toEqual(['bad FAILED', 'endless TIMED_OUT', 'good SUCCEEDED', 'stopped ABORTED']);
  expect(events).toHaveLength(8);
  expect(events.find(({ detail }) => detail.name === 'good' && detail.status === 'SUCCEEDED')).toMatchObject({
    source: 'aws.states',
    'detail-type': 'Step Functions Execution Status Change',
    account: hub.accountId,
    region: hub.region,
    time: '2026-01-01T00:00:02Z',
    resources: [executionOf('good')],
    detail: {
      stateMachineArn,
      startDate: START,
      stopDate: START + 2000,
      input: '{"seconds":1}',
      output: '{"seconds":1,"work":"done"}',
    },
  });
  expect(await describeExecution('bad')).toMatchObject({ status: 'FAILED', error: 'RangeError' });
});

test('executions are listed in stable pages, newest first', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await startExecution(name, { seconds: name === 'c' ? 0 : DAY });
  const list = (request: object) =>
    call<sdk.ListExecutionsOutput>('ListExecutions', { stateMachineArn, maxResults: 2, ...request });
  const names = ({ executions }: sdk.ListExecutionsOutput) => executions?.map(({ name }) => name);
  const first = await list({});
  expect(names(first)).toEqual(['e', 'd']);
  await startExecution('f', { seconds: DAY });
  const second = await list({ nextToken: first.nextToken });
  expect(names(second)).toEqual(['c', 'b']);
  const third = await list({ nextToken: second.nextToken });
  expect(names(third)).toEqual(['a']);
  expect(third.nextToken).toBeUndefined();
  await clock.sleep(10_000);
  expect(names(await list({ statusFilter: 'SUCCEEDED' }))).toEqual(['c']);
  await expect(list({ nextToken: 'x' })).rejects.toMatchObject({ code: 'InvalidToken' });
});

test('the history shows the states and the cause of a failure', async () => {
  await startExecution('bad', { fail: true });
  await clock.sleep(10_000);
  const history = (request: object) =>
    call<sdk.GetExecutionHistoryOutput>('GetExecutionHistory', { executionArn: executionOf('bad'), ...request });
  const { events: all = [] } = await history({});
  expect(all.map(({ type }) => type)).toEqual([
    'ExecutionStarted',
    'TaskStateEntered',
    'LambdaFunctionScheduled',
    'LambdaFunctionStarted',
    'LambdaFunctionFailed',
    'ExecutionFailed',
  ]);
  expect(all[1]?.stateEnteredEventDetails?.name).toBe('Work');
  const first = await history({ maxResults: 4 });
  expect((await history({ maxResults: 4, nextToken: first.nextToken })).events).toEqual(all.slice(4));
  const { events: last = [] } = await history({ maxResults: 1, reverseOrder: true });
  expect(last[0]?.executionFailedEventDetails?.error).toBe('RangeError');
});

test.each([
  ['StartExecution', { stateMachineArn: 'machine' }, 'machine'],
  ['ListExecutions', { stateMachineArn: 'machine' }, 'machine'],
  ['DescribeExecution', { executionArn: 'execution' }, 'execution'],
  ['StopExecution', { executionArn: 'execution' }, 'execution'],
])('%s needs the permission of its name on the given ARN', (name, input, resource) => {
  const operation = statesService.operations[name] as unknown as Operation<object>;
  const permissions = operation.permissions(input, {} as CallContext);
  expect(permissions).toEqual([{ action: `states:${name}`, resources: [resource] }]);
});

describe('a task token', () => {
  const LAMBDA = 'arn:aws:lambda:eu-west-1:999988887777:function:work';
  let token = '';
  beforeEach(() => {
    stateMachineArn = states.createStateMachine({
      ...hub,
      name: 'provision',
      definition: {
        StartAt: 'Called',
        States: {
          Called: {
            Type: 'Task',
            Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
            Parameters: { FunctionName: LAMBDA, Payload: { 'token.$': '$$.Task.Token' } },
            TimeoutSeconds: 600,
            End: true,
          },
        },
      },
      invoke: (_, payload) => {
        token = (payload as { token: string }).token;
        return Promise.resolve(null);
      },
    });
  });
  const succeed = () => call('SendTaskSuccess', { taskToken: token, output: '{"a":1}' });

  test('ends its task with the given output, once', async () => {
    await startExecution('run-1', {});
    await clock.sleep(60_000);
    expect(await succeed()).toEqual({});
    await expect(succeed()).rejects.toMatchObject({
      code: 'TaskTimedOut',
      message: "Task Timed Out: 'Provided task does not exist anymore'",
    });
    await clock.sleep(1000);
    expect(await describeExecution('run-1')).toMatchObject({ status: 'SUCCEEDED', output: '{"a":1}' });
    const { events: history = [] } = await call<sdk.GetExecutionHistoryOutput>('GetExecutionHistory', {
      executionArn: executionOf('run-1'),
    });
    expect(history.slice(2)).toMatchObject([
      { previousEventId: 2, taskScheduledEventDetails: { region: 'eu-west-1', timeoutInSeconds: 600 } },
      { taskStartedEventDetails: { resource: 'invoke.waitForTaskToken', resourceType: 'lambda' } },
      { type: 'TaskSubmitted', taskSubmittedEventDetails: { outputDetails: { truncated: false } } },
      { type: 'TaskSucceeded', taskSucceededEventDetails: { output: '{"a":1}' } },
      { type: 'TaskStateExited' },
      { type: 'ExecutionSucceeded' },
    ]);
    expect(history[1]?.previousEventId).toBe(0);
  });

  test('fails its task without error and cause', async () => {
    await startExecution('run-1', {});
    await clock.sleep(60_000);
    await call('SendTaskFailure', { taskToken: token });
    await clock.sleep(1000);
    const { error, cause, status } = await describeExecution('run-1');
    expect({ error, cause, status }).toEqual({ status: 'FAILED' });
  });

  test('is closed after the timeout of its task', async () => {
    await startExecution('run-1', {});
    await clock.sleep(700_000);
    expect(await describeExecution('run-1')).toMatchObject({ status: 'FAILED', error: 'States.Timeout' });
    for (const name of ['SendTaskSuccess', 'SendTaskFailure', 'SendTaskHeartbeat'])
      await expect(call(name, { taskToken: token, output: '1' })).rejects.toMatchObject({ code: 'TaskTimedOut' });
  });

  test('is invalid if it is not known, and its output has to be JSON', async () => {
    for (const name of ['SendTaskSuccess', 'SendTaskFailure', 'SendTaskHeartbeat'])
      await expect(call(name, { taskToken: 'x', output: '1' })).rejects.toMatchObject({ code: 'InvalidToken' });
    await expect(call('SendTaskSuccess', { taskToken: 'x', output: '{' })).rejects.toMatchObject({
      code: 'InvalidOutput',
    });
  });
});
