import { describe, expect, it } from 'vitest';
import { accessTemplate } from '../../functions/deployment/access-templates.ts';
import { deployedFunctions } from '../../functions/deployment/registry.ts';
import { functionRoles } from '../../functions/deployment/roles.ts';
import { templateProblems } from '../../functions/deployment/template-check.ts';
import { listOf, type Statement } from '../../shared/aws/policy-document.ts';
import { createWorld } from '../sandbox/index.ts';
import { deploymentId, hubAccountId } from '../support/deployed-sandbox.ts';
import { deployProvisioner, renderProvisioner } from '../support/provisioners.ts';

interface RoleProperties {
  Policies: { PolicyDocument: { Statement: Record<string, unknown>[] } }[];
}

/** Actions without a resource type (Service Authorization Reference): `*` is their narrowest resource. */
const withoutResource = new Set([
  'ce:ListCostAllocationTags',
  'ce:UpdateCostAllocationTagsStatus',
  'cur:DescribeReportDefinitions',
  'glue:GetCrawlers',
  'glue:GetDataCatalogEncryptionSettings',
  'kms:ListAliases',
  'lakeformation:GetDataLakeSettings',
  'lambda:GetAccountSettings',
  'organizations:DescribeOrganization',
  'organizations:ListInboundResponsibilityTransfers',
  'organizations:ListOutboundResponsibilityTransfers',
  's3:ListAllMyBuckets',
]);

const accountId = '111122220001';
const keys = (count: number) =>
  Array.from(
    { length: count },
    (_, n) => `arn:aws:kms:ap-southeast-1:${accountId}:key/1234abcd-12ab-34cd-56ef-12345678900${n}`,
  );

/** Every parameter at the value that grants most. */
const everything = {
  payer: {
    Crawler: 'full',
    KmsKeys: keys(6).join(','),
    PermissionsBoundary: `arn:aws:iam::${accountId}:policy/boundary`,
    ServedClusterAccounts: '222233334444 222233335555',
    PurgeOlderData: 'no',
    TagActivation: 'on',
  },
  cluster: { PermissionsBoundary: `arn:aws:iam::${accountId}:policy/boundary` },
} satisfies Record<string, Record<string, string>>;

/** AWS's longest names. */
const longest: Record<'payer' | 'cluster', Record<string, string>> = {
  payer: {
    CurBucket: 'b'.repeat(63),
    AthenaResultsBucket: 'r'.repeat(63),
    AthenaWorkgroup: 'w'.repeat(128),
    PayerRole: 'p'.repeat(64),
  },
  cluster: { Cluster: 'c'.repeat(100), PodRole: 'p'.repeat(64) },
};

function statementsOf(account: 'payer' | 'cluster', parameters: Record<string, string> = {}): Statement[] {
  return Object.values(renderProvisioner(account, accountId, parameters).inline).flatMap(({ Statement }) => Statement);
}

const actionsIn = (statements: Statement[]) => statements.flatMap(({ Action }) => listOf(Action));

