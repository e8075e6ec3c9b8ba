import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

export const unloadProof = defineStep({
  name: 'unload-proof',
  summary: 'To be written.',
  permissions: {},
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({ kind: 'ready', output: { verdict: 'not-installed' } }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(unloadProof);
