import { describe, expect, it } from 'vitest';
import { payerRolesGrant } from '../../../shared/access/grant-policy.ts';
import type { PodRole } from '../../../shared/access/pod-role.ts';
import { podIdentityTrust } from '../../../shared/access/pod-trust.ts';
import { roleAnnotation } from '../../../shared/access/service-account.ts';
import { policyOf } from '../../../shared/aws/policy-document.ts';
import type { Change } from '../../../shared/model/run-schemas.ts';
import { decidePodRoles, type PodRoleUse } from '../../../shared/offboarding/pod-access-decisions.ts';

const account = '222233334444';
const departing = '111122223333';
const staying = '555566667777';
const target = {
  clusterArn: `arn:aws:eks:eu-west-1:${account}:cluster/finops`,
  namespace: 'kubecost',
  secretName: 's',
};
const pod = {
  clusterArn: target.clusterArn,
  namespace: target.namespace,
  serviceAccount: 'kubecost',
  payerAccountId: departing,
  purge: false,
};
const roleArn = `arn:aws:iam::${account}:role/kubecost-kubecost-0a1b2c3d`;
const payerRole = (payer: string) => `arn:aws:iam::${payer}:role/kubecost-cur-access`;
const policyArn = `arn:aws:iam::${account}:policy/kubecost-access-cur-in-payer-account-0a1b2c3d`;
const associationArn = `arn:aws:eks:eu-west-1:${account}:podidentityassociation/finops/a-1`;
const payer = (accountId: string, unloaded: boolean) => ({
  payerAccountId: accountId,
  payerRoleArn: payerRole(accountId),
  state: 'removing' as const,
  unloaded,
  target,
});

function role(more: Partial<PodRole> = {}, granted = [departing]): PodRole {
  return {
    arn: roleArn,
    trust: policyOf(podIdentityTrust(pod).statement),
    ownership: 'ours',
    takenOver: false,
    createdAt: 0,
    shards: [
      {
        arn: policyArn,
        document: policyOf(payerRolesGrant(granted.map(payerRole))),
        ownership: 'ours',
        spareVersions: [],
      },
    ],
    foreignPolicies: [],
    inlinePolicies: [],
    ...more,
  };
}

function association(more: Partial<NonNullable<PodRoleUse['association']>> = {}): PodRoleUse['association'] {
  return { id: 'a-1', arn: associationArn, roleArn, ownership: 'ours', takenOver: false, ...more };
}

function annotated(annotations: Record<string, string>): PodRoleUse['serviceAccount'] {
  return { metadata: { name: 'kubecost', namespace: 'kubecost', annotations } };
}

function decided(use: Partial<PodRoleUse>, { purge = false, made = [] as Change[] } = {}) {
  const seen = { others: [], association: undefined, serviceAccount: undefined, roles: [role()], ...use };
  const parts = decidePodRoles({ ...pod, purge }, seen, made);
  return {
    actions: parts.flatMap(({ changes }) => changes.map(({ action }) => action)),
    kept: parts.flatMap(({ kept }) => kept),
  };
}

const deletion = ['detach-policy', 'delete-policy', 'delete-role'];

describe('the pod role of a departing payer', () => {
  it('is deleted with its policies and association', () => {
    expect(decided({ association: association() })).toEqual({ actions: ['delete-association', ...deletion], kept: [] });
  });

  it.each([
    ['another payer still needs it', { others: [payer(staying, false)] }, `${staying} at ${target.clusterArn}`],
    ['its policies name an unknown payer role', { roles: [role({}, [departing, staying])] }, payerRole(staying)],
    ['another deployment created it', { roles: [role({ ownership: 'other-deployment' })] }, 'another deployment'],
    ['it has a foreign policy attached', { roles: [role({ foreignPolicies: ['arn:theirs'] })] }, 'arn:theirs'],
  ])('is kept with its association if %s', (_, use, why) => {
    const { actions, kept } = decided({ association: association(), ...use });
    expect(actions).toEqual([]);
    const reason: unknown = expect.stringContaining(why);
    expect(kept).toEqual([
      { resource: associationArn, why: reason },
      { resource: roleArn, why: reason },
    ]);
  });

  it('is deleted if all other payers are offboarded too', () => {
    const use = { others: [payer(staying, true)], roles: [role({}, [departing, staying])] };
    expect(decided(use)).toEqual({ actions: deletion, kept: [] });
  });

  it('returns to its owner after an adoption, unless purge names it', () => {
    const use = { association: association({ takenOver: true }), roles: [role({ takenOver: true })] };
    expect(decided(use).actions).toEqual(['release-association', 'release-role']);
    expect(decided(use, { purge: true }).actions).toEqual(['delete-association', ...deletion]);
  });

  it('is still reported as kept after it returned to its owner', () => {
    const made: Change[] = [{ do: 'release-role', resource: roleArn, at: '2026-11-27T00:00:00.000Z' }];
    const { actions, kept } = decided({ roles: [role({ ownership: 'foreign' })] }, { made });
    expect(actions).toEqual([]);
    expect(kept).toEqual([{ resource: roleArn, why: 'adopted: kept unless purge names pod-role' }]);
  });

  it('is not changed if it is not ours', () => {
    const { actions, kept } = decided({ association: association(), roles: [role({ ownership: 'foreign' })] });
    expect(actions).toEqual([]);
    expect(kept).toEqual([{ resource: associationArn, why: expect.stringContaining('not ours') as unknown }]);
  });
});

describe('the service account of a departing payer', () => {
  const ours = { [roleAnnotation]: roleArn, 'kubecost-payer-onboarding/annotated-role': roleArn };
  const theirs = { [roleAnnotation]: roleArn };

  it('loses our annotation when its role is deleted', () => {
    expect(decided({ serviceAccount: annotated(ours) }).actions).toEqual(['remove-annotation', ...deletion]);
    const use = { serviceAccount: annotated(ours), others: [payer(staying, false)] };
    expect(decided(use).actions).toEqual([]);
  });

  it('keeps its owner’s annotation, unless purge names the role', () => {
    const use = { serviceAccount: annotated(theirs) };
    expect(decided(use).actions).toEqual(deletion);
    expect(decided(use).kept).toEqual([
      { resource: 'ServiceAccount kubecost/kubecost', why: expect.stringContaining('Helm values') as unknown },
    ]);
    expect(decided(use, { purge: true }).actions).toEqual(['remove-annotation', ...deletion]);
  });
});
