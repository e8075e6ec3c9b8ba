import {
  CreateRoleCommand,
  GetRoleCommand,
  type IAMClient,
  TagRoleCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { absentIf, isAwsError, RetryableError, unlessTaken } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import { decodePolicy, type PolicyDocument, samePolicy } from './policy-document.ts';
import { fromTagList, isTakenOver, ownership, ownerTags, takenOverTags, toTagList } from './tags.ts';

export interface SeenRole {
  arn: string;
  trust: PolicyDocument;
  ownership: Ownership;
  /** Somebody else made it, and a run completed it in place. */
  takenOver: boolean;
  /** Milliseconds since the epoch. */
  createdAt: number;
}

/** IAM is one service for all regions, signed for this one. */
export const iamRegion = 'us-east-1';

export function roleArnOf(accountId: string, name: string): string {
  return `arn:aws:iam::${accountId}:role/${name}`;
}

/** `arn:aws:iam::<account>:role/<path/><name>` */
export function parseRoleArn(arn: string): { accountId: string; name: string } {
  return { accountId: arn.split(':')[4] ?? '', name: arn.split('/').at(-1) ?? '' };
}

export async function findRole(iam: IAMClient, name: string, owner: Owner): Promise<SeenRole | undefined> {
  const answer = await absentIf(['NoSuchEntity', 'NoSuchEntityException'], () =>
    iam.send(new GetRoleCommand({ RoleName: name })),
  );
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

export type RoleChange = {
  action: 'create-role' | 'update-trust' | 'tag-role';
  resource: string;
  trust: PolicyDocument;
};

/** What makes the role trust as `trust` says, and ours. */
export function roleChanges(role: SeenRole | undefined, arn: string, trust: PolicyDocument): RoleChange[] {
  if (!role) return [{ action: 'create-role', resource: arn, trust }];
  const changes: RoleChange[] = [];
  if (!samePolicy(role.trust, trust)) changes.push({ action: 'update-trust', resource: role.arn, trust });
  if (role.ownership === 'foreign') changes.push({ action: 'tag-role', resource: role.arn, trust });
  return changes;
}

export async function applyRoleChange(iam: IAMClient, change: RoleChange, owner: Owner): Promise<void> {
  const RoleName = parseRoleArn(change.resource).name;
  const document = JSON.stringify(change.trust);
  switch (change.action) {
    case 'create-role':
      return unlessTaken(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
        principalKnown(() =>
          iam.send(
            new CreateRoleCommand({
              RoleName,
              AssumeRolePolicyDocument: document,
              Description: 'Made by kubecost-payer-onboarding',
              Tags: toTagList(ownerTags(owner)),
            }),
          ),
        ),
      );
    case 'update-trust':
      await principalKnown(() => iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: document })));
      return;
    case 'tag-role':
      await iam.send(new TagRoleCommand({ RoleName, Tags: toTagList({ ...ownerTags(owner), ...takenOverTags }) }));
  }
}

/** A provider made seconds ago may not yet be known where the trust policy is checked. */
async function principalKnown<T>(write: () => Promise<T>): Promise<T> {
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
