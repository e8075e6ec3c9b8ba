import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import type { Json, JsonObject, State, StateMachine } from './definition.ts';
import { StatesError } from './errors.ts';
import { type Execution, type ExecutionOptions, interpret } from './interpreter.ts';
import { TaskTokens } from './task-tokens.ts';

const START = Date.UTC(2026, 0, 1);
const LAMBDA = 'arn:aws:lambda:eu-west-1:999988887777:function:work';
let clock: VirtualClock;
let tokens: TaskTokens;
/** What the function of the task was called with, in order. */
let payloads: JsonObject[];

beforeEach(() => {
  clock = new VirtualClock(START);
  tokens = new TaskTokens();
  payloads = [];
});
afterEach(() => {
  clock.stop();
});

const seconds = () => (clock.now() - START) / 1000;

function execute(definition: StateMachine, input: Json = {}, options: Partial<ExecutionOptions> = {}): Execution {
  return interpret(definition, input, {
    invoke: (_, payload) => {
      payloads.push(payload as JsonObject);
      return Promise.resolve('submitted');
    },
    clock,
    tokens,
    name: 'run-1',
    arn: 'arn:aws:states:eu-west-1:999988887777:execution:provision:run-1',
    taskSeconds: 0,
    ...options,
  });
}

const callback = (more: object = {}): State => ({
  Type: 'Task',
  Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
  Parameters: { FunctionName: LAMBDA, Payload: { 'token.$': '$$.Task.Token' } },
  End: true,
  ...more,
});

function machine(state: State, more: Record<string, State> = {}): StateMachine {
  return { StartAt: 'Called', States: { Called: state, ...more } };
}

const caughtBy = (ErrorEquals: string[]) => ({ Catch: [{ ErrorEquals, ResultPath: '$.failure', Next: 'Caught' }] });
const caught: Record<string, State> = { Caught: { Type: 'Succeed' } };

const tokenOf = () => (payloads.at(-1) as { token: string }).token;
const typesOf = (run: Execution) => run.history().map(({ type }) => type);
const submission = ['ExecutionStarted', 'TaskStateEntered', 'TaskScheduled', 'TaskStarted', 'TaskSubmitted'];

/** Calls back after some virtual seconds. */
function after(delay: number, act: () => unknown): void {
  void clock.sleep(delay * 1000).then(act);
}

