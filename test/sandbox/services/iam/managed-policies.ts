import type * as sdk from '@aws-sdk/client-iam';
import { AwsError, type CallContext, type Operation, operation } from '../../service.ts';
import { SettlingValue } from '../../settling-value.ts';
import { page } from './paging.ts';
import { checkName, checkPath, policySize, readIdentityPolicy, type StoredPolicy } from './policy-documents.ts';
import { attachedPolicies } from './role-policies.ts';
import { type ManagedPolicy, type PolicyVersion, type Role, uniqueId } from './state.ts';
import { addTags, requestTagContext, resourceTagContext, tagList } from './tags.ts';

const mostCharacters = 6144;
const mostVersions = 5;

export const managedPolicyOperations = {
  CreatePolicy: operation<sdk.CreatePolicyCommandInput, object>({
    writes: true,
    permissions({ PolicyName, Path, Tags }, cx) {
      const asked = { resources: [policyArn(cx, PolicyName, Path)], context: requestTagContext(Tags) };
      const tagging = Tags?.length ? [{ action: 'iam:TagPolicy', ...asked }] : [];
      return [{ action: 'iam:CreatePolicy', ...asked }, ...tagging];
    },
    run({ PolicyName: name, Path: path = '/', PolicyDocument, Description, Tags }, cx) {
      checkName('policyName', name, 128);
      checkPath(path);
      const content = readManaged(PolicyDocument);
      const arn = policyArn(cx, name, path);
      // Names are unique regardless of path and case.
      const taken = [...cx.world.iam.policies.values()].some(
        (policy) => policy.accountId === cx.caller.accountId && policy.name.toLowerCase() === name.toLowerCase(),
      );
      if (taken)
        throw new AwsError(
          'EntityAlreadyExistsException',
          `A policy called ${name} already exists. Duplicate names are not allowed.`,
        );
      const tags = new Map<string, string>();
      addTags(tags, Tags);
      const policy: ManagedPolicy = {
        accountId: cx.caller.accountId,
        name,
        path,
        arn,
        id: uniqueId('ANPA'),
        createdAt: cx.now,
        updatedAt: cx.now,
        ...(Description !== undefined && { description: Description }),
        tags,
        defaultVersionId: 'v1',
        versions: [{ ...content, versionId: 'v1', createdAt: cx.now }],
        versionsMade: 1,
        content: new SettlingValue(content, cx.now),
      };
      cx.world.iam.policies.set(arn, policy);
      return { Policy: shown(policy, cx) };
    },
  }),

  GetPolicy: onPolicy<sdk.GetPolicyCommandInput>('read', 'iam:GetPolicy', (policy, _, cx) => ({
    Policy: shown(policy, cx),
  })),

  CreatePolicyVersion: onPolicy<sdk.CreatePolicyVersionCommandInput>(
    'write',
    'iam:CreatePolicyVersion',
    (policy, { PolicyDocument, SetAsDefault }, cx) => {
      const content = readManaged(PolicyDocument);
      if (policy.versions.length >= mostVersions)
        throw new AwsError(
          'LimitExceededException',
          `A managed policy can have up to ${mostVersions} versions. Before you create a new version, you must delete an existing version.`,
        );
      const version = { ...content, versionId: `v${++policy.versionsMade}`, createdAt: cx.now };
      policy.versions.push(version);
      policy.updatedAt = cx.now;
      if (SetAsDefault) {
        policy.defaultVersionId = version.versionId;
        policy.content.set(content, cx.now);
      }
      return { PolicyVersion: { ...shownVersion(policy, version), Document: undefined } };
    },
  ),

  GetPolicyVersion: onPolicy<sdk.GetPolicyVersionCommandInput>(
    'read',
    'iam:GetPolicyVersion',
    (policy, { VersionId }) => ({ PolicyVersion: shownVersion(policy, existingVersion(policy, VersionId)) }),
  ),

  ListPolicyVersions: onPolicy<sdk.ListPolicyVersionsCommandInput>(
    'read',
    'iam:ListPolicyVersions',
    (policy, input) => {
      const { items, rest } = page(policy.versions.toReversed(), input);
      return { Versions: items.map((version) => ({ ...shownVersion(policy, version), Document: undefined })), ...rest };
    },
  ),

  DeletePolicyVersion: onPolicy<sdk.DeletePolicyVersionCommandInput>(
    'write',
    'iam:DeletePolicyVersion',
    (policy, { VersionId }) => {
      const version = existingVersion(policy, VersionId);
      if (version.versionId === policy.defaultVersionId)
        throw new AwsError('DeleteConflictException', 'Cannot delete the default version of a policy.');
      policy.versions.splice(policy.versions.indexOf(version), 1);
      return {};
    },
  ),

  DeletePolicy: onPolicy<sdk.DeletePolicyCommandInput>('write', 'iam:DeletePolicy', (policy, _, cx) => {
    if (attachedTo(policy, cx).length > 0)
      throw new AwsError('DeleteConflictException', 'Cannot delete a policy attached to entities.');
    if (policy.versions.length > 1)
      throw new AwsError(
        'DeleteConflictException',
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
      );
    cx.world.iam.policies.delete(policy.arn);
    return {};
  }),

  ListEntitiesForPolicy: onPolicy<sdk.ListEntitiesForPolicyCommandInput>(
    'read',
    'iam:ListEntitiesForPolicy',
    (policy, input, cx) => {
      const { items, rest } = page(attachedTo(policy, cx), input);
      const PolicyRoles = items.map(({ name, id }) => ({ RoleName: name, RoleId: id }));
      return { PolicyRoles, PolicyUsers: [], PolicyGroups: [], ...rest };
    },
  ),

  TagPolicy: onPolicy<sdk.TagPolicyCommandInput>('write', 'iam:TagPolicy', (policy, { Tags }) => {
    addTags(policy.tags, Tags);
    return {};
  }),

  ListPolicyTags: onPolicy<sdk.ListPolicyTagsCommandInput>('read', 'iam:ListPolicyTags', (policy, input) => {
    const { items, rest } = page(tagList(policy.tags), input);
    return { Tags: items, ...rest };
  }),
};

