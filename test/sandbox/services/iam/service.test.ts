import * as iam from '@aws-sdk/client-iam';
import { GetDataLakeSettingsCommand, LakeFormationClient } from '@aws-sdk/client-lakeformation';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { DescribeOrganizationCommand, OrganizationsClient } from '@aws-sdk/client-organizations';
import { afterAll, describe, expect, it } from 'vitest';
import {
  errorOf,
  hub,
  lambdaTrust,
  payer,
  policy,
  region,
  rootOf,
  serve,
  sessionOf,
  trustIn,
} from '../../testing/core-world.ts';

const running = await serve();
const { world } = running;
const client = running.client(iam.IAMClient);
afterAll(() => running.close());

const allowAll = policy({ Effect: 'Allow', Action: '*', Resource: '*' });
const create = (RoleName: string, trust: object = lambdaTrust, more: Partial<iam.CreateRoleCommandInput> = {}) =>
  client.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(trust), ...more }));
const put = (RoleName: string, PolicyName: string, document: object) =>
  client.send(new iam.PutRolePolicyCommand({ RoleName, PolicyName, PolicyDocument: JSON.stringify(document) }));
const createPolicy = (PolicyName: string, document: object = allowAll) =>
  client.send(new iam.CreatePolicyCommand({ PolicyName, PolicyDocument: JSON.stringify(document) }));
const policyArn = (name: string) => `arn:aws:iam::${payer}:policy/${name}`;

