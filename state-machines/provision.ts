import { stepNames, stepPhases, type StepName } from '../shared/step-names.ts';
import { functionArn, retry, stepStates, type States } from './states.ts';

type Phase = (typeof stepPhases)[StepName];

const stepsOf = (phase: Phase): StepName[] => stepNames.filter((name) => stepPhases[name] === phase);

/** Steps one after the other; the last one goes to `last` or ends its branch. */
function chain(names: readonly StepName[], last?: string, catchTo?: string): States {
  return Object.assign(
    {},
    ...names.map((name, index) => {
      const next = names[index + 1] ?? last;
      return stepStates(
        name,
        next === undefined ? { End: true } : { Next: next },
        catchTo === undefined ? {} : { catch: catchTo },
      );
    }),
  ) as States;
}

/** The access branch forks once: a run takes the step of its own identity mode. */
function accessStates(): States {
  const names = stepsOf('access').filter((name) => name !== 'pod-role' && name !== 'pod-identity');
  const states = chain(names);
  const afterIdentity = { Next: 'payer-role' };
  return {
    ...states,
    ...stepStates('discovery', { Next: 'identity mode?' }),
    'identity mode?': {
      Type: 'Choice',
      Choices: [{ Variable: '$.identityMode', StringEquals: 'pod-identity', Next: 'pod-identity' }],
      Default: 'pod-role',
    },
    ...stepStates('pod-role', afterIdentity),
    ...stepStates('pod-identity', afterIdentity),
  };
}

const first = (names: readonly StepName[]): string => {
  const [name] = names;
  if (name === undefined) throw new Error('a phase without steps');
  return name;
};

/**
 * The whole run as a state machine: input `{runId, attempt, identityMode}`, nothing else travels through it. Everything that
 * does not need the table happens beside the wait for AWS's first delivery; every end goes through `close`.
 */
export function provisionDefinition() {
  const start = stepsOf('start');
  const billing = stepsOf('billing');
  const query = stepsOf('query');
  const finish = stepsOf('finish');
  return {
    Comment: 'One payer account, from nothing to a proven cloud-integration entry. Generated: npm run generate.',
    StartAt: first(start),
    // Longer than any wait.deadlineHours (14 days) plus everything around it.
    TimeoutSeconds: 20 * 24 * 3600,
    States: {
      ...chain(start, 'prepare', 'close'),
      prepare: {
        Type: 'Parallel',
        Branches: [
          { StartAt: first(billing), States: chain(billing) },
          { StartAt: first(query), States: chain(query) },
          { StartAt: first(stepsOf('access')), States: accessStates() },
        ],
        ResultPath: null,
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'close' }],
        Next: first(finish),
      },
      ...chain(finish, 'close', 'close'),
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
    },
  };
}
