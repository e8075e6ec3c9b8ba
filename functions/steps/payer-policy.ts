import { dataPolicy, payerDataOf, tagsPolicy, unionWith } from '../../shared/access/payer-policy.ts';
import { payerRolePermissions } from '../../shared/access/payer-role.ts';
import { dataPolicyName, tagsPolicyName } from '../../shared/aws/names.ts';
import { policyCharacters, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { applyRoleChange, findRole, readInlinePolicy, type RoleChange } from '../../shared/aws/role.ts';
import type { Ownership } from '../../shared/model/ownership.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

interface Input {
  roleArn: string;
  /** Inline policies by name. */
  wanted: Record<string, PolicyDocument>;
  takeOver: boolean;
}

interface Observation {
  /** Undefined if the role does not exist, which happens only in a dry run that plans it. */
  ownership: Ownership | undefined;
  policies: Record<string, PolicyDocument | undefined>;
}

export const payerPolicy = defineStep({
  name: 'payer-policy',
  summary: 'Gives the payer role two inline policies, limited to the resources that earlier steps found',
  permissions: { payer: [payerRolePermissions.putPolicies] },
  lease: 'payer',

  input({ run }): Input {
    return {
      roleArn: outputOf(run, 'payer-role').payerRoleArn,
      wanted: { [dataPolicyName]: dataPolicy(payerDataOf(run)), [tagsPolicyName]: tagsPolicy },
      takeOver: run.request.existing === 'take-over',
    };
  },

  async observe(cx, { roleArn, wanted }): Promise<Observation> {
    const role = await findRole(cx.payer, roleArn, cx.owner);
    if (!role) return { ownership: undefined, policies: {} };
    const policies = await Promise.all(
      Object.keys(wanted).map(async (name) => [name, await readInlinePolicy(cx.payer, roleArn, name)] as const),
    );
    return { ownership: role.ownership, policies: Object.fromEntries(policies) };
  },

  plan({ roleArn, wanted, takeOver }, { ownership, policies }): Plan<RoleChange, Outputs['payer-policy']> {
    if (ownership === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: `role ${roleArn}` };
    if (ownership === 'foreign' && !takeOver)
      return { kind: 'refuse', code: 'payer-role-not-ours', detail: `role ${roleArn} has lost our tags` };

    const unions = Object.entries(wanted).map(([name, policy]) => [name, unionWith(policies[name], policy)] as const);
    const data = unions.find(([name]) => name === dataPolicyName)?.[1];
    const changes = unions.flatMap(([policyName, policy]): RoleChange[] => {
      const existing = policies[policyName];
      if (existing && samePolicy(existing, policy)) return [];
      return [{ action: 'put-role-policy', resource: roleArn, note: policyName, policyName, policy }];
    });
    return changesOrReady(changes, {
      output: { policyName: dataPolicyName, characters: data ? policyCharacters(data) : 0 },
    });
  },

  async apply(cx, change) {
    await applyRoleChange(cx.payer, change, cx.owner);
    return 'changed';
  },
});

export const handler = stepHandler(payerPolicy);
