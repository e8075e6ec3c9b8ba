/** What we make carries these three tags; what lacks them is not ours to change. */
export const managedBy = 'kubecost-payer-onboarding';

export interface Owner {
  deploymentId: string;
  runId: string;
}

/** `ours`: this deployment's; `other-deployment`: another one's, refused always; `foreign`: made by someone else. */
export type Ownership = 'ours' | 'other-deployment' | 'foreign';
