import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

export const removeCrawlerStack = defineStep({
  name: 'remove-crawler-stack',
  summary: 'To be written.',
  permissions: {},
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({ kind: 'ready', output: { removed: [], kept: [] } }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(removeCrawlerStack);
