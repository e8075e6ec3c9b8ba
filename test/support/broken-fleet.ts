import { DeleteRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { newClient } from '../../shared/aws/clients.ts';
import { payerRoleName } from '../../shared/aws/names.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import type { World } from '../sandbox/index.ts';
import { seedFleetClusters } from './fleet.ts';
import { accountAt, seedPayerWithTable } from './seed-payers.ts';

const uninvited = accountAt('payer', 3);
const handMade = accountAt('payer', 8);
const member = accountAt('payer', 14);

/** The payers that cannot be onboarded, and the error codes of their runs. */
export const brokenPayers: Record<string, ErrorCode> = {
  [uninvited]: 'payer-access-denied',
  [handMade]: 'payer-role-not-ours',
  [member]: 'payer-is-member-account',
};

/** Five clusters and payers with a report. Three payers are broken: no provisioner role, a foreign payer role, a member account. */
export async function seedBrokenFleet(world: World, payers: number): Promise<void> {
  await seedFleetClusters(world);
  for (let index = 0; index < payers; index++) {
    const accountId = accountAt('payer', index);
    if (accountId !== uninvited) seedPayerWithTable(world, accountId);
  }
  const Statement = { Effect: 'Allow', Principal: { AWS: '999999999999' }, Action: 'sts:AssumeRole' };
  const trust = { Version: '2012-10-17', Statement: [Statement] };
  world.iam.createRole({ accountId: handMade, name: payerRoleName, trust, settled: true });
  world.organizations.create(accountAt('payer', payers), member);
}

/** Repairs the three payers as their owners do. */
export async function repairFleet(world: World): Promise<void> {
  seedPayerWithTable(world, uninvited);
  const credentials = { accessKeyId: handMade, secretAccessKey: 'x' };
  const owner = newClient(IAMClient, 'us-east-1', () => Promise.resolve(credentials));
  await owner.send(new DeleteRoleCommand({ RoleName: payerRoleName }));
  world.organizations.create(member);
}
