import { GetRoleCommand, GetRolePolicyCommand, IAMClient, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { dataPolicy, payerDataOf, tagsPolicy, unionWith } from '../../shared/access/payer-policy.ts';
import { dataPolicyName, tagsPolicyName } from '../../shared/aws/names.ts';
import { decodePolicy, policyCharacters, type PolicyDocument, samePolicy } from '../../shared/aws/policy-document.ts';
import { fromTagList, ownership } from '../../shared/aws/tags.ts';
import { absentIf } from '../../shared/errors/errors.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepChange, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['payer-policy'];

interface Input {
  roleArn: string;
  roleName: string;
  /** Inline policies by name. */
  wanted: Record<string, PolicyDocument>;
}

interface Observation {
  /** Undefined if there is no such role: only in a dry run, where it is planned. */
  tags: Record<string, string> | undefined;
  policies: Record<string, PolicyDocument | undefined>;
}

type Change = StepChange & { action: 'put-role-policy'; policyName: string; policy: PolicyDocument };

/** IAM is global; its endpoint is in us-east-1. */
const region = 'us-east-1';

export const payerPolicy = defineStep<'payer-policy', Input, Observation, Change>({
  name: 'payer-policy',
  summary: 'Gives the payer role its two inline policies, with the names found',
  permissions: {
    payer: [
      {
        actions: ['iam:GetRole', 'iam:GetRolePolicy', 'iam:PutRolePolicy'],
        resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'],
      },
    ],
  },
  lease: 'payer',

  input({ run }) {
    const roleArn = outputOf(run, 'payer-role').payerRoleArn;
    return {
      roleArn,
      roleName: roleArn.split('/').at(-1) ?? '',
      wanted: { [dataPolicyName]: dataPolicy(payerDataOf(run)), [tagsPolicyName]: tagsPolicy },
    };
  },

  async observe(cx, { roleName, wanted }) {
    const role = await absentIf(['NoSuchEntityException'], () =>
      cx.payer.client(IAMClient, region).send(new GetRoleCommand({ RoleName: roleName })),
    );
    if (!role) return { tags: undefined, policies: {} };
    const policies = await Promise.all(
      Object.keys(wanted).map(async (name) => [name, await readPolicy(cx, roleName, name)] as const),
    );
    return { tags: fromTagList(role.Role?.Tags), policies: Object.fromEntries(policies) };
  },

  plan({ roleArn, wanted }, { tags, policies }, situation): Plan<Change, Output> {
    const owned = tags && ownership(tags, situation.owner);
    if (owned === 'other-deployment')
      return { kind: 'refuse', code: 'owned-by-another-deployment', detail: `role ${roleArn}` };
    if (owned === 'foreign' && situation.run.request.existing === 'refuse')
      return { kind: 'refuse', code: 'payer-role-not-ours', detail: `role ${roleArn} has lost our tags` };

    const unions = Object.entries(wanted).map(([name, policy]) => [name, unionWith(policies[name], policy)] as const);
    const data = unions.find(([name]) => name === dataPolicyName)?.[1];
    const output: Output = { policyName: dataPolicyName, characters: data ? policyCharacters(data) : 0 };
    const changes = unions.flatMap(([policyName, policy]): Change[] => {
      const existing = policies[policyName];
      if (existing && samePolicy(existing, policy)) return [];
      return [{ action: 'put-role-policy', resource: roleArn, note: policyName, policyName, policy }];
    });
    return changesOrReady(changes, { output });
  },

  async apply(cx, { policyName, policy }, { input: { roleName } }) {
    await cx.payer.client(IAMClient, region).send(
      new PutRolePolicyCommand({
        RoleName: roleName,
        PolicyName: policyName,
        PolicyDocument: JSON.stringify(policy),
      }),
    );
    return 'changed';
  },
});

async function readPolicy(cx: StepContext, RoleName: string, PolicyName: string): Promise<PolicyDocument | undefined> {
  const answer = await absentIf(['NoSuchEntityException'], () =>
    cx.payer.client(IAMClient, region).send(new GetRolePolicyCommand({ RoleName, PolicyName })),
  );
  return answer?.PolicyDocument ? decodePolicy(answer.PolicyDocument) : undefined;
}

export const handler = stepHandler(payerPolicy);
