import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyDocument } from '../../shared/aws/policy-document.ts';
import { podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { listOpenWindows } from '../../shared/targets/admin-windows.ts';
import { markGranted, markRemoving, markUnloaded } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';
import { AccessHarness, type AccessStep, clusterAccountId, payerAccountId, region } from '../support/access-harness.ts';
import type { StepOutcome } from '../support/take-step.ts';

let world: AccessHarness;
beforeEach(async () => {
  world = await AccessHarness.start();
});
afterEach(() => world.close());

const allChanges = (taken: Partial<Record<AccessStep, StepOutcome>>) =>
  Object.values(taken).flatMap(({ done }) => done);
const errorOf = (taken: Partial<Record<AccessStep, StepOutcome>>) =>
  Object.values(taken).find(({ error }) => error)?.error;
const podIdentity = { identity: { mode: 'pod-identity' as const } };
const takeOver = { existing: 'take-over' as const };

function trust(statement: object): PolicyDocument {
  return { Version: '2012-10-17', Statement: [{ Effect: 'Allow', ...statement }] };
}

function makeRole(accountId: string, name: string, document: PolicyDocument, tags: Record<string, string> = {}) {
  return world.world.iam.createRole({ accountId, name, trust: document, tags, settled: true }).arn;
}

describe.each([
  ['irsa', {}, 'pod-chain'],
  ['pod-identity', podIdentity, 'documents'],
])('the access branch with %s', (_, request, level) => {
  it('connects an empty cluster to the payer account and publishes the entry', async () => {
    const taken = await world.takeAll(await world.newRun(request));
    expect(errorOf(taken)).toBeUndefined();
    expect(taken['chain-proof']?.record.output).toMatchObject({ level, secretFormat: 'absent' });
    expect(JSON.parse(world.file() ?? '')).toEqual({
      aws: [
        {
          athenaBucketName: `s3://kubecost-athena-results-${payerAccountId}-us-east-1`,
          athenaRegion: 'us-east-1',
          athenaDatabase: 'athenacurcfn_kubecost_cur',
          athenaTable: 'kubecost_cur',
          athenaWorkgroup: 'primary',
          projectID: payerAccountId,
          masterPayerARN: `arn:aws:iam::${payerAccountId}:role/kubecost-cur-access`,
        },
      ],
    });
    expect(await listOpenWindows()).toEqual([]);
  });

  it('writes nothing in a second run', async () => {
    await world.takeAll(await world.newRun(request));
    const before = world.writes().length;
    const taken = await world.takeAll(await world.newRun(request));
    expect(allChanges(taken)).toEqual([]);
    expect(
      world
        .writes()
        .slice(before)
        .filter((write) => !/review|token/i.test(write)),
    ).toEqual([]);
  });

  it('plans in a dry run and writes nothing', async () => {
    const taken = await world.takeAll(await world.newRun({ ...request, dryRun: true }));
    expect(errorOf(taken)).toBeUndefined();
    expect(allChanges(taken)).toEqual(expect.arrayContaining(['create-access-entry', 'create-role', 'create-secret']));
    expect(world.writes()).toEqual([]);
  });
});

describe('pod-role', () => {
  const serviceAccount = (annotations: Record<string, string>, labels: Record<string, string> = {}) => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    world.cluster.kubernetes.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'kubecost', namespace: 'kubecost', annotations, labels },
    });
  };
  const annotationOf = () =>
    world.cluster.kubernetes.get('ServiceAccount', 'kubecost', 'kubecost')?.metadata.annotations ?? {};
  const take = async (request = {}) => world.takeAll(await world.newRun(request), 'pod-role');

  it('annotates the workload’s service account and warns that Helm manages it', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    const taken = await take();
    const [{ podRoleArn }] = [taken['pod-role']?.record.output as { podRoleArn: string }];
    expect(taken['pod-role']?.done).toContain('annotate-service-account');
    expect(annotationOf()['eks.amazonaws.com/role-arn']).toBe(podRoleArn);
    expect(taken['pod-role']?.record.warnings).toEqual([expect.stringContaining('Helm')]);
  });

  it('names both subjects if the annotated role trusts another service account', async () => {
    const issuer = world.cluster.issuer.replace('https://', '');
    const arn = makeRole(
      clusterAccountId,
      'kubecost-by-hand',
      trust({
        Principal: { Federated: `arn:aws:iam::${clusterAccountId}:oidc-provider/${issuer}` },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: { StringEquals: { [`${issuer}:sub`]: 'system:serviceaccount:kubecost:kubecost-cost-analyzer' } },
      }),
    );
    serviceAccount({ 'eks.amazonaws.com/role-arn': arn });
    const { error } = (await take())['pod-role'] ?? {};
    expect(error).toMatchObject({ code: 'service-account-subject-mismatch' });
    expect(error?.message).toMatch(/kubecost:kubecost-cost-analyzer.*kubecost:kubecost$/);

    const run = await world.newRun(takeOver);
    const taken = await world.takeAll(run);
    expect(errorOf(taken)).toBeUndefined();
    expect(taken['pod-role']?.done).toEqual(['create-oidc-provider', 'update-trust', 'tag-role']);
    expect(taken['pod-role']?.record.output).toMatchObject({ podRoleArn: arn });
    expect(annotationOf()['eks.amazonaws.com/role-arn']).toBe(arn);
  });

  it('refuses an annotated role in another account', async () => {
    serviceAccount({ 'eks.amazonaws.com/role-arn': 'arn:aws:iam::555566667777:role/kubecost' });
    expect((await take(takeOver))['pod-role']?.error).toMatchObject({ code: 'pod-role-not-ours' });
  });

  it('refuses to create a service account unless the request allows it', async () => {
    const taken = await take({ identity: { serviceAccount: { create: false } } });
    expect(taken['pod-role']?.error).toMatchObject({ code: 'service-account-missing' });
  });

  it('adds a missing audience to the OIDC provider', async () => {
    await take();
    for (const provider of world.world.iam.providers.values()) provider.clientIds = ['other'];
    expect((await take())['pod-role']?.done).toEqual(['add-oidc-client']);
  });
});

