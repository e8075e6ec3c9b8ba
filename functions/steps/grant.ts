import { maxAttachedPolicies, type Packed, payerRolesOf, shardArn } from '../../shared/access/grant-policy.ts';
import {
  attachedQuota,
  findShard,
  firstPolicyArn,
  pack,
  podPolicyPermissions,
  type Shard,
  shardChanges,
  shardNumbers,
  shardProblem,
} from '../../shared/access/pod-policies.ts';
import { applyPolicyChange, listAttachedPolicies, type PolicyChange } from '../../shared/aws/managed-policy.ts';
import { UserError } from '../../shared/errors/errors.ts';
import { outputOf, podRoleOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetId, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady, queueWait, waitFor } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, markGranted, needsTarget, type TargetPayer } from '../../shared/targets/payers-of-target.ts';
import {
  fixTargetSettings,
  moveServiceAccount,
  readTargetSettings,
  type TargetSettings,
} from '../../shared/targets/target-settings.ts';

interface Input {
  target: Target;
  settings: TargetSettings;
  /** True if the request names no service account, so that it follows the live workload. */
  followsWorkload: boolean;
  payerAccountId: string;
  payerRoleArn: string;
  podRoleArn: string;
  /** ARN of the first shard. */
  policyArn: string;
  takeOver: boolean;
}

interface Observation {
  settings: TargetSettings | undefined;
  payers: TargetPayer[];
  /** The policies that are attached, and those that this run would write. */
  shards: Shard[];
  /** Policies of others that the pod role has attached. */
  otherPolicies: number;
}

/** The pod role's side of the chain: the permission to assume the payer roles of its target. */
export const grant = defineStep({
  name: 'grant',
  summary: 'Allows the pod’s role to assume the payer role.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'PutItem', 'Query', 'UpdateItem'],
    cluster: [podPolicyPermissions.pack, podPolicyPermissions.listAttached, podPolicyPermissions.attach],
  },
  waits: { 'run-queue-overdue': { seconds: 5, longestSeconds: 60 } },

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
      policyArn: firstPolicyArn(request.cluster.accountId, { ...target, serviceAccount }),
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
    const [settings, payers, attached] = await Promise.all([
      readTargetSettings(target),
      listTargetPayers(target),
      listAttachedPolicies(cx.cluster, podRoleArn),
    ]);
    const isAttached = (number: number) => attached.includes(shardArn(policyArn, number));
    const read = async (number: number): Promise<Shard> => ({
      number,
      policy: await findShard(cx.cluster, policyArn, number, cx.owner),
      attachedTo: isAttached(number) ? [podRoleArn] : [],
    });
    const ours = shardNumbers.filter(isAttached);
    const shards = await Promise.all(ours.map(read));
    const seen = { settings, payers, shards, otherPolicies: attached.length - ours.length };
    // A policy that is not attached may still exist, if a run crashed right after it created or detached the policy.
    const next = shardNumbers.find((number) => !isAttached(number));
    if (next !== undefined && payers.some((item) => !needsTarget(item))) shards.push(await read(next));
    for (;;) {
      const known = new Set(shards.map(({ number }) => number));
      const unread = [...packAll(input, seen).shards.keys()].find((number) => !known.has(number));
      if (unread === undefined) return seen;
      shards.push(await read(unread));
    }
  },

  plan(input, seen, { run }): Plan<PolicyChange, Outputs['grant']> {
    const { policyArn, podRoleArn } = input;
    // The offboarding of the target's last payer deleted them after we had registered. The next invocation registers again.
    if (!seen.settings && !run.request.dryRun) {
      const wait = queueWait('this run to set up the target again', { seconds: 1, deadlineSeconds: 60 });
      return waitFor(wait, { policyArn });
    }
    const problem = settingsProblem(input, seen) ?? shardProblem(seen.shards, input);
    if (problem) return { kind: 'refuse', ...problem };
    const packed = packAll(input, seen);
    const own = shardOf(input, packed);
    if (own === undefined) return { kind: 'refuse', ...noRoom(input, packed) };
    return changesOrReady(shardChanges(seen.shards, packed, { firstArn: policyArn, attachTo: podRoleArn }), {
      output: { policyArn: shardArn(policyArn, own) },
      warnings: movedWarnings(input, seen),
      quotas: [attachedQuota(seen.shards, packed, seen.otherPolicies)],
    });
  },

  async apply(cx, change) {
    await applyPolicyChange(cx.cluster, change, cx.owner);
    return 'changed';
  },
});

/**
 * How the request differs from the settings that the first run for the target fixed. A service account that the request does not name may
 * follow the workload.
 */
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

function settingsProblem(input: Input, { settings }: Observation): Problem | undefined {
  const detail = settings && difference(input, settings);
  return detail === undefined ? undefined : { code: 'target-differs', detail };
}

/**
 * Every payer role that belongs to the target or is already in a policy, except those whose entry is proven to be removed. The role of
 * this run comes first.
 */
function packAll(
  { payerAccountId, payerRoleArn }: Input,
  { payers, shards, otherPolicies }: Pick<Observation, 'payers' | 'shards' | 'otherPolicies'>,
): Packed {
  const others = payers.filter((item) => item.payerAccountId !== payerAccountId);
  const rolesOf = (items: TargetPayer[]) => items.map((item) => item.payerRoleArn);
  return pack(shards, {
    wanted: [payerRoleArn, ...rolesOf(others.filter(({ state }) => state !== 'removing'))],
    removed: rolesOf(others.filter((item) => !needsTarget(item))),
    most: maxAttachedPolicies - otherPolicies,
  });
}

function shardOf({ payerRoleArn }: Input, { shards }: Packed): number | undefined {
  return [...shards].find(([, document]) => document && payerRolesOf(document).includes(payerRoleArn))?.[0];
}

function noRoom({ podRoleArn, payerRoleArn }: Input, { shards }: Packed): Problem {
  const detail = `${podRoleArn} may have ${maxAttachedPolicies} policies, and the ${shards.size} of them that are ours have no room for ${payerRoleArn}`;
  return { code: 'target-full', detail };
}

/** After the workload has moved to another service account, other payers' roles do not trust its role until they are onboarded again. */
function movedWarnings({ payerAccountId, podRoleArn }: Input, { payers }: Observation): string[] {
  const behind = payers
    .filter((item) => item.payerAccountId !== payerAccountId && item.state !== 'removing')
    .filter((item) => item.podRoleArn !== undefined && item.podRoleArn !== podRoleArn)
    .map((item) => item.payerAccountId);
  if (behind.length === 0) return [];
  return [
    `the pods now have the role ${podRoleArn}, which other payers’ roles do not trust yet; onboard these payers again: ${behind.join(', ')}`,
  ];
}

export const handler = stepHandler(grant);
