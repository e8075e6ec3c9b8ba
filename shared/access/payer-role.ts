/** The role in the payer account that the pods assume. A payer's targets share it. Find it, remove what runs added to it, delete it. */
import { listAttachedPolicies } from '../aws/managed-policy.ts';
import { dataPolicyName, payerRoleName, payerRolePattern, tagsPolicyName } from '../aws/names.ts';
import { type PolicyDocument, samePolicy } from '../aws/policy-document.ts';
import {
  findRole,
  inlinePolicyRemoval,
  listInlinePolicies,
  readInlinePolicy,
  roleActions,
  roleArnOf,
  type RoleChange,
  type SeenRole,
  trustReduction,
} from '../aws/role.ts';
import { taggedOurs } from '../aws/tags.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Permission, StepContext } from '../step/contract.ts';
import { withoutOurs } from './payer-policy.ts';

const resources = [payerRolePattern] as const;

export const payerRolePermissions = {
  find: { actions: roleActions.find, resources },
  complete: { actions: [...roleActions.find, ...roleActions.complete], resources },
  putPolicies: { actions: [...roleActions.find, 'iam:GetRolePolicy', 'iam:PutRolePolicy'], resources },
  readPolicies: { actions: [...roleActions.find, 'iam:GetRolePolicy', ...roleActions.listPolicies], resources },
  /** PutRolePolicy and UpdateAssumeRolePolicy are for a role that somebody else made: it stays without what runs added to it. */
  remove: {
    actions: [...roleActions.remove, 'iam:PutRolePolicy', 'iam:UpdateAssumeRolePolicy'],
    resources,
    condition: taggedOurs,
  },
} satisfies Record<string, Permission>;

export function payerRoleArnOf(payerAccountId: string): string {
  return roleArnOf(payerAccountId, payerRoleName);
}

export function findPayerRole(cx: Pick<StepContext<RunKind>, 'payer' | 'owner'>): Promise<SeenRole | undefined> {
  return findRole(cx.payer, payerRoleArnOf(cx.payer.accountId), cx.owner);
}

export interface PayerRolePolicies {
  /** Inline policies by name; only the two that runs write are read. */
  inline: Record<string, PolicyDocument | undefined>;
  /** ARNs of attached policies. */
  attached: string[];
}

export async function readPayerRolePolicies({
  payer,
}: Pick<StepContext<RunKind>, 'payer'>): Promise<PayerRolePolicies> {
  const arn = payerRoleArnOf(payer.accountId);
  const [names, attached] = await Promise.all([listInlinePolicies(payer, arn), listAttachedPolicies(payer, arn)]);
  const policies = await Promise.all(
    names.map(async (name) => {
      const isRead = name === dataPolicyName || name === tagsPolicyName;
      return [name, isRead ? await readInlinePolicy(payer, arn, name) : undefined] as const;
    }),
  );
  return { inline: Object.fromEntries(policies), attached };
}

/** Removes what runs added to a role that somebody else made. @param remaining the trust policy without the departing pods */
export function payerRoleRelease(
  role: SeenRole,
  { inline }: PayerRolePolicies,
  remaining: PolicyDocument,
): RoleChange[] {
  const policies = Object.entries(inline).flatMap(([policyName, policy]): RoleChange[] => {
    if (!policy) return [];
    const others = withoutOurs(policy);
    if (!others) return [inlinePolicyRemoval(role.arn, policyName)];
    if (samePolicy(policy, others)) return [];
    return [{ action: 'put-role-policy', resource: role.arn, note: policyName, policyName, policy: others }];
  });
  return [...trustReduction(role, remaining), ...policies, { action: 'untag-role', resource: role.arn }];
}

export function payerRoleRemoval({ arn }: SeenRole, { inline, attached }: PayerRolePolicies): RoleChange[] {
  return [
    ...Object.keys(inline).map((policyName) => inlinePolicyRemoval(arn, policyName)),
    ...attached.map((policyArn): RoleChange => {
      return { action: 'detach-role-policy', resource: arn, note: policyArn, policyArn };
    }),
    { action: 'delete-role', resource: arn },
  ];
}