describe.each(['payer', 'cluster'] as const)('the %s provisioner role', (account) => {
  const { trust, tags } = renderProvisioner(account, accountId, everything[account]);
  const statements = statementsOf(account, everything[account]);

  it('agrees with AWS’s resource specification', () => {
    expect(templateProblems(accessTemplate(account))).toEqual([]);
  });

  it('trusts only the hub’s functions with the external id', () => {
    for (const { Condition } of trust.Statement) {
      expect(Condition).toMatchObject({
        StringEquals: { 'sts:ExternalId': `${deploymentId}/${accountId}` },
        ArnLike: { 'aws:PrincipalArn': `arn:aws:iam::${hubAccountId}:role/kubecost-payer-onboarding/functions/*` },
      });
    }
  });

  it('names every action', () => {
    expect(actionsIn(statements).filter((action) => action.includes('*'))).toEqual([]);
  });

  it('allows an action on every resource only if it has none', () => {
    const everywhere = statements.filter(
      ({ Effect, Resource }) => Effect === 'Allow' && listOf(Resource).includes('*'),
    );
    expect(actionsIn(everywhere).filter((action) => !withoutResource.has(action))).toEqual([]);
  });

  it('fits into the policies of one role, with the longest names', () => {
    const named = { ...everything[account], ...longest[account] };
    const { CrawlerRights, ...inline } = renderProvisioner(account, accountId, named).inline;
    // IAM counts characters without white space.
    const characters = (documents: unknown[]) => documents.map((one) => JSON.stringify(one)).join('').length;
    expect(characters(Object.values(inline))).toBeLessThan(10_240);
    expect(characters(CrawlerRights ? [CrawlerRights] : [])).toBeLessThan(6_144);
  });

  it('has tags that IAM accepts, with the version and every parameter', () => {
    expect(tags['access-version']).toBe('1');
    for (const [name, value] of Object.entries(tags)) {
      expect(name).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u);
      expect(value).toMatch(/^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u);
    }
    const written = Object.keys(tags).map((name) => name.replace(/^access:/, ''));
    const template = accessTemplate(account) as { Parameters: Record<string, unknown> };
    const missing = Object.keys(template.Parameters).filter((name) => !written.some((tag) => tag.startsWith(name)));
    expect(missing).toEqual(['HubAccountId', 'DeploymentId', 'ProvisionerPath', 'FunctionPath', 'ProvisionerName']);
  });

  it('never changes itself or its tags', () => {
    const self = `arn:aws:iam::${accountId}:role/kubecost-payer-onboarding/kubecost-${account}-provisioner`;
    const denied = statements.find(({ Effect, Resource }) => Effect === 'Deny' && listOf(Resource).includes(self));
    const writes = actionsIn(statements).filter((action) => /^iam:(?!Get|List|Pass).*Role/.test(action));
    expect(listOf(denied?.Action)).toEqual(
      expect.arrayContaining(['iam:TagRole', 'iam:UntagRole', 'iam:PutRolePolicy']),
    );
    expect(new Set(writes.filter((action) => action !== 'iam:CreateRole'))).toEqual(new Set(listOf(denied?.Action)));
  });
});

const payerRole = `arn:aws:iam::${accountId}:role/kubecost-cur-access`;

/** Whether the sandbox's IAM allows it to the role that the template makes. */
function isAllowed(
  account: 'payer' | 'cluster',
  action: string,
  resource: string,
  parameters: Record<string, string> = {},
  context: Record<string, string> = {},
): boolean {
  const world = createWorld();
  deployProvisioner(world, account, accountId, parameters);
  const { arn = '' } = world.iam.roles(accountId)[0] ?? {};
  return world.iam.evaluate({ accountId, arn, roleArn: arn }, { action, resources: [resource], context }).allowed;
}

describe.each(['payer', 'cluster'] as const)('the %s provisioner role in IAM', (account) => {
  const path = `arn:aws:iam::${accountId}:role/kubecost-payer-onboarding`;

  it('reads its tags and cannot change them or its policies', () => {
    const self = `${path}/kubecost-${account}-provisioner`;
    expect(isAllowed(account, 'iam:ListRoleTags', self)).toBe(true);
    for (const action of ['iam:TagRole', 'iam:UntagRole', 'iam:PutRolePolicy', 'iam:UpdateAssumeRolePolicy'])
      expect(isAllowed(account, action, self, { PayerRole: '*', PodRole: '*' }), action).toBe(false);
  });

  it('cannot change the other provisioner role, even with a wide pattern', () => {
    const other = `${path}/kubecost-${account === 'payer' ? 'cluster' : 'payer'}-provisioner`;
    expect(isAllowed(account, 'iam:PutRolePolicy', other, { PayerRole: '*', PodRole: '*' })).toBe(false);
  });
});

