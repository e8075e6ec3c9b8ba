import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { renderClusterManifest } from '../../shared/cluster-manifest.ts';
import {
  defaultServiceAccounts,
  givesRight,
  mergeRules,
  rightsOf,
  rules,
  rulesFor,
} from '../../shared/cluster-role.ts';
import { listOpenWindows, markWindowOpen } from '../../shared/target-store.ts';
import { AccessWorld, clusterAccountId, region, steps } from './access-world.ts';
import type { KubernetesRule, Step } from '../../shared/step.ts';
import type { SeedObject } from '../sandbox/kubernetes/objects.ts';

const principalArn = `arn:aws:iam::${clusterAccountId}:role/kubecost-payer-onboarding/kubecost-cluster-provisioner`;
const scope = { namespace: 'kubecost', secretName: 'cloud-integration', serviceAccounts: defaultServiceAccounts };

describe('the Role', () => {
  it('gives exactly what the steps declare', () => {
    const declared = Object.values<Step>(steps).flatMap(({ permissions }) => permissions.kubernetes ?? []);
    expect(new Set(declared)).toEqual(new Set(Object.values<KubernetesRule>(rules)));
  });

  it('names its objects wherever Kubernetes allows it', () => {
    const unnamed = rulesFor(scope).filter(({ resourceNames }) => !resourceNames);
    expect(unnamed.flatMap(({ verbs }) => verbs).every((verb) => ['create', 'list'].includes(verb))).toBe(true);
    expect(rulesFor(scope).flatMap(({ resourceNames }) => resourceNames ?? [])).not.toContainEqual(
      expect.stringContaining('$'),
    );
  });

  it('grows for another secret in the namespace and takes nothing away', () => {
    const before = rulesFor(scope);
    const more = rulesFor({ ...scope, secretName: 'second', serviceAccounts: ['opencost', 'third'] });
    const merged = mergeRules(before, more);
    for (const right of [...before, ...more].flatMap(rightsOf)) expect(givesRight(merged, right)).toBe(true);
    expect(merged).toHaveLength(before.length);
    expect(mergeRules(merged, more)).toEqual(merged);
  });
});

describe('cluster-access', () => {
  let world: AccessWorld;
  beforeEach(async () => {
    world = await AccessWorld.start();
  });
  afterEach(() => world.close());

  const take = async (request = {}) => world.take(await world.newRun(request), 'cluster-access');
  const policies = () => [...(world.cluster.accessEntries.get(principalArn)?.policies.keys() ?? [])];
  const expectShut = async () => {
    expect(policies()).toEqual([]);
    expect(await listOpenWindows()).toEqual([]);
  };

  it('is administrator only while it makes what is missing', async () => {
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

  it('changes nothing the second time', async () => {
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

  it('never becomes administrator where the owner has applied the manifest', async () => {
    for (const document of parseAllDocuments(renderClusterManifest(scope)))
      world.cluster.kubernetes.apply(document.toJS() as SeedObject);
    expect(await take()).toMatchObject({ status: 'succeeded', done: ['create-access-entry'] });
    expect(world.writes()).not.toContain('eks:AssociateAccessPolicy');
  });

  it('adds to the Role what another service account needs', async () => {
    await take();
    const taken = await take({ identity: { serviceAccount: { name: 'cost-reader' } } });
    expect(taken.done).toEqual(['open-admin-window', 'update-role', 'close-admin-window']);
    expect(JSON.stringify(world.cluster.kubernetes.get('Role', 'kubecost', 'kubecost-payer-onboarding'))).toContain(
      'cost-reader',
    );
    await expectShut();
  });

  it('waits for the administrator’s rights to take effect, and shuts the window after it', async () => {
    world.world.eks.accessPolicyMs = 12_000;
    const taken = await take();
    expect(taken.status).toBe('succeeded');
    expect(taken.seconds).toBeGreaterThan(12);
    await expectShut();
  });

  it('points to the manifest where it may not become administrator', async () => {
    world.world.faults.push({ service: 'eks', operation: 'AssociateAccessPolicy', kind: 'denied' });
    expect((await take()).error).toMatchObject({ code: 'namespace-missing' });
    expect(await listOpenWindows()).toEqual([]);
  });

  it('keeps out of namespaces that are not allowed', async () => {
    expect((await take({ kubecost: { namespace: 'kube-system' } })).error).toMatchObject({
      code: 'namespace-not-allowed',
    });
    expect(world.writes()).toEqual([]);
  });

  it('leaves an access entry with other groups alone', async () => {
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

  it.each([1, 2, 3, 4, 5, 6])(
    'goes on where a crash after write %i left it, and ends with the window shut',
    async (n) => {
      const runId = await world.newRun();
      await world.crash(runId, 'cluster-access', n);
      const taken = await world.take(runId, 'cluster-access');
      expect(taken.status).toBe('succeeded');
      await expectShut();
    },
  );
});
