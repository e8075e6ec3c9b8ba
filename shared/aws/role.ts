/** IAM roles: find one, create or complete it, give it back, delete it. */
import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { absentIf, isAwsError, RetryableError, unlessTaken } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import { decodePolicy, type PolicyDocument, samePolicy } from './policy-document.ts';
import { deleteTagged } from './repeatable-delete.ts';
import { fromTagList, isTakenOver, ownership, ownerTags, takenOverTags, toTagList } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

/** The IAM actions of the calls below. */
export const roleActions = {
  find: ['iam:GetRole'],
  /** IAM asks for TagRole too when CreateRole sets tags (IAM user guide, "Tagging IAM roles"). */
  complete: ['iam:CreateRole', 'iam:TagRole', 'iam:UpdateAssumeRolePolicy'],
  /** IAM deletes only a role without policies, so a removal lists them. */
  listPolicies: ['iam:ListAttachedRolePolicies', 'iam:ListRolePolicies'],
  remove: ['iam:DeleteRole', 'iam:DeleteRolePolicy', 'iam:DetachRolePolicy', 'iam:UntagRole'],
} as const;

export interface SeenRole {
  arn: string;
  trust: PolicyDocument;
  ownership: Ownership;
  /** Somebody else made it, and a run completed it in place. */
  takenOver: boolean;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

const absent = ['NoSuchEntity', 'NoSuchEntityException'];

/** IAM is one service for all regions; its requests are signed for us-east-1. */
export function iamOf(account: TargetAccount): IAMClient {
  return account.client(IAMClient, 'us-east-1');
}

export function roleArnOf(accountId: string, name: string): string {
  return `arn:aws:iam::${accountId}:role/${name}`;
}

/** `arn:aws:iam::<account>:role/<path/><name>` */
export function parseRoleArn(arn: string): { accountId: string; name: string } {
  return { accountId: arn.split(':')[4] ?? '', name: arn.split('/').at(-1) ?? '' };
}

export async function findRole(account: TargetAccount, arn: string, owner: Owner): Promise<SeenRole | undefined> {
  const RoleName = parseRoleArn(arn).name;
  const answer = await absentIf(absent, () => iamOf(account).send(new GetRoleCommand({ RoleName })));
  const role = answer?.Role;
  if (!role?.Arn) return undefined;
  const tags = fromTagList(role.Tags);
  return {
    arn: role.Arn,
    trust: decodePolicy(role.AssumeRolePolicyDocument ?? '{}'),
    ownership: ownership(tags, owner),
    takenOver: isTakenOver(tags),
    createdAt: role.CreateDate?.getTime() ?? 0,
  };
}

/** Names of the role's inline policies. They share 10,240 characters (IAM quota), so one page holds all of them. */
export async function listInlinePolicies(account: TargetAccount, roleArn: string): Promise<string[]> {
  const RoleName = parseRoleArn(roleArn).name;
  const answer = await absentIf(absent, () => iamOf(account).send(new ListRolePoliciesCommand({ RoleName })));
  return answer?.PolicyNames ?? [];
}

export async function readInlinePolicy(
  account: TargetAccount,
  roleArn: string,
  PolicyName: string,
): Promise<PolicyDocument | undefined> {
  const RoleName = parseRoleArn(roleArn).name;
  const answer = await absentIf(absent, () => iamOf(account).send(new GetRolePolicyCommand({ RoleName, PolicyName })));
  return answer?.PolicyDocument ? decodePolicy(answer.PolicyDocument) : undefined;
}

/** `resource` is the role's ARN. */
export type RoleChange =
  | { action: 'create-role' | 'update-trust' | 'tag-role'; resource: string; trust: PolicyDocument }
  | { action: 'put-role-policy'; resource: string; note: string; policyName: string; policy: PolicyDocument }
  | { action: 'remove-role-policy'; resource: string; note: string; policyName: string }
  | { action: 'detach-role-policy'; resource: string; note: string; policyArn: string }
  /** Both take our tags off a role that was taken over; our permissions depend on the tags, so this change comes last. */
  | { action: 'release-role' | 'untag-role'; resource: string }
  | { action: 'delete-role'; resource: string };

/** The changes after which the role is ours and has this trust policy. */
export function roleChanges(role: SeenRole | undefined, arn: string, trust: PolicyDocument): RoleChange[] {
  if (!role) return [{ action: 'create-role', resource: arn, trust }];
  const changes: RoleChange[] = [];
  if (!samePolicy(role.trust, trust)) changes.push({ action: 'update-trust', resource: role.arn, trust });
  if (role.ownership === 'foreign') changes.push({ action: 'tag-role', resource: role.arn, trust });
  return changes;
}

/** IAM refuses an empty trust policy, so our statement stays if no other one remains. */
export function trustReduction({ arn, trust }: SeenRole, remaining: PolicyDocument): RoleChange[] {
  if (remaining.Statement.length === 0 || samePolicy(trust, remaining)) return [];
  return [{ action: 'update-trust', resource: arn, trust: remaining }];
}

export function inlinePolicyRemoval(resource: string, policyName: string): RoleChange {
  return { action: 'remove-role-policy', resource, note: policyName, policyName };
}

export async function applyRoleChange(account: TargetAccount, change: RoleChange, owner: Owner): Promise<void> {
  const iam = iamOf(account);
  const RoleName = parseRoleArn(change.resource).name;
  const isNotOurs = async () => (await findRole(account, change.resource, owner))?.ownership !== 'ours';
  switch (change.action) {
    case 'create-role':
      return createRole(iam, RoleName, change.trust, owner);
    case 'update-trust': {
      const PolicyDocument = JSON.stringify(change.trust);
      await retryUnknownPrincipal(() => iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument })));
      return;
    }
    case 'tag-role':
      await iam.send(new TagRoleCommand({ RoleName, Tags: toTagList({ ...ownerTags(owner), ...takenOverTags }) }));
      return;
    case 'put-role-policy': {
      const PolicyDocument = JSON.stringify(change.policy);
      await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: change.policyName, PolicyDocument }));
      return;
    }
    case 'remove-role-policy':
      await absentIf(absent, () => iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: change.policyName })));
      return;
    case 'detach-role-policy':
      await absentIf(absent, () => iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: change.policyArn })));
      return;
    case 'release-role':
    case 'untag-role': {
      const TagKeys = Object.keys({ ...ownerTags(owner), ...takenOverTags });
      return deleteTagged(() => iam.send(new UntagRoleCommand({ RoleName, TagKeys })), isNotOurs);
    }
    case 'delete-role':
      return deleteTagged(() => deleteRole(iam, RoleName), isNotOurs);
  }
}

