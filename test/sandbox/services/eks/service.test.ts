import {
  AssociateAccessPolicyCommand,
  CreateAccessEntryCommand,
  CreatePodIdentityAssociationCommand,
  DeleteAccessEntryCommand,
  DeletePodIdentityAssociationCommand,
  DescribeAccessEntryCommand,
  DescribeAddonCommand,
  DescribeClusterCommand,
  DescribePodIdentityAssociationCommand,
  DisassociateAccessPolicyCommand,
  EKSClient,
  ListAccessEntriesCommand,
  ListAddonsCommand,
  ListAssociatedAccessPoliciesCommand,
  ListClustersCommand,
  ListPodIdentityAssociationsCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateAccessEntryCommand,
  UpdatePodIdentityAssociationCommand,
} from '@aws-sdk/client-eks';
import { CreateOpenIDConnectProviderCommand, IAMClient } from '@aws-sdk/client-iam';
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { call, clusterAccount, clusterWorld, home, tokenAs } from '../../testing/cluster-world.ts';
import { errorOf, payer, policy, rootOf, sessionOf, trustIn } from '../../testing/core-world.ts';

let it: Awaited<ReturnType<typeof clusterWorld>>;
let eks: EKSClient;
beforeAll(async () => {
  it = await clusterWorld();
  eks = it.client(EKSClient, rootOf(clusterAccount));
});
afterAll(() => it.close());

const clusterName = home.name;
const clusterAdmin = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';
const podTrust = policy({
  Effect: 'Allow',
  Principal: { Service: 'pods.eks.amazonaws.com' },
  Action: ['sts:AssumeRole', 'sts:TagSession'],
});

/** A role that is in force already. */
function role(name: string, accountId = clusterAccount, trust = trustIn({ AWS: clusterAccount }), path = '/'): string {
  return it.world.iam.createRole({ accountId, name, path, trust, settled: true }).arn;
}

const whoAmI = async (roleName: string) => call(it.cluster, tokenAs(it.world, roleName), 'GET', '/api/v1/namespaces');
const seconds = (count: number) => it.world.clock.sleep(count * 1000);

test('a cluster has an endpoint, a certificate authority and an issuer', async () => {
  const { cluster } = await eks.send(new DescribeClusterCommand({ name: clusterName }));
  expect(cluster).toMatchObject({
    arn: `arn:aws:eks:eu-west-1:${clusterAccount}:cluster/finops`,
    status: 'ACTIVE',
    version: '1.33',
    accessConfig: { authenticationMode: 'API_AND_CONFIG_MAP' },
    resourcesVpcConfig: { endpointPublicAccess: true },
  });
  expect(cluster?.endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  expect(Buffer.from(cluster?.certificateAuthority?.data ?? '', 'base64').toString()).toContain('BEGIN CERTIFICATE');
  expect(cluster?.identity?.oidc?.issuer).toMatch(/^https:\/\/oidc\.eks\.eu-west-1\.amazonaws\.com\/id\/[0-9A-F]{32}$/);
  expect((await eks.send(new ListClustersCommand({}))).clusters).toEqual(['finops']);
});

test('a cluster of another account or name is not found', async () => {
  expect(await errorOf(eks.send(new DescribeClusterCommand({ name: 'other' })))).toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'No cluster found for name: other.',
    status: 404,
  });
  const stranger = it.client(EKSClient, rootOf(payer));
  expect((await errorOf(stranger.send(new DescribeClusterCommand({ name: clusterName })))).name).toBe(
    'ResourceNotFoundException',
  );
});

test('a cluster in creation has no endpoint and accepts no changes', async () => {
  await it.world.eks.createCluster({ ...home, name: 'young', status: 'CREATING' });
  const { cluster } = await eks.send(new DescribeClusterCommand({ name: 'young' }));
  expect([cluster?.status, cluster?.endpoint]).toEqual(['CREATING', undefined]);
  const principalArn = role('early');
  const created = eks.send(new CreateAccessEntryCommand({ clusterName: 'young', principalArn }));
  expect((await errorOf(created)).name).toBe('InvalidRequestException');
});

