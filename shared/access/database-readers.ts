import type { SeenRole } from '../aws/role.ts';
import { type Target, targetId, targetOfId } from '../model/target.ts';
import type { StepContext } from '../step/contract.ts';
import { readTargetPayer } from '../targets/payers-of-target.ts';
import { listPayerTargets, type PayerTarget } from '../targets/targets-of-payer.ts';
import { findPayerRole } from './payer-role.ts';
import { admittedBy } from './payer-trust.ts';

/** The other targets of a payer, with the database of their entry, and the role that all of them assume. */
export interface DatabaseUsers {
  targets: (PayerTarget & { database: string | undefined })[];
  role: SeenRole | undefined;
}

export async function readDatabaseUsers(
  cx: Pick<StepContext, 'payer' | 'owner'>,
  target: Target,
): Promise<DatabaseUsers> {
  const { accountId } = cx.payer;
  const [all, role] = await Promise.all([listPayerTargets(accountId), findPayerRole(cx)]);
  const others = all.filter(({ targetId: id, state }) => state === 'active' && id !== targetId(target));
  const targets = await Promise.all(
    others.map(async (other) => {
      const payer = await readTargetPayer(targetOfId(other.targetId), accountId);
      return { ...other, database: payer?.entry?.athenaDatabase };
    }),
  );
  return { targets, role };
}

/**
 * Why somebody may still read tables of the database; empty if nobody does. The table may have been emptied or restored, so a pod role
 * that is in the payer role's trust policy and in no target counts too.
 * @param ownRoles pod roles of the run's own target
 */
export function readersOf(database: string, { targets, role }: DatabaseUsers, ownRoles: readonly string[]): string[] {
  const known = new Set([...ownRoles, ...targets.flatMap(({ podRoleArns }) => podRoleArns)]);
  const unknown = (role?.trust.Statement ?? []).flatMap(admittedBy).filter((name) => !known.has(name));
  return [
    ...targets.flatMap(({ targetId: id, database: other }) => {
      if (other === undefined) return [`no entry of target ${id} is known`];
      return other === database ? [`the entry of target ${id} names its table`] : [];
    }),
    ...unknown.map((name) => `the payer role’s trust policy still names ${name}`),
  ];
}
