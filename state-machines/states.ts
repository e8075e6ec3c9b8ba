import type { StepName } from '../shared/step-names.ts';

type State = Record<string, unknown> & { Type: string };
export type States = Record<string, State>;

/** `cur-bucket` → `curBucket`: the function's key in serverless.yml. */
export function functionKey(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Placeholder that DefinitionSubstitutions fills with the function's ARN. */
export function functionArn(name: string): string {
  return `\${${functionKey(name)}Arn}`;
}

/**
 * Minutes of patience for what passes by itself: our RetryableError, an invocation that timed out, and the failures of the
 * Lambda service that AWS asks to retry. Full jitter keeps a fleet of runs from coming back at once.
 */
export const retry = [
  {
    ErrorEquals: [
      'RetryableError',
      'Lambda.ServiceException',
      'Lambda.AWSLambdaException',
      'Lambda.SdkClientException',
      'Lambda.TooManyRequestsException',
      'Lambda.ClientExecutionTimeoutException',
      'Lambda.Unknown',
      'Sandbox.Timedout',
      'States.Timeout',
    ],
    IntervalSeconds: 2,
    BackoffRate: 2,
    MaxDelaySeconds: 60,
    MaxAttempts: 8,
    JitterStrategy: 'FULL',
  },
];

/** A step as three states: do it; look whether it waits; wait and do it again. Waiting is a result, never an error. */
export function stepStates(
  name: StepName,
  next: { Next: string } | { End: true },
  options: { catch?: string } = {},
): States {
  const look = `${name} done?`;
  const wait = `${name} waits`;
  const after: States[string] = 'Next' in next ? { Type: 'Pass', ...next } : { Type: 'Pass', End: true };
  const done = 'Next' in next ? next.Next : `${name} done`;
  return {
    [name]: {
      Type: 'Task',
      Resource: functionArn(name),
      Parameters: { 'runId.$': '$.runId', 'attempt.$': '$.attempt' },
      ResultPath: '$.answer',
      TimeoutSeconds: 90,
      Retry: retry,
      ...(options.catch && { Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: options.catch }] }),
      Next: look,
    },
    [look]: {
      Type: 'Choice',
      Choices: [{ Variable: '$.answer.status', StringEquals: 'waiting', Next: wait }],
      Default: done,
    },
    [wait]: { Type: 'Wait', SecondsPath: '$.answer.seconds', Next: name },
    ...('Next' in next ? {} : { [done]: after }),
  };
}