test('an add-on is described if it is installed', async () => {
  expect((await eks.send(new ListAddonsCommand({ clusterName }))).addons).toEqual(['eks-pod-identity-agent']);
  const { addon } = await eks.send(new DescribeAddonCommand({ clusterName, addonName: 'eks-pod-identity-agent' }));
  expect(addon?.status).toBe('ACTIVE');
  const missing = eks.send(new DescribeAddonCommand({ clusterName, addonName: 'vpc-cni' }));
  expect((await errorOf(missing)).name).toBe('ResourceNotFoundException');
});

test('an access entry gives a role its groups after some seconds', async () => {
  const principalArn = role('entered', clusterAccount, undefined, '/deep/path/');
  const { accessEntry } = await eks.send(
    new CreateAccessEntryCommand({ clusterName, principalArn, kubernetesGroups: ['readers'], tags: { by: 'us' } }),
  );
  expect(accessEntry).toMatchObject({
    principalArn,
    kubernetesGroups: ['readers'],
    type: 'STANDARD',
    tags: { by: 'us' },
  });
  expect(accessEntry?.accessEntryArn).toMatch(`access-entry/finops/role/${clusterAccount}/entered/`);
  expect((await whoAmI('entered')).status).toBe(401);
  await seconds(6);
  expect((await whoAmI('entered')).status).toBe(403);

  const again = eks.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  expect((await errorOf(again)).name).toBe('ResourceInUseException');
  const described = await eks.send(new DescribeAccessEntryCommand({ clusterName, principalArn }));
  expect(described.accessEntry).toEqual(accessEntry);
  const { accessEntries } = await eks.send(new ListAccessEntriesCommand({ clusterName }));
  expect(accessEntries).toContain(principalArn);

  await eks.send(new UpdateAccessEntryCommand({ clusterName, principalArn, kubernetesGroups: ['writers'] }));
  await eks.send(new DeleteAccessEntryCommand({ clusterName, principalArn }));
  expect((await whoAmI('entered')).status).toBe(401);
  const gone = eks.send(new DescribeAccessEntryCommand({ clusterName, principalArn }));
  expect((await errorOf(gone)).name).toBe('ResourceNotFoundException');
});

test('an access policy works at once or after a set delay', async () => {
  const principalArn = role('powerful');
  await eks.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  await seconds(6);
  const about = { clusterName, principalArn, policyArn: clusterAdmin };
  await eks.send(new AssociateAccessPolicyCommand({ ...about, accessScope: { type: 'cluster' } }));
  expect((await whoAmI('powerful')).status).toBe(200);
  const { associatedAccessPolicies } = await eks.send(
    new ListAssociatedAccessPoliciesCommand({ clusterName, principalArn }),
  );
  expect(associatedAccessPolicies).toMatchObject([{ policyArn: clusterAdmin, accessScope: { type: 'cluster' } }]);

  it.world.eks.accessPolicyMs = 4000;
  await eks.send(new DisassociateAccessPolicyCommand(about));
  expect((await whoAmI('powerful')).status).toBe(200);
  await seconds(4);
  expect((await whoAmI('powerful')).status).toBe(403);
  it.world.eks.accessPolicyMs = 0;
  expect((await errorOf(eks.send(new DisassociateAccessPolicyCommand(about)))).name).toBe('ResourceNotFoundException');
});

test('an invalid access entry is refused', async () => {
  const create = (input: object) =>
    errorOf(eks.send(new CreateAccessEntryCommand({ clusterName, principalArn: role('any'), ...input })));
  expect(await create({ kubernetesGroups: ['system:masters'] })).toMatchObject({
    name: 'InvalidParameterException',
    message: 'The kubernetes group name system:masters is invalid, it cannot start with system:',
  });
  const invalidPrincipal = { message: 'The specified principalArn is invalid: invalid principal.' };
  expect(await create({ principalArn: `arn:aws:iam::${clusterAccount}:role/missing` })).toMatchObject(invalidPrincipal);
  const session = `arn:aws:sts::${clusterAccount}:assumed-role/any/session`;
  expect(await create({ principalArn: session })).toMatchObject(invalidPrincipal);
  const { arn } = it.world.iam.createRole({
    accountId: clusterAccount,
    name: 'new',
    trust: trustIn({ AWS: clusterAccount }),
  });
  expect(await create({ principalArn: arn })).toMatchObject(invalidPrincipal);

  await it.world.eks.createCluster({ ...home, name: 'old', authenticationMode: 'CONFIG_MAP' });
  expect(await create({ clusterName: 'old' })).toMatchObject({
    name: 'InvalidRequestException',
    message: expect.stringContaining('[API, API_AND_CONFIG_MAP]') as string,
  });
});

