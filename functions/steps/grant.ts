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
  listAttachedPolicies,
  policyArnOf,
  type PolicyChange,
  policyChanges,
  policyRemoval,
  type SeenPolicy,
} from '../../shared/aws/managed-policy.ts';
import { grantPolicyName } from '../../shared/aws/names.ts';
import { iamRegion } from '../../shared/aws/role.ts';
import { UserError } from '../../shared/errors/errors.ts';
import { outputOf, podRoleOf } from '../../shared/model/run.ts';
import type { Quota } from '../../shared/model/run-schemas.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { targetId } from '../../shared/model/target.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady, queueWait, waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, markGranted, needsTarget, type TargetPayer } from '../../shared/targets/target-payers.ts';
import {
  fixTargetSettings,
  moveServiceAccount,
  readTargetSettings,
  type TargetSettings,
} from '../../shared/targets/target-settings.ts';

interface Input {
  target: Target;
  settings: TargetSettings;
  /** Nobody asked for this service account: the live workload runs as it. */
  followsWorkload: boolean;
  payerAccountId: string;
  payerRoleArn: string;
  podRoleArn: string;
  /** Of the first shard. */
  policyArn: string;
  takeOver: boolean;
}

interface Shard {
  policy: SeenPolicy | undefined;
  attached: boolean;
}

interface Observation {
  settings: TargetSettings | undefined;
  payers: TargetPayer[];
  /** By number, those that were read: all that are attached, and those this run would write. */
  shards: readonly (readonly [number, Shard])[];
  /** Somebody else's policies that the pod role has attached. */
  otherPolicies: number;
}

/** What the first run for the target fixed otherwise; where nobody asked, the service account may follow the workload. */
function difference({ target, settings, followsWorkload }: Input, fixed: TargetSettings): string | undefined {
  const { identityMode, serviceAccount, format } = settings;
  const agrees =
    fixed.identityMode === identityMode &&
    (format === 'auto' || fixed.format === format) &&
    (followsWorkload || fixed.serviceAccount === serviceAccount);
  return agrees
    ? undefined
    : `${targetId(target)} uses ${fixed.identityMode} with ${fixed.serviceAccount} and format ${fixed.format}`;
}

/** Every payer role that belongs to the target or is in a policy already, less those whose entry is proven gone. This run's comes first. */
function pack(
  { payerAccountId, payerRoleArn }: Input,
  { payers, shards, otherPolicies }: Omit<Observation, 'settings'>,
): Packed {
  const others = payers.filter((item) => item.payerAccountId !== payerAccountId);
  const rolesOf = (items: TargetPayer[]) => items.map((item) => item.payerRoleArn);
  const there = new Map(shards.flatMap(([shard, { policy }]) => (policy ? [[shard, policy.document]] : [])));
  return packShards(there, {
    wanted: [payerRoleArn, ...rolesOf(others.filter(({ state }) => state !== 'removing'))],
    removed: rolesOf(others.filter((item) => !needsTarget(item))),
    most: maxAttachedPolicies - otherPolicies,
  });
}

/** Others first: what a payer still needs is there before anything goes. */
function changesOf({ policyArn, podRoleArn }: Input, { shards }: Observation, packed: Packed): PolicyChange[] {
  const found = new Map(shards);
  const kept: PolicyChange[] = [];
  const removed: PolicyChange[] = [];
  for (const [shard, document] of packed.shards) {
    const resource = shardArn(policyArn, shard);
    const { policy, attached } = found.get(shard) ?? { policy: undefined, attached: false };
    if (document) {
      kept.push(...policyChanges(policy, resource, document));
      if (!attached) kept.push({ action: 'attach-policy', resource, roleArn: podRoleArn });
    } else if (policy) {
      const removal = policy.ownership === 'ours' ? policyRemoval(policy) : [];
      // The highest number first: what a crash leaves behind is then the next one that is not attached.
      removed.unshift(
        ...(attached ? [{ action: 'detach-policy', resource, roleArn: podRoleArn } as const] : []),
        ...removal,
      );
    }
  }
  return [...kept, ...removed];
}

function attachedQuota({ shards, otherPolicies }: Observation, packed: Packed): Quota {
  const before = shards.filter(([, { attached }]) => attached).length;
  const after = [...packed.shards.values()].filter((document) => document !== undefined).length;
  return {
    quota: 'policies attached to the pod’s role',
    used: otherPolicies + before,
    adds: after - before,
    limit: maxAttachedPolicies,
  };
}

/** Payers whose roles keep out the pods until they are run again: the workload has moved to another service account. */
function leftBehind({ payerAccountId, podRoleArn }: Input, payers: TargetPayer[]): string[] {
  return payers
    .filter((item) => item.payerAccountId !== payerAccountId && item.state !== 'removing')
    .filter((item) => item.podRoleArn !== undefined && item.podRoleArn !== podRoleArn)
    .map((item) => item.payerAccountId);
}

