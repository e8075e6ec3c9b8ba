import { applyPolicyChange, type PolicyChange } from '../aws/managed-policy.ts';
import { applyOidcProviderChange, type OidcProviderChange } from '../aws/oidc-provider.ts';
import { applyAssociationChange, type AssociationChange } from '../aws/pod-identity-association.ts';
import { applyRoleChange, type RoleChange } from '../aws/role.ts';
import type { RunKind } from '../model/step-names.ts';
import type { StepContext } from '../step/contract.ts';
import type { PodIdentity } from './pod-trust.ts';
import { applyServiceAccountChange, type ServiceAccountChange } from './service-account.ts';

/** A change of a resource that gives the pods their rights in the cluster account. */
export type PodChange = RoleChange | PolicyChange | OidcProviderChange | AssociationChange | ServiceAccountChange;

export async function applyPodChange(
  cx: StepContext<RunKind>,
  change: PodChange,
  pod: PodIdentity,
): Promise<'changed'> {
  switch (change.action) {
    case 'create-oidc-provider':
    case 'add-oidc-client':
      await applyOidcProviderChange(cx.cluster, change, cx.owner);
      break;
    case 'create-association':
    case 'tag-association':
    case 'delete-association':
    case 'release-association': {
      const { name: clusterName, region } = cx.run.request.cluster;
      const { owner, run } = cx;
      await applyAssociationChange(cx.cluster, { clusterName, region, ...pod }, change, {
        owner,
        attempt: run.attempt,
      });
      break;
    }
    case 'create-service-account':
    case 'annotate-service-account':
    case 'remove-annotation':
      await applyServiceAccountChange(cx.kubernetes, pod, change, cx.owner);
      break;
    case 'create-policy':
    case 'create-policy-version':
    case 'delete-policy-version':
    case 'tag-policy':
    case 'delete-policy':
    case 'attach-policy':
    case 'detach-policy':
      await applyPolicyChange(cx.cluster, change, cx.owner);
      break;
    case 'create-role':
    case 'update-trust':
    case 'tag-role':
    case 'put-role-policy':
    case 'remove-role-policy':
    case 'detach-role-policy':
    case 'release-role':
    case 'untag-role':
    case 'delete-role':
      await applyRoleChange(cx.cluster, change, cx.owner);
  }
  return 'changed';
}