describe('roles', () => {
  it('are created with path, tags and trust and returned unchanged', async () => {
    const Tags = [{ Key: 'managed-by', Value: 'us' }];
    const { Role } = await create('full', lambdaTrust, {
      Path: '/team/',
      Tags,
      MaxSessionDuration: 7200,
      Description: 'd',
    });
    expect(Role).toMatchObject({ Arn: `arn:aws:iam::${payer}:role/team/full`, MaxSessionDuration: 7200, Tags });
    const read = await client.send(new iam.GetRoleCommand({ RoleName: 'full' }));
    expect(JSON.parse(decodeURIComponent(read.Role?.AssumeRolePolicyDocument ?? ''))).toEqual(lambdaTrust);
    expect(read.Role?.CreateDate).toEqual(new Date(world.clock.now()));
    await client.send(new iam.UntagRoleCommand({ RoleName: 'full', TagKeys: ['managed-by'] }));
    await client.send(new iam.TagRoleCommand({ RoleName: 'full', Tags: [{ Key: 'a', Value: 'b' }] }));
    expect((await client.send(new iam.ListRoleTagsCommand({ RoleName: 'full' }))).Tags).toEqual([
      { Key: 'a', Value: 'b' },
    ]);
  });

  it('have case-insensitive unique names within an account', async () => {
    await create('Unique');
    expect(await errorOf(create('unique'))).toMatchObject({ name: 'EntityAlreadyExistsException', status: 409 });
    const other = running.client(iam.IAMClient, rootOf(hub));
    const missing = await errorOf(other.send(new iam.GetRoleCommand({ RoleName: 'Unique' })));
    expect(missing).toMatchObject({
      name: 'NoSuchEntityException',
      message: 'The role with name Unique cannot be found.',
    });
  });

  it.each<[reason: string, trust: unknown, message: string]>([
    ['text that is not JSON', undefined, 'invalid Json'],
    ['no statement', { Version: '2012-10-17' }, 'Missing required field Statement'],
    ['no principal', policy({ Effect: 'Allow', Action: 'sts:AssumeRole' }), 'Missing required field Principal'],
    ['a resource', trustIn({ Service: 'lambda.amazonaws.com' }, { Resource: '*' }), 'prohibited field Resource'],
    ['an action beyond STS', trustIn({ Service: 'lambda.amazonaws.com' }, { Action: 's3:*' }), 'AssumeRole policy'],
    ['a service that is none', trustIn({ Service: 'lambda' }), 'Invalid principal in policy: "SERVICE":"lambda"'],
    [
      'a role that does not exist',
      trustIn({ AWS: `arn:aws:iam::${hub}:role/none` }),
      'Invalid principal in policy: "AWS"',
    ],
    ['an unknown field', trustIn({ AWS: payer }, { Principle: 'x' }), 'Principle'],
  ])('are refused with a trust policy that has %s', async (_, trust, message) => {
    const text = trust === undefined ? '{' : JSON.stringify(trust);
    const refused = await errorOf(
      client.send(new iam.CreateRoleCommand({ RoleName: 'bad', AssumeRolePolicyDocument: text })),
    );
    expect(refused).toMatchObject({ name: 'MalformedPolicyDocumentException', status: 400 });
    expect(refused.message).toContain(message);
  });

  it.each<[reason: string, call: () => Promise<unknown>, name: string]>([
    ['a name with a slash', () => create('a/b'), 'ValidationError'],
    ['a name of 65 characters', () => create('a'.repeat(65)), 'ValidationError'],
    ['a path without an end', () => create('ok', lambdaTrust, { Path: '/team' }), 'ValidationError'],
    ['51 tags', () => create('ok', lambdaTrust, { Tags: tags(51) }), 'LimitExceededException'],
    ['a tag twice', () => create('ok', lambdaTrust, { Tags: [...tags(1), ...tags(1)] }), 'InvalidInputException'],
    ['a session of 13 hours', () => create('ok', lambdaTrust, { MaxSessionDuration: 46_800 }), 'ValidationError'],
    [
      'a trust policy over 2,048 characters',
      () =>
        create(
          'ok',
          trustIn({ AWS: Array.from({ length: 60 }, (_, at) => `arn:aws:iam::${String(at).padStart(12, '1')}:root`) }),
        ),
      'LimitExceededException',
    ],
  ])('are refused with %s', async (_, call, name) => {
    expect((await errorOf(call())).name).toBe(name);
    expect(world.iam.role(payer, 'ok')).toBeUndefined();
  });

  it('show a deleted trusted role by id and distrust its successor', async () => {
    world.iam.createRole({ accountId: payer, name: 'friend', trust: lambdaTrust, settled: true });
    await create('host', trustIn({ AWS: `arn:aws:iam::${payer}:role/friend` }));
    const id = world.iam.role(payer, 'friend')?.id ?? '';
    await client.send(new iam.DeleteRoleCommand({ RoleName: 'friend' }));
    await create('friend');
    const { Role } = await client.send(new iam.GetRoleCommand({ RoleName: 'host' }));
    expect(decodeURIComponent(Role?.AssumeRolePolicyDocument ?? '')).toContain(`"AWS":"${id}"`);
  });

  it('are listed in pages', async () => {
    for (const name of ['p1', 'p2', 'p3']) await create(name, lambdaTrust, { Path: '/pages/' });
    const first = await client.send(new iam.ListRolesCommand({ PathPrefix: '/pages/', MaxItems: 2 }));
    expect(first).toMatchObject({ IsTruncated: true, Roles: [{ RoleName: 'p1' }, { RoleName: 'p2' }] });
    const { Marker } = first;
    const second = await client.send(new iam.ListRolesCommand({ PathPrefix: '/pages/', MaxItems: 2, Marker }));
    expect(second).toMatchObject({ IsTruncated: false, Roles: [{ RoleName: 'p3' }] });
  });

  it('can be deleted only without policies', async () => {
    await create('busy');
    await put('busy', 'inline', allowAll);
    await createPolicy('managed');
    await client.send(new iam.AttachRolePolicyCommand({ RoleName: 'busy', PolicyArn: policyArn('managed') }));
    const remove = () => client.send(new iam.DeleteRoleCommand({ RoleName: 'busy' }));
    expect(await errorOf(remove())).toMatchObject({ name: 'DeleteConflictException', status: 409 });
    await client.send(new iam.DetachRolePolicyCommand({ RoleName: 'busy', PolicyArn: policyArn('managed') }));
    expect((await errorOf(remove())).message).toBe('Cannot delete entity, must delete policies first.');
    await client.send(new iam.DeleteRolePolicyCommand({ RoleName: 'busy', PolicyName: 'inline' }));
    await remove();
    expect(world.iam.role(payer, 'busy')).toBeUndefined();
  });
});

