import { offboardingStepNames } from '../shared/model/step-names.ts';
import { chain, closingStates, firstOf } from './states.ts';

/** An offboarding as a state machine: input `{runId, attempt}`; its steps follow one another, and every end goes through `close`. */
export function offboardDefinition() {
  return {
    Comment:
      'One payer account out of one cluster: the entry first, the way to its data last. Generated: npm run generate.',
    StartAt: firstOf(offboardingStepNames),
    TimeoutSeconds: 2 * 24 * 3600,
    States: { ...chain(offboardingStepNames, { last: 'close', catch: 'close' }), ...closingStates() },
  };
}