test('a role of another account can have an access entry', async () => {
  const principalArn = role('visitor', payer);
  const { accessEntry } = await eks.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  expect(accessEntry?.username).toBe(`arn:aws:sts::${payer}:assumed-role/visitor/{{SessionName}}`);
});

test('each operation needs its own permission on its own resource', async () => {
  const principalArn = role('subject');
  const arn = `arn:aws:eks:eu-west-1:${clusterAccount}`;
  const session = sessionOf(
    it.world,
    clusterAccount,
    'operator',
    { Effect: 'Allow', Action: 'eks:CreateAccessEntry', Resource: `${arn}:cluster/finops` },
    {
      Effect: 'Allow',
      Action: 'eks:DescribeAccessEntry',
      Resource: `${arn}:access-entry/finops/role/${clusterAccount}/subject/*`,
    },
    { Effect: 'Allow', Action: 'eks:CreatePodIdentityAssociation', Resource: '*' },
  );
  const operator = it.client(EKSClient, session);
  await operator.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  await operator.send(new DescribeAccessEntryCommand({ clusterName, principalArn }));
  const tags = { by: 'us' };
  const denied = async (sent: Promise<unknown>) => (await errorOf(sent)).message;
  const tagging = operator.send(new CreateAccessEntryCommand({ clusterName, principalArn: role('x'), tags }));
  expect(await denied(tagging)).toContain('eks:TagResource');
  const roleArn = role('pod-passed', clusterAccount, podTrust);
  const associating = operator.send(
    new CreatePodIdentityAssociationCommand({ clusterName, namespace: 'a', serviceAccount: 'b', roleArn }),
  );
  expect(await denied(associating)).toContain(`iam:PassRole on resource: ${roleArn}`);
  expect(await denied(operator.send(new DeleteAccessEntryCommand({ clusterName, principalArn })))).toContain(
    'eks:DeleteAccessEntry',
  );
});

test('a pod identity association binds one role to one service account', async () => {
  const [first, second] = [role('pod-one', clusterAccount, podTrust), role('pod-two', clusterAccount, podTrust)];
  const subject = { clusterName, namespace: 'kubecost', serviceAccount: 'kubecost' };
  const { association } = await eks.send(
    new CreatePodIdentityAssociationCommand({ ...subject, roleArn: first, tags: { by: 'us' } }),
  );
  expect(association).toMatchObject({ ...subject, roleArn: first, tags: { by: 'us' }, disableSessionTags: false });
  const { associationId = '' } = association ?? {};
  expect(associationId).toMatch(/^a-[a-z0-9]{17}$/);

  const again = await errorOf(eks.send(new CreatePodIdentityAssociationCommand({ ...subject, roleArn: second })));
  expect(again).toMatchObject({
    name: 'ResourceInUseException',
    message: `Association already exists: ${associationId}`,
  });
  const { associations } = await eks.send(
    new ListPodIdentityAssociationsCommand({ clusterName, namespace: 'kubecost' }),
  );
  expect(associations?.map((one) => one.associationId)).toEqual([associationId]);

  await eks.send(new UpdatePodIdentityAssociationCommand({ clusterName, associationId, roleArn: second }));
  const described = await eks.send(new DescribePodIdentityAssociationCommand({ clusterName, associationId }));
  expect(described.association?.roleArn).toBe(second);
  await eks.send(new DeletePodIdentityAssociationCommand({ clusterName, associationId }));
  const gone = eks.send(new DescribePodIdentityAssociationCommand({ clusterName, associationId }));
  expect((await errorOf(gone)).name).toBe('ResourceNotFoundException');
});

