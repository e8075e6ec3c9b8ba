import { setTimeout as realSleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import type { Json, JsonObject, State, StateMachine } from './definition.ts';
import { StatesError } from './errors.ts';
import type { Execution, ExecutionOptions } from './interpreter.ts';
import { interpret } from './interpreter.ts';

const START = Date.UTC(2026, 0, 1);
const LAMBDA = 'arn:aws:lambda:eu-west-1:999988887777:function:work';
let clock: VirtualClock;

beforeEach(() => {
  clock = new VirtualClock(START);
});
afterEach(() => {
  clock.stop();
});

type Handler = (payload: JsonObject, functionArn: string) => unknown;

function execute(
  definition: StateMachine,
  input: Json,
  handler: Handler = () => null,
  options: Partial<ExecutionOptions> = {},
): Execution {
  return interpret(definition, input, {
    invoke: async (functionArn, payload) => {
      await realSleep(1);
      return handler(payload as JsonObject, functionArn);
    },
    clock,
    name: 'run-1',
    arn: 'arn:aws:states:eu-west-1:999988887777:execution:provision:run-1',
    stateMachineArn: 'arn:aws:states:eu-west-1:999988887777:stateMachine:provision',
    taskSeconds: 0,
    ...options,
  });
}

function machine(...states: [string, State][]): StateMachine {
  return { StartAt: states[0]?.[0] ?? '', States: Object.fromEntries(states) };
}

/** The output of a single Pass or Task state. */
async function through(state: State, input: Json, handler?: Handler): Promise<Json | undefined> {
  const { output, error, cause } = await execute(machine(['Only', state]), input, handler).done;
  if (error !== undefined) throw new Error(`${error}: ${cause ?? ''}`);
  return output;
}

const evaluate = async (expression: string, input: Json = {}) =>
  ((await through({ Type: 'Pass', Parameters: { 'v.$': expression }, End: true }, input)) as { v: Json }).v;

const seconds = () => (clock.now() - START) / 1000;

function failing(name: string, message = name): () => never {
  return () => {
    throw Object.assign(new Error(message), { name });
  };
}

const poll: StateMachine = {
  StartAt: 'Look',
  States: {
    Look: { Type: 'Task', Resource: LAMBDA, ResultPath: '$.seen', Next: 'Ready?' },
    'Ready?': {
      Type: 'Choice',
      Choices: [{ Variable: '$.seen.status', StringEquals: 'waiting', Next: 'Later' }],
      Default: 'Done',
    },
    Later: { Type: 'Wait', SecondsPath: '$.seen.seconds', Next: 'Look' },
    Done: { Type: 'Succeed', OutputPath: '$.seen' },
  },
};

describe('a poll loop', () => {
  const untilDelivery = () => (seconds() < 86_400 ? { status: 'waiting', seconds: 900 } : { status: 'ready' });

  test('runs every 15 minutes until the delivery after a day', async () => {
    const looks: number[] = [];
    const run = execute(poll, {}, () => {
      looks.push(seconds());
      return untilDelivery();
    });
    expect(await run.done).toEqual({ status: 'SUCCEEDED', output: { status: 'ready' } });
    expect(looks).toEqual(Array.from({ length: 97 }, (_, index) => index * 900));
    // Nine events and three transitions a round, as in the published price examples.
    expect(run.events()).toBe(96 * 9 + 11);
    expect(run.transitions()).toBe(96 * 3 + 3);
  });

  test('fails when its history is full, after about 28 days', async () => {
    const invoke = () => Promise.resolve({ status: 'waiting', seconds: 900 });
    const run = execute(poll, {}, undefined, { invoke });
    const result = await run.done;
    expect(result.status).toBe('FAILED');
    expect(result.cause).toContain('maximum number of history events');
    expect(run.events()).toBe(25_000);
    expect(seconds() / 86_400).toBeCloseTo(28.9, 0);
  });

  test('ends at its execution timeout', async () => {
    const run = execute({ ...poll, TimeoutSeconds: 3600 }, {}, untilDelivery);
    expect(await run.done).toEqual({ status: 'TIMED_OUT', error: 'States.Timeout' });
    expect(seconds()).toBe(3600);
  });

  test('can be aborted and leaves no timer', async () => {
    const run = execute(poll, {}, untilDelivery);
    await clock.sleep(7200_000);
    run.abort('Cancelled', 'by the caller');
    expect(await run.done).toEqual({ status: 'ABORTED', error: 'Cancelled', cause: 'by the caller' });
    await realSleep(5);
    expect(seconds()).toBe(7200);
    expect(run.history().at(-1)?.type).toBe('ExecutionAborted');
  });

  test('takes one virtual second for each handler', async () => {
    await execute(poll, {}, () => ({ status: 'ready' }), { taskSeconds: 2 }).done;
    expect(seconds()).toBe(2);
  });
});

describe('Parallel', () => {
  const branch = (name: string, wait: number, resource = name): StateMachine =>
    machine(
      [`${name}-wait`, { Type: 'Wait', Seconds: wait, Next: name }],
      [name, { Type: 'Task', Resource: `${LAMBDA}-${resource}`, End: true }],
    );

  test('returns the results of its branches in order', async () => {
    const definition = machine([
      'Both',
      { Type: 'Parallel', Branches: [branch('slow', 3600), branch('fast', 0)], End: true },
    ]);
    const result = await execute(definition, {}, (_, arn) => ({ arn, at: seconds() })).done;
    expect(result.output).toEqual([
      { arn: `${LAMBDA}-slow`, at: 3600 },
      { arn: `${LAMBDA}-fast`, at: 0 },
    ]);
  });

  test('ends at once when one branch fails while another waits', async () => {
    const definition = machine([
      'Both',
      { Type: 'Parallel', Branches: [branch('slow', 36_000), branch('bad', 60)], End: true },
    ]);
    const result = await execute(definition, {}, failing('UserError', 'wrong role')).done;
    expect(result).toMatchObject({ status: 'FAILED', error: 'UserError' });
    expect(JSON.parse(result.cause ?? '')).toMatchObject({ errorType: 'UserError', errorMessage: 'wrong role' });
    await realSleep(5);
    expect(seconds()).toBe(60);
  });

  test("lets a sibling's handler in flight finish, and starts no further state", async () => {
    const finished: string[] = [];
    const task = (name: string) => ({ Type: 'Task', Resource: `${LAMBDA}-${name}` }) as const;
    const two = machine(['first', { ...task('first'), Next: 'second' }], ['second', { ...task('second'), End: true }]);
    const bad = machine(['bad', { ...task('bad'), End: true }]);
    const Catch = [{ ErrorEquals: ['States.ALL'], Next: 'Record' }];
    const definition = machine(
      ['Both', { Type: 'Parallel', Branches: [two, bad], Catch, Next: 'Record' }],
      ['Record', { ...task('record'), End: true }],
    );
    const result = await execute(definition, {}, async (_, arn) => {
      if (arn.endsWith('bad')) return failing('UserError')();
      await realSleep(20);
      finished.push(arn.replace(`${LAMBDA}-`, ''));
      return null;
    }).done;
    expect(result.status).toBe('SUCCEEDED');
    expect(finished.toSorted()).toEqual(['first', 'record']);
  });
});

describe('Retry and Catch', () => {
  const retried = (state: Partial<State>): StateMachine =>
    machine(
      ['Work', { Type: 'Task', Resource: LAMBDA, End: true, ...state } as State],
      ['Record', { Type: 'Pass', Next: 'Fail' }],
      ['Fail', { Type: 'Fail', ErrorPath: '$.failure.Error', CausePath: "States.Format('{} failed', $.id)" }],
    );

  test('retries come after 2, 4, 8, 16 and 32 seconds', async () => {
    const at: number[] = [];
    const definition = retried({ Retry: [{ ErrorEquals: ['RetryableError'], IntervalSeconds: 2, MaxAttempts: 5 }] });
    const run = execute(definition, {}, () => {
      at.push(seconds());
      return at.length < 6 ? failing('RetryableError')() : 'at last';
    });
    expect((await run.done).output).toBe('at last');
    expect(at).toEqual([0, 2, 6, 14, 30, 62]);
    expect(run.transitions()).toBe(6);
  });

  test('full jitter and the maximum delay limit the pauses', async () => {
    const at: number[] = [];
    const definition = retried({
      Retry: [
        {
          ErrorEquals: ['States.ALL'],
          IntervalSeconds: 10,
          BackoffRate: 10,
          MaxDelaySeconds: 60,
          MaxAttempts: 3,
          JitterStrategy: 'FULL',
        },
      ],
    });
    const handler = () => {
      at.push(seconds());
      return failing('Odd')();
    };
    await execute(definition, {}, handler, { random: () => 0.5 }).done;
    expect(at).toEqual([0, 5, 35, 65]);
  });

  test('an error without a retrier goes to the catcher', async () => {
    const definition = retried({
      Retry: [{ ErrorEquals: ['RetryableError'] }],
      Catch: [
        { ErrorEquals: ['RetryableError'], Next: 'Fail' },
        { ErrorEquals: ['States.TaskFailed'], ResultPath: '$.failure', Next: 'Record' },
      ],
    });
    const result = await execute(definition, { id: 'step' }, failing('UserError')).done;
    expect(result).toEqual({ status: 'FAILED', error: 'UserError', cause: 'step failed' });
    expect(seconds()).toBe(0);
  });

  test.each([
    ['States.ALL', 'States.Timeout', true],
    ['States.ALL', 'States.DataLimitExceeded', true],
    ['States.ALL', 'States.Runtime', false],
    ['States.Runtime', 'States.Runtime', true],
    ['States.TaskFailed', 'UserError', true],
    ['States.TaskFailed', 'States.Timeout', false],
    ['States.Timeout', 'States.Timeout', true],
    ['Lambda.TooManyRequestsException', 'UserError', false],
  ])('%s against %s', async (named, thrown, caught) => {
    const definition = machine(
      ['Work', { Type: 'Task', Resource: LAMBDA, Catch: [{ ErrorEquals: [named], Next: 'Caught' }], End: true }],
      ['Caught', { Type: 'Succeed' }],
    );
    const result = await execute(definition, {}, () => {
      throw new StatesError(thrown, 'injected');
    }).done;
    expect(result.status).toBe(caught ? 'SUCCEEDED' : 'FAILED');
    if (caught) expect(result.output).toEqual({ Error: thrown, Cause: 'injected' });
  });

  test('a missing OutputPath fails the execution even where States.Runtime is caught', async () => {
    const definition = retried({
      OutputPath: '$.missing',
      Catch: [{ ErrorEquals: ['States.Runtime'], Next: 'Record' }],
    });
    expect((await execute(definition, {}).done).error).toBe('States.Runtime');
  });

  test('an answer above 262,144 bytes exceeds the data limit', async () => {
    const result = await execute(retried({}), {}, () => 'ü'.repeat(131_072)).done;
    expect(result).toMatchObject({ status: 'FAILED', error: 'States.DataLimitExceeded' });
    expect((await execute(retried({}), {}, () => 'ü'.repeat(131_071)).done).status).toBe('SUCCEEDED');
  });

  test('the context object counts the retries and shows the state', async () => {
    const payloads: Json[] = [];
    const definition = retried({
      Parameters: {
        'retry.$': '$$.State.RetryCount',
        'state.$': '$$.State.Name',
        'entered.$': '$$.State.EnteredTime',
        'execution.$': '$$.Execution',
        'machine.$': '$$.StateMachine.Name',
      },
      Retry: [{ ErrorEquals: ['States.ALL'], MaxAttempts: 1 }],
    });
    await execute(definition, { runId: 'a' }, (payload) => {
      payloads.push(payload);
      return failing('Odd')();
    }).done;
    expect(payloads.map((payload) => (payload as JsonObject)['retry'])).toEqual([0, 1]);
    expect(payloads[1]).toEqual({
      retry: 1,
      state: 'Work',
      entered: '2026-01-01T00:00:00.000Z',
      execution: {
        Id: 'arn:aws:states:eu-west-1:999988887777:execution:provision:run-1',
        Name: 'run-1',
        StartTime: '2026-01-01T00:00:00.000Z',
        Input: { runId: 'a' },
        RedriveCount: 0,
      },
      machine: 'provision',
    });
  });
});

test('Map keeps order, limits concurrency and retries inside an iteration', async () => {
  let running = 0;
  let most = 0;
  const failedOnce = new Set<string>();
  const definition = machine([
    'Each',
    {
      Type: 'Map',
      ItemsPath: '$.items',
      MaxConcurrency: 2,
      ItemSelector: { 'index.$': '$$.Map.Item.Index', 'value.$': '$$.Map.Item.Value', 'all.$': '$.name' },
      ItemProcessor: machine([
        'One',
        {
          Type: 'Task',
          Resource: 'arn:aws:states:::lambda:invoke',
          Parameters: { FunctionName: LAMBDA, 'Payload.$': '$' },
          ResultSelector: { 'v.$': '$.Payload', 'i.$': '$$.Map.Item.Index' },
          Retry: [{ ErrorEquals: ['RetryableError'] }],
          End: true,
        },
      ]),
      End: true,
    },
  ]);
  const result = await execute(definition, { items: ['a', 'b', 'c', 'd'], name: 'n' }, async (payload) => {
    most = Math.max(most, ++running);
    await realSleep(3);
    running--;
    const { all, value, index } = payload as { all: string; value: string; index: number };
    if (failedOnce.has(value)) return `${all}-${value}-${index}`;
    failedOnce.add(value);
    return failing('RetryableError')();
  }).done;
  expect(result.output).toEqual(['n-a-0', 'n-b-1', 'n-c-2', 'n-d-3'].map((v, i) => ({ v, i })));
  expect(most).toBe(2);
});

describe('data flow', () => {
  test('paths, parameters, selector and result path apply in order', async () => {
    const state: State = {
      Type: 'Task',
      Resource: LAMBDA,
      InputPath: '$.in',
      Parameters: { 'x.$': '$.x', list: [{ 'y.$': '$.list[1]' }], 'all.$': '$.list[*]', constant: 1 },
      ResultSelector: { 'kept.$': '$.answer', 'name.$': '$$.State.Name' },
      ResultPath: '$.out.deep',
      OutputPath: '$.out',
      End: true,
    };
    const payloads: Json[] = [];
    const output = await through(state, { in: { x: null, list: [1, 2] }, out: { old: true } }, (payload) => {
      payloads.push(payload);
      return { answer: 42, dropped: 1 };
    });
    expect(payloads).toEqual([{ x: null, list: [{ y: 2 }], all: [1, 2], constant: 1 }]);
    expect(output).toEqual({ old: true, deep: { kept: 42, name: 'Only' } });
  });

  test.each<[Partial<State>, Json]>([
    [{ ResultPath: null }, { a: { b: 1 } }],
    [{ ResultPath: '$' }, false],
    [{ ResultPath: '$.r' }, { a: { b: 1 }, r: false }],
    [{ ResultPath: "$['a']['c']" }, { a: { b: 1, c: false } }],
    [{ ResultPath: '$.r', OutputPath: '$.a.b' }, 1],
    [{ OutputPath: null }, {}],
    [{ InputPath: '$$.Execution.Name', ResultPath: null }, { a: { b: 1 } }],
  ])('Pass with Result false and %j', async (fields, expected) => {
    expect(await through({ Type: 'Pass', Result: false, End: true, ...fields } as State, { a: { b: 1 } })).toEqual(
      expected,
    );
  });

  test.each([
    ['$.missing', 'States.Runtime'],
    ['$.a..b', 'States.Runtime'],
    ["States.Format('{}', $.missing)", 'States.Runtime'],
    ["States.StringToJson('{')", 'States.IntrinsicFailure'],
    ['States.NoSuch()', 'States.Runtime'],
  ])('%s fails with %s', async (expression, error) => {
    await expect(evaluate(expression)).rejects.toThrow(error);
  });

  test('a handler cannot change the state it was given', async () => {
    const state: State = { Type: 'Task', Resource: LAMBDA, ResultPath: '$.r', End: true };
    const output = await through(state, { list: [1] }, (payload) => {
      (payload['list'] as Json[]).push(2);
      return { lost: undefined, kept: null };
    });
    expect(output).toEqual({ list: [1], r: { kept: null } });
  });
});

test.each<[string, Json]>([
  ["States.Format('{}-{} \\{\\} it\\'s', $.s, 2)", "text-2 {} it's"],
  ["States.Format('{} {}', null, States.ArrayLength($.list))", 'null 4'],
  ['States.StringToJson($.json)', { a: [1] }],
  ["States.StringToJson('')", null],
  ['States.JsonToString($.list)', '[1,2,2,"x"]'],
  ["States.Array(1, 'a', true, null, $.s, States.Array())", [1, 'a', true, null, 'text', []]],
  ['States.ArrayPartition($.list, 3)', [[1, 2, 2], ['x']]],
  ['States.ArrayContains($.list, 2)', true],
  ['States.ArrayRange(1, 9, 2)', [1, 3, 5, 7, 9]],
  ['States.ArrayRange(3, 1, -1)', [3, 2, 1]],
  ['States.ArrayGetItem($.list, 3)', 'x'],
  ['States.ArrayUnique($.list)', [1, 2, 'x']],
  ["States.Base64Decode(States.Base64Encode('ü'))", 'ü'],
  ["States.Hash('x', 'MD5')", '9dd4e461268c8034f5c8564e155c67a6'],
  ['States.JsonMerge($.o, States.StringToJson(\'{\\"b\\":2}\'), false)', { a: 1, b: 2 }],
  ['States.MathAdd(1.6, $.list[0])', 3],
  ["States.StringSplit('a.b,,c', '.,')", ['a', 'b', 'c']],
  ["$['s']", 'text'],
])('%s', async (expression, expected) => {
  expect(await evaluate(expression, { s: 'text', json: '{"a":[1]}', list: [1, 2, 2, 'x'], o: { a: 1, b: 1 } })).toEqual(
    expected,
  );
});

describe('Choice', () => {
  const data = { n: 5, s: 'cat', t: '2026-01-01T00:00:00Z', b: true, nothing: null, m: 5, p: 'c*' };
  test.each<[JsonObject, boolean]>([
    [{ Variable: '$.n', NumericEquals: 5 }, true],
    [{ Variable: '$.n', NumericGreaterThan: 5 }, false],
    [{ Variable: '$.n', NumericGreaterThanEqualsPath: '$.m' }, true],
    [{ Variable: '$.s', NumericLessThan: 9 }, false],
    [{ Variable: '$.s', StringEquals: 'cat' }, true],
    [{ Variable: '$.s', StringLessThan: 'dog' }, true],
    [{ Variable: '$.s', StringMatches: 'c*t' }, true],
    [{ Variable: '$.s', StringMatches: 'c.t' }, false],
    [{ Variable: '$.p', StringMatches: 'c\\*' }, true],
    [{ Variable: '$.s', StringMatches: 'c\\*' }, false],
    [{ Variable: '$.b', BooleanEquals: true }, true],
    [{ Variable: '$.s', BooleanEquals: false }, false],
    [{ Variable: '$.t', TimestampEquals: '2026-01-01T01:00:00+01:00' }, true],
    [{ Variable: '$.t', TimestampLessThan: '2026-01-02T00:00:00Z' }, true],
    [{ Variable: '$$.Execution.StartTime', TimestampEqualsPath: '$.t' }, true],
    [{ Variable: '$.missing', IsPresent: false }, true],
    [{ Variable: '$.nothing', IsPresent: true }, true],
    [{ Variable: '$.nothing', IsNull: true }, true],
    [{ Variable: '$.n', IsString: false }, true],
    [{ Variable: '$.n', IsNumeric: true }, true],
    [{ Variable: '$.t', IsTimestamp: true }, true],
    [{ Variable: '$.s', IsTimestamp: true }, false],
    [{ Not: { Variable: '$.b', BooleanEquals: true } }, false],
    [
      {
        And: [
          { Variable: '$.b', BooleanEquals: true },
          { Variable: '$.x', IsPresent: true },
        ],
      },
      false,
    ],
    [
      {
        Or: [
          { Variable: '$.b', BooleanEquals: true },
          { Variable: '$.x', StringEquals: 'never looked at' },
        ],
      },
      true,
    ],
  ])('%j is %s', async (rule, expected) => {
    const definition = machine(
      ['Choose', { Type: 'Choice', Choices: [{ ...rule, Next: 'Yes' }], Default: 'No' }],
      ['Yes', { Type: 'Pass', Result: true, End: true }],
      ['No', { Type: 'Pass', Result: false, End: true }],
    );
    expect((await execute(definition, data).done).output).toBe(expected);
  });

  test('a Choice without variable or default fails the execution', async () => {
    const only = (variable: string) =>
      machine(
        ['Choose', { Type: 'Choice', Choices: [{ Variable: variable, IsNull: true, Next: 'Yes' }] }],
        ['Yes', { Type: 'Succeed' }],
      );
    const missing = await execute(only('$.missing'), data).done;
    expect(missing.error).toBe('States.Runtime');
    expect(missing.cause).toMatch(
      /^An error occurred while executing the state 'Choose' \(entered at the event id #2\)\. Invalid path/,
    );
    expect((await execute(only('$.n'), data).done).error).toBe('States.NoChoiceMatched');
  });
});

describe('Wait', () => {
  test.each<[Partial<State>, number]>([
    [{ Seconds: 60 }, 60],
    [{ SecondsPath: '$.seconds' }, 30],
    [{ Timestamp: '2026-01-01T02:00:00+01:00' }, 3600],
    [{ TimestampPath: '$.at' }, 10],
    [{ Timestamp: '2020-01-01T00:00:00Z' }, 0],
  ])('%j', async (fields, expected) => {
    await through({ Type: 'Wait', End: true, ...fields } as State, { seconds: 30, at: '2026-01-01T00:00:10Z' });
    expect(seconds()).toBe(expected);
  });

  test.each<Partial<State>>([{ SecondsPath: '$.half' }, { SecondsPath: '$.past' }, { TimestampPath: '$.local' }])(
    'refuses %j',
    async (fields) => {
      const wait = { Type: 'Wait', End: true, ...fields } as State;
      await expect(through(wait, { half: 0.5, past: -1, local: '2026-01-01T00:00:00' })).rejects.toThrow(
        'States.Runtime',
      );
    },
  );
});

test('an unsupported field is refused at the start', () => {
  const state = { Type: 'Task', Resource: 'arn:aws:states:::dynamodb:putItem', End: true } as State;
  expect(() => execute(machine(['Put', state]), {})).toThrow('Lambda functions only');
  expect(() => execute(machine(['Put', { Type: 'Pass', Assign: {}, End: true } as State]), {})).toThrow('Assign');
});

test('500 executions that wait for a day take little real time', async () => {
  const invoke = () => Promise.resolve(seconds() < 86_400 ? { status: 'waiting', seconds: 900 } : { status: 'ready' });
  const runs = Array.from({ length: 500 }, () => execute(poll, {}, undefined, { invoke }).done);
  const results = await Promise.all(runs);
  expect(results.every(({ status }) => status === 'SUCCEEDED')).toBe(true);
});
