import {
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DetachRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { withoutOurs } from '../../shared/access/payer-policy.ts';
import { deleteTagged } from '../../shared/aws/delete-tagged.ts';
import { dataPolicyName, payerRoleName, tagsPolicyName } from '../../shared/aws/names.ts';
import { decodePolicy, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { findRole, iamRegion, type SeenRole } from '../../shared/aws/role.ts';
import { ownerTags, taggedOurs, takenOverTags } from '../../shared/aws/tags.ts';
import { absentIf, isAwsError, RetryableError } from '../../shared/errors/errors.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import {
  type Leaving,
  leavingOf,
  type PayerUsers,
  readPayerUsers,
  reasonsToStay,
  remainingTrust,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan, type StepChange, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { markPayerTargetRemoving } from '../../shared/targets/payer-targets.ts';

type Output = Outputs['remove-payer-role'];

interface Input extends Leaving {
  purge: boolean;
}

interface Observation extends PayerUsers {
  /** Of a role of ours: its inline policies by name, of which only those that runs write are read. */
  inline: Record<string, PolicyDocument | undefined>;
  /** ARNs of the policies attached to it. */
  attached: string[];
}

type Change = StepChange &
  (
    | { action: 'update-trust'; trust: PolicyDocument }
    | { action: 'put-role-policy'; policyName: string; policy: PolicyDocument }
    | { action: 'remove-role-policy'; policyName: string }
    | { action: 'detach-role-policy'; policyArn: string }
    | { action: 'untag-role' | 'delete-role' }
  );

const role = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}';
const missing = ['NoSuchEntity', 'NoSuchEntityException'];
const adopted = 'adopted: kept unless purge names payer-role';

export const removePayerRole = defineStep<'remove-payer-role', Input, Observation, Change>({
  name: 'remove-payer-role',
  summary: 'Stops the payer role from trusting this target’s pods, and deletes it with the payer’s last target',
  permissions: {
    table: ['Query', 'UpdateItem'],
    payer: [
      {
        actions: ['iam:GetRole', 'iam:GetRolePolicy', 'iam:ListAttachedRolePolicies', 'iam:ListRolePolicies'],
        resources: [role],
      },
      {
        actions: [
          'iam:DeleteRole',
          'iam:DeleteRolePolicy',
          'iam:DetachRolePolicy',
          'iam:PutRolePolicy',
          'iam:UntagRole',
          'iam:UpdateAssumeRolePolicy',
        ],
        resources: [role],
        condition: taggedOurs,
      },
    ],
  },
  lease: 'payer',

  input({ run }) {
    return { ...leavingOf(run), purge: run.request.purge.includes('payer-role') };
  },

  async register(_cx, { payerAccountId, target, podRoleArn }) {
    await markPayerTargetRemoving(payerAccountId, target, podRoleArn);
    return undefined;
  },

  async observe(cx) {
    const users = await readPayerUsers(cx);
    if (users.role?.ownership !== 'ours') return { ...users, inline: {}, attached: [] };
    return { ...users, ...(await readPolicies(cx)) };
  },

  plan(input, seen, { changes: made }): Plan<Change, Output> {
    const kept = (...why: string[]) =>
      seen.role ? why.map((each) => ({ resource: seen.role?.arn ?? '', why: each })) : [];
    if (seen.role?.ownership === 'other-deployment')
      return { kind: 'ready', output: removalOf(made, kept('it belongs to another deployment')) };
    if (seen.role?.ownership !== 'ours') {
      const letGo = made.some(({ do: what }) => what === 'untag-role');
      return { kind: 'ready', output: removalOf(made, kept(letGo ? adopted : 'it does not carry our tags')) };
    }
    const reasons = reasonsToStay(input, seen);
    const { changes, why } =
      reasons.length > 0
        ? { changes: trustChange(input, seen, seen.role), why: reasons }
        : seen.role.takenOver && !input.purge
          ? { changes: letGoChanges(input, seen, seen.role), why: [adopted] }
          : { changes: deletion(seen, seen.role), why: [] };
    return changesOrReady(changes, {
      output: removalOf(made, kept(...why)),
      expected: removalOf(made, kept(...why), changes),
    });
  },

  async apply(cx, change) {
    const iam = cx.payer.client(IAMClient, iamRegion);
    const RoleName = payerRoleName;
    switch (change.action) {
      case 'update-trust': {
        const PolicyDocument = JSON.stringify(change.trust);
        await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument }));
        break;
      }
      case 'put-role-policy': {
        const PolicyDocument = JSON.stringify(change.policy);
        await iam.send(new PutRolePolicyCommand({ RoleName, PolicyName: change.policyName, PolicyDocument }));
        break;
      }
      case 'remove-role-policy':
        await absentIf(missing, () =>
          iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: change.policyName })),
        );
        break;
      case 'detach-role-policy':
        await absentIf(missing, () => iam.send(new DetachRolePolicyCommand({ RoleName, PolicyArn: change.policyArn })));
        break;
      case 'untag-role': {
        const TagKeys = Object.keys({ ...ownerTags(cx.owner), ...takenOverTags });
        await deleteTagged(
          () => iam.send(new UntagRoleCommand({ RoleName, TagKeys })),
          async () => (await findRole(iam, RoleName, cx.owner))?.ownership === 'foreign',
        );
        break;
      }
      case 'delete-role':
        await deleteTagged(
          () => deleteRole(iam),
          async () => (await findRole(iam, RoleName, cx.owner)) === undefined,
        );
        break;
    }
    return 'changed';
  },
});

