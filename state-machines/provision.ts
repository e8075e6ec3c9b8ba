import { type OnboardingStepName, onboardingStepNames, type StepName, stepPhases } from '../shared/model/step-names.ts';
import { chain, type ChainOptions, closingStates, stateName, type States, stepStates } from './states.ts';

type Phase = (typeof stepPhases)[OnboardingStepName];

const stepsOf = (phase: Phase): OnboardingStepName[] =>
  onboardingStepNames.filter((name) => stepPhases[name] === phase);
const first = (names: readonly StepName[]): string => {
  const [name] = names;
  if (name === undefined) throw new Error('a phase without steps');
  return name;
};

/** A run takes the step of its own identity mode, then the steps that follow from it. */
function identityStates(options: ChainOptions = {}): States {
  const [podRole, podIdentity, ...after] = stepsOf('access');
  if (podRole === undefined || podIdentity === undefined) throw new Error('two ways to give the pod its role');
  const mode = identityChoice(options.again);
  return {
    [mode]: {
      Type: 'Choice',
      Choices: [{ Variable: '$.identityMode', StringEquals: podIdentity, Next: stateName(podIdentity, options.again) }],
      Default: stateName(podRole, options.again),
    },
    ...chain([podRole], { ...options, last: stateName(after[0] ?? podRole, options.again) }),
    ...chain([podIdentity], { ...options, last: stateName(after[0] ?? podRole, options.again) }),
    ...chain(after, options),
  };
}

/** Executions of releases before 0.3 carry no `from`. */
const fromChoice = (from: StepName, Next: string) => ({
  And: [
    { Variable: '$.from', IsPresent: true },
    { Variable: '$.from', StringEquals: from },
  ],
  Next,
});

const identityChoice = (again = false) => (again ? 'identity mode again?' : 'identity mode?');

/**
 * The whole run as a state machine: input `{runId, attempt, identityMode, from}`, nothing else travels through it. What is installed is
 * looked at before anything outside the cluster is written, and again before publishing, for people install Kubecost during the
 * wait: then the access steps are taken once more. Everything that does not need the table happens beside the wait for AWS's
 * first delivery; every end goes through `close`.
 */
export function provisionDefinition() {
  const start = stepsOf('start');
  const billing = stepsOf('billing');
  const query = stepsOf('query');
  const [publish = '', ...proofs] = stepsOf('finish').slice(-2);
  const beforePublish = stepsOf('finish').slice(0, -2);
  const closing = { catch: 'close' };
  const accessAgain = stateName('cluster-access', true);
  return {
    Comment: 'One payer account, from nothing to a proven cloud-integration entry. Generated: npm run generate.',
    StartAt: 'where from?',
    // Longer than any wait.deadlineHours (14 days) plus everything around it.
    TimeoutSeconds: 20 * 24 * 3600,
    States: {
      // A retry of a run that lacks only the consumer's word begins there, or at the consumer's discovery if there was none yet.
      'where from?': {
        Type: 'Choice',
        Choices: [
          ...proofs.map((name) => fromChoice(name, name)),
          fromChoice('discovery', stateName('discovery', true)),
        ],
        Default: first(start),
      },
      ...chain(start, { last: 'prepare', ...closing }),
      ...stepStates(
        'discovery',
        { Next: 'prepare' },
        // Our rights name what they are for: a release with names of its own needs them widened.
        { ...closing, outdated: { 'cluster-access': 'cluster-access' } },
      ),
      prepare: {
        Type: 'Parallel',
        Branches: [
          { StartAt: first(billing), States: chain(billing) },
          { StartAt: first(query), States: chain(query) },
          { StartAt: identityChoice(), States: identityStates() },
        ],
        ResultPath: null,
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'close' }],
        Next: first(beforePublish),
      },
      ...chain(beforePublish, { last: stateName('discovery', true), ...closing }),
      ...stepStates(
        'discovery',
        { Next: publish },
        { ...closing, again: true, outdated: { 'cluster-access': accessAgain, 'pod-role': accessAgain } },
      ),
      ...chain(['cluster-access'], { last: identityChoice(true), again: true, ...closing }),
      ...identityStates({ last: publish, again: true, ...closing }),
      ...chain([publish as StepName, ...proofs], { last: 'close', ...closing }),
      ...closingStates(),
    },
  };
}
