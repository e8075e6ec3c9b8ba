/** Managed IAM policies: find one, create or complete it, attach, detach and delete it. */
import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  DeletePolicyCommand,
  DeletePolicyVersionCommand,
  DetachRolePolicyCommand,
  GetPolicyCommand,
  GetPolicyVersionCommand,
  type IAMClient,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListPolicyVersionsCommand,
  TagPolicyCommand,
} from '@aws-sdk/client-iam';
import { absentIf, isAwsError, RetryableError, TerminalError, unlessTaken, UserError } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import { decodePolicy, type PolicyDocument, samePolicy } from './policy-document.ts';
import { iamOf, parseRoleArn } from './role.ts';
import { fromTagList, ownership, ownerTags, toTagList } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

/** The IAM actions of the calls below. */
export const policyActions = {
  find: ['iam:GetPolicy', 'iam:GetPolicyVersion', 'iam:ListPolicyVersions'],
  /** IAM asks for TagPolicy too when CreatePolicy sets tags (IAM user guide, "Tagging customer managed policies"). */
  create: ['iam:CreatePolicy', 'iam:TagPolicy'],
  /** A new document is a new version; the oldest version may have to be deleted first. */
  change: ['iam:CreatePolicyVersion', 'iam:DeletePolicyVersion'],
  delete: ['iam:DeletePolicy', 'iam:DeletePolicyVersion'],
  listRoles: ['iam:ListEntitiesForPolicy'],
} as const;

/** Characters of a managed policy, white space not counted. */
export const maxPolicyCharacters = 6144;
const maxVersions = 5;

export interface SeenPolicy {
  arn: string;
  document: PolicyDocument;
  ownership: Ownership;
  /** Oldest first, without the default one. */
  spareVersions: string[];
}

export function policyArnOf(accountId: string, name: string): string {
  return `arn:aws:iam::${accountId}:policy/${name}`;
}

const absent = ['NoSuchEntity', 'NoSuchEntityException'];

export async function findManagedPolicy(
  account: TargetAccount,
  arn: string,
  owner: Owner,
): Promise<SeenPolicy | undefined> {
  const iam = iamOf(account);
  const answer = await absentIf(absent, () => iam.send(new GetPolicyCommand({ PolicyArn: arn })));
  if (!answer?.Policy) return undefined;
  const { DefaultVersionId, Tags } = answer.Policy;
  const [version, { Versions }] = await Promise.all([
    iam.send(new GetPolicyVersionCommand({ PolicyArn: arn, VersionId: DefaultVersionId })),
    iam.send(new ListPolicyVersionsCommand({ PolicyArn: arn })),
  ]);
  const document = version.PolicyVersion?.Document;
  if (document === undefined) throw new TerminalError('unexpected', `${arn} has no document`);
  const spare = (Versions ?? []).filter(({ IsDefaultVersion }) => !IsDefaultVersion);
  return {
    arn,
    document: decodePolicy(document),
    ownership: ownership(fromTagList(Tags), owner),
    spareVersions: spare.map(({ VersionId = '' }) => VersionId).sort((a, b) => Number(a.slice(1)) - Number(b.slice(1))),
  };
}

/** ARNs of the policies the role has attached: 20 at most (IAM quota), so one page holds all of them. */
export async function listAttachedPolicies(account: TargetAccount, roleArn: string): Promise<string[]> {
  const RoleName = parseRoleArn(roleArn).name;
  const answer = await absentIf(absent, () => iamOf(account).send(new ListAttachedRolePoliciesCommand({ RoleName })));
  return (answer?.AttachedPolicies ?? []).map(({ PolicyArn = '' }) => PolicyArn);
}

/** Names of the roles that have the policy attached: the pod's role, and its former one if the workload has moved to another service account. */
export async function listAttachedRoles(account: TargetAccount, arn: string): Promise<string[]> {
  const answer = await absentIf(absent, () =>
    iamOf(account).send(new ListEntitiesForPolicyCommand({ PolicyArn: arn, EntityFilter: 'Role' })),
  );
  return (answer?.PolicyRoles ?? []).map(({ RoleName = '' }) => RoleName);
}

