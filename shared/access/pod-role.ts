/** The pods' role, for IRSA and EKS Pod Identity alike: find it, create or complete it, give it back, delete it. */
import { listAttachedPolicies, type PolicyChange, policyRemoval, type SeenPolicy } from '../aws/managed-policy.ts';
import { podRoleName, podRolePattern } from '../aws/names.ts';
import {
  findRole,
  inlinePolicyRemoval,
  listInlinePolicies,
  roleActions,
  roleArnOf,
  type RoleChange,
  roleChanges,
  type SeenRole,
  trustReduction,
} from '../aws/role.ts';
import { taggedOurs } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Owner } from '../model/ownership.ts';
import type { OffboardingRequest } from '../model/run-requests.ts';
import { clusterArnOf } from '../model/target.ts';
import type { Permission } from '../step/contract.ts';
import { holdsOnlyGrant } from './grant-policy.ts';
import { findPodPolicies } from './pod-policies.ts';
import { completePodTrust, type PodIdentity, type PodTrust, withoutPod } from './pod-trust.ts';

const resources = [podRolePattern] as const;

export const podRolePermissions = {
  find: { actions: roleActions.find, resources },
  complete: { actions: [...roleActions.find, ...roleActions.complete], resources },
  /** Creating an association passes the role to EKS (EKS user guide, "Assign an IAM role to a Kubernetes service account"). */
  pass: {
    actions: ['iam:PassRole'],
    resources,
    condition: { StringEquals: { 'iam:PassedToService': ['eks.amazonaws.com', 'pods.eks.amazonaws.com'] } },
  },
  /** UpdateAssumeRolePolicy is for a role that somebody else made: it stays without our statement in its trust policy. */
  readAndRelease: {
    actions: [...roleActions.find, ...roleActions.listPolicies, 'iam:UpdateAssumeRolePolicy'],
    resources,
  },
  remove: { actions: roleActions.remove, resources, condition: taggedOurs },
} satisfies Record<string, Permission>;

/** The role that runs create for the service account; its owner may have given it another one. */
export function defaultPodRoleArn(
  request: Pick<OffboardingRequest, 'cluster' | 'kubecost'>,
  serviceAccount: string,
): string {
  const name = podRoleName(clusterArnOf(request), request.kubecost.namespace, serviceAccount);
  return roleArnOf(request.cluster.accountId, name);
}

/** The changes after which the role is ours and trusts the pod. */
export function podRoleChanges(role: SeenRole | undefined, arn: string, pod: PodTrust): RoleChange[] {
  return roleChanges(role, arn, completePodTrust(role?.trust, pod));
}

/** A role with its policies, which are read only if the role is ours. */
export interface PodRole extends SeenRole {
  /** Our policies that it has attached. */
  shards: SeenPolicy[];
  /** ARNs of all other attached policies, and of ours that others have added statements to. */
  foreignPolicies: string[];
  /** Names. */
  inlinePolicies: string[];
}

export async function findPodRole(account: TargetAccount, arn: string, owner: Owner): Promise<PodRole | undefined> {
  const role = await findRole(account, arn, owner);
  if (role?.ownership !== 'ours') return role && { ...role, shards: [], foreignPolicies: [], inlinePolicies: [] };
  const [attached, inlinePolicies] = await Promise.all([
    listAttachedPolicies(account, arn),
    listInlinePolicies(account, arn),
  ]);
  const shards = await findPodPolicies(account, attached, owner);
  const ours = new Set(shards.filter(({ document }) => holdsOnlyGrant(document)).map((policy) => policy.arn));
  return { ...role, shards, inlinePolicies, foreignPolicies: attached.filter((policy) => !ours.has(policy)) };
}

/** Gives the role back to its owner, without our statement and tags. The next step removes the policies. */
export function podRoleRelease(role: PodRole, pod: PodIdentity): RoleChange[] {
  return [...trustReduction(role, withoutPod(role.trust, pod)), { action: 'release-role', resource: role.arn }];
}

/** Deletes the role, and the policies that hold nothing but our statement. */
export function podRoleRemoval(role: PodRole): (RoleChange | PolicyChange)[] {
  const attached = new Set([...role.shards.map(({ arn }) => arn), ...role.foreignPolicies]);
  return [
    ...[...attached].map((resource) => ({ action: 'detach-policy' as const, resource, roleArn: role.arn })),
    ...role.shards.filter(({ document }) => holdsOnlyGrant(document)).flatMap(policyRemoval),
    ...role.inlinePolicies.map((name) => inlinePolicyRemoval(role.arn, name)),
    { action: 'delete-role', resource: role.arn },
  ];
}
