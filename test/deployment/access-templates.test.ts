import { describe, expect, it } from 'vitest';
import { accessTemplate } from '../../.ci/access-templates.ts';
import { templateProblems } from '../../.ci/check-template.ts';
import { deployedFunctions } from '../../.ci/functions.ts';
import { functionRoles } from '../../.ci/roles.ts';

interface Template {
  Resources: {
    Provisioner: {
      Properties: {
        AssumeRolePolicyDocument: { Statement: { Condition: Record<string, Record<string, unknown>> }[] };
        Policies: { PolicyDocument: { Statement: { Action: string[]; Resource: unknown[] }[] } }[];
      };
    };
  };
}

interface RoleProperties {
  Policies: { PolicyDocument: { Statement: Record<string, unknown>[] } }[];
}

/** Actions that know no resource (Service Authorization Reference), so that `*` is the least there is. */
const withoutResource = new Set([
  'cur:DescribeReportDefinitions',
  'lakeformation:GetDataLakeSettings',
  'lambda:GetAccountSettings',
  'organizations:DescribeOrganization',
]);

describe.each(['payer', 'cluster'] as const)('the %s provisioner role', (account) => {
  const { AssumeRolePolicyDocument, Policies } = (accessTemplate(account) as Template).Resources.Provisioner.Properties;
  const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);

  it('is a template that AWS’s resource specification knows', () => {
    expect(templateProblems(accessTemplate(account) as never)).toEqual([]);
  });

  it('lets nobody in without the account’s external id and the hub’s function path', () => {
    for (const { Condition } of AssumeRolePolicyDocument.Statement) {
      expect(Condition).toMatchObject({
        StringEquals: { 'sts:ExternalId': { 'Fn::Sub': '${DeploymentId}/${AWS::AccountId}' } },
        ArnLike: { 'aws:PrincipalArn': {} },
      });
    }
  });

  it('names every action', () => {
    expect(statements.flatMap(({ Action }) => Action).filter((action) => action.includes('*'))).toEqual([]);
  });

  it('allows actions on everything only where AWS knows no resource', () => {
    const everywhere = statements.filter(({ Resource }) => Resource.includes('*')).flatMap(({ Action }) => Action);
    expect(everywhere.filter((action) => !withoutResource.has(action))).toEqual([]);
  });

  it('fits into the inline policies of a role', () => {
    // IAM counts 10,240 characters without white space; real names are longer than the parameters’.
    expect(JSON.stringify(statements).length).toBeLessThan(10_240);
  });
});

describe('the function roles', () => {
  it('are one for each function', () => {
    expect(Object.keys(functionRoles())).toHaveLength(deployedFunctions.length);
  });

  it('hold the rights that Lambda needs in a VPC only there, and keep them from the function’s own code', () => {
    for (const { key, reachesCluster = false } of deployedFunctions) {
      const role = functionRoles()[`${key.charAt(0).toUpperCase()}${key.slice(1)}Role`]
        ?.Properties as unknown as RoleProperties;
      const statements = role.Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);
      const network = statements.filter((statement) => JSON.stringify(statement).includes('ec2:'));
      expect(network, key).toHaveLength(reachesCluster ? 2 : 0);
      if (!reachesCluster) continue;
      const [allowed, denied] = network.map((statement) => {
        expect(statement).toMatchObject({ 'Fn::If': ['InVpc', {}, { Ref: 'AWS::NoValue' }] });
        return (statement['Fn::If'] as Record<string, unknown>[])[1];
      });
      expect(allowed).toMatchObject({ Effect: 'Allow' });
      expect(denied).toMatchObject({
        Effect: 'Deny',
        Action: allowed?.Action,
        Condition: {
          ArnEquals: { 'lambda:SourceFunctionArn': { 'Fn::Sub': expect.stringMatching(`-${key}$`) as string } },
        },
      });
    }
  });

  it('name every action and stay within the table, the provisioner roles and the state machine', () => {
    const roles = JSON.stringify(functionRoles());
    expect([...roles.matchAll(/"Action":"[^"]*\*|"Action":\[[^\]]*\*/g)]).toEqual([]);
  });
});
