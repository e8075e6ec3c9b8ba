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
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import {
  decideToKeep,
  type PayerDeparture,
  payerDepartureOf,
  type PayerUsers,
  readPayerUsers,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { keepAll, type RemovalDecision } from '../../shared/step/removal-decision.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { markPayerTargetRemoving } from '../../shared/targets/targets-of-payer.ts';

interface Input extends PayerDeparture {
  purge: boolean;
}

/** The role's policies are read only if the role is ours. */
interface Observation extends PayerUsers, PayerRolePolicies {}

const keptTakenOver = 'adopted: kept unless purge names payer-role';

export const removePayerRole = defineStep({
  name: 'remove-payer-role',
  summary:
    'Removes the trust in this target’s pods from the payer role, and deletes the role with the payer’s last target',
  permissions: {
    table: ['Query', 'UpdateItem'],
    payer: [payerRolePermissions.readPolicies, payerRolePermissions.remove],
  },
  lease: 'payer',

  input({ run }): Input {
    return { ...payerDepartureOf(run), purge: run.request.purge.includes('payer-role') };
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
    const { changes, kept } = decide(input, seen, { role, made });
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
): RemovalDecision<RoleChange> {
  const keep = (...reasons: string[]) => keepAll([role.arn], reasons);
  if (role.ownership === 'other-deployment') return keep('it belongs to another deployment');
  if (role.ownership === 'foreign') {
    const isReleased = made.some(({ do: action }) => action === 'untag-role');
    return keep(isReleased ? keptTakenOver : 'it does not carry our tags');
  }
  const trust = remainingTrust(input, role.trust, seen.targets);
  const reasons = decideToKeep(input, seen);
  if (reasons.length > 0) return { ...keep(...reasons), changes: trustReduction(role, trust) };
  if (role.takenOver && !input.purge) return { ...keep(keptTakenOver), changes: payerRoleRelease(role, seen, trust) };
  return { changes: payerRoleRemoval(role, seen), kept: [] };
}

export const handler = stepHandler(removePayerRole);
