import type * as sdk from '@aws-sdk/client-iam';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { page } from './paging.ts';
import { checkName, checkPath, invalid, policySize } from './policy-documents.ts';
import { onRole, roleArn } from './role-operation.ts';
import type { Role } from './state.ts';
import { addTags, requestTagContext, tagList } from './tags.ts';
import { readTrust, shownTrust, type Trust } from './trust.ts';

export const roleOperations = {
  CreateRole: operation<sdk.CreateRoleCommandInput, object>({
    writes: true,
    permissions({ RoleName, Path, Tags }, cx) {
      const asked = { resources: [roleArn(cx, RoleName, Path)], context: requestTagContext(Tags) };
      const tagging = Tags?.length ? [{ action: 'iam:TagRole', ...asked }] : [];
      return [{ action: 'iam:CreateRole', ...asked }, ...tagging];
    },
    run(input, cx) {
      const { RoleName: name, Path: path = '/', MaxSessionDuration: maxSessionDuration = 3600 } = input;
      checkName('roleName', name, 64);
      checkPath(path);
      if (maxSessionDuration < 3600 || maxSessionDuration > 43200)
        throw invalid('maxSessionDuration', 'Member must have value between 3600 and 43200');
      const { accountId } = cx.caller;
      const tags = new Map<string, string>();
      addTags(tags, input.Tags);
      const trust = checkedTrust(input.AssumeRolePolicyDocument, cx);
      if (cx.world.iam.role(accountId, name))
        throw new AwsError('EntityAlreadyExistsException', `Role with name ${name} already exists.`);
      const role = cx.world.iam.addRole({ accountId, name, path, trust, maxSessionDuration, at: cx.now });
      role.tags = tags;
      if (input.Description !== undefined) role.description = input.Description;
      return { Role: shown(role, cx) };
    },
  }),

  GetRole: onRole<sdk.GetRoleCommandInput>('read', 'iam:GetRole', (role, _, cx) => ({
    Role: { ...shown(role, cx), RoleLastUsed: {} },
  })),

  ListRoles: operation<sdk.ListRolesCommandInput, object>({
    writes: false,
    permissions: ({ PathPrefix = '/' }, cx) => [{ action: 'iam:ListRoles', resources: [roleArn(cx, '', PathPrefix)] }],
    run(input, cx) {
      const all = cx.world.iam.roles(cx.caller.accountId);
      const found = all.filter(({ path }) => path.startsWith(input.PathPrefix ?? '/'));
      const { items, rest } = page(found.sort(byName), input);
      return { Roles: items.map((role) => ({ ...shown(role, cx), Tags: undefined })), ...rest };
    },
  }),

  UpdateAssumeRolePolicy: onRole<sdk.UpdateAssumeRolePolicyCommandInput>(
    'write',
    'iam:UpdateAssumeRolePolicy',
    (role, { PolicyDocument }, cx) => {
      role.trust.set(checkedTrust(PolicyDocument, cx), cx.now);
      return {};
    },
  ),

  DeleteRole: onRole<sdk.DeleteRoleCommandInput>('write', 'iam:DeleteRole', (role, _, { world }) => {
    if ([...role.attached.values()].some(({ current }) => current))
      throw new AwsError('DeleteConflictException', 'Cannot delete entity, must detach all policies first.');
    if ([...role.inline.values()].some(({ current }) => current))
      throw new AwsError('DeleteConflictException', 'Cannot delete entity, must delete policies first.');
    world.iam.removeRole(role);
    return {};
  }),

  TagRole: onRole<sdk.TagRoleCommandInput>(
    'write',
    'iam:TagRole',
    (role, { Tags }) => {
      addTags(role.tags, Tags);
      return {};
    },
    ({ Tags }) => requestTagContext(Tags),
  ),

  UntagRole: onRole<sdk.UntagRoleCommandInput>(
    'write',
    'iam:UntagRole',
    (role, { TagKeys = [] }) => {
      for (const key of TagKeys) role.tags.delete(key);
      return {};
    },
    ({ TagKeys = [] }) => ({ 'aws:TagKeys': TagKeys }),
  ),

  ListRoleTags: onRole<sdk.ListRoleTagsCommandInput>('read', 'iam:ListRoleTags', (role, input) => {
    const { items, rest } = page(tagList(role.tags), input);
    return { Tags: items, ...rest };
  }),
};

function checkedTrust(text: string | undefined, { world }: CallContext): Trust {
  const trust = readTrust(text, world.iam);
  if (policySize(trust) > 2048)
    throw new AwsError('LimitExceededException', 'Cannot exceed quota for ACLSizePerRole: 2048');
  return trust;
}

function shown(role: Role, { world }: CallContext) {
  const trust = role.trust.current;
  return {
    Path: role.path,
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: new Date(role.createdAt),
    AssumeRolePolicyDocument: trust && encodeURIComponent(shownTrust(trust, world.iam)),
    Description: role.description,
    MaxSessionDuration: role.maxSessionDuration,
    ...(role.tags.size > 0 && { Tags: tagList(role.tags) }),
  };
}

function byName(a: Role, b: Role): number {
  return a.name < b.name ? -1 : 1;
}
