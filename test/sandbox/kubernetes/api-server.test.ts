import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SettlingValue } from '../settling-value.ts';
import { type Answer, call, clusterAccount, clusterWorld, tokenAs } from '../testing/cluster-world.ts';
import type { AccessGrant } from './authorize.ts';

let it: Awaited<ReturnType<typeof clusterWorld>>;
let admin: string;
let team: string;

beforeAll(async () => {
  it = await clusterWorld();
  admin = addEntry('admin', [], [{ policyArn: policyArn('ClusterAdmin') }]);
  team = addEntry('team', ['team']);
});
afterAll(() => it.close());
beforeEach(() => {
  it.cluster.kubernetes.admission.rules.length = 0;
  it.world.faults.length = 0;
  it.cluster.kubernetes.delete('Namespace', undefined, 'kubecost');
  it.cluster.kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
});

const policyArn = (name: string) => `arn:aws:eks::aws:cluster-access-policy/AmazonEKS${name}Policy`;

/** An access entry that is in force already, and a token of its role. */
function addEntry(roleName: string, groups: string[], grants: AccessGrant[] = []): string {
  const token = tokenAs(it.world, roleName);
  const role = it.world.iam.role(clusterAccount, roleName);
  if (!role) throw new Error(`no role ${roleName}`);
  const identity = { username: `arn:aws:sts::${clusterAccount}:assumed-role/${roleName}/{{SessionName}}`, groups };
  it.cluster.accessEntries.set(role.arn, {
    principalArn: role.arn,
    roleId: role.id,
    arn: `${role.arn}/entry`,
    ...identity,
    createdAt: 0,
    modifiedAt: 0,
    tags: {},
    policies: new Map(),
    known: new SettlingValue(identity, 0),
    knownGrants: new SettlingValue(grants, 0),
  });
  return token;
}

const as = (token: string | undefined) => (method: string, path: string, body?: object | string, type?: string) =>
  call(it.cluster, token, method, path, body, type);
const asAdmin = (...request: Parameters<ReturnType<typeof as>>): Promise<Answer> => as(admin)(...request);
const asTeam = (...request: Parameters<ReturnType<typeof as>>): Promise<Answer> => as(team)(...request);

const secrets = '/api/v1/namespaces/kubecost/secrets';
const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/kubecost';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const secret = (name: string, content = 'one', more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  data: { file: base64(content) },
  ...more,
});
const file = (content: string) => ({ 'cloud-integration.json': base64(content) });
const contentOf = (name: string) =>
  (it.cluster.kubernetes.get('Secret', 'kubecost', name)?.data as Record<string, string> | undefined)?.file;

/** Lets the group `team` do this in the namespace. */
function grant(
  ...rules: { verbs: string[]; resources: string[]; apiGroups?: string[]; resourceNames?: string[] }[]
): void {
  const metadata = { name: 'team', namespace: 'kubecost' };
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const { kubernetes } = it.cluster;
  kubernetes.apply({ apiVersion, kind: 'Role', metadata, rules: rules.map((rule) => ({ apiGroups: [''], ...rule })) });
  kubernetes.apply({
    apiVersion,
    kind: 'RoleBinding',
    metadata,
    roleRef: { kind: 'Role', name: 'team' },
    subjects: [{ kind: 'Group', name: 'team' }],
  });
}

