/**
 * Every step in the order a run shows it, and where it belongs in the run: `start` before the branches, `billing`, `query`
 * and `access` side by side while AWS prepares the first delivery, `finish` after them.
 */
export const stepPhases = {
  preflight: 'start',
  'report-choice': 'start',
  'cur-bucket': 'billing',
  'cur-report': 'billing',
  'first-delivery': 'billing',
  'crawler-stack': 'billing',
  'crawler-table': 'billing',
  'athena-results': 'query',
  'cluster-access': 'access',
  discovery: 'access',
  'pod-role': 'access',
  'pod-identity': 'access',
  'payer-role': 'access',
  grant: 'access',
  'chain-proof': 'access',
  'payer-policy': 'finish',
  'smoke-query': 'finish',
  publish: 'finish',
} as const;

export type StepName = keyof typeof stepPhases;
export const stepNames = Object.keys(stepPhases) as [StepName, ...StepName[]];
