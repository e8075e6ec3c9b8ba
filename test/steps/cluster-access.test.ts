import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { steps } from '../../functions/steps/index.ts';
import {
  defaultNames,
  givesRight,
  mergeRules,
  rightsOf,
  rules,
  rulesFor,
} from '../../shared/cluster/provisioner-role.ts';
import type { KubernetesRule, Step } from '../../shared/step/contract.ts';
import { listOpenWindows, markWindowOpen } from '../../shared/targets/admin-windows.ts';
import { AccessHarness, clusterAccountId, region } from '../support/access-harness.ts';
import { applyManifest, createAccessEntry } from '../support/cluster-owner.ts';

const principalArn = `arn:aws:iam::${clusterAccountId}:role/kubecost-payer-onboarding/kubecost-cluster-provisioner`;
const viewPolicyArn = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy';
const scope = { namespace: 'kubecost', secretName: 'cloud-integration', ...defaultNames };

describe('the Role', () => {
  it('gives exactly the rights that the steps declare', () => {
    const declared = Object.values<Step>(steps).flatMap(({ permissions }) => permissions.kubernetes ?? []);
    expect(new Set(declared)).toEqual(new Set(Object.values<KubernetesRule>(rules)));
  });

  it('limits rights to object names where Kubernetes allows it', () => {
    const unnamed = rulesFor(scope).filter(({ resourceNames }) => !resourceNames);
    const avoidable = unnamed.filter(({ verbs }) => !verbs.every((verb) => ['create', 'list'].includes(verb)));
    expect(avoidable.flatMap(({ resources }) => resources)).toEqual(['pods/log']);
    expect(rulesFor(scope).flatMap(({ resourceNames }) => resourceNames ?? [])).not.toContainEqual(
      expect.stringContaining('$'),
    );
  });

  it('gains rights for another secret and loses none', () => {
    const before = rulesFor(scope);
    const more = rulesFor({
      ...scope,
      secretName: 'second',
      serviceAccounts: ['opencost', 'third'],
      workloads: ['finops-cost-analyzer'],
      statusServices: ['http:finops-cloud-cost:9005'],
    });
    const merged = mergeRules(before, more);
    for (const right of [...before, ...more].flatMap(rightsOf)) expect(givesRight(merged, right)).toBe(true);
    expect(merged).toHaveLength(before.length);
    expect(mergeRules(merged, more)).toEqual(merged);
  });
});

