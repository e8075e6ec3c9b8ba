/**
 * Every step in the order a run shows it, and where it belongs in the run: `start` before anything outside the cluster is
 * written, `billing`, `query` and `access` side by side while AWS prepares the first delivery, `finish` after them.
 */
export const stepPhases = {
  preflight: 'start',
  'report-choice': 'start',
  'cluster-access': 'start',
  discovery: 'start',
  'cur-bucket': 'billing',
  'cur-report': 'billing',
  'first-delivery': 'billing',
  'crawler-stack': 'billing',
  'crawler-table': 'billing',
  'athena-results': 'query',
  'pod-role': 'access',
  'pod-identity': 'access',
  'payer-role': 'access',
  grant: 'access',
  'chain-proof': 'access',
  'payer-policy': 'finish',
  'smoke-query': 'finish',
  publish: 'finish',
  'load-proof': 'finish',
} as const;

export type StepName = keyof typeof stepPhases;
export const stepNames = Object.keys(stepPhases) as [StepName, ...StepName[]];
