/** The pod role's policies in AWS, packed in the same way whether payers are added or removed. */
import {
  findManagedPolicy,
  policyActions,
  policyArnOf,
  type PolicyChange,
  policyChanges,
  policyRemoval,
  type SeenPolicy,
} from '../aws/managed-policy.ts';
import { grantPolicyName, podPolicyPattern, podPolicyPrefix, podRolePattern } from '../aws/names.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Owner } from '../model/ownership.ts';
import type { Quota } from '../model/run-schemas.ts';
import type { Permission } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { maxAttachedPolicies, type Packed, type Packing, packShards, shardArn } from './grant-policy.ts';
import type { PodIdentity } from './pod-trust.ts';

const policies = [podPolicyPattern] as const;
const roles = [podRolePattern] as const;
/** The role may be somebody else's: we attach and detach only our own policies. */
const ourPolicies = { ArnLike: { 'iam:PolicyARN': podPolicyPattern } };

export const podPolicyPermissions = {
  find: { actions: policyActions.find, resources: policies },
  pack: {
    actions: [...policyActions.find, ...policyActions.create, ...policyActions.change, ...policyActions.delete],
    resources: policies,
  },
  /** For a removal, which looks for the roles that have a policy attached. */
  reduce: {
    actions: [...policyActions.find, ...policyActions.listRoles, ...policyActions.change, ...policyActions.delete],
    resources: policies,
  },
  remove: { actions: [...policyActions.find, ...policyActions.delete], resources: policies },
  listAttached: { actions: ['iam:ListAttachedRolePolicies'], resources: roles },
  attach: { actions: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'], resources: roles, condition: ourPolicies },
  detach: { actions: ['iam:DetachRolePolicy'], resources: roles, condition: ourPolicies },
} satisfies Record<string, Permission>;

/** One of the policies, as AWS has it. */
export interface Shard {
  /** From 1. */
  number: number;
  policy: SeenPolicy | undefined;
  /** ARNs of the roles that are known to have it attached. */
  attachedTo: string[];
}

export const shardNumbers = Array.from({ length: maxAttachedPolicies }, (_, index) => index + 1);

/** ARN of the first shard; `shardArn` gives the others'. */
export function firstPolicyArn(accountId: string, { clusterArn, namespace, serviceAccount }: PodIdentity): string {
  return policyArnOf(accountId, grantPolicyName(clusterArn, namespace, serviceAccount));
}

export function findShard(
  account: TargetAccount,
  firstArn: string,
  number: number,
  owner: Owner,
): Promise<SeenPolicy | undefined> {
  return findManagedPolicy(account, shardArn(firstArn, number), owner);
}

/** Our policies among those that a role has attached. */
export async function findPodPolicies(
  account: TargetAccount,
  attached: readonly string[],
  owner: Owner,
): Promise<SeenPolicy[]> {
  const named = attached.filter((arn) => arn.includes(`:policy/${podPolicyPrefix}`));
  const found = await Promise.all(named.map((arn) => findManagedPolicy(account, arn, owner)));
  return found.filter((policy) => policy?.ownership === 'ours').filter((policy) => policy !== undefined);
}

export function pack(shards: readonly Shard[], packing: Packing): Packed {
  const documents = shards.flatMap(({ number, policy }) => (policy ? [[number, policy.document] as const] : []));
  return packShards(new Map(documents), packing);
}

/** The first policy that a run must not change. */
export function shardProblem(shards: readonly Shard[], { takeOver }: { takeOver: boolean }): Problem | undefined {
  for (const { policy } of shards) {
    if (policy?.ownership === 'other-deployment') return { code: 'owned-by-another-deployment', detail: policy.arn };
    if (policy?.ownership === 'foreign' && !takeOver) return { code: 'pod-policy-not-ours', detail: policy.arn };
  }
  return undefined;
}

/** @param others policies of somebody else that the role has attached */
export function attachedQuota(shards: readonly Shard[], packed: Packed, others: number): Quota {
  const before = shards.filter(({ attachedTo }) => attachedTo.length > 0).length;
  const after = [...packed.shards.values()].filter((document) => document !== undefined).length;
  const used = others + before;
  return { quota: 'policies attached to the pod’s role', used, adds: after - before, limit: maxAttachedPolicies };
}

/**
 * The changes after which AWS has the packed policies. Additions come first, so that no payer's role is missing in between.
 * @param attachTo the role that gets the policies; undefined for a removal
 */
export function shardChanges(
  shards: readonly Shard[],
  packed: Packed,
  { firstArn, attachTo }: { firstArn: string; attachTo?: string },
): PolicyChange[] {
  const found = new Map(shards.map((shard) => [shard.number, shard]));
  const kept: PolicyChange[] = [];
  const removed: PolicyChange[] = [];
  for (const [number, document] of packed.shards) {
    const resource = shardArn(firstArn, number);
    const { policy, attachedTo = [] } = found.get(number) ?? {};
    if (document) {
      kept.push(...policyChanges(policy, resource, document));
      if (attachTo !== undefined && !attachedTo.includes(attachTo))
        kept.push({ action: 'attach-policy', resource, roleArn: attachTo });
    } else if (policy) {
      const detached = attachedTo.map((roleArn): PolicyChange => ({ action: 'detach-policy', resource, roleArn }));
      const deleted = policy.ownership === 'ours' ? policyRemoval(policy) : [];
      // The highest number first: the next run looks for a remainder at the lowest number that is not attached.
      removed.unshift(...detached, ...deleted);
    }
  }
  return [...kept, ...removed];
}
