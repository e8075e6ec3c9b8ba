import { IAMClient } from '@aws-sdk/client-iam';
import { withoutRole, withRole } from '../../shared/access/payer-trust.ts';
import { payerRoleName } from '../../shared/aws/names.ts';
import { listOf, policyCharacters, type PolicyDocument, policyOf } from '../../shared/aws/policy-document.ts';
import {
  applyRoleChange,
  findRole,
  iamRegion,
  roleArnOf,
  type RoleChange,
  roleChanges,
  type SeenRole,
} from '../../shared/aws/role.ts';
import { trusts } from '../../shared/aws/trust-policy.ts';
import { podRoleOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { addPayerTarget, listPayerTargets, type PayerTarget } from '../../shared/targets/payer-targets.ts';

interface Input {
  payerAccountId: string;
  target: Target;
  clusterAccountId: string;
  podRoleArn: string;
  podIdentity: boolean;
  takeOver: boolean;
}

interface Observation {
  role: SeenRole | undefined;
  targets: PayerTarget[];
}

/** Characters of a trust policy in an account that has not asked for more. */
const maxTrustCharacters = 2048;

/**
 * Every pod role that a run has registered or that is there already. Only what is marked `removing` goes: an empty or restored table
 * locks nobody out. Another target's role that does not fit stays out, and its own run says so.
 */
function completeTrust({ podRoleArn }: Input, { role, targets }: Observation): PolicyDocument {
  const registered = (wanted: PayerTarget['state']) =>
    targets.filter(({ state }) => state === wanted).flatMap(({ podRoleArns }) => podRoleArns);
  const active = [podRoleArn, ...registered('active')];
  const removed = registered('removing').filter((arn) => !active.includes(arn));
  const own = withRole(removed.reduce(withoutRole, role?.trust ?? policyOf()), podRoleArn);
  return active.reduce((trust, arn) => {
    const more = withRole(trust, arn);
    return policyCharacters(more) > maxTrustCharacters ? trust : more;
  }, own);
}

/** A statement as the tutorial has it: it lets in every principal of the account that may assume the role. */
function trustsWholeAccount({ Statement: statements }: PolicyDocument, account: string): boolean {
  const names = [account, `arn:aws:iam::${account}:root`];
  return statements.some(
    ({ Effect, Principal, Condition }) =>
      Effect === 'Allow' &&
      !Condition &&
      typeof Principal === 'object' &&
      listOf(Principal.AWS).some((principal) => names.includes(principal)),
  );
}

/** The role Kubecost assumes; many clusters share it, so its trust policy is the union of what they need. */
export const payerRole = defineStep({
  name: 'payer-role',
  summary: 'Makes the role in the payer account that the pods assume, and has it trust exactly their roles.',
  lease: 'payer',
  permissions: {
    table: ['Query', 'UpdateItem'],
    payer: [
      {
        actions: ['iam:GetRole', 'iam:CreateRole', 'iam:TagRole', 'iam:UpdateAssumeRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'],
      },
    ],
  },

  input(cx): Input {
    const { request } = cx.run;
    return {
      payerAccountId: request.payerAccountId,
      target: targetOf(request),
      clusterAccountId: request.cluster.accountId,
      podRoleArn: podRoleOf(cx.run).podRoleArn,
      podIdentity: request.identity.mode === 'pod-identity',
      takeOver: request.existing === 'take-over',
    };
  },

  async register(_cx, { payerAccountId, target, podRoleArn }) {
    await addPayerTarget(payerAccountId, target, podRoleArn);
    return undefined;
  },

  async observe(cx, { payerAccountId }): Promise<Observation> {
    const [role, targets] = await Promise.all([
      findRole(cx.payer.client(IAMClient, iamRegion), payerRoleName, cx.owner),
      listPayerTargets(payerAccountId),
    ]);
    return { role, targets };
  },

  plan(input, seen): Plan<RoleChange, Outputs['payer-role']> {
    const { role } = seen;
    const { podRoleArn, clusterAccountId } = input;
    const payerRoleArn = role?.arn ?? roleArnOf(input.payerAccountId, payerRoleName);
    const output = { payerRoleArn };
    if (role?.ownership === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: payerRoleArn, expected: output };
    if (role?.ownership === 'foreign' && !input.takeOver) {
      const principal = { AWS: podRoleArn };
      const context = { 'aws:PrincipalArn': podRoleArn };
      const tagSession = trusts(role.trust, { principal, action: 'sts:TagSession', context });
      const problem =
        input.podIdentity && !tagSession
          ? { code: 'tag-session-missing' as const, detail: `trust policy of ${payerRoleArn} for ${podRoleArn}` }
          : { code: 'payer-role-not-ours' as const, detail: payerRoleArn };
      return { kind: 'refuse', ...problem, expected: output };
    }
    const trust = completeTrust(input, seen);
    const characters = policyCharacters(trust);
    if (characters > maxTrustCharacters)
      return {
        kind: 'refuse',
        code: 'payer-role-full',
        detail: `the trust policy of ${payerRoleArn} would have ${characters} characters; ${maxTrustCharacters} are allowed`,
      };
    const used = role ? policyCharacters(role.trust) : 0;
    const quotas = [
      {
        quota: 'characters of the payer role’s trust policy',
        used,
        adds: characters - used,
        limit: maxTrustCharacters,
      },
    ];
    const warning = `${payerRoleArn} also trusts the whole account ${clusterAccountId}: remove that statement once nobody else relies on it`;
    const warnings = trustsWholeAccount(trust, clusterAccountId) ? [warning] : [];
    return changesOrReady(roleChanges(role, payerRoleArn, trust), { output, warnings, quotas });
  },

  async apply(cx, change) {
    await applyRoleChange(cx.payer.client(IAMClient, iamRegion), change, cx.owner);
    return 'changed';
  },
});

export const handler = stepHandler(payerRole);