function onPolicy<Input extends { PolicyArn: string | undefined; Tags?: sdk.Tag[] | undefined }>(
  access: 'read' | 'write',
  action: string,
  run: (policy: ManagedPolicy, input: Input, cx: CallContext) => object,
): Operation<Input, object> {
  return {
    writes: access === 'write',
    permissions({ PolicyArn = '', Tags }, { world }) {
      const tags = resourceTagContext(world.iam.policies.get(PolicyArn)?.tags);
      return [{ action, resources: [PolicyArn], context: { ...tags, ...requestTagContext(Tags) } }];
    },
    run(input, cx) {
      const policy = cx.world.iam.policies.get(input.PolicyArn ?? '');
      if (policy?.accountId !== cx.caller.accountId)
        throw new AwsError('NoSuchEntityException', `Policy ${input.PolicyArn ?? ''} was not found.`);
      return run(policy, input, cx);
    },
  };
}

function policyArn({ caller }: CallContext, name = '', path = '/'): string {
  return `arn:aws:iam::${caller.accountId}:policy${path}${name}`;
}

function readManaged(text: string | undefined): StoredPolicy {
  const content = readIdentityPolicy(text);
  if (policySize(content) > mostCharacters)
    throw new AwsError('LimitExceededException', `Cannot exceed quota for PolicySize: ${mostCharacters}`);
  return content;
}

function existingVersion(policy: ManagedPolicy, id = ''): PolicyVersion {
  const version = policy.versions.find(({ versionId }) => versionId === id);
  if (!version)
    throw new AwsError(
      'NoSuchEntityException',
      `Policy ${policy.arn} version ${id} does not exist or is not attachable.`,
    );
  return version;
}

function attachedTo({ arn, accountId }: ManagedPolicy, { world }: CallContext): Role[] {
  return world.iam.roles(accountId).filter((role) => attachedPolicies(role).some((one) => one.arn === arn));
}

function shown(policy: ManagedPolicy, cx: CallContext) {
  return {
    PolicyName: policy.name,
    PolicyId: policy.id,
    Arn: policy.arn,
    Path: policy.path,
    DefaultVersionId: policy.defaultVersionId,
    AttachmentCount: attachedTo(policy, cx).length,
    PermissionsBoundaryUsageCount: 0,
    IsAttachable: true,
    Description: policy.description,
    CreateDate: new Date(policy.createdAt),
    UpdateDate: new Date(policy.updatedAt),
    Tags: tagList(policy.tags),
  };
}

function shownVersion(policy: ManagedPolicy, { versionId, text, createdAt }: PolicyVersion) {
  return {
    Document: encodeURIComponent(text),
    VersionId: versionId,
    IsDefaultVersion: versionId === policy.defaultVersionId,
    CreateDate: new Date(createdAt),
  };
}