/** The pod's own side of the chain: it may assume the payer roles of its target. */
export const grant = defineStep({
  name: 'grant',
  summary: 'Allows the pod’s role to assume the payer role.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'PutItem', 'Query', 'UpdateItem'],
    cluster: [
      {
        actions: [
          'iam:GetPolicy',
          'iam:GetPolicyVersion',
          'iam:ListPolicyVersions',
          'iam:CreatePolicy',
          'iam:CreatePolicyVersion',
          'iam:DeletePolicy',
          'iam:DeletePolicyVersion',
          'iam:TagPolicy',
        ],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*'],
      },
      {
        actions: ['iam:ListAttachedRolePolicies'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
      {
        actions: ['iam:AttachRolePolicy', 'iam:DetachRolePolicy'],
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

  input(cx): Input {
    const { request } = cx.run;
    const target = targetOf(request);
    const { podRoleArn, serviceAccount } = podRoleOf(cx.run);
    const { identity, kubecost } = request;
    return {
      target,
      settings: { identityMode: identity.mode, serviceAccount, format: kubecost.format },
      followsWorkload: identity.serviceAccount.name === undefined && outputOf(cx.run, 'discovery').workload !== null,
      payerAccountId: request.payerAccountId,
      payerRoleArn: outputOf(cx.run, 'payer-role').payerRoleArn,
      podRoleArn,
      policyArn: policyArnOf(
        request.cluster.accountId,
        grantPolicyName(target.clusterArn, target.namespace, serviceAccount),
      ),
      takeOver: request.existing === 'take-over',
    };
  },

  async register(_cx, input) {
    const { target, settings, payerAccountId, payerRoleArn, podRoleArn } = input;
    const fixed = await fixTargetSettings(target, settings);
    const differs = difference(input, fixed);
    if (differs) throw new UserError('target-differs', differs);
    const { serviceAccount } = settings;
    if (fixed.serviceAccount !== serviceAccount) await moveServiceAccount(target, fixed.serviceAccount, serviceAccount);
    await markGranted(target, payerAccountId, { payerRoleArn, podRoleArn });
    return undefined;
  },

  async observe(cx, input): Promise<Observation> {
    const { target, policyArn, podRoleArn } = input;
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const [settings, payers, attached] = await Promise.all([
      readTargetSettings(target),
      listTargetPayers(target),
      listAttachedPolicies(iam, podRoleArn),
    ]);
    const read = async (shard: number): Promise<Shard> => {
      const arn = shardArn(policyArn, shard);
      return { policy: await findManagedPolicy(iam, arn, cx.owner), attached: attached.includes(arn) };
    };
    const numbers = Array.from({ length: maxAttachedPolicies }, (_, index) => index + 1);
    const ours = numbers.filter((shard) => attached.includes(shardArn(policyArn, shard)));
    const shards = await Promise.all(ours.map(async (shard) => [shard, await read(shard)] as const));
    const seen = { settings, payers, shards, otherPolicies: attached.length - ours.length };
    // One that is not attached may exist all the same: created or detached right before a crash.
    const next = numbers.find((shard) => !ours.includes(shard));
    if (next !== undefined && payers.some((item) => !needsTarget(item))) shards.push([next, await read(next)]);
    for (;;) {
      const known = new Set(shards.map(([shard]) => shard));
      const unread = [...pack(input, seen).shards.keys()].find((shard) => !known.has(shard));
      if (unread === undefined) return seen;
      shards.push([unread, await read(unread)]);
    }
  },

  plan(input, seen, { run }): Plan<PolicyChange, Outputs['grant']> {
    const { settings, payers, shards } = seen;
    const { policyArn, payerRoleArn } = input;
    // The offboarding of the target's last payer deleted them after we had registered: the next invocation registers again.
    if (!settings && !run.request.dryRun)
      return waitFor(queueWait('this run to set up the target again', { seconds: 1, deadlineSeconds: 60 }), {
        policyArn,
      });
    const differs = settings && difference(input, settings);
    if (differs) return { kind: 'refuse', code: 'target-differs', detail: differs };
    for (const [, { policy }] of shards) {
      if (policy?.ownership === 'other-deployment')
        return { kind: 'refuse', code: 'owned-by-another-deployment', detail: policy.arn };
      if (policy?.ownership === 'foreign' && !input.takeOver)
        return { kind: 'refuse', code: 'pod-policy-not-ours', detail: policy.arn };
    }
    const packed = pack(input, seen);
    const own = [...packed.shards].find(([, document]) => document && payerRolesOf(document).includes(payerRoleArn));
    if (!own)
      return {
        kind: 'refuse',
        code: 'target-full',
        detail: `${input.podRoleArn} may have ${maxAttachedPolicies} policies; the ${packed.shards.size} that are ours have no room for ${payerRoleArn}`,
      };
    const output = { policyArn: shardArn(policyArn, own[0]) };
    const quotas = [attachedQuota(seen, packed)];
    const behind = leftBehind(input, payers);
    const warning = `the pods run as another role now; run these payers again, whose roles do not trust ${input.podRoleArn} yet: ${behind.join(', ')}`;
    const warnings = behind.length > 0 ? [warning] : [];
    return changesOrReady(changesOf(input, seen, packed), { output, warnings, quotas });
  },

  async apply(cx, change) {
    await applyPolicyChange(cx.cluster.client(IAMClient, iamRegion), change, cx.owner);
    return 'changed';
  },
});

export const handler = stepHandler(grant);
