import { offboardingStepNames } from '../shared/model/step-names.ts';
import { chain, closingStates, firstOf } from './states.ts';

/** An offboarding as a state machine: input `{runId, attempt}`; its steps run in sequence, and every execution ends with `close`. */
export function offboardDefinition() {
  return {
    Comment:
      'Offboards one payer account from one cluster: first its entry, last the access to its data. Generated: npm run generate.',
    StartAt: firstOf(offboardingStepNames),
    TimeoutSeconds: 2 * 24 * 3600,
    States: { ...chain(offboardingStepNames, { last: 'close', catch: 'close' }), ...closingStates() },
  };
}
