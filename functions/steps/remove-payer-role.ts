import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

export const removePayerRole = defineStep({
  name: 'remove-payer-role',
  summary: 'To be written.',
  permissions: {},
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({ kind: 'ready', output: { removed: [], kept: [] } }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(removePayerRole);