export type PolicyChange =
  | { action: 'create-policy' | 'create-policy-version'; resource: string; document: PolicyDocument }
  | { action: 'delete-policy-version'; resource: string; note: string; versionId: string }
  | { action: 'tag-policy' | 'delete-policy'; resource: string }
  | { action: 'attach-policy' | 'detach-policy'; resource: string; roleArn: string };

/**
 * The changes after which the policy is ours and has this document. IAM keeps five versions, so the oldest may have to be deleted first.
 */
export function policyChanges(policy: SeenPolicy | undefined, arn: string, document: PolicyDocument): PolicyChange[] {
  if (!policy) return [{ action: 'create-policy', resource: arn, document }];
  const changes: PolicyChange[] = [];
  if (!samePolicy(policy.document, document)) {
    const [oldest] = policy.spareVersions;
    if (oldest && policy.spareVersions.length >= maxVersions - 1) changes.push(deleteVersion(arn, oldest));
    changes.push({ action: 'create-policy-version', resource: arn, document });
  }
  if (policy.ownership === 'foreign') changes.push({ action: 'tag-policy', resource: arn });
  return changes;
}

/** The removal of a policy that no role has attached. IAM deletes the default version with it; the others must be deleted first. */
export function policyRemoval({ arn, spareVersions }: SeenPolicy): PolicyChange[] {
  return [...spareVersions.map((version) => deleteVersion(arn, version)), { action: 'delete-policy', resource: arn }];
}

function deleteVersion(arn: string, versionId: string): PolicyChange {
  return { action: 'delete-policy-version', resource: arn, note: versionId, versionId };
}

/** @throws UserError target-full if IAM's limit of attached policies is reached */
export async function applyPolicyChange(account: TargetAccount, change: PolicyChange, owner: Owner): Promise<void> {
  const iam = iamOf(account);
  const PolicyArn = change.resource;
  switch (change.action) {
    case 'create-policy':
      return unlessTaken(['EntityAlreadyExists', 'EntityAlreadyExistsException'], () =>
        iam.send(
          new CreatePolicyCommand({
            PolicyName: PolicyArn.split('/').at(-1),
            PolicyDocument: JSON.stringify(change.document),
            Description: 'Made by kubecost-payer-onboarding',
            Tags: toTagList(ownerTags(owner)),
          }),
        ),
      );
    case 'create-policy-version': {
      const PolicyDocument = JSON.stringify(change.document);
      await iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument, SetAsDefault: true }));
      return;
    }
    case 'delete-policy-version':
      await absentIf(absent, () =>
        iam.send(new DeletePolicyVersionCommand({ PolicyArn, VersionId: change.versionId })),
      );
      return;
    case 'tag-policy':
      await iam.send(new TagPolicyCommand({ PolicyArn, Tags: toTagList(ownerTags(owner)) }));
      return;
    case 'delete-policy':
      return deletePolicy(iam, PolicyArn);
    case 'attach-policy':
      return attach(iam, PolicyArn, change.roleArn);
    case 'detach-policy': {
      const RoleName = parseRoleArn(change.roleArn).name;
      await absentIf(absent, () => iam.send(new DetachRolePolicyCommand({ PolicyArn, RoleName })));
    }
  }
}

/** IAM may still see the policy attached that was detached seconds ago. */
async function deletePolicy(iam: IAMClient, PolicyArn: string): Promise<void> {
  try {
    await absentIf(absent, () => iam.send(new DeletePolicyCommand({ PolicyArn })));
  } catch (error) {
    if (!isAwsError(error, 'DeleteConflict', 'DeleteConflictException')) throw error;
    throw new RetryableError('aws-unavailable', `${PolicyArn}: ${error.message}`, { cause: error });
  }
}

async function attach(iam: IAMClient, PolicyArn: string, roleArn: string): Promise<void> {
  try {
    await iam.send(new AttachRolePolicyCommand({ PolicyArn, RoleName: parseRoleArn(roleArn).name }));
  } catch (error) {
    if (!isAwsError(error, 'LimitExceeded', 'LimitExceededException')) throw error;
    throw new UserError('target-full', `${roleArn} has as many managed policies attached as IAM allows`, {
      cause: error,
    });
  }
}