test('a role that Pod Identity cannot use is refused', async () => {
  const create = async (roleArn: string) => {
    const subject = { clusterName, namespace: 'kubecost', serviceAccount: 'other' };
    return (await errorOf(eks.send(new CreatePodIdentityAssociationCommand({ ...subject, roleArn })))).message;
  };
  const withoutTags = trustIn({ Service: 'pods.eks.amazonaws.com' });
  expect(await create(role('pod-untagged', clusterAccount, withoutTags))).toBe(
    'Trust policy of the role provided is invalid',
  );
  expect(await create(role('pod-foreign', payer, podTrust))).toContain('does not belong to the account');
  expect(await create(`arn:aws:iam::${clusterAccount}:role/missing`)).toBe(
    'Role provided in the request does not exist.',
  );
});

test('tags are added, listed and removed', async () => {
  const resourceArn = it.cluster.arn;
  await eks.send(new TagResourceCommand({ resourceArn, tags: { a: '1', b: '2' } }));
  await eks.send(new UntagResourceCommand({ resourceArn, tagKeys: ['a'] }));
  expect((await eks.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ b: '2' });
  const missing = eks.send(new ListTagsForResourceCommand({ resourceArn: `${resourceArn}x` }));
  expect((await errorOf(missing)).name).toBe('NotFoundException');
});

test('a service account token is a web identity at STS', async () => {
  const { issuer } = it.cluster;
  const iam = it.client(IAMClient, rootOf(clusterAccount));
  await iam.send(new CreateOpenIDConnectProviderCommand({ Url: issuer, ClientIDList: ['sts.amazonaws.com'] }));
  const provider = issuer.replace('https://', '');
  const RoleArn = role(
    'irsa',
    clusterAccount,
    policy({
      Effect: 'Allow',
      Principal: { Federated: `arn:aws:iam::${clusterAccount}:oidc-provider/${provider}` },
      Action: 'sts:AssumeRoleWithWebIdentity',
      Condition: {
        StringEquals: {
          [`${provider}:sub`]: 'system:serviceaccount:default:default',
          [`${provider}:aud`]: 'sts.amazonaws.com',
        },
      },
    }),
  );
  const principalArn = role('minter');
  await eks.send(new CreateAccessEntryCommand({ clusterName, principalArn }));
  const scope = { type: 'cluster' } as const;
  await eks.send(
    new AssociateAccessPolicyCommand({ clusterName, principalArn, policyArn: clusterAdmin, accessScope: scope }),
  );
  await seconds(6);
  const bearer = tokenAs(it.world, 'minter');
  const tokenFor = async (account: string, spec: object) => {
    const path = `/api/v1/namespaces/${account}/serviceaccounts/default/token`;
    return call(it.cluster, bearer, 'POST', path, { spec });
  };
  const assume = (answer: Awaited<ReturnType<typeof call>>) => {
    const { token = '' } = answer.body.status as { token?: string };
    const sts = it.client(STSClient);
    return sts.send(new AssumeRoleWithWebIdentityCommand({ RoleArn, RoleSessionName: 'pod', WebIdentityToken: token }));
  };
  const audiences = ['sts.amazonaws.com'];
  const { AssumedRoleUser } = await assume(await tokenFor('default', { audiences, expirationSeconds: 600 }));
  expect(AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${clusterAccount}:assumed-role/irsa/pod`);
  expect((await errorOf(assume(await tokenFor('kube-system', { audiences })))).name).toBe('AccessDenied');
  expect((await errorOf(assume(await tokenFor('default', {})))).name).toMatch(/^InvalidIdentityToken/);

  const short = await tokenFor('default', { audiences, expirationSeconds: 300 });
  expect(short.body.message).toContain('may not specify a duration less than 10 minutes');
  const own = ((await tokenFor('default', {})).body.status as { token: string }).token;
  const answer = await call(it.cluster, own, 'GET', '/api/v1/namespaces');
  expect(answer.body.message).toContain(
    'User "system:serviceaccount:default:default" cannot list resource "namespaces"',
  );
});