describe('policies of a role', () => {
  it('can be written, read and listed', async () => {
    await create('inline');
    await put('inline', 'b', allowAll);
    await put('inline', 'a', allowAll);
    await put('inline', 'a', policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' }));
    const { PolicyNames } = await client.send(new iam.ListRolePoliciesCommand({ RoleName: 'inline' }));
    expect(PolicyNames).toEqual(['a', 'b']);
    const read = await client.send(new iam.GetRolePolicyCommand({ RoleName: 'inline', PolicyName: 'a' }));
    expect(decodeURIComponent(read.PolicyDocument ?? '')).toContain('s3:*');
  });

  it.each<[reason: string, document: object, message: string]>([
    [
      'a principal',
      policy({ Effect: 'Allow', Action: '*', Resource: '*', Principal: '*' }),
      'should not specify a principal',
    ],
    ['no resource', policy({ Effect: 'Allow', Action: '*' }), 'must contain resources'],
    [
      'an action without a vendor',
      policy({ Effect: 'Allow', Action: 'GetObject', Resource: '*' }),
      'prefaced by a vendor',
    ],
    [
      'a resource that is no ARN',
      policy({ Effect: 'Allow', Action: '*', Resource: 'bucket' }),
      'must be in ARN format',
    ],
    ['a Sid with a space', policy({ Sid: 'a b', Effect: 'Allow', Action: '*', Resource: '*' }), 'Statement IDs'],
    ['a Sid twice', policy(...[1, 2].map(() => ({ Sid: 'a', Effect: 'Deny', Action: '*', Resource: '*' }))), 'unique'],
  ])('are refused with %s', async (_, document, message) => {
    world.iam.createRole({ accountId: payer, name: `strict${message.length}`, trust: lambdaTrust });
    const refused = await errorOf(put(`strict${message.length}`, 'p', document));
    expect(refused).toMatchObject({ name: 'MalformedPolicyDocumentException' });
    expect(refused.message).toContain(message);
  });

  it('have at most 10,240 inline characters and ten attachments', async () => {
    await create('small');
    const big = (length: number) =>
      policy({ Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::${'x'.repeat(length)}` });
    await put('small', 'one', big(6000));
    expect((await errorOf(put('small', 'two', big(6000)))).name).toBe('LimitExceededException');
    await put('small', 'one', big(9000));
    for (let at = 0; at < 11; at++) await createPolicy(`shard-${at}`);
    const attach = (at: number) =>
      client.send(new iam.AttachRolePolicyCommand({ RoleName: 'small', PolicyArn: policyArn(`shard-${at}`) }));
    for (let at = 0; at < 10; at++) await attach(at);
    expect((await errorOf(attach(10))).message).toBe('Cannot exceed quota for PoliciesPerRole: 10');
    await attach(3);
    const attached = await client.send(new iam.ListAttachedRolePoliciesCommand({ RoleName: 'small' }));
    expect(attached.AttachedPolicies).toHaveLength(10);
  });

  it('can be managed by AWS but not by another account', async () => {
    await create('glue');
    const attach = (PolicyArn: string) => client.send(new iam.AttachRolePolicyCommand({ RoleName: 'glue', PolicyArn }));
    await attach('arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole');
    expect((await errorOf(attach(`arn:aws:iam::${hub}:policy/theirs`))).name).toBe('NoSuchEntityException');
  });
});

describe('managed policies', () => {
  it('have at most five versions and one default', async () => {
    await createPolicy('versions');
    const PolicyArn = policyArn('versions');
    const add = () =>
      client.send(
        new iam.CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: JSON.stringify(allowAll), SetAsDefault: true }),
      );
    for (let at = 2; at <= 5; at++) await add();
    expect((await errorOf(add())).name).toBe('LimitExceededException');
    const remove = (VersionId: string) => client.send(new iam.DeletePolicyVersionCommand({ PolicyArn, VersionId }));
    expect((await errorOf(remove('v5'))).name).toBe('DeleteConflictException');
    await remove('v1');
    await add();
    const { Versions } = await client.send(new iam.ListPolicyVersionsCommand({ PolicyArn }));
    expect(Versions?.map(({ VersionId }) => VersionId)).toEqual(['v6', 'v5', 'v4', 'v3', 'v2']);
    const { Policy } = await client.send(new iam.GetPolicyCommand({ PolicyArn }));
    expect(Policy).toMatchObject({ DefaultVersionId: 'v6', AttachmentCount: 0 });
    const { PolicyVersion } = await client.send(new iam.GetPolicyVersionCommand({ PolicyArn, VersionId: 'v6' }));
    expect(JSON.parse(decodeURIComponent(PolicyVersion?.Document ?? ''))).toEqual(allowAll);
    expect((await errorOf(client.send(new iam.DeletePolicyCommand({ PolicyArn })))).name).toBe(
      'DeleteConflictException',
    );
  });

  it('are refused when too long, duplicate or deleted while attached', async () => {
    const long = policy({ Effect: 'Allow', Action: 's3:*', Resource: `arn:aws:s3:::${'x'.repeat(6144)}` });
    expect((await errorOf(createPolicy('long', long))).message).toBe('Cannot exceed quota for PolicySize: 6144');
    await createPolicy('Once');
    expect((await errorOf(createPolicy('once'))).name).toBe('EntityAlreadyExistsException');
    await create('holder');
    await client.send(new iam.AttachRolePolicyCommand({ RoleName: 'holder', PolicyArn: policyArn('Once') }));
    const gone = client.send(new iam.DeletePolicyCommand({ PolicyArn: policyArn('Once') }));
    expect((await errorOf(gone)).message).toBe('Cannot delete a policy attached to entities.');
    const entities = await client.send(new iam.ListEntitiesForPolicyCommand({ PolicyArn: policyArn('Once') }));
    expect(entities.PolicyRoles?.map(({ RoleName }) => RoleName)).toEqual(['holder']);
  });
});

describe('OpenID Connect providers', () => {
  const Url = 'https://oidc.eks.eu-west-1.amazonaws.com/id/ABC';
  const OpenIDConnectProviderArn = `arn:aws:iam::${payer}:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC`;

  it('exist once for each issuer and accept more audiences', async () => {
    const make = () =>
      client.send(new iam.CreateOpenIDConnectProviderCommand({ Url, ClientIDList: ['one'], Tags: tags(1) }));
    expect((await make()).OpenIDConnectProviderArn).toBe(OpenIDConnectProviderArn);
    expect((await errorOf(make())).name).toBe('EntityAlreadyExistsException');
    const add = { OpenIDConnectProviderArn, ClientID: 'sts.amazonaws.com' };
    await client.send(new iam.AddClientIDToOpenIDConnectProviderCommand(add));
    const read = await client.send(new iam.GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    expect(read).toMatchObject({ Url: Url.slice(8), ClientIDList: ['one', 'sts.amazonaws.com'], Tags: tags(1) });
    const list = await client.send(new iam.ListOpenIDConnectProvidersCommand({}));
    expect(list.OpenIDConnectProviderList).toEqual([{ Arn: OpenIDConnectProviderArn }]);
    await client.send(new iam.DeleteOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }));
    expect(world.iam.providers.size).toBe(0);
  });

  it.each(['http://a.example', 'https://a.example:8443/x', 'https://a.example/?q=1', 'nonsense'])(
    'refuse %s',
    async (bad) => {
      expect((await errorOf(client.send(new iam.CreateOpenIDConnectProviderCommand({ Url: bad })))).name).toBe(
        'InvalidInputException',
      );
    },
  );
});

describe('authorisation', () => {
  const read = (RoleName: string) => new iam.GetRoleCommand({ RoleName });

  it('follows the resource, path and tags that a policy names', async () => {
    const seed = (name: string, path: string, owner: string) =>
      world.iam.createRole({ accountId: payer, name, path, trust: lambdaTrust, tags: { owner } });
    seed('mine', '/team/', 'us');
    seed('theirs', '/team/', 'them');
    seed('outside', '/', 'us');
    const limited = running.client(
      iam.IAMClient,
      sessionOf(world, payer, 'limited', {
        Effect: 'Allow',
        Action: 'iam:GetRole',
        Resource: `arn:aws:iam::${payer}:role/team/*`,
        Condition: { StringEquals: { 'aws:ResourceTag/owner': 'us' } },
      }),
    );
    await limited.send(read('mine'));
    expect(await errorOf(limited.send(read('theirs')))).toEqual({
      name: 'AccessDenied',
      message: `User: arn:aws:sts::${payer}:assumed-role/limited/test is not authorized to perform: iam:GetRole on resource: arn:aws:iam::${payer}:role/team/theirs because no identity-based policy allows the iam:GetRole action`,
      status: 403,
    });
    expect((await errorOf(limited.send(read('outside')))).name).toBe('AccessDenied');
  });

  it('needs the tagging permission to create something with tags', async () => {
    const untagging = sessionOf(world, payer, 'untagging', {
      Effect: 'Allow',
      Action: 'iam:CreateRole',
      Resource: '*',
    });
    const text = JSON.stringify(lambdaTrust);
    const tagged = new iam.CreateRoleCommand({ RoleName: 'tagged', AssumeRolePolicyDocument: text, Tags: tags(1) });
    expect((await errorOf(running.client(iam.IAMClient, untagging).send(tagged))).message).toContain('iam:TagRole');
  });

  it('follows a changed policy only after some seconds', async () => {
    const late = running.client(iam.IAMClient, sessionOf(world, payer, 'late'));
    const may = () =>
      late.send(read('late')).then(
        () => true,
        () => false,
      );
    await put('late', 'rights', allowAll);
    const shown = await client.send(new iam.GetRolePolicyCommand({ RoleName: 'late', PolicyName: 'rights' }));
    expect(shown.PolicyDocument).toBeDefined();
    expect(await may()).toBe(false);
    await world.clock.sleep(world.iam.propagationMs);
    expect(await may()).toBe(true);
    await client.send(new iam.DeleteRolePolicyCommand({ RoleName: 'late', PolicyName: 'rights' }));
    expect(await may()).toBe(true);
    await world.clock.sleep(world.iam.propagationMs);
    expect(await may()).toBe(false);

    await createPolicy('settling', policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' }));
    await client.send(new iam.AttachRolePolicyCommand({ RoleName: 'late', PolicyArn: policyArn('settling') }));
    await world.clock.sleep(world.iam.propagationMs);
    expect(await may()).toBe(false);
    const PolicyDocument = JSON.stringify(allowAll);
    await client.send(
      new iam.CreatePolicyVersionCommand({ PolicyArn: policyArn('settling'), PolicyDocument, SetAsDefault: true }),
    );
    expect(await may()).toBe(false);
    await world.clock.sleep(world.iam.propagationMs);
    expect(await may()).toBe(true);
  });

  it('knows the trusted service of a role after some seconds', async () => {
    await create('for-lambda');
    const arn = `arn:aws:iam::${payer}:role/for-lambda`;
    expect(world.iam.trusts(arn, 'lambda.amazonaws.com')).toBe(false);
    await world.clock.sleep(world.iam.propagationMs);
    expect(world.iam.trusts(arn, 'lambda.amazonaws.com')).toBe(true);
    expect(world.iam.trusts(arn, 'glue.amazonaws.com')).toBe(false);
  });
});

describe('settings of an account', () => {
  it('include organization, concurrency and data lake administrators', async () => {
    const organizations = running.client(OrganizationsClient);
    const ask = () => organizations.send(new DescribeOrganizationCommand({}));
    expect((await errorOf(ask())).name).toBe('AWSOrganizationsNotInUseException');
    world.organizations.create(hub, payer);
    expect((await ask()).Organization?.MasterAccountId).toBe(hub);

    const lambda = running.client(LambdaClient);
    world.lambda.setConcurrency(payer, region, 50);
    world.lambda.reserve(payer, region, 'f', 5);
    const { AccountLimit } = await lambda.send(new GetAccountSettingsCommand({}));
    expect(AccountLimit).toMatchObject({ ConcurrentExecutions: 50, UnreservedConcurrentExecutions: 45 });
    expect(() => {
      world.lambda.reserve(payer, region, 'g', 36);
    }).toThrow('below its minimum value of [10]');

    const lakeformation = running.client(LakeFormationClient);
    const settings = async () => (await lakeformation.send(new GetDataLakeSettingsCommand({}))).DataLakeSettings;
    const Principal = { DataLakePrincipalIdentifier: 'IAM_ALLOWED_PRINCIPALS' };
    expect((await settings())?.CreateDatabaseDefaultPermissions).toEqual([{ Principal, Permissions: ['ALL'] }]);
    world.lakeformation.lock(payer, region);
    expect((await settings())?.CreateDatabaseDefaultPermissions).toEqual([]);
  });
});

function tags(count: number): iam.Tag[] {
  return Array.from({ length: count }, (_, at) => ({ Key: `key-${at}`, Value: 'v' }));
}