function createRole(iam: IAMClient, RoleName: string, trust: PolicyDocument, owner: Owner): Promise<void> {
  return unlessTaken(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
    retryUnknownPrincipal(() =>
      iam.send(
        new CreateRoleCommand({
          RoleName,
          AssumeRolePolicyDocument: JSON.stringify(trust),
          Description: 'Made by kubecost-payer-onboarding',
          Tags: toTagList(ownerTags(owner)),
        }),
      ),
    ),
  );
}

/** IAM may reject a trust policy because it does not see a provider yet that was created seconds ago. */
async function retryUnknownPrincipal<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (
      isAwsError(error, 'MalformedPolicyDocument', 'MalformedPolicyDocumentException') &&
      error.message.includes('Invalid principal in policy')
    )
      throw new RetryableError('aws-unavailable', error.message, { cause: error });
    throw error;
  }
}

/** IAM may still see policies on the role that were removed seconds ago. */
async function deleteRole(iam: IAMClient, RoleName: string): Promise<void> {
  try {
    await absentIf(absent, () => iam.send(new DeleteRoleCommand({ RoleName })));
  } catch (error) {
    if (!isAwsError(error, 'DeleteConflict', 'DeleteConflictException')) throw error;
    throw new RetryableError('aws-unavailable', `${RoleName}: ${error.message}`, { cause: error });
  }
}