describe('pod-identity', () => {
  const pods = { Service: 'pods.eks.amazonaws.com' };
  const associate = (document: PolicyDocument) => {
    const roleArn = makeRole(clusterAccountId, 'kubecost-by-hand', document);
    world.cluster.associations.set('a-1', {
      id: 'a-1',
      arn: `arn:aws:eks:${region}:${clusterAccountId}:podidentityassociation/${world.cluster.name}/a-1`,
      namespace: 'kubecost',
      serviceAccount: 'kubecost-serviceaccount',
      roleArn,
      disableSessionTags: false,
      createdAt: 0,
      modifiedAt: 0,
      tags: {},
    });
    return roleArn;
  };
  const take = async (request = {}, available = true) =>
    (await world.takeAll(await world.newRun({ ...podIdentity, ...request }, available), 'pod-identity'))[
      'pod-identity'
    ];

  it('refuses a cluster without the Pod Identity agent', async () => {
    expect((await take({}, false))?.error).toMatchObject({ code: 'pod-identity-agent-missing' });
  });

  it('adds TagSession to a hand-made role only under take-over', async () => {
    const roleArn = associate(trust({ Principal: pods, Action: 'sts:AssumeRole' }));
    expect((await take())?.error).toMatchObject({ code: 'tag-session-missing' });
    const taken = await take(takeOver);
    expect(taken).toMatchObject({ status: 'succeeded', done: ['update-trust', 'tag-role', 'tag-association'] });
    expect(taken?.record.output).toMatchObject({ podRoleArn: roleArn, associationId: 'a-1' });
    expect(await take()).toMatchObject({ status: 'succeeded', done: [] });
  });

  it('refuses a working hand-made association without take-over', async () => {
    associate(trust({ Principal: pods, Action: ['sts:AssumeRole', 'sts:TagSession'] }));
    expect((await take())?.error).toMatchObject({ code: 'association-not-ours' });
  });
});

describe('the pod role of a workload that is installed during the run', () => {
  it.each([
    ['irsa', {}],
    ['pod-identity', podIdentity],
  ])('gets access, and the former pod role keeps its access (%s)', async (mode, request) => {
    const runId = await world.newRun(request);
    const first = await world.takeAll(runId, 'grant');
    expect(errorOf(first)).toBeUndefined();
    const roleStep = mode === 'irsa' ? 'pod-role' : 'pod-identity';
    const roleOf = (taken: typeof first) => (taken[roleStep]?.record.output as { podRoleArn: string }).podRoleArn;
    const target = await world.targetOf(runId);
    const other = { payerRoleArn: 'arn:aws:iam::999988887777:role/kubecost-cur-access', podRoleArn: roleOf(first) };
    await markGranted(target, '999988887777', other);

    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    const again = await world.takeAll(runId, 'grant');
    expect(errorOf(again)).toBeUndefined();
    expect(roleOf(again)).not.toBe(roleOf(first));
    expect(await readTargetSettings(target)).toMatchObject({ identityMode: mode, serviceAccount: 'kubecost' });
    const { iam } = world.world;
    const trust = iam.role(payerAccountId, 'kubecost-cur-access')?.trust.current?.text;
    for (const taken of [first, again]) expect(trust).toContain(`"${roleOf(taken)}"`);
    const { policyArn } = again.grant?.record.output as { policyArn: string };
    const granted = iam.policies.get(policyArn)?.content.current?.text;
    for (const account of [payerAccountId, '999988887777'])
      expect(granted).toContain(`"arn:aws:iam::${account}:role/kubecost-cur-access"`);
    expect(again.grant?.record.warnings).toEqual([expect.stringMatching(/: 999988887777$/)]);
  });
});

