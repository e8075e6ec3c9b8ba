import { findPayerRole, payerRoleArnOf, payerRolePermissions } from '../../shared/access/payer-role.ts';
import {
  admitsPodRole,
  completePayerTrust,
  maxTrustCharacters,
  trustsWholeAccount,
} from '../../shared/access/payer-trust.ts';
import { policyCharacters } from '../../shared/aws/policy-document.ts';
import { applyRoleChange, type RoleChange, roleChanges, type SeenRole } from '../../shared/aws/role.ts';
import { podRoleOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { addPayerTarget, listPayerTargets, type PayerTarget } from '../../shared/targets/targets-of-payer.ts';

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

/** The role that the pods assume. A payer's targets share it, so its trust policy is the union of what they need. */
export const payerRole = defineStep({
  name: 'payer-role',
  summary: 'Creates the role in the payer account that the pods assume; it trusts exactly the pods’ roles.',
  lease: 'payer',
  permissions: { table: ['Query', 'UpdateItem'], payer: [payerRolePermissions.complete] },

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
    const [role, targets] = await Promise.all([findPayerRole(cx), listPayerTargets(payerAccountId)]);
    return { role, targets };
  },

  plan(input, { role, targets }): Plan<RoleChange, Outputs['payer-role']> {
    const payerRoleArn = role?.arn ?? payerRoleArnOf(input.payerAccountId);
    const output = { payerRoleArn };
    const problem = role && ownerProblem(input, role);
    if (problem) return { kind: 'refuse', ...problem, expected: output };
    const trust = completePayerTrust(role?.trust, input.podRoleArn, targets);
    const characters = policyCharacters(trust);
    if (characters > maxTrustCharacters)
      return {
        kind: 'refuse',
        code: 'payer-role-full',
        detail: `the trust policy of ${payerRoleArn} would have ${characters} characters; ${maxTrustCharacters} are allowed`,
      };
    const used = role ? policyCharacters(role.trust) : 0;
    const quota = 'characters of the payer role’s trust policy';
    return changesOrReady(roleChanges(role, payerRoleArn, trust), {
      output,
      quotas: [{ quota, used, adds: characters - used, limit: maxTrustCharacters }],
      warnings: trustsWholeAccount(trust, input.clusterAccountId) ? [wideTrust(payerRoleArn, input)] : [],
    });
  },

  async apply(cx, change) {
    await applyRoleChange(cx.payer, change, cx.owner);
    return 'changed';
  },
});

function ownerProblem({ podRoleArn, podIdentity, takeOver }: Input, role: SeenRole): Problem | undefined {
  if (role.ownership === 'other-deployment') return { code: 'owned-by-another-deployment', detail: role.arn };
  if (role.ownership === 'ours' || takeOver) return undefined;
  return podIdentity && !admitsPodRole(role.trust, podRoleArn, 'sts:TagSession')
    ? { code: 'tag-session-missing', detail: `trust policy of ${role.arn} for ${podRoleArn}` }
    : { code: 'payer-role-not-ours', detail: role.arn };
}

function wideTrust(payerRoleArn: string, { clusterAccountId }: Input): string {
  return `${payerRoleArn} also trusts the whole account ${clusterAccountId}: remove that statement once nothing else needs it`;
}

export const handler = stepHandler(payerRole);
