/** The offboarding steps for the cluster: the pods' role, its policies and our own access. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { payerRolesOf } from '../../shared/access/grant-policy.ts';
import { roleAnnotation } from '../../shared/access/service-account.ts';
import { grantPolicyName, podRoleName } from '../../shared/aws/names.ts';
import { ownerLabels } from '../../shared/kubernetes/ownership-labels.ts';
import type { OffboardingRequestInput, OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepRecord } from '../../shared/model/run-schemas.ts';
import type { Removal } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { now } from '../../shared/platform/clock.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import { listOpenWindows } from '../../shared/targets/admin-windows.ts';
import { deleteTargetPayer, listTargetPayers, markRemoving } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';
import { crashAfterWrite, SettlingValue, shownTrust, typeOfKind } from '../sandbox/index.ts';
import { AccessHarness, clusterAccountId, payerAccountId } from '../support/access-harness.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { storedRun } from '../support/stored-runs.ts';
import { invokeStep, takeStep } from '../support/take-step.ts';

const secondPayer = '111122223344';
const groupName = 'kubecost-payer-onboarding';
const serviceAccount = 'kubecost-serviceaccount';

const names = ['remove-pod-role', 'remove-grant', 'remove-access'] as const;
type Name = (typeof names)[number];

interface Taken {
  record: StepRecord;
  output: Removal;
  /** Requests that changed an account or the cluster, or tried to. */
  writes: string[];
}

let access: AccessHarness;
beforeEach(async () => {
  access = await AccessHarness.start();
  deployProvisioner(access.world, 'payer', secondPayer);
});
afterEach(async () => {
  await access.close();
  vi.restoreAllMocks();
});

/** Onboards a payer as far as the cluster is concerned, without publishing. */
async function onboard(request: Partial<OnboardingRequestInput> = {}): Promise<Target> {
  const runId = await access.newRun(request);
  const taken = await access.takeAll(runId, 'grant');
  for (const [name, { error }] of Object.entries(taken)) expect(error, name).toBeUndefined();
  return targetOf((await storedRun(runId)).request);
}

/** An offboarding run whose entry is gone and whose inventory is done. */
async function newRun(request: Partial<OffboardingRequestInput> = {}, clusterExists = true): Promise<string> {
  const runId = await access.newOffboarding(request, clusterExists ? {} : { cluster: null });
  const run = await readRun(runId);
  if (run && !run.request.dryRun) await markRemoving(targetOf(run.request), run.request.payerAccountId);
  return runId;
}

/** Takes a step that must succeed to its end. */
async function take(runId: string, name: Name): Promise<Taken> {
  const { thrown, record, calls } = await takeStep(access.sandbox, runId, name);
  if (thrown) throw thrown;
  return {
    record,
    output: record.output as unknown as Removal,
    writes: calls.filter(({ writes }) => writes).map(({ service, operation }) => `${service}:${operation}`),
  };
}

async function offboard(request: Partial<OffboardingRequestInput> = {}): Promise<Record<Name, Taken>> {
  const runId = await newRun(request);
  const taken: Partial<Record<Name, Taken>> = {};
  for (const name of names) taken[name] = await take(runId, name);
  return taken as Record<Name, Taken>;
}

const iam = () => access.world.iam;
const podRoleNameHere = () => podRoleName(access.cluster.arn, 'kubecost', serviceAccount);
const podRole = () => iam().role(clusterAccountId, podRoleNameHere());
const podRoleArn = () => `arn:aws:iam::${clusterAccountId}:role/${podRoleNameHere()}`;
const policyArn = () =>
  `arn:aws:iam::${clusterAccountId}:policy/${grantPolicyName(access.cluster.arn, 'kubecost', serviceAccount)}`;
const payerRoleArn = (payer: string) => `arn:aws:iam::${payer}:role/kubecost-cur-access`;
const granted = () => {
  const text = iam().policies.get(policyArn())?.content.current?.text;
  return text === undefined ? [] : payerRolesOf(JSON.parse(text) as never);
};
const object = (kind: string, name: string, namespace: string | undefined = 'kubecost') =>
  access.cluster.kubernetes.get(kind, namespace, name);
const items = async (target: Target) => (await listTargetPayers(target)).map((item) => item.payerAccountId);

