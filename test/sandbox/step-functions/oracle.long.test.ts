import stateLint from '@wmfs/statelint';
import validate from 'asl-validator';
import { ExecutionError, StateMachine as Reference } from 'aws-local-stepfunctions';
import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import type { Json, JsonObject, State, StateMachine } from './definition.ts';
import { itemProcessor } from './definition.ts';
import { interpret } from './interpreter.ts';

// A second interpreter for comparison. It is known to differ in the context object, in type tests with `false` and in a failed task's
// cause, so the definitions here do not use those.

const LAMBDA = 'arn:aws:lambda:eu-west-1:999988887777:function:';

interface Case {
  definition: StateMachine;
  input: JsonObject;
  /** Handlers by state name; created for each engine, because handlers count their calls. */
  handlers?: () => Record<string, (payload: JsonObject) => Json>;
}

function fail(name: string): never {
  throw Object.assign(new Error(`${name} happened`), { name });
}

const cases: Record<string, Case> = {
  'a poll loop': {
    definition: {
      StartAt: 'Look',
      States: {
        Look: { Type: 'Task', Resource: `${LAMBDA}Look`, ResultPath: '$.seen', Next: 'Ready' },
        Ready: {
          Type: 'Choice',
          Choices: [
            {
              And: [
                { Variable: '$.seen.status', StringEquals: 'waiting' },
                { Variable: '$.seen.round', NumericLessThan: 5 },
              ],
              Next: 'Later',
            },
            { Not: { Variable: '$.seen.reason', IsPresent: true }, Next: 'Done' },
          ],
          Default: 'Broken',
        },
        Later: { Type: 'Wait', SecondsPath: '$.seen.seconds', Next: 'Look' },
        Done: { Type: 'Pass', Parameters: { 'rounds.$': '$.seen.round', 'run.$': '$.runId' }, End: true },
        Broken: { Type: 'Fail', Error: 'Broken', Cause: 'neither waiting nor done' },
      },
    },
    input: { runId: 'r' },
    handlers: () => {
      let round = 0;
      return { Look: () => (++round < 4 ? { status: 'waiting', seconds: 900, round } : { status: 'ready', round }) };
    },
  },
  'parallel branches that wait, with a selector': {
    definition: {
      StartAt: 'Both',
      States: {
        Both: {
          Type: 'Parallel',
          Parameters: { 'id.$': '$.id', fixed: [1, { 'n.$': '$.n' }] },
          Branches: [
            {
              StartAt: 'Left',
              States: {
                Left: { Type: 'Wait', Seconds: 60, Next: 'LeftTask' },
                LeftTask: { Type: 'Task', Resource: `${LAMBDA}LeftTask`, End: true },
              },
            },
            {
              StartAt: 'Right',
              States: { Right: { Type: 'Pass', Result: { right: true }, ResultPath: '$.r', End: true } },
            },
          ],
          ResultSelector: { 'left.$': '$[0].answer', 'right.$': '$[1]' },
          ResultPath: '$.both',
          OutputPath: '$.both',
          End: true,
        },
      },
    },
    input: { id: 'x', n: 7 },
    handlers: () => ({ LeftTask: (payload) => ({ answer: [payload] }) }),
  },
  'a retry that succeeds, then a catch that ends in a failure': {
    definition: {
      StartAt: 'Flaky',
      States: {
        Flaky: {
          Type: 'Task',
          Resource: `${LAMBDA}Flaky`,
          Retry: [
            {
              ErrorEquals: ['RetryableError'],
              IntervalSeconds: 2,
              MaxAttempts: 3,
              BackoffRate: 3,
              MaxDelaySeconds: 10,
            },
            { ErrorEquals: ['States.ALL'], MaxAttempts: 0 },
          ],
          ResultPath: '$.flaky',
          Next: 'Wrong',
        },
        Wrong: {
          Type: 'Task',
          Resource: `${LAMBDA}Wrong`,
          Retry: [{ ErrorEquals: ['RetryableError'] }],
          Catch: [
            { ErrorEquals: ['TerminalError'], Next: 'Never' },
            { ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'Record' },
          ],
          Next: 'Never',
        },
        Record: { Type: 'Pass', Parameters: { 'what.$': '$.failure.Error', 'flaky.$': '$.flaky' }, Next: 'Failed' },
        Failed: { Type: 'Fail', ErrorPath: '$.what', CausePath: '$.flaky' },
        Never: { Type: 'Succeed' },
      },
    },
    input: {},
    handlers: () => {
      let attempts = 0;
      return {
        Flaky: () => (++attempts < 4 ? fail('RetryableError') : `after ${attempts}`),
        Wrong: () => fail('UserError'),
      };
    },
  },
  'a failing branch inside a parallel state that catches': {
    definition: {
      StartAt: 'Both',
      States: {
        Both: {
          Type: 'Parallel',
          Branches: [
            {
              StartAt: 'Slow',
              States: { Slow: { Type: 'Wait', Seconds: 1, Next: 'SlowEnd' }, SlowEnd: { Type: 'Succeed' } },
            },
            { StartAt: 'Bad', States: { Bad: { Type: 'Fail', Error: 'UserError', Cause: 'wrong role' } } },
          ],
          Catch: [{ ErrorEquals: ['UserError'], ResultPath: '$.failure', Next: 'After' }],
          End: true,
        },
        After: { Type: 'Succeed', OutputPath: '$.failure' },
      },
    },
    input: { keep: true },
  },
  'a map with a selector and a task that fails once per item': {
    definition: {
      StartAt: 'Each',
      States: {
        Each: {
          Type: 'Map',
          ItemsPath: '$.payers',
          MaxConcurrency: 2,
          ItemSelector: { 'payer.$': '$$.Map.Item.Value', 'index.$': '$$.Map.Item.Index', 'batch.$': '$.batch' },
          ItemProcessor: {
            StartAt: 'One',
            States: {
              One: {
                Type: 'Task',
                Resource: `${LAMBDA}One`,
                Retry: [{ ErrorEquals: ['States.TaskFailed'] }],
                ResultPath: '$.done',
                End: true,
              },
            },
          },
          ResultPath: '$.results',
          End: true,
        },
      },
    },
    input: { batch: 'b', payers: [{ id: 1 }, { id: 2 }, { id: 3 }] },
    handlers: () => {
      const failed = new Set<Json | undefined>();
      return {
        One: ({ index, payer }) => {
          if (failed.has(index)) return { payer: payer ?? null };
          failed.add(index);
          return fail('RetryableError');
        },
      };
    },
  },
  'intrinsic functions': {
    definition: {
      StartAt: 'Compute',
      States: {
        Compute: {
          Type: 'Pass',
          Parameters: {
            'format.$': "States.Format('{} of {} \\{\\}', $.name, $.list[1])",
            'json.$': 'States.StringToJson($.json)',
            'text.$': 'States.JsonToString($.o)',
            'array.$': "States.Array($.name, 1, true, null, States.MathAdd(1, 2), 'x')",
            'partition.$': 'States.ArrayPartition($.list, 2)',
            'contains.$': 'States.ArrayContains($.list, 3)',
            'range.$': 'States.ArrayRange(1, 10, 3)',
            'item.$': 'States.ArrayGetItem($.list, 2)',
            'length.$': 'States.ArrayLength($.list)',
            'unique.$': 'States.ArrayUnique($.list)',
            'encoded.$': "States.Base64Encode('abc')",
            'decoded.$': "States.Base64Decode('YWJj')",
            'hash.$': "States.Hash($.name, 'SHA-256')",
            'merged.$': 'States.JsonMerge($.o, $.p, false)',
            'split.$': "States.StringSplit('a,b,c', ',')",
          },
          End: true,
        },
      },
    },
    input: { name: 'näme', list: [1, 2, 3, 3], json: '{"a":[1,null]}', o: { a: 1, b: { c: 1 } }, p: { b: { d: 2 } } },
  },
  'comparisons of every type': {
    definition: {
      StartAt: 'Choose',
      States: {
        Choose: {
          Type: 'Choice',
          Choices: [
            { Variable: '$.n', NumericGreaterThanPath: '$.m', Next: 'No' },
            { Variable: '$.s', StringMatches: '*.parquet', Next: 'No' },
            { Variable: '$.t', TimestampGreaterThanEquals: '2026-02-01T00:00:00Z', Next: 'No' },
            {
              Or: [
                { Variable: '$.b', BooleanEquals: false },
                { Variable: '$.s', StringMatches: 'cur/*/crawler-cfn.yml' },
              ],
              Next: 'Yes',
            },
          ],
        },
        Yes: { Type: 'Succeed' },
        No: { Type: 'Fail', Error: 'No' },
      },
    },
    input: { n: 1, m: 2, s: 'cur/report/crawler-cfn.yml', t: '2026-01-31T23:59:59Z', b: true },
  },
};