async function readPolicies(cx: StepContext<'offboarding'>): Promise<Pick<Observation, 'inline' | 'attached'>> {
  const iam = cx.payer.client(IAMClient, iamRegion);
  const RoleName = payerRoleName;
  // Inline policies share 10,240 characters and attachments are at most 20: less than one page of 100.
  const [inline, attached] = await Promise.all([
    absentIf(missing, () => iam.send(new ListRolePoliciesCommand({ RoleName }))),
    absentIf(missing, () => iam.send(new ListAttachedRolePoliciesCommand({ RoleName }))),
  ]);
  const policies = await Promise.all(
    (inline?.PolicyNames ?? []).map(async (PolicyName) => {
      if (PolicyName !== dataPolicyName && PolicyName !== tagsPolicyName) return [PolicyName, undefined] as const;
      const answer = await absentIf(missing, () => iam.send(new GetRolePolicyCommand({ RoleName, PolicyName })));
      return [PolicyName, answer?.PolicyDocument ? decodePolicy(answer.PolicyDocument) : undefined] as const;
    }),
  );
  return {
    inline: Object.fromEntries(policies),
    attached: (attached?.AttachedPolicies ?? []).map(({ PolicyArn = '' }) => PolicyArn),
  };
}

/** A trust policy cannot be empty: where ours is the only statement, it stays. */
function trustChange(input: Input, { targets }: Observation, { arn, trust }: SeenRole): Change[] {
  const remaining = remainingTrust(input, trust, targets);
  if (remaining.Statement.length === 0 || samePolicy(trust, remaining)) return [];
  return [{ action: 'update-trust', resource: arn, trust: remaining }];
}

/** Takes away what runs added to a role that somebody else made; our tags last, for they permit the rest. */
function letGoChanges(input: Input, seen: Observation, found: SeenRole): Change[] {
  const policies = Object.entries(seen.inline).flatMap(([policyName, policy]): Change[] => {
    if (!policy) return [];
    const named = { resource: found.arn, note: policyName, policyName };
    const others = withoutOurs(policy);
    if (!others) return [{ action: 'remove-role-policy', ...named }];
    return samePolicy(policy, others) ? [] : [{ action: 'put-role-policy', ...named, policy: others }];
  });
  return [...trustChange(input, seen, found), ...policies, { action: 'untag-role', resource: found.arn }];
}

/** IAM deletes no role that has policies. */
function deletion({ inline, attached }: Observation, { arn }: SeenRole): Change[] {
  return [
    ...Object.keys(inline).map((policyName): Change => {
      return { action: 'remove-role-policy', resource: arn, note: policyName, policyName };
    }),
    ...attached.map((policyArn): Change => {
      return { action: 'detach-role-policy', resource: arn, note: policyArn, policyArn };
    }),
    { action: 'delete-role', resource: arn },
  ];
}

/** @throws RetryableError while IAM does not show everywhere yet that the policies are gone */
async function deleteRole(iam: IAMClient): Promise<void> {
  try {
    await absentIf(missing, () => iam.send(new DeleteRoleCommand({ RoleName: payerRoleName })));
  } catch (error) {
    if (!isAwsError(error, 'DeleteConflict', 'DeleteConflictException')) throw error;
    throw new RetryableError('aws-unavailable', error.message, { cause: error });
  }
}

export const handler = stepHandler(removePayerRole);