/** The content of the cluster and its account, to compare before and after an offboarding. */
function clusterSide(): object {
  const { kubernetes, accessEntries, associations } = access.cluster;
  const { store } = kubernetes;
  const roles = iam().roles(clusterAccountId);
  return {
    roles: roles.map(({ name, tags, trust, attached }) => ({
      name,
      tags: [...tags],
      trust: trust.current && shownTrust(trust.current, iam()),
      attached: [...attached].flatMap(([arn, policy]) => (policy.current ? [arn] : [])),
    })),
    policies: [...iam().policies.keys()].filter((arn) => arn.includes(clusterAccountId)),
    accessEntries: [...accessEntries.values()].map(({ principalArn, policies }) => [
      principalArn,
      [...policies.keys()],
    ]),
    associations: [...associations.values()].map(({ roleArn, tags }) => ({ roleArn, tags })),
    objects: ['Namespace', 'Role', 'RoleBinding', 'ServiceAccount', 'Secret'].flatMap((kind) =>
      store
        .list(typeOfKind(kind))
        .map(({ metadata: { namespace = '', name, annotations } }) => [kind, namespace, name, annotations ?? {}]),
    ),
  };
}

describe('offboarding the last payer of a cluster', () => {
  it('leaves only the OIDC provider', async () => {
    const agent = { name: 'eks-pod-identity-agent', arn: 'arn', status: 'ACTIVE', createdAt: 0, tags: {} } as const;
    access.cluster.addons.set(agent.name, agent);
    const before = clusterSide();
    for (const mode of ['irsa', 'pod-identity'] as const) {
      const target = await onboard({ identity: { mode } });
      expect(await readTargetSettings(target)).toMatchObject({ identityMode: mode });
      expect(granted()).toEqual([payerRoleArn(payerAccountId)]);
      const taken = await offboard();
      expect(clusterSide(), mode).toEqual(before);
      expect(await items(target)).toEqual([]);
      expect(await readTargetSettings(target)).toBeUndefined();
      expect(await listOpenWindows()).toEqual([]);
      expect(taken['remove-pod-role'].output).toEqual({
        removed: expect.arrayContaining([policyArn(), podRoleArn()]) as string[],
        kept: [],
      });
      expect(taken['remove-access'].output).toEqual({
        removed: expect.arrayContaining([`Role kubecost/${groupName}`, 'Namespace kubecost']) as string[],
        kept: [],
      });
    }
    expect([...iam().providers.keys()]).toHaveLength(1);

    const again = await offboard();
    expect(names.flatMap((name) => again[name].writes)).toEqual([]);
    expect(clusterSide()).toEqual(before);
  });

  it('keeps the namespace and the service account that pods run as', async () => {
    await onboard();
    access.cluster.kubernetes.installKubecost({ generation: '3.x', serviceAccount } as never);
    const { output } = (await offboard())['remove-access'];
    expect(object('Role', groupName)).toBeUndefined();
    expect(access.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeDefined();
    expect(output.kept).toContainEqual({
      resource: 'Namespace kubecost',
      why: expect.stringMatching(/^it holds /) as string,
    });
  });

  it('keeps objects that the cluster’s owner applied and names the command', async () => {
    await onboard();
    for (const kind of ['Role', 'RoleBinding']) {
      const found = object(kind, groupName);
      if (found) access.cluster.kubernetes.apply({ ...found, metadata: { ...found.metadata, labels: {} } });
    }
    const { output } = (await offboard())['remove-access'];
    expect(object('Role', groupName)).toBeDefined();
    expect(output.kept).toContainEqual({
      resource: `Role kubecost/${groupName}`,
      why: expect.stringContaining(`kubectl delete role ${groupName} --namespace kubecost`) as string,
    });
    expect(access.cluster.accessEntries.size).toBe(0);
  });

  it('keeps the Role if we may not become administrator', async () => {
    await onboard();
    access.world.faults.push({ service: 'eks', operation: 'AssociateAccessPolicy', kind: 'denied' });
    const { output } = (await offboard())['remove-access'];
    expect(object('Role', groupName)).toBeDefined();
    expect(output.kept).toEqual([
      {
        resource: `Role kubecost/${groupName}`,
        why: expect.stringContaining(`kubectl delete rolebinding,role ${groupName} --namespace kubecost`) as string,
      },
    ]);
    expect(access.cluster.accessEntries.size).toBe(0);
    expect(await listOpenWindows()).toEqual([]);
  });

  it('keeps objects that a policy protects, and closes the window', async () => {
    await onboard();
    access.cluster.kubernetes.admission.rules.push({ kind: 'Role', operation: 'DELETE', message: 'Roles stay' });
    const { output } = (await offboard())['remove-access'];
    expect(output.kept).toContainEqual({
      resource: `Role kubecost/${groupName}`,
      why: expect.stringContaining('Roles stay') as string,
    });
    expect(access.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeDefined();
    expect(await listOpenWindows()).toEqual([]);
  });

  it.each([
    ['is deleted with its copy if it is empty', '{"aws": []}', false],
    ['stays if others have added entries', '{"azure": [{"azureStorageAccount": "theirs"}]}', true],
    ['stays if its content cannot be parsed', '{"aws": [', true],
  ])('ensures that our unmounted secret %s', async (_, text, stays) => {
    await onboard();
    for (const name of ['cloud-integration', 'cloud-integration-previous'])
      access.putFile(text, { labels: ownerLabels({ deploymentId: 'sandbox' }) }, 'kubecost', name);
    const { output } = (await offboard())['remove-access'];
    expect(object('Secret', 'cloud-integration') !== undefined).toBe(stays);
    expect(object('Secret', 'cloud-integration-previous')).toBeUndefined();
    expect(access.cluster.kubernetes.get('Namespace', undefined, 'kubecost') !== undefined).toBe(stays);
    const why = 'it holds what others have put there';
    expect(output.kept.filter(({ resource }) => resource === 'Secret kubecost/cloud-integration')).toEqual(
      stays ? [{ resource: 'Secret kubecost/cloud-integration', why }] : [],
    );
  });

  it('deletes the target and the pod role of a deleted cluster', async () => {
    const target = await onboard();
    const runId = await newRun({}, false);
    for (const name of names) await take(runId, name);
    expect(podRole()).toBeUndefined();
    expect(iam().policies.has(policyArn())).toBe(false);
    expect(await items(target)).toEqual([]);
    expect(await readTargetSettings(target)).toBeUndefined();
  });
});

describe('offboarding a payer that is not the last', () => {
  it('removes only its own role from the policy', async () => {
    await onboard();
    const target = await onboard({ payerAccountId: secondPayer });
    const first = await offboard();
    expect(granted()).toEqual([payerRoleArn(secondPayer)]);
    expect(podRole()).toBeDefined();
    expect(first['remove-pod-role'].output.kept).toEqual([
      { resource: podRoleArn(), why: expect.stringContaining(secondPayer) as string },
    ]);
    expect(first['remove-access'].writes).toEqual([]);
    expect(await items(target)).toEqual([secondPayer]);
    await offboard({ payerAccountId: secondPayer });
    expect(podRole()).toBeUndefined();
    expect(access.cluster.accessEntries.size).toBe(0);
    expect(await items(target)).toEqual([]);
  });

  it('keeps the access of payers that the table has lost', async () => {
    await onboard();
    const target = await onboard({ payerAccountId: secondPayer });
    await markRemoving(target, secondPayer);
    await deleteTargetPayer(target, secondPayer);
    const { output } = (await offboard())['remove-pod-role'];
    expect(podRole()).toBeDefined();
    expect(granted()).toEqual([payerRoleArn(secondPayer)]);
    expect(output.kept).toEqual([
      { resource: podRoleArn(), why: `its policies still name ${payerRoleArn(secondPayer)}` },
    ]);
  });

  it('keeps what a second secret of the namespace needs', async () => {
    await onboard();
    const kubecost = { secretName: 'second' };
    await onboard({ kubecost });
    const first = await offboard();
    expect(podRole()).toBeDefined();
    expect(granted()).toEqual([payerRoleArn(payerAccountId)]);
    const text = JSON.stringify(object('Role', groupName));
    expect(text).toContain('"second"');
    expect(text).not.toContain('"cloud-integration"');
    expect(first['remove-access'].output.kept).toContainEqual({
      resource: `Role kubecost/${groupName}`,
      why: 'secret kubecost/second still needs it',
    });
    await offboard({ kubecost });
    expect(podRole()).toBeUndefined();
    expect(access.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeUndefined();
    expect(access.cluster.accessEntries.size).toBe(0);
  });

  it('keeps the access entry if another namespace needs it', async () => {
    await onboard();
    const kubecost = { namespace: 'opencost' };
    await onboard({ kubecost });
    await offboard();
    expect(access.cluster.kubernetes.get('Namespace', undefined, 'kubecost')).toBeUndefined();
    expect(access.cluster.accessEntries.size).toBe(1);
    await offboard({ kubecost });
    expect(access.cluster.accessEntries.size).toBe(0);
  });
});

describe('offboarding the pod role', () => {
  const byHand = {
    Version: '2012-10-17',
    Statement: [{ Sid: 'ByHand', Effect: 'Allow', Principal: { AWS: clusterAccountId }, Action: 'sts:AssumeRole' }],
  };

  it('restores a role that a run took over', async () => {
    iam().createRole({ accountId: clusterAccountId, name: podRoleNameHere(), trust: byHand, settled: true });
    const before = clusterSide();
    await onboard({ existing: 'take-over' });
    expect(podRole()?.tags.size).toBeGreaterThan(0);
    const { output } = (await offboard())['remove-pod-role'];
    expect(clusterSide()).toEqual(before);
    expect(output.kept).toEqual([{ resource: podRoleArn(), why: 'adopted: kept unless purge names pod-role' }]);
  });

  it('deletes a role that a run took over if purge names it', async () => {
    iam().createRole({
      accountId: clusterAccountId,
      name: podRoleNameHere(),
      trust: byHand,
      inline: {
        notes: {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: 's3:ListAllMyBuckets', Resource: '*' }],
        },
      },
      settled: true,
    });
    await onboard({ existing: 'take-over' });
    await offboard({ purge: ['pod-role'] });
    expect(podRole()).toBeUndefined();
  });

  it('deletes a role in Helm values but not its annotation', async () => {
    await onboard();
    const account = object('ServiceAccount', serviceAccount);
    const annotations = { [roleAnnotation]: podRoleArn() };
    if (account) access.cluster.kubernetes.apply({ ...account, metadata: { ...account.metadata, annotations } });
    const { output } = await take(await newRun(), 'remove-pod-role');
    expect(podRole()).toBeUndefined();
    expect(output.removed).toContain(podRoleArn());
    expect(output.kept).toEqual([
      {
        resource: `ServiceAccount kubecost/${serviceAccount}`,
        why: expect.stringContaining('remove the annotation from the Helm values') as string,
      },
    ]);
    expect(object('ServiceAccount', serviceAccount)?.metadata.annotations).toEqual(annotations);
  });

  it('keeps a role with a foreign policy', async () => {
    await onboard();
    const policy = iam().attachablePolicy('arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole');
    if (!policy) throw new Error('the sandbox has no such policy');
    podRole()?.attached.set(policy.arn, new SettlingValue(policy, now()));
    const { output } = await take(await newRun(), 'remove-pod-role');
    expect(podRole()).toBeDefined();
    expect(output.kept).toEqual([{ resource: podRoleArn(), why: expect.stringContaining(policy.arn) as string }]);
    expect(object('ServiceAccount', serviceAccount)?.metadata.annotations?.[roleAnnotation]).toBe(podRoleArn());
  });
});

describe('offboarding in a dry run', () => {
  it('plans every deletion and makes none', async () => {
    await onboard();
    const before = clusterSide();
    const taken = await offboard({ dryRun: true });
    expect(names.flatMap((name) => taken[name].writes)).toEqual([]);
    expect(clusterSide()).toEqual(before);
    expect(taken['remove-pod-role'].output.removed).toEqual([policyArn(), podRoleArn()]);
    expect(taken['remove-grant'].output.removed).toEqual([]);
    expect(taken['remove-access'].record.changes.map((change) => change.do)).toContain('delete-access-entry');
  });
});

describe('offboarding with faults', () => {
  it('reaches the same result after a crash in each step', async () => {
    const before = clusterSide();
    for (const n of [1, 2, 4]) {
      const target = await onboard();
      const runId = await newRun();
      for (const name of names) {
        const restart = crashAfterWrite(access.world, n);
        await invokeStep(access.sandbox, runId, name).catch(() => undefined);
        restart();
        await take(runId, name);
      }
      expect(clusterSide(), `write ${n}`).toEqual(before);
      expect(await items(target), `write ${n}`).toEqual([]);
      expect(await listOpenWindows(), `write ${n}`).toEqual([]);
    }
  });

  it('reaches the same result after lost answers', async () => {
    const before = clusterSide();
    const target = await onboard();
    access.world.faults.push({ writes: true, nth: 'every-2', kind: 'applied-but-lost' });
    const taken = await offboard();
    expect(clusterSide()).toEqual(before);
    expect(await items(target)).toEqual([]);
    expect(names.flatMap((name) => taken[name].output.kept)).toEqual([]);
  });
});