type Outcome = { output: unknown } | { error: string };

async function reference({ definition, input, handlers }: Case): Promise<Outcome> {
  const names: string[] = [];
  const collect = (machine: StateMachine) => {
    for (const [name, state] of Object.entries<State>(machine.States)) {
      names.push(name);
      if (state.Type === 'Parallel') state.Branches.forEach(collect);
      if (state.Type === 'Map') collect(itemProcessor(state));
    }
  };
  collect(definition);
  const zeros = Object.fromEntries(names.map((name) => [name, 0]));
  type Definition = ConstructorParameters<typeof Reference>[0];
  type Overrides = NonNullable<NonNullable<Parameters<Reference['run']>[1]>['overrides']>;
  const machine = new Reference(structuredClone(definition) as unknown as Definition);
  const overrides = {
    taskResourceLocalHandlers: handlers?.(),
    waitTimeOverrides: zeros,
    retryIntervalOverrides: zeros,
  };
  try {
    return { output: await machine.run(input, { overrides: overrides as unknown as Overrides }).result };
  } catch (error) {
    if (error instanceof ExecutionError) return { error: (error.cause as Error).name };
    throw error;
  }
}

async function own({ definition, input, handlers }: Case): Promise<Outcome> {
  const clock = new VirtualClock(0);
  const made = handlers?.() ?? {};
  const { done } = interpret(definition, input, {
    clock,
    name: 'run',
    arn: 'arn:aws:states:eu-west-1:999988887777:execution:machine:run',
    invoke: (functionArn, payload) =>
      Promise.resolve().then(() => made[functionArn.slice(LAMBDA.length)]?.(payload as JsonObject) ?? null),
  });
  const { status, output, error = '' } = await done;
  clock.stop();
  return status === 'SUCCEEDED' ? { output } : { error };
}

test.each(Object.entries(cases))('both interpreters agree on %s', async (_, example) => {
  expect(validate(structuredClone(example.definition)).errorsText()).toBe('');
  expect(stateLint().validate(structuredClone(example.definition))).toEqual([]);
  const outcome = await own(example);
  expect(outcome).toEqual(await reference(example));
});
