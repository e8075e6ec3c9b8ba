import { IAMClient } from '@aws-sdk/client-iam';
import {
  maxAttachedPolicies,
  type Packed,
  packShards,
  payerRolesOf,
  shardArn,
} from '../../shared/access/grant-policy.ts';
import {
  applyPolicyChange,
  findManagedPolicy,
  listAttachedRoles,
  policyArnOf,
  type PolicyChange,
  policyChanges,
  policyRemoval,
  type SeenPolicy,
} from '../../shared/aws/managed-policy.ts';
import { grantPolicyName } from '../../shared/aws/names.ts';
import { iamRegion, parseRoleArn, roleArnOf } from '../../shared/aws/role.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listServiceAccountPayers, needsTarget, type TargetPayer } from '../../shared/targets/target-payers.ts';

interface Input {
  target: Target;
  serviceAccount: string;
  payerAccountId: string;
  clusterAccountId: string;
  /** Of the first shard. */
  policyArn: string;
  /** What a dry run's earlier step has planned to delete. */
  removedBefore: string[];
}

interface Shard extends SeenPolicy {
  roleArns: string[];
}

interface Observation {
  /** This payer's item at this target left out. */
  payers: TargetPayer[];
  /** By number. */
  shards: readonly (readonly [number, Shard])[];
}

const numbers = Array.from({ length: maxAttachedPolicies }, (_, index) => index + 1);

/** Without this payer's role, whatever its name, and those of others that are leaving too; but no role that a payer at another secret needs. */
function pack({ payerAccountId }: Input, { payers }: Observation, shards: Observation['shards']): Packed {
  const needed = new Set(payers.filter(needsTarget).map(({ payerRoleArn }) => payerRoleArn));
  const leaving = new Set(payers.filter((payer) => !needsTarget(payer)).map(({ payerRoleArn }) => payerRoleArn));
  const there = new Map(shards.map(([shard, { document }]) => [shard, document]));
  const named = [...there.values()].flatMap(payerRolesOf);
  const goes = (arn: string) => parseRoleArn(arn).accountId === payerAccountId || leaving.has(arn);
  return packShards(there, {
    wanted: [],
    removed: named.filter((arn) => goes(arn) && !needed.has(arn)),
    most: maxAttachedPolicies,
  });
}

/** An empty one is detached and deleted; the highest number first, as everywhere. */
function changesOf(shards: Observation['shards'], packed: Packed): PolicyChange[] {
  const changes: PolicyChange[] = [];
  for (const [number, shard] of shards) {
    const document = packed.shards.get(number);
    if (document) changes.push(...policyChanges(shard, shard.arn, document));
    else
      changes.unshift(
        ...shard.roleArns.map((roleArn) => ({ action: 'detach-policy' as const, resource: shard.arn, roleArn })),
        ...policyRemoval(shard),
      );
  }
  return changes;
}

/** The pod's own side of the chain in reverse: it may assume this payer's role no more. */
export const removeGrant = defineStep<'remove-grant', Input, Observation, PolicyChange>({
  name: 'remove-grant',
  summary: 'Takes the payer role out of the pods’ policies, and deletes those that are empty.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'Query'],
    cluster: [
      {
        actions: [
          'iam:GetPolicy',
          'iam:GetPolicyVersion',
          'iam:ListPolicyVersions',
          'iam:ListEntitiesForPolicy',
          'iam:CreatePolicyVersion',
          'iam:DeletePolicy',
          'iam:DeletePolicyVersion',
        ],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*'],
      },
      {
        actions: ['iam:DetachRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
        condition: {
          ArnLike: {
            'iam:PolicyARN':
              'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*',
          },
        },
      },
    ],
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
      policyArn: policyArnOf(cluster.accountId, grantPolicyName(target.clusterArn, target.namespace, serviceAccount)),
      removedBefore: dryRun ? outputOf(run, 'remove-pod-role').removed : [],
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { target, serviceAccount, payerAccountId, policyArn, removedBefore, clusterAccountId } = input;
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const read = async (number: number): Promise<[number, Shard][]> => {
      const policy = await findManagedPolicy(iam, shardArn(policyArn, number), cx.owner);
      if (!policy || removedBefore.includes(policy.arn)) return [];
      const roles = await listAttachedRoles(iam, policy.arn);
      return [[number, { ...policy, roleArns: roles.map((name) => roleArnOf(clusterAccountId, name)) }]];
    };
    const [payers, shards] = await Promise.all([
      listServiceAccountPayers(target, serviceAccount),
      Promise.all(numbers.map(read)),
    ]);
    return {
      payers: payers.filter((payer) => payer.payerAccountId !== payerAccountId || payer.target !== target),
      shards: shards.flat(),
    };
  },

  plan(input, seen, { changes: made }): Plan<PolicyChange, Outputs['remove-grant']> {
    const ours = seen.shards.filter(([, { ownership }]) => ownership === 'ours');
    const packed = pack(input, seen, ours);
    const kept: Removal['kept'] = seen.shards.flatMap(([number, { arn, ownership }]) => {
      if (ownership !== 'ours')
        return [
          { resource: arn, why: ownership === 'foreign' ? 'it does not carry our tags' : 'another deployment made it' },
        ];
      const document = packed.shards.get(number);
      if (!document) return [];
      const left = payerRolesOf(document).length;
      return [
        { resource: arn, why: left > 0 ? `it names ${left} other payer roles` : 'it holds statements of others' },
      ];
    });
    const changes = changesOf(ours, packed);
    return changesOrReady(changes, { output: removalOf(made, kept), expected: removalOf(made, kept, changes) });
  },

  async apply(cx, change) {
    await applyPolicyChange(cx.cluster.client(IAMClient, iamRegion), change, cx.owner);
    return 'changed';
  },
});

export const handler = stepHandler(removeGrant);
