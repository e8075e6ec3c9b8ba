/** The targets that still use what a payer's targets share: role, crawler stack, results bucket, report. */
import { findPayerRole, payerRolePermissions } from '../access/payer-role.ts';
import {
  admittedBy,
  type DepartingTarget,
  isPodStatement,
  remainingTargets,
  remainingTrust,
} from '../access/payer-trust.ts';
import { defaultPodRoleArn } from '../access/pod-role.ts';
import type { SeenRole } from '../aws/role.ts';
import { outputOf, type RunRecord } from '../model/run.ts';
import { targetOf } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import { listPayerTargets, type PayerTarget } from '../targets/targets-of-payer.ts';

export interface PayerDeparture extends DepartingTarget {
  payerAccountId: string;
}

export interface PayerUsers {
  targets: PayerTarget[];
  role: SeenRole | undefined;
}

/** What `readPayerUsers` needs in the payer account, beside `Query` on the table. */
export const payerUsersPermission = payerRolePermissions.find;

export function payerDepartureOf(run: RunRecord<'offboarding'>): PayerDeparture {
  const { request } = run;
  const { serviceAccount } = outputOf(run, 'inventory');
  return {
    payerAccountId: request.payerAccountId,
    target: targetOf(request),
    podRoleArn: defaultPodRoleArn(request, serviceAccount),
  };
}

export async function readPayerUsers(cx: StepContext<'offboarding'>): Promise<PayerUsers> {
  const [targets, role] = await Promise.all([listPayerTargets(cx.payer.accountId), findPayerRole(cx)]);
  return { targets, role };
}

/**
 * Why the shared resources stay; empty if no other target needs them. The table may have been emptied or restored, so every principal that
 * the role's trust policy allows counts too. On a role that a run took over, only the statements that runs added count.
 */
export function decideToKeep(departure: PayerDeparture, { targets, role }: PayerUsers): string[] {
  const remaining = remainingTargets(departure, targets);
  const known = new Set(remaining.flatMap(({ podRoleArns }) => podRoleArns));
  const statements =
    role?.ownership === 'ours'
      ? remainingTrust(departure, role.trust, targets).Statement.filter((one) => !role.takenOver || isPodStatement(one))
      : [];
  const unknown = statements.flatMap(admittedBy).filter((name) => !known.has(name));
  return [
    ...remaining.map(({ targetId: id }) => `another target still needs it: ${id}`),
    ...unknown.map((name) => `the payer role’s trust policy still names ${name}`),
  ];
}
