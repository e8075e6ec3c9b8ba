import {
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  type IAMClient,
  ListRolePoliciesCommand,
  UntagRoleCommand,
} from '@aws-sdk/client-iam';
import { absentIf, isAwsError, RetryableError } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import { deleteTagged } from './delete-tagged.ts';
import { findRole, parseRoleArn } from './role.ts';
import { ownerTags, takenOverTags } from './tags.ts';

export type RoleRemoval =
  | { action: 'remove-role-policy'; resource: string; note: string; policyName: string }
  /** `release-role`: takes our tags off a role that was taken over. They permit everything else, so they go last. */
  | { action: 'delete-role' | 'release-role'; resource: string };

const gone = ['NoSuchEntity', 'NoSuchEntityException'];

/** Names of the role's inline policies: 10,240 characters of them, less than one page. */
export async function listInlinePolicies(iam: IAMClient, roleArn: string): Promise<string[]> {
  const RoleName = parseRoleArn(roleArn).name;
  const answer = await absentIf(gone, () => iam.send(new ListRolePoliciesCommand({ RoleName })));
  return answer?.PolicyNames ?? [];
}

export async function applyRoleRemoval(iam: IAMClient, change: RoleRemoval, owner: Owner): Promise<void> {
  const RoleName = parseRoleArn(change.resource).name;
  const isNotOurs = async () => (await findRole(iam, RoleName, owner))?.ownership !== 'ours';
  switch (change.action) {
    case 'remove-role-policy':
      await absentIf(gone, () => iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: change.policyName })));
      return;
    case 'release-role': {
      const TagKeys = Object.keys({ ...ownerTags(owner), ...takenOverTags });
      return deleteTagged(() => iam.send(new UntagRoleCommand({ RoleName, TagKeys })), isNotOurs);
    }
    case 'delete-role':
      return deleteTagged(() => deleteRole(iam, RoleName), isNotOurs);
  }
}

/** IAM may not see yet that the role's policies are gone. */
async function deleteRole(iam: IAMClient, RoleName: string): Promise<void> {
  try {
    await absentIf(gone, () => iam.send(new DeleteRoleCommand({ RoleName })));
  } catch (error) {
    if (!isAwsError(error, 'DeleteConflict', 'DeleteConflictException')) throw error;
    throw new RetryableError('aws-unavailable', `${RoleName}: ${error.message}`, { cause: error });
  }
}