describe('cluster-access', () => {
  let world: AccessHarness;
  beforeEach(async () => {
    world = await AccessHarness.start();
  });
  afterEach(() => world.close());

  const take = async (request = {}) => world.take(await world.newRun(request), 'cluster-access');
  const policies = () => [...(world.cluster.accessEntries.get(principalArn)?.policies.keys() ?? [])];
  const roleText = () => JSON.stringify(world.cluster.kubernetes.get('Role', 'kubecost', 'kubecost-payer-onboarding'));
  const expectShut = async () => {
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
  };

  it('is administrator only while it creates missing objects', async () => {
    const taken = await take();
    expect(taken.status).toBe('succeeded');
    expect(taken.done).toEqual([
      'create-access-entry',
      'open-admin-window',
      'create-namespace',
      'create-role',
      'create-role-binding',
      'close-admin-window',
    ]);
    await expectShut();
    expect(world.cluster.accessEntries.get(principalArn)?.groups).toEqual(['kubecost-payer-onboarding']);
  });

  it('changes nothing in a second run', async () => {
    await take();
    const before = world.writes().length;
    expect(await take()).toMatchObject({ status: 'succeeded', done: [] });
    expect(
      world
        .writes()
        .slice(before)
        .filter((write) => write.startsWith('eks:')),
    ).toEqual([]);
  });

  it('never becomes administrator if the owner has applied the manifest', async () => {
    applyManifest(world.cluster, scope);
    expect(await take()).toMatchObject({ status: 'succeeded', done: ['create-access-entry'] });
    expect(world.writes()).not.toContain('eks:AssociateAccessPolicy');
  });

  it('adds the rights of another service account to the Role', async () => {
    await take();
    const taken = await take({ identity: { serviceAccount: { name: 'cost-reader' } } });
    expect(taken.done).toEqual(['open-admin-window', 'update-role', 'close-admin-window']);
    expect(roleText()).toContain('cost-reader');
    await expectShut();
  });

  it('adds only the discovered release to the Role in a second window', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '2.x-statefulset', release: 'finops' });
    const runId = await world.newRun();
    await world.take(runId, 'cluster-access');
    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: 'cluster-access' });
    const again = await world.take(runId, 'cluster-access');
    expect(again.status).toBe('succeeded');
    expect(again.done.slice(5)).toEqual(['open-admin-window', 'update-role', 'close-admin-window']);
    expect(again.record.output).toMatchObject({
      serviceAccounts: expect.arrayContaining(['kubecost-serviceaccount', 'finops-cost-analyzer']) as string[],
      workloads: expect.arrayContaining(['opencost', 'finops-cloud-cost']) as string[],
      statusServices: expect.arrayContaining(['http:opencost:9003', 'http:finops-cloud-cost:9005']) as string[],
    });
    expect(roleText()).toContain('finops-cloud-cost');
    await expectShut();

    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: '' });
    expect((await world.take(runId, 'cluster-access')).done).toEqual(again.done);
  });

  it('refuses a missing namespace and closes the window', async () => {
    const taken = await take({ kubecost: { createNamespace: false } });
    expect(taken.error).toMatchObject({ code: 'namespace-missing' });
    expect(taken.done).toEqual(['create-access-entry', 'open-admin-window', 'close-admin-window']);
    expect(world.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeUndefined();
    await expectShut();
  });

  it('writes nothing if it can read that the namespace is missing', async () => {
    await createAccessEntry(world.sandbox, world.cluster, principalArn);
    await world.world.clock.sleep(world.world.eks.accessEntryMs);
    world.cluster.accessEntries.get(principalArn)?.knownGrants.set([{ policyArn: viewPolicyArn }], 0);
    const taken = await take({ kubecost: { createNamespace: false } });
    expect(taken.error).toMatchObject({ code: 'namespace-missing' });
    expect(taken.done).toEqual([]);
  });

  it('uses an existing namespace', async () => {
    world.cluster.kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
    const taken = await take({ kubecost: { createNamespace: false } });
    expect(taken.status).toBe('succeeded');
    expect(taken.done).not.toContain('create-namespace');
  });

  it.each(['Namespace', 'Role', 'RoleBinding'])('ends with the policy’s message if it rejects the %s', async (kind) => {
    world.cluster.kubernetes.admission.rules.push({ kind, message: 'objects come from the platform team' });
    const taken = await take();
    expect(taken.error).toMatchObject({
      code: 'admission-denied',
      message: expect.stringContaining('objects come from the platform team') as string,
    });
    expect(taken.done.at(-1)).toBe('close-admin-window');
    await expectShut();
  });

  it('waits for the administrator’s rights, then closes the window', async () => {
    world.world.eks.accessPolicyMs = 12_000;
    const taken = await take();
    expect(taken.status).toBe('succeeded');
    expect(taken.seconds).toBeGreaterThan(12);
    await expectShut();
  });

  it.each(['AssociateAccessPolicy', 'CreateAccessEntry'])(
    'refers to the manifest if AWS denies %s',
    async (operation) => {
      world.world.faults.push({ service: 'eks', operation, kind: 'denied' });
      const { error } = await take();
      expect(error).toMatchObject({
        code: 'cluster-setup-denied',
        message: expect.stringContaining(`eks:${operation}`) as string,
        remedy: expect.stringContaining('/artifacts') as string,
      });
      expect(await listOpenWindows()).toEqual([]);
      expect(world.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeUndefined();
    },
  );

  it('writes nothing if the owner has created entry and objects', async () => {
    await createAccessEntry(world.sandbox, world.cluster, principalArn);
    applyManifest(world.cluster, scope);
    for (const operation of ['AssociateAccessPolicy', 'CreateAccessEntry'])
      world.world.faults.push({ service: 'eks', operation, kind: 'denied' });
    expect(await take()).toMatchObject({ status: 'succeeded', done: [] });
    expect(await listOpenWindows()).toEqual([]);
  });

  it('refuses namespaces that are not allowed', async () => {
    expect((await take({ kubecost: { namespace: 'kube-system' } })).error).toMatchObject({
      code: 'namespace-not-allowed',
    });
    expect(world.writes()).toEqual([]);
  });

  it('does not change an access entry with other groups', async () => {
    await take();
    const entry = world.cluster.accessEntries.get(principalArn);
    if (entry) entry.groups = ['admins'];
    expect((await take()).error).toMatchObject({ code: 'access-entry-not-ours' });
  });

  it('waits while another run is administrator', async () => {
    const window = { clusterAccountId, region, clusterName: world.cluster.name, principalArn, runId: 'another' };
    await markWindowOpen(world.cluster.arn, { ...window, openedAt: world.world.clock.now() - 9 * 60_000 });
    const runId = await world.newRun();
    const taken = await world.take(runId, 'cluster-access');
    expect(taken.done[0]).toBe('close-admin-window');
    expect(taken.seconds).toBeGreaterThan(50);
    expect(taken.status).toBe('succeeded');
    await expectShut();
  });

  it.each([1, 2, 3, 4, 5, 6])('continues after a crash at write %i and closes the window', async (n) => {
    const runId = await world.newRun();
    await world.crash(runId, 'cluster-access', n);
    const taken = await world.take(runId, 'cluster-access');
    expect(taken.status).toBe('succeeded');
    await expectShut();
  });
});
