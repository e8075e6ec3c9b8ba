import { phaseSteps, type StepName } from '../shared/model/step-names.ts';
import { chain, type ChainOptions, closingStates, firstOf, stateName, type States, stepStates } from './states.ts';

const { preparation, billing, query, identity, access, proof, publication } = phaseSteps;

const identityChoice = (again = false) => (again ? 'identity mode again?' : 'identity mode?');

/** The pod's role by the run's identity mode, then the access that builds on it. */
function accessStates(options: ChainOptions = {}): States {
  const { again } = options;
  const last = stateName(firstOf(access), again);
  return {
    [identityChoice(again)]: {
      Type: 'Choice',
      Choices: [{ Variable: '$.identityMode', StringEquals: 'pod-identity', Next: stateName('pod-identity', again) }],
      Default: stateName('pod-role', again),
    },
    ...Object.fromEntries(identity.flatMap((name) => Object.entries(chain([name], { ...options, last })))),
    ...chain(access, options),
  };
}

/** `from` is absent in an execution that an operator starts by hand. */
const fromChoice = (from: StepName, Next: string) => ({
  And: [
    { Variable: '$.from', IsPresent: true },
    { Variable: '$.from', StringEquals: from },
  ],
  Next,
});

/**
 * The whole onboarding as a state machine: input `{runId, attempt, identityMode, from}`, nothing else is in its state.
 *
 *     preparation → billing            → proof → discovery again → publication → close
 *                 → query
 *                 → identity → access
 *
 * `billing`, `query` and `identity → access` run side by side, so that all but the proof happens while AWS prepares the first delivery.
 * `discovery` runs again before the publication, because Kubecost may be installed while the run waits: then cluster access, identity
 * and access run again. Every failure ends in `close`.
 */
export function provisionDefinition() {
  const closing = { catch: 'close' };
  const accessAgain = stateName('cluster-access', true);
  const discoveryAgain = stateName('discovery', true);
  return {
    Comment: 'Onboards one payer account, up to a proven cloud-integration entry. Generated: npm run generate.',
    StartAt: 'where from?',
    // Longer than any wait.deadlineHours (14 days) plus everything around it.
    TimeoutSeconds: 20 * 24 * 3600,
    States: {
      // A retry of a run that lacks only the consumer's proof starts at the proof, or at discovery if there was no consumer yet.
      'where from?': {
        Type: 'Choice',
        Choices: [fromChoice('load-proof', 'load-proof'), fromChoice('discovery', discoveryAgain)],
        Default: firstOf(preparation),
      },
      ...chain(preparation, { last: 'prepare', ...closing }),
      ...stepStates(
        'discovery',
        { Next: 'prepare' },
        // Our rights name their resources, so a Helm release with other names needs wider rights.
        { ...closing, outdated: { 'cluster-access': 'cluster-access' } },
      ),
      prepare: {
        Type: 'Parallel',
        Branches: [
          { StartAt: firstOf(billing), States: chain(billing) },
          { StartAt: firstOf(query), States: chain(query) },
          { StartAt: identityChoice(), States: accessStates() },
        ],
        ResultPath: null,
        Catch: [{ ErrorEquals: ['States.ALL'], ResultPath: '$.failure', Next: 'close' }],
        Next: firstOf(proof),
      },
      ...chain(proof, { last: discoveryAgain, ...closing }),
      ...stepStates(
        'discovery',
        { Next: firstOf(publication) },
        { ...closing, again: true, outdated: { 'cluster-access': accessAgain, 'pod-role': accessAgain } },
      ),
      ...chain(['cluster-access'], { last: identityChoice(true), again: true, ...closing }),
      ...accessStates({ last: firstOf(publication), again: true, ...closing }),
      ...chain(publication, { last: 'close', ...closing }),
      ...closingStates(),
    },
  };
}