describe('a callback task', () => {
  test('ends with the output of the callback', async () => {
    const run = execute(machine(callback({ TimeoutSeconds: 3600, ResultPath: '$.called' })), { runId: 'r' });
    after(600, () => tokens.send(tokenOf(), { output: { now: true } }));
    expect(await run.done).toEqual({ status: 'SUCCEEDED', output: { runId: 'r', called: { now: true } } });
    expect(seconds()).toBe(600);
    expect(run.transitions()).toBe(1);
    expect(typesOf(run)).toEqual([...submission, 'TaskSucceeded', 'TaskStateExited', 'ExecutionSucceeded']);
    expect(run.history().map(({ previous }) => previous)).toEqual([0, 0, 2, 3, 4, 5, 6, 7]);
    expect(run.history().slice(2, 6)).toMatchObject([
      {
        details: {
          ...{ resourceType: 'lambda', resource: 'invoke.waitForTaskToken', region: 'eu-west-1' },
          parameters: JSON.stringify({ FunctionName: LAMBDA, Payload: { token: tokenOf() } }),
          timeoutInSeconds: 3600,
        },
      },
      { details: { resourceType: 'lambda', resource: 'invoke.waitForTaskToken' } },
      { details: { output: expect.stringContaining('"Payload":"submitted"') as string } },
      { details: { output: '{"now":true}' } },
    ]);
  });

  test('accepts a callback before its function has answered', async () => {
    const answers: string[] = [];
    const run = execute(
      machine(callback()),
      {},
      {
        invoke: (_, payload) => {
          answers.push(tokens.send((payload as { token: string }).token, { output: 'early' }));
          return Promise.resolve(null);
        },
      },
    );
    expect(await run.done).toEqual({ status: 'SUCCEEDED', output: 'early' });
    expect(answers).toEqual(['accepted']);
  });

  test('fails with the error and cause of the callback', async () => {
    const run = execute(machine(callback()));
    after(60, () => tokens.send(tokenOf(), new StatesError('Denied', 'by the owner')));
    expect(await run.done).toEqual({ status: 'FAILED', error: 'Denied', cause: 'by the owner' });
    expect(typesOf(run)).toEqual([...submission, 'TaskFailed', 'ExecutionFailed']);
  });

  test('passes nulls to the catcher of a failure without error', async () => {
    const run = execute(machine(callback(caughtBy(['States.ALL'])), caught));
    after(60, () => tokens.send(tokenOf(), new StatesError(undefined)));
    expect((await run.done).output).toEqual({ failure: { Error: null, Cause: null } });
    const failed = run.history().find(({ type }) => type === 'TaskFailed');
    expect(failed?.details).toEqual({ resourceType: 'lambda', resource: 'invoke.waitForTaskToken' });
  });

  test('fails without error and cause if nobody catches such a failure', async () => {
    const run = execute(machine(callback()));
    after(60, () => tokens.send(tokenOf(), new StatesError(undefined)));
    expect(await run.done).toEqual({ status: 'FAILED' });
  });

  test('fails at its timeout, whatever heartbeats came', async () => {
    const run = execute(machine(callback({ TimeoutSecondsPath: '$.left', HeartbeatSeconds: 60 })), { left: 100 });
    for (const second of [50, 90]) after(second, () => tokens.heartbeat(tokenOf(), clock.now()));
    expect(await run.done).toEqual({ status: 'FAILED', error: 'States.Timeout' });
    expect(seconds()).toBe(100);
    expect(typesOf(run)).toEqual([...submission, 'TaskTimedOut', 'ExecutionFailed']);
    expect(run.history()[2]?.details).toMatchObject({ timeoutInSeconds: 100, heartbeatInSeconds: 60 });
    expect(run.history()[5]?.details).toEqual({
      ...{ resourceType: 'lambda', resource: 'invoke.waitForTaskToken' },
      error: 'States.Timeout',
    });
  });

  test.each([
    ['States.HeartbeatTimeout', true],
    ['States.Timeout', true],
    ['States.ALL', true],
    ['States.TaskFailed', false],
  ])('fails without a heartbeat, which %s catches: %s', async (name, catches) => {
    const run = execute(machine(callback({ HeartbeatSeconds: 60, ...caughtBy([name]) }), caught));
    after(30, () => tokens.heartbeat(tokenOf(), clock.now()));
    const result = await run.done;
    expect(seconds()).toBe(90);
    if (catches) expect(result.output).toEqual({ failure: { Error: 'States.Timeout', Cause: '' } });
    else expect(result).toEqual({ status: 'FAILED', error: 'States.Timeout' });
  });

  test('does not call its timeout a heartbeat timeout', async () => {
    const run = execute(machine(callback({ TimeoutSeconds: 60, ...caughtBy(['States.HeartbeatTimeout']) }), caught));
    expect((await run.done).status).toBe('FAILED');
  });

  test('has a new token in each attempt and each entry', async () => {
    const again = { ErrorEquals: ['Again'], MaxAttempts: 1 };
    const definition = machine(callback({ Retry: [again], End: undefined, Next: 'Then' }), { Then: callback() });
    const run = execute(JSON.parse(JSON.stringify(definition)) as StateMachine);
    after(60, () => tokens.send(tokenOf(), new StatesError('Again')));
    after(120, () => tokens.send(tokenOf(), { output: 1 }));
    after(180, () => tokens.send(tokenOf(), { output: 2 }));
    expect((await run.done).output).toBe(2);
    expect(new Set(payloads.map(({ token }) => token)).size).toBe(3);
  });

  test('fails with the error of its function, and its token is dead', async () => {
    const run = execute(
      machine(callback()),
      {},
      {
        invoke: (_, payload) => {
          payloads.push(payload as JsonObject);
          return Promise.reject(new RangeError('no'));
        },
      },
    );
    expect(await run.done).toMatchObject({ status: 'FAILED', error: 'RangeError' });
    expect(typesOf(run)).toEqual([...submission.slice(0, 4), 'TaskFailed', 'ExecutionFailed']);
    expect(tokens.send(tokenOf(), { output: null })).toBe('closed');
  });

  test('closes its token when the execution is stopped', async () => {
    const run = execute(machine(callback({ TimeoutSeconds: 3600 })));
    await clock.sleep(60_000);
    run.abort();
    await run.done;
    expect(run.history().at(-1)).toMatchObject({ type: 'ExecutionAborted', previous: 0 });
    expect(tokens.send(tokenOf(), { output: null })).toBe('closed');
    expect(tokens.send('another', { output: null })).toBe('unknown');
  });

  test('uses a token once', async () => {
    const run = execute(machine(callback({ TimeoutSeconds: 3600 })));
    await clock.sleep(60_000);
    expect(tokens.send(tokenOf(), { output: 1 })).toBe('accepted');
    expect(tokens.send(tokenOf(), { output: 1 })).toBe('closed');
    expect((await run.done).output).toBe(1);
  });

  test('is aborted by the failure of a sibling branch', async () => {
    const bad: StateMachine = {
      StartAt: 'Wait',
      States: { Wait: { Type: 'Wait', Seconds: 60, Next: 'Bad' }, Bad: { Type: 'Fail', Error: 'Bad' } },
    };
    const both: State = { Type: 'Parallel', Branches: [machine(callback({ TimeoutSeconds: 3600 })), bad], End: true };
    const run = execute({ StartAt: 'Both', States: { Both: both } });
    expect(await run.done).toMatchObject({ status: 'FAILED', error: 'Bad' });
    expect(seconds()).toBe(60);
    const failState = run.history().find(({ type }) => type === 'FailStateEntered');
    const end = run.history().slice(-3);
    expect(end.map(({ type }) => type)).toEqual(['TaskStateAborted', 'ParallelStateFailed', 'ExecutionFailed']);
    expect(end.slice(0, 2).map(({ previous }) => previous)).toEqual([failState?.id, failState?.id]);
    expect(tokens.send(tokenOf(), { output: null })).toBe('closed');
  });
});