describe('grant', () => {
  it('adds and deletes a second policy despite crashes', async () => {
    const runId = await world.newRun();
    await world.takeAll(runId, 'payer-role');
    const { podRoleArn } = podRoleOf((await readRun(runId)) as RunRecord);
    const target = await world.targetOf(runId);
    const others = Array.from({ length: 113 }, (_, index) => String(300_000_000_000 + index));
    const roleArnOf = (account: string) => `arn:aws:iam::${account}:role/kubecost-cur-access`;
    for (const account of others) await markGranted(target, account, { payerRoleArn: roleArnOf(account), podRoleArn });

    const { iam } = world.world;
    const attached = () =>
      [...(iam.role(clusterAccountId, podRoleArn.split('/').at(-1) ?? '')?.attached.values() ?? [])].flatMap(
        ({ current }) => (current ? [current] : []),
      );
    const granted = () =>
      attached().flatMap(({ content }) =>
        [...(content.current?.text ?? '').matchAll(/arn:aws:iam::\d+:role[^"]+/g)].map(([arn]) => arn),
      );
    await world.crash(runId, 'grant', 3);
    expect(granted(), 'the second policy is created but not attached').toHaveLength(113);
    const taken = await world.take(runId, 'grant');
    expect(taken.done).toEqual(['create-policy', 'attach-policy', 'create-policy', 'attach-policy']);
    expect(granted().sort()).toEqual([payerAccountId, ...others].map(roleArnOf));
    expect(attached()).toHaveLength(2);

    await markRemoving(target, others.at(-1) ?? '');
    await markUnloaded(target, others.at(-1) ?? '');
    await world.crash(runId, 'grant', 1);
    expect(iam.policies.size, 'the second policy is detached but not deleted').toBe(2);
    expect(await world.take(runId, 'grant')).toMatchObject({ status: 'succeeded' });
    expect(granted().sort()).toEqual([payerAccountId, ...others.slice(0, -1)].map(roleArnOf));
    expect([...iam.policies.keys()]).toEqual([taken.record.output?.policyArn]);
  });
});

describe('chain-proof', () => {
  const prove = async (request = {}) =>
    (await world.takeAll(await world.newRun(request), 'chain-proof'))['chain-proof'];

  it('reports the denying policy after IAM’s propagation time', async () => {
    const runId = await world.newRun();
    await world.takeAll(runId, 'grant');
    const role = world.world.iam.role(payerAccountId, 'kubecost-cur-access');
    role?.trust.set({ ...role.trust.current, document: trust({}) } as never, 0);
    const taken = await world.take(runId, 'chain-proof');
    expect(taken.error).toMatchObject({ code: 'payer-role-denied', actor: 'payer account owner' });
    expect(taken.error?.message).toContain('120 s');
    expect(taken.seconds).toBeGreaterThanOrEqual(120);
  });

  const others = JSON.stringify({ aws: [], azure: [] });
  it.each<[string, string, object]>([
    ['secret-unparsable', '{"aws": [}', {}],
    [
      'owned-by-another-deployment',
      others,
      {
        labels: {
          'app.kubernetes.io/managed-by': 'kubecost-payer-onboarding',
          'kubecost-payer-onboarding/deployment-id': 'another',
        },
      },
    ],
  ])('refuses a secret that publish could not write: %s', async (code, file, metadata) => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    world.putFile(file, metadata);
    expect((await prove())?.error).toMatchObject({ code });
    expect(world.file()).toBe(file);
  });

  it.each<[owner: string, by: string, metadata: object]>([
    ['Helm', 'its label', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['Argo CD', 'its annotation', { annotations: { 'argocd.argoproj.io/tracking-id': 'x' } }],
    [
      'Argo CD',
      'its field manager',
      {
        labels: { 'app.kubernetes.io/instance': 'finops' },
        managedFields: [
          { manager: 'argocd-controller', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1' },
        ],
      },
    ],
    ['Flux', 'its label', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }],
    ['ExternalSecret x', 'an owner reference', { ownerReferences: [{ kind: 'ExternalSecret', name: 'x' }] }],
    [
      'External Secrets',
      'a label without an owner reference',
      { labels: { 'reconcile.external-secrets.io/created-by': '0c1d2e' } },
    ],
  ])('refuses a secret that belongs to %s according to %s', async (owner, _, metadata) => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    world.putFile(others, metadata);
    expect((await prove())?.error).toMatchObject({
      code: 'secret-owned-elsewhere',
      message: expect.stringContaining(`belongs to ${owner}`) as string,
      remedy: expect.stringContaining('kubecost.publish: artifacts') as string,
    });
    expect(world.file()).toBe(others);
  });

  it('refuses a payer with an entry under another key without take-over', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    const entry = {
      athenaBucketName: 's3://by-hand',
      athenaRegion: 'us-east-1',
      athenaDatabase: 'd',
      athenaTable: 't',
      athenaWorkgroup: 'primary',
      projectID: payerAccountId,
      masterPayerARN: `arn:aws:iam::${payerAccountId}:role/kubecost-cur-access`,
    };
    world.putFile(JSON.stringify({ aws: [entry] }));
    const refused = await prove();
    expect(refused?.error).toMatchObject({ code: 'payer-already-integrated' });
    expect(refused?.error?.message).toContain(`${payerAccountId}/s3://by-hand`);
    expect((await prove(takeOver))?.status).toBe('succeeded');
  });
});

describe('publish', () => {
  const azureKey = 'azure-storage-access-key';
  const azure = [
    {
      azureSubscriptionID: 'sub',
      azureStorageAccount: 'account',
      azureStorageAccessKey: azureKey,
      azureStorageContainer: 'container',
      azureContainerPath: '',
      azureCloud: 'public',
    },
  ];

  it('changes only the entry and records no values of other clouds', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    const before = `{\n\t"azure": ${JSON.stringify(azure)},\n\t"aws": []\n}\n`;
    world.putFile(before, { labels: { team: 'finops' } });
    const runId = await world.newRun();
    const taken = await world.takeAll(runId);
    expect(errorOf(taken)).toBeUndefined();
    expect(taken.publish?.done).toEqual(['keep-previous', 'update-secret', 'restart-workload']);
    expect(world.file()?.startsWith(before.slice(0, before.indexOf('[]')))).toBe(true);
    expect(world.file('kubecost', 'cloud-integration-previous')).toBe(before);
    expect(world.cluster.kubernetes.get('Secret', 'kubecost', 'cloud-integration')?.metadata.labels).toEqual({
      team: 'finops',
    });
    expect(taken.publish?.record.output).toMatchObject({ otherKeys: ['sub/container'] });
    expect(JSON.stringify(await readRun(runId))).not.toContain(azureKey);
  });

  it('restores an entry that somebody else removed', async () => {
    await world.takeAll(await world.newRun());
    world.putFile('{"aws":[]}');
    await world.takeAll(await world.newRun());
    expect(JSON.parse(world.file() ?? '')).toMatchObject({ aws: [{ projectID: payerAccountId }] });
  });

  it('plans again when somebody else edits the file at the same time', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    world.putFile('{"aws":[]}');
    const runId = await world.newRun();
    await world.takeAll(runId, 'chain-proof');
    world.world.faults.push({
      operation: 'PUT secrets',
      times: 1,
      kind: { code: 'Conflict', message: 'the object has been modified', status: 409 },
    });
    expect(await world.take(runId, 'publish')).toMatchObject({ status: 'succeeded' });
    expect(JSON.parse(world.file() ?? '')).toMatchObject({ aws: [{ projectID: payerAccountId }] });
  });

  it('replaces the entry when the payer’s results location changes', async () => {
    await world.takeAll(await world.newRun());
    const results = `s3://moved-${payerAccountId}`;
    const runId = await world.newRun({}, true, { athenaResultsLocation: results });
    const taken = await world.takeAll(runId);
    expect(errorOf(taken)).toBeUndefined();
    expect(JSON.parse(world.file() ?? '')).toMatchObject({ aws: [{ athenaBucketName: results }] });
    expect((JSON.parse(world.file() ?? '') as { aws: unknown[] }).aws).toHaveLength(1);
  });

  it.each([1, 2])('recovers from a crash after write %i', async (n) => {
    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    world.putFile('{"aws":[]}');
    const runId = await world.newRun();
    await world.takeAll(runId, 'chain-proof');
    await world.crash(runId, 'publish', n);
    expect(await world.take(runId, 'publish')).toMatchObject({ status: 'succeeded' });
    expect(world.file('kubecost', 'cloud-integration-previous')).toBe('{"aws":[]}');
    expect(JSON.parse(world.file() ?? '')).toMatchObject({ aws: [{ projectID: payerAccountId }] });
  });
});
