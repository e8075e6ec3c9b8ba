/** Clusters and payers share roles and policies: adding one removes nothing from the others. */
import { describe, expect, it } from 'vitest';
import { grant } from '../../functions/steps/grant.ts';
import { payerRole } from '../../functions/steps/payer-role.ts';
import { payerRolesGrant } from '../../shared/access/grant-policy.ts';
import { payerTrust } from '../../shared/access/payer-trust.ts';
import { policyCharacters, type PolicyDocument, policyOf } from '../../shared/aws/policy-document.ts';
import type { Situation } from '../../shared/step/contract.ts';
import type { TargetPayer } from '../../shared/targets/payers-of-target.ts';
import type { TargetSettings } from '../../shared/targets/target-settings.ts';
import type { PayerTarget } from '../../shared/targets/targets-of-payer.ts';

const situation = { run: { request: { dryRun: false } } } as Situation;
const cluster = '222233334444';
const podRole = (name: string, account = cluster) => `arn:aws:iam::${account}:role/${name}`;
const target = {
  clusterArn: `arn:aws:eks:eu-west-1:${cluster}:cluster/finops`,
  namespace: 'kubecost',
  secretName: 's',
};
const id = `${target.clusterArn}|kubecost|s`;

const refused = (code: string) => expect.objectContaining({ kind: 'refuse', code }) as unknown;
const changesOf = (plan: unknown) =>
  (plan as { changes?: { action: string }[] }).changes?.map((change) => change.action) ?? [];

