import {
  payerRolePermissions,
  type PayerRolePolicies,
  payerRoleRelease,
  payerRoleRemoval,
  readPayerRolePolicies,
} from '../../shared/access/payer-role.ts';
import { remainingTrust } from '../../shared/access/payer-trust.ts';
import { applyRoleChange, type RoleChange, type SeenRole, trustReduction } from '../../shared/aws/role.ts';
import type { Change } from '../../shared/model/run-schemas.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import {
  type Leaving,
  leavingOf,
  type PayerUsers,
  readPayerUsers,
  reasonsToStay,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { markPayerTargetRemoving } from '../../shared/targets/targets-of-payer.ts';

interface Input extends Leaving {
  purge: boolean;
}

/** The role's policies are read only if the role is ours. */
interface Observation extends PayerUsers, PayerRolePolicies {}

interface Decision {
  changes: RoleChange[];
  /** Why the role stays; empty if it does not. */
  why: string[];
}

const keptTakenOver = 'adopted: kept unless purge names payer-role';

export const removePayerRole = defineStep({
  name: 'remove-payer-role',
  summary: 'Stops the payer role from trusting this target’s pods, and deletes it with the payer’s last target',
  permissions: {
    table: ['Query', 'UpdateItem'],
    payer: [payerRolePermissions.readPolicies, payerRolePermissions.remove],
  },
  lease: 'payer',

  input({ run }): Input {
    return { ...leavingOf(run), purge: run.request.purge.includes('payer-role') };
  },

  async register(_cx, { payerAccountId, target, podRoleArn }) {
    await markPayerTargetRemoving(payerAccountId, target, podRoleArn);
    return undefined;
  },

  async observe(cx): Promise<Observation> {
    const users = await readPayerUsers(cx);
    if (users.role?.ownership !== 'ours') return { ...users, inline: {}, attached: [] };
    return { ...users, ...(await readPayerRolePolicies(cx)) };
  },

  plan(input, seen, { changes: made }): Plan<RoleChange, Outputs['remove-payer-role']> {
    const { role } = seen;
    if (!role) return { kind: 'ready', output: removalOf(made, []) };
    const { changes, why } = decide(input, seen, { role, made });
    const kept = why.map((each) => ({ resource: role.arn, why: each }));
    return changesOrReady(changes, { output: removalOf(made, kept), expected: removalOf(made, kept, changes) });
  },

  async apply(cx, change) {
    await applyRoleChange(cx.payer, change, cx.owner);
    return 'changed';
  },
});

function decide(
  input: Input,
  seen: Observation,
  { role, made }: { role: SeenRole; made: readonly Change[] },
): Decision {
  if (role.ownership === 'other-deployment') return { changes: [], why: ['it belongs to another deployment'] };
  if (role.ownership === 'foreign') {
    const isReleased = made.some(({ do: action }) => action === 'untag-role');
    return { changes: [], why: [isReleased ? keptTakenOver : 'it does not carry our tags'] };
  }
  const trust = remainingTrust(input, role.trust, seen.targets);
  const reasons = reasonsToStay(input, seen);
  if (reasons.length > 0) return { changes: trustReduction(role, trust), why: reasons };
  if (role.takenOver && !input.purge) return { changes: payerRoleRelease(role, seen, trust), why: [keptTakenOver] };
  return { changes: payerRoleRemoval(role, seen), why: [] };
}

export const handler = stepHandler(removePayerRole);
