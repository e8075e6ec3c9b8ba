/**
 * Every step of an onboarding, in the order in which a run shows it, with its phase. `start` runs before anything outside the cluster
 * is written. `billing`, `query` and `access` run in parallel while AWS prepares the first delivery. `finish` runs after them.
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

export type OnboardingStepName = keyof typeof stepPhases;
export const onboardingStepNames = Object.keys(stepPhases) as [OnboardingStepName, ...OnboardingStepName[]];

/** Every step of an offboarding, in sequence: a resource is removed after everything that reads it. */
export const offboardingStepNames = [
  'inventory',
  'remove-entry',
  'unload-proof',
  'remove-pod-role',
  'remove-grant',
  'remove-payer-role',
  'remove-crawler-stack',
  'remove-athena-results',
  'remove-report',
  'remove-access',
] as const;
export type OffboardingStepName = (typeof offboardingStepNames)[number];

export type StepName = OnboardingStepName | OffboardingStepName;
export const stepNames = [...onboardingStepNames, ...offboardingStepNames] as const;

export const runKinds = ['onboarding', 'offboarding'] as const;
export type RunKind = (typeof runKinds)[number];

/** The steps of each kind of run. */
export const stepNamesOf: Record<RunKind, readonly StepName[]> = {
  onboarding: onboardingStepNames,
  offboarding: offboardingStepNames,
};

/** The kind of run that a step belongs to. */
export type KindOf<Name extends StepName> = Name extends OffboardingStepName ? 'offboarding' : 'onboarding';
