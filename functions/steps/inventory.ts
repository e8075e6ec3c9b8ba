import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

export const inventory = defineStep({
  name: 'inventory',
  summary: 'To be written.',
  permissions: {},
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({
    kind: 'ready',
    output: {
      onboardedBy: null,
      cluster: null,
      identityMode: 'irsa',
      serviceAccount: '',
      publishedKey: null,
      report: null,
      athenaWorkgroup: 'primary',
      athenaResultsBucket: null,
    },
  }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(inventory);
