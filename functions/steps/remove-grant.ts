import { maxAttachedPolicies, type Packed, payerRolesOf } from '../../shared/access/grant-policy.ts';
import {
  findShard,
  firstPolicyArn,
  pack,
  podPolicyPermissions,
  type Shard,
  shardChanges,
  shardNumbers,
} from '../../shared/access/pod-policies.ts';
import { applyPolicyChange, listAttachedRoles, type PolicyChange } from '../../shared/aws/managed-policy.ts';
import { parseRoleArn, roleArnOf } from '../../shared/aws/role.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { removalPlan } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listServiceAccountPayers, needsTarget, type TargetPayer } from '../../shared/targets/payers-of-target.ts';

interface Input {
  target: Target;
  serviceAccount: string;
  payerAccountId: string;
  clusterAccountId: string;
  /** ARN of the first shard. */
  policyArn: string;
  /** Resources that an earlier step of a dry run would delete. */
  removedBefore: string[];
}

interface Observation {
  /** All payers except this one at this target. */
  payers: TargetPayer[];
  /** The policies that exist. */
  shards: Shard[];
}

/** Removes this payer's role from the pod role's policies, so that the pods can no longer assume it. */
export const removeGrant = defineStep({
  name: 'remove-grant',
  summary: 'Removes the payer role from the pods’ policies, and deletes the policies that are then empty.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'Query'],
    cluster: [podPolicyPermissions.reduce, podPolicyPermissions.detach],
  },

  input({ run }): Input {
    const target = targetOf(run.request);
    const { serviceAccount } = outputOf(run, 'inventory');
    const { cluster, payerAccountId, dryRun } = run.request;
    return {
      target,
      serviceAccount,
      payerAccountId,
      clusterAccountId: cluster.accountId,
      policyArn: firstPolicyArn(cluster.accountId, { ...target, serviceAccount }),
      removedBefore: dryRun ? outputOf(run, 'remove-pod-role').removed : [],
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { target, payerAccountId, policyArn, removedBefore, clusterAccountId } = input;
    const read = async (number: number): Promise<Shard[]> => {
      const policy = await findShard(cx.cluster, policyArn, number, cx.owner);
      if (!policy || removedBefore.includes(policy.arn)) return [];
      const roles = await listAttachedRoles(cx.cluster, policy.arn);
      return [{ number, policy, attachedTo: roles.map((name) => roleArnOf(clusterAccountId, name)) }];
    };
    const [payers, shards] = await Promise.all([
      listServiceAccountPayers(target, input.serviceAccount),
      Promise.all(shardNumbers.map(read)),
    ]);
    return {
      payers: payers.filter((payer) => payer.payerAccountId !== payerAccountId || payer.target !== target),
      shards: shards.flat(),
    };
  },

  plan(input, { payers, shards }, { changes: made }): Plan<PolicyChange, Outputs['remove-grant']> {
    const ours = shards.filter(({ policy }) => policy?.ownership === 'ours');
    const removed = ours.flatMap(namedRoles).filter((arn) => isRemoved(arn, input, payers));
    const packed = pack(ours, { wanted: [], removed, most: maxAttachedPolicies });
    return removalPlan(made, [
      {
        changes: shardChanges(ours, packed, { firstArn: input.policyArn }),
        kept: shards.flatMap((shard) => keptOf(shard, packed)),
      },
    ]);
  },

  async apply(cx, change) {
    await applyPolicyChange(cx.cluster, change, cx.owner);
    return 'changed';
  },
});

function namedRoles({ policy }: Shard): string[] {
  return policy ? payerRolesOf(policy.document) : [];
}

/** True for this payer's role under any name, and for other departing payers' roles, unless a payer at another secret needs it. */
function isRemoved(arn: string, { payerAccountId }: Input, payers: readonly TargetPayer[]): boolean {
  const users = payers.filter(({ payerRoleArn }) => payerRoleArn === arn);
  if (users.some(needsTarget)) return false;
  return users.length > 0 || parseRoleArn(arn).accountId === payerAccountId;
}

function keptOf({ number, policy }: Shard, packed: Packed): Removal['kept'] {
  if (!policy) return [];
  const kept = (why: string) => [{ resource: policy.arn, why }];
  if (policy.ownership === 'foreign') return kept('it does not carry our tags');
  if (policy.ownership === 'other-deployment') return kept('another deployment made it');
  const document = packed.shards.get(number);
  if (!document) return [];
  const left = payerRolesOf(document).length;
  return kept(left > 0 ? `it names ${left} other payer roles` : 'it holds statements of others');
}

export const handler = stepHandler(removeGrant);
