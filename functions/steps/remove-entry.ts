import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

export const removeEntry = defineStep({
  name: 'remove-entry',
  summary: 'To be written.',
  permissions: {},
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({ kind: 'ready', output: { removed: [], kept: [], otherKeys: [] } }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(removeEntry);