describe('authentication', () => {
  test('only version and health need no authentication', async () => {
    expect(await as(undefined)('GET', '/version')).toMatchObject({ status: 200, body: { major: '1', minor: '33' } });
    expect(await as(undefined)('GET', '/readyz')).toMatchObject({ status: 200, text: 'ok' });
    expect(await as(undefined)('GET', secrets)).toMatchObject({ status: 403, body: { reason: 'Forbidden' } });
  });

  test('a bad token is unauthorized', async () => {
    const url = Buffer.from(admin.slice('k8s-aws-v1.'.length), 'base64url').toString();
    const tokenOf = (text: string) => `k8s-aws-v1.${Buffer.from(text).toString('base64url')}`;
    const bad = [
      'nonsense',
      `${admin}=`,
      `${admin}${'A'.repeat(4096)}`,
      tokenOf(url.replace('https:', 'http:')),
      tokenOf(url.replace('sts.eu-west-1.amazonaws.com', 'evil.example.com')),
      tokenOf(url.replace('x-k8s-aws-id', 'x-other')),
      tokenOf(`${url}&x-id=GetCallerIdentity`),
      tokenOf(url.replace(/X-Amz-Signature=\w{4}/, 'X-Amz-Signature=0000')),
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.`,
    ];
    for (const token of bad)
      expect(await as(token)('GET', '/api')).toMatchObject({
        status: 401,
        body: { kind: 'Status', reason: 'Unauthorized' },
      });
  });

  test('a token is valid for fifteen minutes and one cluster', async () => {
    const other = await it.world.eks.createCluster({ accountId: clusterAccount, region: 'eu-west-1', name: 'other' });
    for (const [principal, entry] of it.cluster.accessEntries) other.accessEntries.set(principal, entry);
    expect((await call(other, admin, 'GET', '/api')).status).toBe(401);

    const token = tokenAs(it.world, 'admin');
    await it.world.clock.sleep(14 * 60_000);
    expect((await as(token)('GET', '/api')).status).toBe(200);
    await it.world.clock.sleep(2 * 60_000);
    expect((await as(token)('GET', '/api')).status).toBe(401);
    [admin, team] = [tokenAs(it.world, 'admin'), tokenAs(it.world, 'team')];
  });

  test('a role without an access entry, or re-created, is unauthorized', async () => {
    expect((await as(tokenAs(it.world, 'stranger'))('GET', '/api')).status).toBe(401);
    const token = addEntry('reborn', [], [{ policyArn: policyArn('ClusterAdmin') }]);
    expect((await as(token)('GET', '/api')).status).toBe(200);
    const role = it.world.iam.role(clusterAccount, 'reborn');
    if (role) it.world.iam.removeRole(role);
    expect((await as(tokenAs(it.world, 'reborn'))('GET', '/api')).status).toBe(401);
  });

  test('a private endpoint accepts no connection', async () => {
    const hidden = await it.world.eks.createCluster({
      accountId: clusterAccount,
      region: 'eu-west-1',
      name: 'hidden',
      endpointPublicAccess: false,
    });
    await expect(call(hidden, undefined, 'GET', '/version')).rejects.toThrow(/ECONNRESET|socket|disconnected/);
  });
});

describe('permissions of a Role', () => {
  test('a request without a Role is forbidden with the message of Kubernetes', async () => {
    const { status, body } = await asTeam('GET', `${secrets}/cloud-integration`);
    expect(status).toBe(403);
    expect(body).toMatchObject({
      reason: 'Forbidden',
      details: { name: 'cloud-integration', kind: 'secrets' },
      code: 403,
    });
    expect(body.message).toBe(
      `secrets "cloud-integration" is forbidden: User "arn:aws:sts::${clusterAccount}:assumed-role/team/test" cannot get resource "secrets" in API group "" in the namespace "kubecost"`,
    );
    expect((await asTeam('GET', '/api/v1/namespaces')).body.message).toContain('at the cluster scope');
  });

  test('a rule with resourceNames covers get and update, not create or list', async () => {
    grant({ verbs: ['get', 'update', 'create', 'list'], resources: ['secrets'], resourceNames: ['mine'] });
    await asAdmin('POST', secrets, secret('mine'));
    expect((await asTeam('GET', `${secrets}/mine`)).status).toBe(200);
    expect((await asTeam('PUT', `${secrets}/mine`, secret('mine', 'two'))).status).toBe(200);
    expect((await asTeam('GET', `${secrets}/other`)).status).toBe(403);
    expect((await asTeam('POST', secrets, secret('mine'))).status).toBe(403);
    expect((await asTeam('GET', secrets)).status).toBe(403);
    expect((await asTeam('GET', `${secrets}?fieldSelector=metadata.name%3Dmine`)).status).toBe(200);
  });

  test('server-side apply creates an object that resourceNames covers', async () => {
    grant({ verbs: ['create', 'patch'], resources: ['secrets'], resourceNames: ['mine'] });
    const apply = (name: string) =>
      asTeam('PATCH', `${secrets}/${name}?fieldManager=team`, secret(name), 'application/apply-patch+yaml');
    expect((await apply('mine')).status).toBe(201);
    expect((await apply('other')).status).toBe(403);
  });

  test('a subresource needs its own rule', async () => {
    grant({ verbs: ['create'], resources: ['serviceaccounts'] });
    const path = '/api/v1/namespaces/kubecost/serviceaccounts/default/token';
    expect((await asTeam('POST', path, {})).body.message).toContain('cannot create resource "serviceaccounts/token"');
    grant({ verbs: ['create'], resources: ['serviceaccounts/token'], resourceNames: ['default'] });
    expect((await asTeam('POST', path, {})).status).toBe(201);
  });

  test('a Role in a namespace can allow reading that namespace', async () => {
    grant({ verbs: ['get'], resources: ['namespaces'], resourceNames: ['kubecost'] });
    expect((await asTeam('GET', '/api/v1/namespaces/kubecost')).status).toBe(200);
    expect((await asTeam('GET', '/api/v1/namespaces/default')).status).toBe(403);
  });

  test('a ClusterRole can be bound in one namespace', async () => {
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    it.cluster.kubernetes.apply({
      apiVersion,
      kind: 'RoleBinding',
      metadata: { name: 'editors', namespace: 'kubecost' },
      roleRef: { kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'Group', name: 'team' }],
    });
    expect((await asTeam('GET', secrets)).status).toBe(200);
    expect((await asTeam('GET', '/api/v1/namespaces/default/secrets')).status).toBe(403);
  });

  test('access policies apply in their namespaces in addition to Roles', async () => {
    const editor = addEntry('editor', [], [{ policyArn: policyArn('Edit'), namespaces: ['kube*'] }]);
    expect((await as(editor)('POST', secrets, secret('edited'))).status).toBe(201);
    expect((await as(editor)('GET', '/api/v1/namespaces/default/secrets')).status).toBe(403);
    expect((await as(editor)('POST', '/api/v1/namespaces', { metadata: { name: 'new' } })).status).toBe(403);
    const viewer = addEntry('viewer', [], [{ policyArn: policyArn('View') }]);
    expect((await as(viewer)('GET', secrets)).status).toBe(403);
    expect((await as(viewer)('GET', '/api/v1/pods')).status).toBe(200);
  });

  test('a user can review their own permissions', async () => {
    grant({ verbs: ['get'], resources: ['secrets'], resourceNames: ['mine'] });
    const ask = async (resourceAttributes: object) => {
      const { body } = await asTeam('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        spec: { resourceAttributes: { namespace: 'kubecost', ...resourceAttributes } },
      });
      return body.status;
    };
    expect(await ask({ verb: 'get', resource: 'secrets', name: 'mine' })).toEqual({
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "team/kubecost" of Role "team" to Group "team"',
    });
    expect(await ask({ verb: 'get', resource: 'secrets' })).toEqual({ allowed: false });
    const rules = await asTeam('POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
      spec: { namespace: 'kubecost' },
    });
    expect(rules.body.status).toMatchObject({ incomplete: true });
    expect(JSON.stringify(rules.body.status)).toContain('"resourceNames":["mine"]');
  });

  test('a user cannot grant rights that they do not have', async () => {
    const role = (name: string, verbs: string[]) => ({
      metadata: { name },
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs }],
    });
    grant(
      { verbs: ['create'], apiGroups: ['rbac.authorization.k8s.io'], resources: ['roles', 'rolebindings'] },
      { verbs: ['get'], resources: ['secrets'] },
    );
    expect((await asTeam('POST', `${rbac}/roles`, role('reader', ['get']))).status).toBe(201);
    const refused = await asTeam('POST', `${rbac}/roles`, role('writer', ['get', 'delete']));
    expect(refused.status).toBe(403);
    expect(refused.body.message).toContain('is attempting to grant RBAC permissions not currently held');
    const binding = (name: string) => ({
      metadata: { name },
      roleRef: { kind: 'ClusterRole', name },
      subjects: [{ kind: 'Group', name: 'team' }],
    });
    expect((await asTeam('POST', `${rbac}/rolebindings`, binding('cluster-admin'))).status).toBe(403);
    expect((await asAdmin('POST', `${rbac}/rolebindings`, binding('cluster-admin'))).status).toBe(201);
  });

  test('the admin policy cannot bind roles, the cluster admin policy can', async () => {
    const owner = addEntry('owner', [], [{ policyArn: policyArn('Admin') }]);
    const binding = { metadata: { name: 'x' }, roleRef: { kind: 'ClusterRole', name: 'view' }, subjects: [] };
    expect((await as(owner)('POST', `${rbac}/rolebindings`, binding)).status).toBe(403);
  });
});

describe('objects', () => {
  test('creating an object sets its identity and refuses a duplicate name', async () => {
    const { status, body } = await asAdmin('POST', secrets, secret('one'));
    expect(status).toBe(201);
    const identity = { uid: expect.any(String) as string, resourceVersion: expect.stringMatching(/^\d+$/) as string };
    expect(body).toMatchObject({ type: 'Opaque', metadata: { ...identity, namespace: 'kubecost' } });
    expect(await asAdmin('POST', secrets, secret('one'))).toMatchObject({
      status: 409,
      body: { reason: 'AlreadyExists', message: 'secrets "one" already exists' },
    });
    expect((await asAdmin('POST', '/api/v1/namespaces/missing/secrets', secret('one'))).body).toMatchObject({
      code: 404,
      message: 'namespaces "missing" not found',
    });
  });

  test('a replacement needs the current version and skips equal content', async () => {
    const { body } = await asAdmin('POST', secrets, secret('one'));
    const { resourceVersion } = body.metadata as { resourceVersion: string };
    const replace = (content: string) =>
      asAdmin('PUT', `${secrets}/one`, secret('one', content, { metadata: { name: 'one', resourceVersion } }));
    expect((await replace('one')).body.metadata).toMatchObject({ resourceVersion });
    expect((await replace('two')).status).toBe(200);
    expect(await replace('three')).toMatchObject({ status: 409, body: { reason: 'Conflict' } });
    expect(contentOf('one')).toBe(base64('two'));
    expect((await asAdmin('PUT', `${secrets}/missing`, secret('missing'))).body.message).toBe(
      'secrets "missing" not found',
    );
  });

  test('merge, strategic and JSON patches change only the fields they name', async () => {
    await asAdmin('POST', secrets, secret('one'));
    const patch = (body: object, type: string) => asAdmin('PATCH', `${secrets}/one`, body, `application/${type}+json`);
    await patch({ metadata: { labels: { a: '1', b: '2' } } }, 'merge-patch');
    await patch({ metadata: { labels: { a: null } } }, 'strategic-merge-patch');
    const test = { op: 'test', path: '/metadata/labels/b', value: '2' };
    await patch([test, { op: 'add', path: '/data/more', value: base64('x') }], 'json-patch');
    expect(it.cluster.kubernetes.get('Secret', 'kubecost', 'one')).toMatchObject({
      metadata: { labels: { b: '2' } },
      data: { file: base64('one'), more: base64('x') },
    });
    expect(
      (
        await patch(
          [
            { ...test, value: '3' },
            { op: 'remove', path: '/data/more' },
          ],
          'json-patch',
        )
      ).status,
    ).toBe(422);
    expect((await patch({ metadata: { resourceVersion: '1' } }, 'merge-patch')).status).toBe(409);
    expect((await asAdmin('PATCH', `${secrets}/one`, {}, 'application/json')).status).toBe(415);
  });

  test('server-side apply keeps fields of others and reports conflicts', async () => {
    const apply = (manager: string, data: Record<string, string>, force = false) =>
      asAdmin(
        'PATCH',
        `${secrets}/one?fieldManager=${manager}&force=${String(force)}`,
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'one' }, data },
        'application/apply-patch+yaml',
      );
    expect((await apply('helm', { a: base64('1'), b: base64('1') })).status).toBe(201);
    expect((await apply('us', { c: base64('1') })).status).toBe(200);
    const refused = await apply('us', { a: base64('2'), c: base64('1') });
    expect(refused).toMatchObject({ status: 409, body: { reason: 'Conflict' } });
    expect(refused.body.message).toBe('Apply failed with 1 conflict: conflict with "helm" using v1: .data.a');
    await apply('us', { a: base64('2') }, true);
    await apply('helm', { b: base64('1') });
    const stored = () => it.cluster.kubernetes.get('Secret', 'kubecost', 'one');
    const resourceVersion = stored()?.metadata.resourceVersion;
    expect(stored()?.data).toEqual({ a: base64('2'), b: base64('1') });
    await apply('helm', { b: base64('1') });
    expect(stored()?.metadata.resourceVersion).toBe(resourceVersion);
  });

  test('a secret is checked for base64, keys, size and immutability', async () => {
    const create = (more: object) => asAdmin('POST', secrets, secret('bad', 'x', more));
    expect(await create({ data: { file: 'not base64!' } })).toMatchObject({
      status: 400,
      body: { reason: 'BadRequest' },
    });
    expect(await create({ data: { 'a b': '' } })).toMatchObject({ status: 422, body: { reason: 'Invalid' } });
    expect((await create({ data: { file: base64('x'.repeat(1_048_577)) } })).status).toBe(422);
    expect((await create({ metadata: { name: 'Bad_Name' } })).body.message).toContain('RFC 1123 subdomain');
    expect((await asAdmin('POST', secrets, secret('fixed', 'one', { immutable: true }))).status).toBe(201);
    const frozen = await asAdmin('PUT', `${secrets}/fixed`, secret('fixed', 'two', { immutable: true }));
    expect(frozen.body.message).toBe(
      'Secret "fixed" is invalid: data: Forbidden: field is immutable when `immutable` is set',
    );
    const plain = await asAdmin('POST', secrets, { metadata: { name: 'plain' }, stringData: { file: 'text' } });
    expect(plain.body).not.toHaveProperty('stringData');
    expect(contentOf('plain')).toBe(base64('text'));
  });

  test('a list filters by label and has pages', async () => {
    for (const [name, tier] of [
      ['a', 'front'],
      ['b', 'back'],
      ['c', 'back'],
    ] as const)
      await asAdmin('POST', secrets, secret(name, 'x', { metadata: { name, labels: { tier } } }));
    const names = ({ body }: Answer) =>
      (body.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    expect(names(await asAdmin('GET', `${secrets}?labelSelector=tier%3Dback`))).toEqual(['b', 'c']);
    expect(
      names(await asAdmin('GET', `${secrets}?labelSelector=${encodeURIComponent('tier notin (back), tier')}`)),
    ).toEqual(['a']);
    const first = await asAdmin('GET', `${secrets}?limit=2`);
    expect(names(first)).toEqual(['a', 'b']);
    const { continue: next } = first.body.metadata as { continue: string };
    expect(names(await asAdmin('GET', `${secrets}?limit=2&continue=${next}`))).toEqual(['c']);
    expect(first.body).toMatchObject({ kind: 'SecretList', apiVersion: 'v1' });
  });

  test('deleting checks the version, and a namespace deletes its objects', async () => {
    await asAdmin('POST', secrets, secret('one'));
    const preconditions = { resourceVersion: '1' };
    expect((await asAdmin('DELETE', `${secrets}/one`, { preconditions })).status).toBe(409);
    expect(await asAdmin('DELETE', `${secrets}/one`)).toMatchObject({ status: 200, body: { status: 'Success' } });
    expect((await asAdmin('DELETE', `${secrets}/one`)).status).toBe(404);
    await asAdmin('POST', secrets, secret('two'));
    const deleted = await asAdmin('DELETE', '/api/v1/namespaces/kubecost');
    expect(deleted.body).toMatchObject({ status: { phase: 'Terminating' } });
    expect(await asAdmin('POST', secrets, secret('three'))).toMatchObject({
      status: 403,
      body: { message: expect.stringContaining('because it is being terminated') as string },
    });
    await it.world.clock.sleep(10_000);
    expect(contentOf('two')).toBeUndefined();
    expect((await asAdmin('GET', '/api/v1/namespaces/kubecost')).status).toBe(404);
  });

  test('a new namespace has its default service account', async () => {
    await asAdmin('POST', '/api/v1/namespaces', { metadata: { name: 'fresh' } });
    expect((await asAdmin('GET', '/api/v1/namespaces/fresh/serviceaccounts/default')).status).toBe(200);
  });

  test('the role of a binding cannot change', async () => {
    const binding = (name: string) => ({
      metadata: { name: 'b' },
      roleRef: { kind: 'ClusterRole', name },
      subjects: [],
    });
    await asAdmin('POST', `${rbac}/rolebindings`, binding('view'));
    expect((await asAdmin('PUT', `${rbac}/rolebindings/b`, binding('edit'))).body.message).toContain(
      'cannot change roleRef',
    );
  });

  test('missing objects and paths are not found', async () => {
    expect((await asAdmin('GET', '/apis/example.com/v1/widgets')).status).toBe(404);
    expect((await asAdmin('GET', '/nothing')).status).toBe(404);
    expect((await asAdmin('DELETE', secrets)).status).toBe(405);
    expect((await asAdmin('POST', secrets, '{ broken')).status).toBe(400);
    expect((await asAdmin('POST', secrets, 'k8s', 'application/vnd.kubernetes.protobuf')).status).toBe(415);
    expect((await asAdmin('POST', secrets, { kind: 'ConfigMap', metadata: { name: 'x' } })).status).toBe(400);
  });

  test('the API lists its resources', async () => {
    expect((await asTeam('GET', '/apis')).body).toMatchObject({ kind: 'APIGroupList', groups: [{ name: 'apps' }, {}] });
    const { body } = await asTeam('GET', '/api/v1');
    expect(body.resources).toContainEqual(
      expect.objectContaining({ name: 'secrets', namespaced: true, kind: 'Secret' }),
    );
  });

  test('logs and the service proxy answer from the running pods', async () => {
    const { kubernetes } = it.cluster;
    kubernetes.apply({
      ...secret('x'),
      metadata: { name: 'cloud-integration', namespace: 'kubecost' },
      data: file('{}'),
    });
    kubernetes.installKubecost({ generation: '3.x' });
    const services = '/api/v1/namespaces/kubecost/services';
    const path = `${services}/http:kubecost-cloud-cost:9005/proxy/cloudCost/status`;
    kubernetes.workloads.onProxy = (service, port, asked, _, pod) => ({
      status: 200,
      body: { code: 200, data: [service, port, asked, pod.labels.app] },
    });
    const answered = ['kubecost-cloud-cost', '9005', '/cloudCost/status', 'cloud-cost'];
    expect((await asAdmin('GET', path)).body.data).toEqual(answered);
    expect((await asAdmin('GET', `${services}/missing:9005/proxy/`)).status).toBe(404);
    grant({ verbs: ['get'], resources: ['services/proxy'], resourceNames: ['http:kubecost-cloud-cost:9005'] });
    expect((await asTeam('GET', path)).status).toBe(200);
    expect((await asTeam('GET', path.replace('http:', ''))).status).toBe(403);

    const { body } = await asAdmin('GET', '/api/v1/namespaces/kubecost/pods?labelSelector=app%3Dcloud-cost');
    const [pod] = body.items as { metadata: { name: string } }[];
    kubernetes.workloads.onLog = ({ name }, container) => `${container} of ${name}`;
    const log = `/api/v1/namespaces/kubecost/pods/${pod?.metadata.name ?? ''}/log`;
    expect((await asAdmin('GET', log)).text).toBe(`cloud-cost of ${pod?.metadata.name ?? ''}`);
    expect((await asAdmin('GET', `${log}?container=other`)).status).toBe(400);
  });

  test('a dry run answers as the write would and changes nothing', async () => {
    const dry = `${secrets}?dryRun=All`;
    expect(await asAdmin('POST', dry, secret('one'))).toMatchObject({ status: 201, body: { type: 'Opaque' } });
    expect(contentOf('one')).toBeUndefined();
    await asAdmin('POST', secrets, secret('one'));
    expect((await asAdmin('POST', dry, secret('one'))).status).toBe(409);
    const replaced = await asAdmin('PUT', `${secrets}/one?dryRun=All`, secret('one', 'two'));
    expect(replaced).toMatchObject({ status: 200, body: { data: { file: base64('two') } } });
    expect(contentOf('one')).toBe(base64('one'));
    it.cluster.kubernetes.admission.rules.push({ kind: 'Secret', message: 'secrets need an owner' });
    for (const [method, path, name] of [
      ['POST', dry, 'two'],
      ['PUT', `${secrets}/one?dryRun=All`, 'one'],
    ] as const)
      expect((await asAdmin(method, path, secret(name, 'three'))).body.message).toContain('secrets need an owner');
  });

  test('admission rejects what a policy forbids', async () => {
    const message = 'secrets need an owner';
    it.cluster.kubernetes.admission.rules.push({ kind: 'Secret', operation: 'CREATE', message });
    expect((await asAdmin('POST', secrets, secret('one'))).body.message).toBe(
      `admission webhook "validation.gatekeeper.sh" denied the request: ${message}`,
    );
    expect(contentOf('one')).toBeUndefined();
  });
});

describe('features of the sandbox', () => {
  test('every request is recorded and only changes count as writes', async () => {
    const { calls } = it.world;
    calls.length = 0;
    await asAdmin('POST', secrets, secret('one'));
    await asAdmin('GET', secrets);
    await asAdmin('POST', '/api/v1/namespaces/kubecost/serviceaccounts/default/token', {});
    await asTeam('GET', secrets);
    expect(calls.map(({ operation, writes, error }) => [operation, writes, error])).toEqual([
      ['POST secrets', true, undefined],
      ['GET secrets', false, undefined],
      ['POST serviceaccounts/token', false, undefined],
      ['GET secrets', false, 'Forbidden'],
    ]);
    expect(calls[0]).toMatchObject({
      service: 'kubernetes',
      accountId: clusterAccount,
      callerArn: `arn:aws:sts::${clusterAccount}:assumed-role/admin/test`,
    });
  });

  test('faults strike requests to the cluster', async () => {
    it.world.faults.push({ service: 'kubernetes', operation: 'POST secrets', nth: 1, kind: 'throttle' });
    it.world.faults.push({ service: 'kubernetes', operation: 'POST secrets', nth: 2, kind: 'applied-but-lost' });
    expect((await asAdmin('POST', secrets, secret('one'))).status).toBe(429);
    await expect(asAdmin('POST', secrets, secret('one'))).rejects.toThrow();
    expect(contentOf('one')).toBe(base64('one'));
  });

  test.each(['1.x', '2.x', '2.x-statefulset', '3.x', 'opencost'] as const)(
    'an installation of %s looks as its chart leaves it',
    async (generation) => {
      const namespace = generation === 'opencost' ? 'opencost' : 'kubecost';
      it.cluster.kubernetes.installKubecost({ generation });
      const { body } = await asAdmin('GET', `/apis/apps/v1/namespaces/${namespace}/deployments`);
      interface Deployment {
        metadata: { name: string };
        spec: {
          template: {
            spec: {
              serviceAccountName: string;
              containers: { name: string; volumeMounts: { subPath?: string; name: string }[] }[];
            };
          };
        };
      }
      const readers = (body.items as Deployment[]).flatMap(({ metadata, spec }) =>
        spec.template.spec.containers.flatMap(({ name, volumeMounts }) => {
          const mount = volumeMounts.find((one) => one.name === 'cloud-integration');
          return mount ? [[metadata.name, name, mount.subPath, spec.template.spec.serviceAccountName]] : [];
        }),
      );
      const file = 'cloud-integration.json';
      const expected = {
        '1.x': ['kubecost-cost-analyzer', 'cost-model', undefined, 'kubecost-cost-analyzer'],
        '2.x': ['kubecost-cost-analyzer', 'cloud-cost', undefined, 'kubecost-cost-analyzer'],
        '2.x-statefulset': ['kubecost-cloud-cost', 'cloud-cost', undefined, 'kubecost-cost-analyzer'],
        '3.x': ['kubecost-cloud-cost', 'cloud-cost', file, 'kubecost'],
        opencost: ['opencost', 'opencost', file, 'opencost'],
      };
      expect(readers).toEqual([expected[generation]]);
      const [, , , account = ''] = expected[generation];
      expect(it.cluster.kubernetes.get('ServiceAccount', namespace, account)?.metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'Helm',
      });
    },
  );
});
