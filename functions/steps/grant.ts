import { IAMClient } from '@aws-sdk/client-iam';
import { grantSid, payerRolesGrant } from '../../shared/aws/access-policies.ts';
import {
  applyPolicyChange,
  findManagedPolicy,
  listAttachedPolicies,
  maxPolicyCharacters,
  policyArnOf,
  policyChanges,
  type PolicyChange,
  type SeenPolicy,
} from '../../shared/aws/managed-policy.ts';
import { grantPolicyName, targetId } from '../../shared/aws/names.ts';
import { listOf, mergeStatements, policyCharacters, type PolicyDocument } from '../../shared/aws/policy.ts';
import { iamRegion } from '../../shared/aws/role.ts';
import { outputOf, podRoleOf, targetOf, type Target } from '../../shared/run.ts';
import { defineStep, type Plan } from '../../shared/step.ts';
import { stepHandler } from '../../shared/step-handler.ts';
import {
  fixTargetSettings,
  listTargetPayers,
  markGranted,
  readTargetSettings,
  type TargetPayer,
  type TargetSettings,
} from '../../shared/target-store.ts';
import type { Outputs } from '../../shared/outputs.ts';

interface Input {
  target: Target;
  settings: TargetSettings;
  payerAccountId: string;
  payerRoleArn: string;
  podRoleArn: string;
  policyArn: string;
  takeOver: boolean;
}

interface Seen {
  settings: TargetSettings | undefined;
  payers: TargetPayer[];
  policy: SeenPolicy | undefined;
  attached: string[];
}

type Change = PolicyChange | { do: 'fix-settings' | 'mark-granted'; resource: string };

/** Every payer role that belongs to the target or is in the policy already, less those marked `removing`. */
function completePolicy({ payerAccountId, payerRoleArn }: Input, { policy, payers }: Seen): PolicyDocument {
  const others = payers.filter((item) => item.payerAccountId !== payerAccountId);
  const wanted = new Set([
    payerRoleArn,
    ...others.filter(({ state }) => state !== 'removing').map((item) => item.payerRoleArn),
  ]);
  const removed = new Set(others.map((item) => item.payerRoleArn).filter((arn) => !wanted.has(arn)));
  const there = policy?.document.Statement.find(({ Sid }) => Sid === grantSid);
  const kept = listOf(there?.Resource).filter((arn) => !removed.has(arn));
  return mergeStatements(policy?.document, [payerRolesGrant([...new Set([...kept, ...wanted])])]);
}

/** The pod's own side of the chain: it may assume the payer roles of its target. */
export const grant = defineStep({
  name: 'grant',
  summary: 'Allows the pod’s role to assume the payer role.',
  lease: 'target',
  permissions: {
    table: ['GetItem', 'PutItem', 'Query', 'UpdateItem'],
    cluster: [
      {
        actions: [
          'iam:GetPolicy',
          'iam:GetPolicyVersion',
          'iam:ListPolicyVersions',
          'iam:CreatePolicy',
          'iam:CreatePolicyVersion',
          'iam:DeletePolicyVersion',
          'iam:TagPolicy',
        ],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*'],
      },
      {
        actions: ['iam:ListAttachedRolePolicies'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
      },
      {
        actions: ['iam:AttachRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}'],
        condition: {
          ArnLike: {
            'iam:PolicyARN':
              'arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/kubecost-access-cur-in-payer-account-*',
          },
        },
      },
    ],
  },

  input(cx): Input {
    const { request } = cx.run;
    const target = targetOf(request);
    const { podRoleArn, serviceAccount } = podRoleOf(cx.run);
    return {
      target,
      settings: { identityMode: request.identity.mode, serviceAccount, format: request.kubecost.format },
      payerAccountId: request.payerAccountId,
      payerRoleArn: outputOf(cx.run, 'payer-role').payerRoleArn,
      podRoleArn,
      policyArn: policyArnOf(
        request.cluster.accountId,
        grantPolicyName(target.clusterArn, target.namespace, serviceAccount),
      ),
      takeOver: request.existing === 'take-over',
    };
  },

  async observe(cx, { target, policyArn, podRoleArn }): Promise<Seen> {
    const iam = cx.cluster.client(IAMClient, iamRegion);
    const [settings, payers, policy, attached] = await Promise.all([
      readTargetSettings(target),
      listTargetPayers(target),
      findManagedPolicy(iam, policyArn, cx.owner),
      listAttachedPolicies(iam, podRoleArn),
    ]);
    return { settings, payers, policy, attached };
  },

  plan(input, seen): Plan<Change, Outputs['grant']> {
    const { settings, payers, policy, attached } = seen;
    const { policyArn, payerAccountId, payerRoleArn, podRoleArn } = input;
    const { identityMode, serviceAccount } = input.settings;
    if (settings && (settings.identityMode !== identityMode || settings.serviceAccount !== serviceAccount))
      return {
        kind: 'refuse',
        code: 'target-differs',
        detail: `${targetId(input.target)} uses ${settings.identityMode} with ${settings.serviceAccount}`,
      };
    if (policy?.ownership === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: policyArn };
    if (policy?.ownership === 'foreign' && !input.takeOver)
      return { kind: 'refuse', code: 'pod-policy-not-ours', detail: policyArn };
    const document = completePolicy(input, seen);
    const characters = policyCharacters(document);
    if (characters > maxPolicyCharacters)
      return {
        kind: 'refuse',
        code: 'target-full',
        detail: `${policyArn} would have ${characters} characters; ${maxPolicyCharacters} are allowed`,
      };
    const changes: Change[] = [];
    if (!settings) changes.push({ do: 'fix-settings', resource: targetId(input.target) });
    const own = payers.find((item) => item.payerAccountId === payerAccountId);
    if (own?.payerRoleArn !== payerRoleArn) changes.push({ do: 'mark-granted', resource: targetId(input.target) });
    changes.push(...policyChanges(policy, policyArn, document));
    if (!attached.includes(policyArn)) changes.push({ do: 'attach-policy', resource: policyArn, roleArn: podRoleArn });
    const output = { policyArn };
    const [first, ...more] = changes;
    return first ? { kind: 'change', changes: [first, ...more], expected: output } : { kind: 'ready', output };
  },

  apply(cx, change, { target, settings, payerAccountId, payerRoleArn }) {
    switch (change.do) {
      case 'fix-settings':
        return fixTargetSettings(target, settings);
      case 'mark-granted':
        return markGranted(target, payerAccountId, payerRoleArn);
      case 'create-policy':
      case 'create-policy-version':
      case 'delete-policy-version':
      case 'tag-policy':
      case 'attach-policy':
        return applyPolicyChange(cx.cluster.client(IAMClient, iamRegion), change, cx.owner);
    }
  },
});

export const handler = stepHandler(grant);
