import type { StepName } from '../shared/model/step-names.ts';

type State = Record<string, unknown> & { Type: string };
export type States = Record<string, State>;

/** `cur-bucket` → `curBucket`: the function's key in serverless.yml. */
export function functionKey(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Placeholder that DefinitionSubstitutions fills with the function's ARN. */
function functionArn(name: string): string {
  return `\${${functionKey(name)}Arn}`;
}

const passingErrors = [
  'RetryableError',
  'Lambda.ServiceException',
  'Lambda.AWSLambdaException',
  'Lambda.SdkClientException',
  'Lambda.TooManyRequestsException',
  'Lambda.ClientExecutionTimeoutException',
  'Lambda.Unknown',
  'Lambda.ResourceConflictException',
  'Lambda.ResourceNotReadyException',
  'Lambda.EC2ThrottledException',
  'Sandbox.Timedout',
];

/**
 * Retries for minutes what passes by itself: our RetryableError, an invocation that timed out, and the failures of the Lambda service that
 * AWS asks to retry. In a VPC, a function that nobody called for two weeks has lost its network interface and refuses for about a minute
 * (Lambda guide, "Lambda function states"). Full jitter keeps many runs from retrying at once.
 */
const retryOf = (errors: readonly string[]) => [
  {
    ErrorEquals: errors,
    IntervalSeconds: 2,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    MaxAttempts: 8,
    JitterStrategy: 'FULL',
  },
];
const retry = retryOf([...passingErrors, 'States.Timeout']);

interface StepOptions {
  catch?: string;
  /** True if the step runs a second time in one run. */
  again?: boolean;
  /** The next state if an earlier step has to run again. */
  outdated?: Partial<Record<StepName, string>>;
}

/** The step's own state: `again` marks the second time that it runs in one run. */
export function stateName(name: StepName, again = false): string {
  return again ? `${name} again` : name;
}

/** The answer of a step that waits for a callback. A function of release 0.3.0 does not answer with the field. */
const waitsForCallback = {
  And: [
    { Variable: '$.answer.status', StringEquals: 'waiting' },
    { Variable: '$.answer.callback', IsPresent: true },
    { Variable: '$.answer.callback', BooleanEquals: true },
  ],
};

/**
 * A step as four states: the task, a choice whether it waits, and before the task runs again either a wait of minutes or, for hours, a
 * task that ends when the watcher calls it back. A wait is a result, never an error.
 */
export function stepStates(name: StepName, next: { Next: string } | { End: true }, options: StepOptions = {}): States {
  const state = stateName(name, options.again);
  const check = `${state} done?`;
  const wait = `${state} waits`;
  const called = `${state} is called back`;
  const failed =
    options.catch === undefined ? [] : [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: options.catch }];
  const after: States[string] = 'Next' in next ? { Type: 'Pass', ...next } : { Type: 'Pass', End: true };
  const done = 'Next' in next ? next.Next : `${state} done`;
  const outdated = Object.entries(options.outdated ?? {}).map(([step, to]) => ({
    Variable: '$.answer.outdated',
    StringEquals: step,
    Next: to,
  }));
  return {
    [state]: {
      Type: 'Task',
      Resource: functionArn(name),
      Parameters: { 'runId.$': '$.runId', 'attempt.$': '$.attempt' },
      ResultPath: '$.answer',
      TimeoutSeconds: 90,
      Retry: retry,
      ...(failed.length > 0 && { Catch: failed }),
      Next: check,
    },
    [check]: {
      Type: 'Choice',
      Choices: [
        { ...waitsForCallback, Next: called },
        { Variable: '$.answer.status', StringEquals: 'waiting', Next: wait },
        ...outdated,
      ],
      Default: done,
    },
    [wait]: { Type: 'Wait', SecondsPath: '$.answer.seconds', Next: state },
    [called]: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke.waitForTaskToken',
      Parameters: {
        FunctionName: functionArn('keep-token'),
        Payload: { 'runId.$': '$.runId', 'attempt.$': '$.attempt', step: name, 'token.$': '$$.Task.Token' },
      },
      ResultPath: null,
      TimeoutSecondsPath: '$.answer.timeoutSeconds',
      Retry: retryOf(passingErrors),
      // Nobody has called back: the step looks for itself.
      Catch: [{ ErrorEquals: ['States.Timeout'], ResultPath: null, Next: state }, ...failed],
      Next: state,
    },
    ...('Next' in next ? {} : { [done]: after }),
  };
}

export interface ChainOptions {
  /** The state after the last step; absent if the last step ends its branch. */
  last?: string;
  catch?: string;
  again?: boolean;
}

/** @throws if a phase has no step */
export function firstOf(steps: readonly StepName[]): StepName {
  const [first] = steps;
  if (first === undefined) throw new Error('A phase in shared/model/steps-and-outputs.ts has no step.');
  return first;
}

/** Steps in sequence. */
export function chain(names: readonly StepName[], { last, ...options }: ChainOptions = {}): States {
  return Object.fromEntries(
    names.flatMap((name, index) => {
      const following = names[index + 1];
      const next = following === undefined ? last : stateName(following, options.again);
      return Object.entries(stepStates(name, next === undefined ? { End: true } : { Next: next }, options));
    }),
  );
}

/** The last states of every machine: `close`, which returns whether the run succeeded. */
export function closingStates(): States {
  return {
    close: {
      Type: 'Task',
      Resource: functionArn('close'),
      ResultPath: '$.closed',
      TimeoutSeconds: 90,
      Retry: retry,
      Next: 'ended well?',
    },
    'ended well?': {
      Type: 'Choice',
      Choices: [{ Variable: '$.closed.status', StringEquals: 'failed', Next: 'failed' }],
      Default: 'ended',
    },
    failed: { Type: 'Fail', Error: 'RunFailed', Cause: 'The run record names the step, the cause and the remedy.' },
    ended: { Type: 'Succeed' },
  };
}
