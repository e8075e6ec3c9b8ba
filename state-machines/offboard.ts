import { offboardingStepNames } from '../shared/model/step-names.ts';
import { chain, closingStates } from './states.ts';

/** An offboarding as a state machine: input `{runId, attempt}`; what reads goes before what is read, every end through `close`. */
export function offboardDefinition() {
  return {
    Comment:
      'One payer account out of one cluster: the entry first, the way to its data last. Generated: npm run generate.',
    StartAt: offboardingStepNames[0],
    TimeoutSeconds: 2 * 24 * 3600,
    States: { ...chain(offboardingStepNames, { last: 'close', catch: 'close' }), ...closingStates() },
  };
}
