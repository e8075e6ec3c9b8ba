import type * as sdk from '@aws-sdk/client-iam';
import { AwsError } from '../../service.ts';
import { SettlingValue } from '../../settling-value.ts';
import { page } from './paging.ts';
import { checkName, policySize, readIdentityPolicy, type StoredPolicy } from './policy-documents.ts';
import { onRole } from './role-operation.ts';
import type { AttachedPolicy, Role } from './state.ts';

const inlineTotal = 10_240;
const mostAttachments = 10;

export const rolePolicyOperations = {
  PutRolePolicy: onRole<sdk.PutRolePolicyCommandInput>('write', 'iam:PutRolePolicy', (role, input, cx) => {
    checkName('policyName', input.PolicyName, 128);
    const policy = readIdentityPolicy(input.PolicyDocument);
    const others = [...inlinePolicies(role)].filter(([name]) => name !== input.PolicyName);
    const total = others.reduce((sum, [, other]) => sum + policySize(other), policySize(policy));
    if (total > inlineTotal)
      throw new AwsError(
        'LimitExceededException',
        `Maximum policy size of ${inlineTotal} bytes exceeded for role ${role.name}`,
      );
    store(role.inline, input.PolicyName, policy, cx.now);
    return {};
  }),

  GetRolePolicy: onRole<sdk.GetRolePolicyCommandInput>('read', 'iam:GetRolePolicy', (role, { PolicyName }) => ({
    RoleName: role.name,
    PolicyName,
    PolicyDocument: encodeURIComponent(inlinePolicy(role, PolicyName).text),
  })),

  ListRolePolicies: onRole<sdk.ListRolePoliciesCommandInput>('read', 'iam:ListRolePolicies', (role, input) => {
    const { items, rest } = page([...inlinePolicies(role).keys()].sort(), input);
    return { PolicyNames: items, ...rest };
  }),

  DeleteRolePolicy: onRole<sdk.DeleteRolePolicyCommandInput>(
    'write',
    'iam:DeleteRolePolicy',
    (role, { PolicyName = '' }, cx) => {
      inlinePolicy(role, PolicyName);
      role.inline.get(PolicyName)?.set(undefined, cx.now);
      return {};
    },
  ),

  AttachRolePolicy: onRole<sdk.AttachRolePolicyCommandInput>(
    'write',
    'iam:AttachRolePolicy',
    (role, { PolicyArn: arn = '' }, cx) => {
      const policy = cx.world.iam.attachablePolicy(arn);
      const foreign = !arn.startsWith('arn:aws:iam::aws:') && arn.split(':')[4] !== role.accountId;
      if (!policy || foreign)
        throw new AwsError('NoSuchEntityException', `Policy ${arn} does not exist or is not attachable.`);
      const attached = attachedPolicies(role);
      if (attached.some((one) => one.arn === arn)) return {};
      if (attached.length >= mostAttachments)
        throw new AwsError('LimitExceededException', `Cannot exceed quota for PoliciesPerRole: ${mostAttachments}`);
      store(role.attached, arn, policy, cx.now);
      return {};
    },
    policyContext,
  ),

  DetachRolePolicy: onRole<sdk.DetachRolePolicyCommandInput>(
    'write',
    'iam:DetachRolePolicy',
    (role, { PolicyArn: arn = '' }, cx) => {
      if (!attachedPolicies(role).some((one) => one.arn === arn))
        throw new AwsError('NoSuchEntityException', `Policy ${arn} was not found.`);
      role.attached.get(arn)?.set(undefined, cx.now);
      return {};
    },
    policyContext,
  ),

  ListAttachedRolePolicies: onRole<sdk.ListAttachedRolePoliciesCommandInput>(
    'read',
    'iam:ListAttachedRolePolicies',
    (role, input) => {
      const { items, rest } = page(attachedPolicies(role), input);
      return { AttachedPolicies: items.map(({ name, arn }) => ({ PolicyName: name, PolicyArn: arn })), ...rest };
    },
  ),
};

function policyContext({ PolicyArn = '' }: { PolicyArn: string | undefined }): Record<string, string> {
  return { 'iam:PolicyARN': PolicyArn };
}

function store<T>(histories: Map<string, SettlingValue<T | undefined>>, key: string, value: T, at: number): void {
  const history = histories.get(key);
  if (history) history.set(value, at);
  else histories.set(key, new SettlingValue<T | undefined>(value, at));
}

function inlinePolicies(role: Role): Map<string, StoredPolicy> {
  const found = new Map<string, StoredPolicy>();
  for (const [name, { current }] of role.inline) if (current) found.set(name, current);
  return found;
}

function inlinePolicy(role: Role, name = ''): StoredPolicy {
  const policy = inlinePolicies(role).get(name);
  if (!policy) throw new AwsError('NoSuchEntityException', `The role policy with name ${name} cannot be found.`);
  return policy;
}

export function attachedPolicies(role: Role): AttachedPolicy[] {
  return [...role.attached.values()].flatMap(({ current }) => (current ? [current] : []));
}