describe('a task that takes longer than its TimeoutSeconds', () => {
  test('fails as a timed out function', async () => {
    const run = execute(
      machine({ Type: 'Task', Resource: LAMBDA, TimeoutSeconds: 5, End: true }),
      {},
      { taskSeconds: 1000 },
    );
    expect(await run.done).toEqual({ status: 'FAILED', error: 'States.Timeout' });
    expect(seconds()).toBe(5);
    const names = ['LambdaFunctionScheduled', 'LambdaFunctionStarted', 'LambdaFunctionTimedOut', 'ExecutionFailed'];
    expect(typesOf(run).slice(2)).toEqual(names);
    expect(run.history()[2]?.details).toEqual({ resource: LAMBDA, input: '{}', timeoutInSeconds: 5 });
    expect(run.history()[4]?.details).toEqual({ error: 'States.Timeout' });
  });

  test('fails as a timed out task of lambda:invoke', async () => {
    const invoke = { Resource: 'arn:aws:states:::lambda:invoke', Parameters: { FunctionName: LAMBDA } };
    const run = execute(machine({ Type: 'Task', ...invoke, TimeoutSeconds: 5, End: true }), {}, { taskSeconds: 6 });
    await run.done;
    expect(typesOf(run).slice(2)).toEqual(['TaskScheduled', 'TaskStarted', 'TaskTimedOut', 'ExecutionFailed']);
  });

  test('is retried where States.Timeout is', async () => {
    const Retry = [{ ErrorEquals: ['States.Timeout'], IntervalSeconds: 1, MaxAttempts: 2, BackoffRate: 1 }];
    const run = execute(
      machine({ Type: 'Task', Resource: LAMBDA, TimeoutSeconds: 5, Retry, End: true }),
      {},
      { taskSeconds: 6 },
    );
    await run.done;
    expect(seconds()).toBe(17);
    expect(payloads).toHaveLength(3);
  });
});

test.each([
  ['a path that finds nothing', { TimeoutSecondsPath: '$.missing' }],
  ['a fraction', { TimeoutSecondsPath: '$.half' }],
])('schedules nothing for a timer with %s', async (_, timer) => {
  const run = execute(machine(callback(timer)), { half: 0.5 });
  expect(await run.done).toMatchObject({ status: 'FAILED', error: 'States.Runtime' });
  expect(typesOf(run)).toEqual(['ExecutionStarted', 'TaskStateEntered', 'ExecutionFailed']);
});

test.each<[string, object]>([
  ['Credentials', { Credentials: {} }],
  ['Qualifier', { Parameters: { FunctionName: LAMBDA, Qualifier: '1' } }],
  ['TimeoutSeconds and TimeoutSecondsPath', { TimeoutSeconds: 1, TimeoutSecondsPath: '$.a' }],
  ['HeartbeatSeconds', { TimeoutSeconds: 60, HeartbeatSeconds: 60 }],
  ['Assign', { Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Called', Assign: {} }] }],
  ['sqs:sendMessage', { Resource: 'arn:aws:states:::sqs:sendMessage.waitForTaskToken' }],
])('refuses %s before anything runs', (named, fields) => {
  expect(() => execute(machine(callback(fields)))).toThrow(named);
});

test('a retried Map shows its failure only once', async () => {
  const iteration: StateMachine = { StartAt: 'One', States: { One: { Type: 'Task', Resource: LAMBDA, End: true } } };
  const Retry = [{ ErrorEquals: ['RangeError'], MaxAttempts: 1 }];
  const definition = machine({ Type: 'Map', ItemsPath: '$', ItemProcessor: iteration, Retry, End: true });
  const run = execute(definition, [1], { invoke: () => Promise.reject(new RangeError('no')) });
  await run.done;
  const types = typesOf(run);
  expect(types.filter((type) => type === 'MapStateStarted')).toHaveLength(2);
  expect(types.filter((type) => type === 'MapIterationFailed')).toHaveLength(2);
  expect(types.filter((type) => type === 'MapStateFailed')).toHaveLength(1);
  const failures = run.history().filter(({ type }) => type === 'LambdaFunctionFailed');
  const after = run.history().filter(({ type }) => ['MapIterationFailed', 'MapStateFailed'].includes(type));
  expect(after.map(({ previous }) => previous)).toEqual([failures[0]?.id, failures[1]?.id, failures[1]?.id]);
});