describe('payer-role', () => {
  const arn = 'arn:aws:iam::111122223333:role/kubecost-cur-access';
  const input = {
    payerAccountId: '111122223333',
    target,
    clusterAccountId: cluster,
    podRoleArn: podRole('a'),
    podIdentity: false,
    takeOver: false,
  };
  const role = (trust: PolicyDocument, ownership = 'ours') => ({ arn, trust, ownership });
  const self: PayerTarget = { targetId: id, podRoleArns: [podRole('a')], state: 'active' };
  const other = (name: string, state: PayerTarget['state'] = 'active', account = cluster): PayerTarget => ({
    targetId: name,
    podRoleArns: [podRole(name, account)],
    state,
  });
  const plan = (seen: object, more: object = {}) => payerRole.plan({ ...input, ...more }, seen, situation);
  const trustOf = (result: unknown) =>
    (result as { changes: { trust?: PolicyDocument }[] }).changes.find((change) => change.trust)?.trust;

  it('writes one trust statement for each cluster account', () => {
    const targets = [self, other('b'), other('c', 'active', '555566667777')];
    expect(trustOf(plan({ role: undefined, targets }))).toEqual(
      policyOf(
        payerTrust(cluster, [podRole('a'), podRole('b')]),
        payerTrust('555566667777', [podRole('c', '555566667777')]),
      ),
    );
  });

  it('keeps pod roles that only the trust policy names', () => {
    const seen = { role: role(policyOf(payerTrust(cluster, [podRole('old')]))), targets: [self] };
    expect(trustOf(plan(seen))).toEqual(policyOf(payerTrust(cluster, [podRole('a'), podRole('old')])));
  });

  it('removes only pod roles that are marked removing', () => {
    const trust = policyOf(
      payerTrust(cluster, [podRole('a'), podRole('b')]),
      payerTrust('555566667777', [podRole('c', '555566667777')]),
    );
    const targets = [self, other('b'), other('c', 'removing', '555566667777')];
    expect(trustOf(plan({ role: role(trust), targets }))).toEqual(
      policyOf(payerTrust(cluster, [podRole('a'), podRole('b')])),
    );
  });

  it('is ready once the role trusts all pod roles, in any order', () => {
    const statement = payerTrust(cluster, [podRole('a'), podRole('b')]);
    const reversed = { ...statement, Condition: { ArnEquals: { 'aws:PrincipalArn': [podRole('b'), podRole('a')] } } };
    expect(plan({ role: role(policyOf(reversed)), targets: [self, other('b')] })).toMatchObject({ kind: 'ready' });
  });

  const tutorial = policyOf({
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${cluster}:root` },
    Action: 'sts:AssumeRole',
  });

  it('refuses a hand-made role without TagSession for Pod Identity', () => {
    const seen = { role: role(tutorial, 'foreign'), targets: [] };
    expect(plan(seen)).toEqual(refused('payer-role-not-ours'));
    expect(plan(seen, { podIdentity: true })).toEqual(refused('tag-session-missing'));
    const tagged = policyOf({
      ...tutorial.Statement[0],
      Effect: 'Allow',
      Action: ['sts:AssumeRole', 'sts:TagSession'],
    });
    expect(plan({ role: role(tagged, 'foreign'), targets: [] }, { podIdentity: true })).toEqual(
      refused('payer-role-not-ours'),
    );
  });

  it('completes a hand-made role under take-over and warns of wide trust', () => {
    const result = plan({ role: role(tutorial, 'foreign'), targets: [self] }, { takeOver: true });
    expect(changesOf(result)).toEqual(['update-trust', 'tag-role']);
    const completed = policyOf(...tutorial.Statement, payerTrust(cluster, [podRole('a')]));
    expect(trustOf(result)).toEqual(completed);
    expect(plan({ role: role(completed), targets: [self] })).toMatchObject({
      kind: 'ready',
      warnings: [expect.stringContaining(cluster)],
    });
  });

  it('refuses another deployment’s role even under take-over', () => {
    const seen = { role: role(tutorial, 'other-deployment'), targets: [] };
    expect(plan(seen, { takeOver: true })).toEqual(refused('owned-by-another-deployment'));
  });

  it('keeps the former pod role after the service account changes', () => {
    const moved = { ...self, podRoleArns: [podRole('a'), podRole('former')] };
    const trust = policyOf(payerTrust(cluster, [podRole('former')]));
    expect(trustOf(plan({ role: role(trust), targets: [moved] }))).toEqual(
      policyOf(payerTrust(cluster, [podRole('a'), podRole('former')])),
    );
    const removing: PayerTarget = { targetId: 'x', podRoleArns: [podRole('b'), podRole('former')], state: 'removing' };
    const both = policyOf(payerTrust(cluster, [podRole('a'), podRole('b'), podRole('former')]));
    expect(trustOf(plan({ role: role(both), targets: [self, removing] }))).toEqual(
      policyOf(payerTrust(cluster, [podRole('a')])),
    );
  });

  it('refuses only a new pod role if the trust policy is full', () => {
    const targets = Array.from({ length: 40 }, (_, index) => other(`kubecost-kubecost-cost-analyzer-${index}`));
    const full = trustOf(plan({ role: undefined, targets }));
    expect(policyCharacters(full ?? policyOf())).toBeLessThanOrEqual(2048);
    expect(JSON.stringify(full)).toContain(`"${podRole('a')}"`);
    expect(plan({ role: role(full ?? policyOf()), targets })).toMatchObject({ kind: 'ready' });
    const late = { podRoleArn: podRole('kubecost-kubecost-cost-analyzer-40') };
    expect(plan({ role: role(full ?? policyOf()), targets }, late)).toEqual(refused('payer-role-full'));
  });
});

describe('grant', () => {
  const payerRoleArn = (account: string) => `arn:aws:iam::${account}:role/kubecost-cur-access`;
  const policyArn = `arn:aws:iam::${cluster}:policy/kubecost-access-cur-in-payer-account-0a1b2c3d`;
  const settings: TargetSettings = { identityMode: 'irsa', serviceAccount: 'kubecost', format: 'auto' };
  const input = {
    target,
    settings,
    followsWorkload: false,
    payerAccountId: '111122223333',
    payerRoleArn: payerRoleArn('111122223333'),
    podRoleArn: podRole('a'),
    policyArn,
    takeOver: false,
  };
  const item = (account: string, state: TargetPayer['state'] = 'proven'): TargetPayer => ({
    payerAccountId: account,
    payerRoleArn: payerRoleArn(account),
    state,
  });
  const departing = (account: string): TargetPayer => ({ ...item(account, 'removing'), unloaded: true });
  const many = (first: number, count: number) =>
    Array.from({ length: count }, (_, index) => String(100_000_000_000 + first + index));
  const shard = (
    number: number,
    accounts: string[],
    { attached = true, ...more }: { attached?: boolean; ownership?: string; spareVersions?: string[] } = {},
  ) => ({
    number,
    attachedTo: attached ? [podRole('a')] : [],
    policy: {
      arn: number === 1 ? policyArn : `${policyArn}-${number}`,
      document: policyOf(payerRolesGrant(accounts.map(payerRoleArn))),
      ownership: 'ours',
      spareVersions: [],
      ...more,
    },
  });
  const plan = (seen: object, shards: object[] = [], more: object = {}) =>
    grant.plan({ ...input, ...more }, { settings, payers: [], otherPolicies: 0, ...seen, shards }, situation);
  const documents = (result: unknown) =>
    (result as { changes: { resource: string; document?: PolicyDocument }[] }).changes.flatMap(
      ({ resource, document }) => (document ? [[resource, document.Statement[0]?.Resource]] : []),
    );

  it('creates and attaches the policy', () => {
    expect(changesOf(plan({}))).toEqual(['create-policy', 'attach-policy']);
    expect(changesOf(plan({}, [shard(1, ['111122223333'], { attached: false })]))).toEqual(['attach-policy']);
  });

  it('allows the target’s payer roles and those that only the policy names', () => {
    const result = plan({ payers: [item('555566667777')] }, [shard(1, ['888899990000'])]);
    expect(documents(result)).toEqual([
      [policyArn, ['111122223333', '555566667777', '888899990000'].map(payerRoleArn)],
    ]);
  });

  it('removes a departing payer’s role after its entry has been unloaded', () => {
    const there = [shard(1, ['111122223333', '555566667777'])];
    const result = plan({ payers: [departing('555566667777')] }, there);
    expect(documents(result)).toEqual([[policyArn, [payerRoleArn('111122223333')]]]);
    expect(plan({ payers: [item('555566667777', 'removing')] }, there)).toMatchObject({ kind: 'ready' });
  });

  it('waits to register again if the target’s settings were deleted', () => {
    expect(plan({ settings: undefined })).toMatchObject({ kind: 'wait' });
  });

  it('adds and returns a second policy if the first is full', () => {
    const full = shard(1, many(0, 113));
    const result = plan({}, [full]);
    expect(changesOf(result)).toEqual(['create-policy', 'attach-policy']);
    expect(result).toMatchObject({ expected: { policyArn: `${policyArn}-2` } });
    expect(documents(result)).toEqual([[`${policyArn}-2`, [payerRoleArn('111122223333')]]]);
    expect(plan({}, [full, shard(2, ['111122223333'])])).toMatchObject({
      kind: 'ready',
      output: { policyArn: `${policyArn}-2` },
    });
  });

  it('detaches and deletes empty policies, also after a crash', () => {
    const payers = [departing('555566667777'), departing('888899990000')];
    const own = shard(1, ['111122223333']);
    const emptied = [shard(2, ['555566667777'], { spareVersions: ['v1'] }), shard(3, ['888899990000'])];
    const result = plan({ payers }, [own, ...emptied]);
    expect(result).toMatchObject({
      changes: [
        { action: 'detach-policy', resource: `${policyArn}-3` },
        { action: 'delete-policy', resource: `${policyArn}-3` },
        { action: 'detach-policy', resource: `${policyArn}-2` },
        { action: 'delete-policy-version', resource: `${policyArn}-2`, versionId: 'v1' },
        { action: 'delete-policy', resource: `${policyArn}-2` },
      ],
    });
    const detached = shard(2, ['555566667777'], { attached: false });
    expect(changesOf(plan({ payers }, [own, detached]))).toEqual(['delete-policy']);
  });

  it('deletes the oldest version before it creates a sixth', () => {
    const result = plan({}, [shard(1, ['555566667777'], { spareVersions: ['v9', 'v10', 'v11', 'v12'] })]);
    expect(result).toMatchObject({
      changes: [{ action: 'delete-policy-version', versionId: 'v9' }, { action: 'create-policy-version' }],
    });
  });

  it('writes nothing once the policy is complete', () => {
    const result = plan({ payers: [item('111122223333')] }, [shard(1, ['111122223333'])]);
    expect(result).toMatchObject({ kind: 'ready', output: { policyArn }, warnings: [] });
  });

  it('warns of payers whose roles do not trust the new pod role', () => {
    const payers = [
      { ...item('111122223333'), podRoleArn: podRole('former') },
      { ...item('555566667777'), podRoleArn: podRole('former') },
      { ...item('888899990000'), podRoleArn: podRole('a') },
      item('999900001111'),
    ];
    const accounts = payers.map(({ payerAccountId }) => payerAccountId);
    const { warnings } = plan({ payers }, [shard(1, accounts)]) as { warnings: string[] };
    expect(warnings).toEqual([expect.stringMatching(/: 555566667777$/)]);
  });

  it('refuses different settings, except for a changed service account', () => {
    const differs = refused('target-differs');
    expect(plan({ settings: { ...settings, serviceAccount: 'other' } })).toEqual(differs);
    expect(plan({ settings: { ...settings, identityMode: 'pod-identity' } })).toEqual(differs);
    const asked = { settings: { ...settings, format: 'legacy' } };
    expect(plan({}, [], asked)).toEqual(differs);
    expect(plan({ settings: { ...settings, format: 'legacy' } }, [], asked)).toMatchObject({ kind: 'change' });
    expect(plan({ settings: { ...settings, format: 'legacy' } })).toMatchObject({ kind: 'change' });
    const moved = { settings: { ...settings, serviceAccount: 'other' } };
    expect(plan(moved, [], { followsWorkload: true })).toMatchObject({ kind: 'change' });
  });

  it('refuses a payer only if every policy is full', () => {
    const shards = Array.from({ length: 8 }, (_, index) => shard(index + 1, many(index * 113, 113)));
    expect(plan({ otherPolicies: 2 }, shards)).toEqual(refused('target-full'));
    expect(plan({ otherPolicies: 1 }, shards)).toMatchObject({ expected: { policyArn: `${policyArn}-9` } });
    const payers = many(5000, 300).map((account) => item(account));
    expect(plan({ payers, otherPolicies: 1 }, shards)).toMatchObject({ expected: { policyArn: `${policyArn}-9` } });
  });

  it('refuses every policy that belongs to somebody else', () => {
    const own = shard(1, ['111122223333']);
    const foreign = shard(2, [], { ownership: 'foreign' });
    expect(plan({}, [own, foreign])).toEqual(refused('pod-policy-not-ours'));
    expect(changesOf(plan({}, [own, foreign], { takeOver: true }))).not.toEqual([]);
    const elsewhere = shard(2, [], { ownership: 'other-deployment' });
    expect(plan({}, [own, elsewhere], { takeOver: true })).toEqual(refused('owned-by-another-deployment'));
  });
});