describe('the parameters of the payer’s template', () => {
  it('give no key rights by default, and exactly the named keys', () => {
    const byDefault = actionsIn(statementsOf('payer')).filter((action) => action.startsWith('kms:'));
    expect(byDefault).toEqual(['kms:ListAliases']);
    const named = statementsOf('payer', { KmsKeys: keys(2).join(',') });
    const statement = named.find(({ Action }) => listOf(Action).includes('kms:Decrypt'));
    expect(statement?.Resource).toEqual(keys(2));
  });

  it('Crawler: none holds no crawler’s role, no PassRole and nothing of Lambda', () => {
    const statements = statementsOf('payer', { Crawler: 'none' });
    expect(actionsIn(statements).filter((action) => /^lambda:|^iam:PassRole$/.test(action))).toEqual([]);
    const creating = statements.filter(
      ({ Action, Effect }) => Effect === 'Allow' && listOf(Action).includes('iam:CreateRole'),
    );
    expect(creating.flatMap(({ Resource }) => listOf(Resource))).toEqual([
      `arn:aws:iam::${accountId}:role/kubecost-cur-access`,
    ]);
  });

  it('Crawler: remove only takes away, and only what has our tags', () => {
    const allowed = (Crawler: string) =>
      statementsOf('payer', { Crawler }).map((statement) => JSON.stringify(statement));
    const before = new Set(allowed('none'));
    const added = allowed('remove')
      .filter((text) => !before.has(text))
      .map((text) => JSON.parse(text) as Statement);
    expect(actionsIn(added)).toContain('cloudformation:DeleteStack');
    expect(actionsIn(added).filter((action) => /:(Create|Pass|Attach|Add|Update|Tag|Start)/.test(action))).toEqual([]);
    const untagged = added.filter(
      ({ Condition }) => !JSON.stringify(Condition ?? {}).includes('aws:ResourceTag/managed-by'),
    );
    // Glue checks no tags of databases and tables; the notifications that the stack's deletion erases are restored.
    expect(actionsIn(untagged).sort()).toEqual([
      'glue:DeleteDatabase',
      'glue:DeleteTable',
      's3:GetBucketNotification',
      's3:PutBucketNotification',
    ]);
  });

  it('Crawler: full is the default and adds roles and functions', () => {
    expect(statementsOf('payer')).toEqual(statementsOf('payer', { Crawler: 'full' }));
    expect(actionsIn(statementsOf('payer'))).toEqual(
      expect.arrayContaining(['iam:PassRole', 'lambda:CreateFunction', 'cloudformation:CreateStack']),
    );
  });

  it('PurgeOlderData: no keeps the data of every bucket with another name', () => {
    const mayDelete = (bucket: string, parameters: Record<string, string>) => {
      const named = { CurBucket: '*', AthenaResultsBucket: 'results', ...parameters };
      return isAllowed('payer', 's3:DeleteObject', `arn:aws:s3:::${bucket}/a`, named);
    };
    expect(mayDelete('acme-bills', {})).toBe(true);
    expect(mayDelete('acme-bills', { PurgeOlderData: 'no' })).toBe(false);
    expect(mayDelete(`kubecost-cur-${accountId}-us-east-1`, { PurgeOlderData: 'no' })).toBe(true);
    expect(mayDelete('results', { PurgeOlderData: 'no' })).toBe(true);
  });

  it('PermissionsBoundary demands the boundary on every role that is made', () => {
    const boundary = `arn:aws:iam::${accountId}:policy/boundary`;
    const mayCreate = (context: Record<string, string>) =>
      isAllowed('payer', 'iam:CreateRole', payerRole, { PermissionsBoundary: boundary }, context);
    expect(mayCreate({})).toBe(false);
    expect(mayCreate({ 'iam:PermissionsBoundary': boundary })).toBe(true);
    expect(isAllowed('payer', 'iam:CreateRole', payerRole)).toBe(true);
  });

  it('add the activation of tags only where it is on', () => {
    expect(actionsIn(statementsOf('payer')).filter((action) => action.startsWith('ce:'))).toEqual([]);
    expect(actionsIn(statementsOf('payer', { TagActivation: 'on' }))).toContain('ce:UpdateCostAllocationTagsStatus');
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
