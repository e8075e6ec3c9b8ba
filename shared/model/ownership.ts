/** Value of the tag that marks our resources. We do not change a resource without our tags. */
export const managedBy = 'kubecost-payer-onboarding';

export interface Owner {
  deploymentId: string;
  runId: string;
}

/** `ours`: of this deployment; `other-deployment`: of another one, always refused; `foreign`: without our tags. */
export type Ownership = 'ours' | 'other-deployment' | 'foreign';
