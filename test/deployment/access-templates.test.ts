import { describe, expect, it } from 'vitest';
import { accessTemplate } from '../../functions/deployment/access-templates.ts';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import { functionRoles } from '../../functions/deployment/roles.ts';
import { templateProblems } from '../../functions/deployment/template-check.ts';

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

/** Actions without a resource type (Service Authorization Reference): `*` is their narrowest resource. */
const withoutResource = new Set([
  'cur:DescribeReportDefinitions',
  'lakeformation:GetDataLakeSettings',
  'lambda:GetAccountSettings',
  'organizations:DescribeOrganization',
]);

describe.each(['payer', 'cluster'] as const)('the %s provisioner role', (account) => {
  const { AssumeRolePolicyDocument, Policies } = (accessTemplate(account) as Template).Resources.Provisioner.Properties;
  const statements = Policies.flatMap(({ PolicyDocument }) => PolicyDocument.Statement);

  it('agrees with AWS’s resource specification', () => {
    expect(templateProblems(accessTemplate(account))).toEqual([]);
  });

  it('trusts only the hub’s functions with the external id', () => {
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

  it('allows an action on every resource only if it has none', () => {
    const everywhere = statements.filter(({ Resource }) => Resource.includes('*')).flatMap(({ Action }) => Action);
    expect(everywhere.filter((action) => !withoutResource.has(action))).toEqual([]);
  });

  it('fits into the inline policies of one role', () => {
    // IAM's limit is 10,240 characters without white space; real names are longer than the parameters'.
    expect(JSON.stringify(statements).length).toBeLessThan(10_240);
  });
});

describe('the function roles', () => {
  it('exist exactly once for each function', () => {
    expect(Object.keys(functionRoles())).toHaveLength(deployedFunctions.length);
  });

  it('allow network access only to Lambda, for functions in the VPC', () => {
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

  it('allow no action by wildcard', () => {
    const roles = JSON.stringify(functionRoles());
    expect([...roles.matchAll(/"Action":"[^"]*\*|"Action":\[[^\]]*\*/g)]).toEqual([]);
  });
});
