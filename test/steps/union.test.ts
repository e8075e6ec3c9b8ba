/** What clusters and payers share: adding one takes nothing from the others. */
import { describe, expect, it } from 'vitest';
import { grant } from '../../functions/steps/grant.ts';
import { payerRole } from '../../functions/steps/payer-role.ts';
import { payerRolesGrant, payerTrust } from '../../shared/aws/access-policies.ts';
import { policyOf, type PolicyDocument } from '../../shared/aws/policy.ts';
import type { Situation } from '../../shared/step.ts';
import type { PayerTarget, TargetPayer } from '../../shared/target-store.ts';

const situation = {} as Situation;
const cluster = '222233334444';
const podRole = (name: string, account = cluster) => `arn:aws:iam::${account}:role/${name}`;
const target = {
  clusterArn: `arn:aws:eks:eu-west-1:${cluster}:cluster/finops`,
  namespace: 'kubecost',
  secretName: 's',
};
const id = `${target.clusterArn}|kubecost|s`;

const refused = (code: string) => expect.objectContaining({ kind: 'refuse', code }) as unknown;
const changesOf = (plan: unknown) => (plan as { changes?: { do: string }[] }).changes?.map((change) => change.do) ?? [];

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
  const self: PayerTarget = { targetId: id, podRoleArn: podRole('a'), state: 'active' };
  const other = (name: string, state: PayerTarget['state'] = 'active', account = cluster): PayerTarget => ({
    targetId: name,
    podRoleArn: podRole(name, account),
    state,
  });
  const plan = (seen: object, more: object = {}) => payerRole.plan({ ...input, ...more }, seen, situation);
  const trustOf = (result: unknown) =>
    (result as { changes: { trust?: PolicyDocument }[] }).changes.find((change) => change.trust)?.trust;

  it('registers the target before it makes the role', () => {
    expect(changesOf(plan({ role: undefined, targets: [] }))).toEqual(['register-target', 'create-role']);
  });

  it('has one statement for each cluster account', () => {
    const targets = [self, other('b'), other('c', 'active', '555566667777')];
    expect(trustOf(plan({ role: undefined, targets }))).toEqual(
      policyOf(
        payerTrust(cluster, [podRole('a'), podRole('b')]),
        payerTrust('555566667777', [podRole('c', '555566667777')]),
      ),
    );
  });

  it('keeps roles that only the trust policy knows: a restored table locks nobody out', () => {
    const seen = { role: role(policyOf(payerTrust(cluster, [podRole('old')]))), targets: [self] };
    expect(trustOf(plan(seen))).toEqual(policyOf(payerTrust(cluster, [podRole('a'), podRole('old')])));
  });

  it('takes out what is marked removing, and nothing else', () => {
    const trust = policyOf(
      payerTrust(cluster, [podRole('a'), podRole('b')]),
      payerTrust('555566667777', [podRole('c', '555566667777')]),
    );
    const targets = [self, other('b'), other('c', 'removing', '555566667777')];
    expect(trustOf(plan({ role: role(trust), targets }))).toEqual(
      policyOf(payerTrust(cluster, [podRole('a'), podRole('b')])),
    );
  });

  it('is ready once the role says all of it, in any order', () => {
    const statement = payerTrust(cluster, [podRole('a'), podRole('b')]);
    const reversed = { ...statement, Condition: { ArnEquals: { 'aws:PrincipalArn': [podRole('b'), podRole('a')] } } };
    expect(plan({ role: role(policyOf(reversed)), targets: [self, other('b')] })).toMatchObject({ kind: 'ready' });
  });

  const tutorial = policyOf({
    Effect: 'Allow',
    Principal: { AWS: `arn:aws:iam::${cluster}:root` },
    Action: 'sts:AssumeRole',
  });

  it('names the missing TagSession of a hand-made role where Pod Identity needs it', () => {
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

  it('completes a hand-made role under take-over, and warns that it still trusts the whole account', () => {
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

  it('refuses what does not fit into a trust policy', () => {
    const targets = Array.from({ length: 40 }, (_, index) => other(`kubecost-kubecost-cost-analyzer-${index}`));
    expect(plan({ role: undefined, targets })).toEqual(refused('payer-role-full'));
  });
});

describe('grant', () => {
  const payerRoleArn = (account: string) => `arn:aws:iam::${account}:role/kubecost-cur-access`;
  const policyArn = `arn:aws:iam::${cluster}:policy/kubecost-access-cur-in-payer-account-0a1b2c3d`;
  const settings = { identityMode: 'irsa', serviceAccount: 'kubecost' };
  const input = {
    target,
    settings,
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
  const policy = (accounts: string[], more: object = {}) => ({
    arn: policyArn,
    document: policyOf(payerRolesGrant(accounts.map(payerRoleArn))),
    ownership: 'ours',
    spareVersions: [],
    ...more,
  });
  const plan = (seen: object) =>
    grant.plan(input, { settings, payers: [], policy: undefined, attached: [], ...seen }, situation);
  const resources = (result: unknown) =>
    (result as { changes: { document?: PolicyDocument }[] }).changes.find((change) => change.document)?.document
      ?.Statement[0]?.Resource;

  it('fixes the target, records the payer, then makes and attaches the policy', () => {
    expect(changesOf(plan({ settings: undefined }))).toEqual([
      'fix-settings',
      'mark-granted',
      'create-policy',
      'attach-policy',
    ]);
  });

  it('allows every payer role of the target and those only the policy knows', () => {
    const seen = { payers: [item('555566667777')], policy: policy(['888899990000']) };
    expect(resources(plan(seen))).toEqual(['111122223333', '555566667777', '888899990000'].map(payerRoleArn));
  });

  it('takes out what is marked removing', () => {
    const seen = { payers: [item('555566667777', 'removing')], policy: policy(['111122223333', '555566667777']) };
    expect(resources(plan(seen))).toEqual([payerRoleArn('111122223333')]);
  });

  it('makes room before the sixth version', () => {
    const seen = {
      payers: [item('111122223333')],
      policy: policy(['555566667777'], { spareVersions: ['v9', 'v10', 'v11', 'v12'] }),
      attached: [policyArn],
    };
    expect(plan(seen)).toMatchObject({
      changes: [{ do: 'delete-policy-version', versionId: 'v9' }, { do: 'create-policy-version' }],
    });
  });

  it('writes nothing once everything is there', () => {
    const seen = { payers: [item('111122223333')], policy: policy(['111122223333']), attached: [policyArn] };
    expect(plan(seen)).toMatchObject({ kind: 'ready', output: { policyArn } });
  });

  it('refuses a target that the first run set up another way, a full policy and somebody else’s', () => {
    expect(plan({ settings: { ...settings, serviceAccount: 'other' } })).toEqual(refused('target-differs'));
    const many = Array.from({ length: 120 }, (_, index) => item(String(100_000_000_000 + index)));
    expect(plan({ payers: many })).toEqual(refused('target-full'));
    expect(plan({ policy: policy([], { ownership: 'foreign' }) })).toEqual(refused('pod-policy-not-ours'));
  });
});
