import { describe, expect, it } from 'vitest';
import { payerRolesGrant } from '../../shared/access/grant-policy.ts';
import { payerTrust } from '../../shared/access/payer-trust.ts';
import { podIdentityTrust, webIdentityTrust } from '../../shared/access/pod-trust.ts';
import { policyOf } from '../../shared/aws/policy-document.ts';
import { permits, trusts } from '../../shared/aws/trust-policy.ts';

const pod = {
  clusterArn: 'arn:aws:eks:eu-west-1:222233334444:cluster/finops',
  namespace: 'kubecost',
  serviceAccount: 'kubecost-serviceaccount',
};
const issuer = 'oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE';
const providerArn = `arn:aws:iam::222233334444:oidc-provider/${issuer}`;
const podRoleArn = 'arn:aws:iam::222233334444:role/kubecost-kubecost-serviceaccount-0a1b2c3d';
const payerRoleArn = 'arn:aws:iam::111122223333:role/kubecost-cur-access';

const documents = {
  'pod-trust-irsa': policyOf(webIdentityTrust(pod, providerArn, issuer).statement),
  'pod-trust-pod-identity': policyOf(podIdentityTrust(pod).statement),
  'payer-trust': policyOf(payerTrust('222233334444', [podRoleArn])),
  grant: policyOf(payerRolesGrant([payerRoleArn])),
};

describe('access policies', () => {
  it.each(Object.entries(documents))('equal the reviewed copy: %s', async (name, document) => {
    await expect(`${JSON.stringify(document, null, 2)}\n`).toMatchFileSnapshot(`../golden/policies/${name}.json`);
  });

  it('allow only the named pod role', () => {
    const action = 'sts:AssumeRole';
    const request = (arn: string) => ({ principal: { AWS: arn }, action, context: { 'aws:PrincipalArn': arn } });
    expect(trusts(documents['payer-trust'], request(podRoleArn))).toBe(true);
    expect(trusts(documents['payer-trust'], request('arn:aws:iam::222233334444:role/other'))).toBe(false);
    expect(trusts(documents['payer-trust'], request(podRoleArn.replace('2222', '5555')))).toBe(false);
    expect(permits(documents.grant, 'sts:TagSession', payerRoleArn)).toBe(true);
    expect(permits(documents.grant, action, payerRoleArn.replace('1111', '5555'))).toBe(false);
  });
});

describe('the evaluation of a trust policy', () => {
  const allow = { Effect: 'Allow' as const, Principal: { AWS: '222233334444' }, Action: 'sts:*' };
  const request = {
    principal: { AWS: podRoleArn },
    action: 'sts:TagSession',
    context: { 'aws:PrincipalArn': podRoleArn },
  };

  it('understands an account id, its root user and wildcards', () => {
    expect(trusts(policyOf(allow), request)).toBe(true);
    expect(trusts(policyOf({ ...allow, Principal: { AWS: 'arn:aws:iam::222233334444:root' } }), request)).toBe(true);
    expect(trusts(policyOf({ ...allow, Principal: '*' }), request)).toBe(true);
    expect(trusts(policyOf({ ...allow, Action: 'sts:AssumeRole*' }), request)).toBe(false);
  });

  it('gives a deny precedence over an allow', () => {
    expect(trusts(policyOf(allow, { ...allow, Effect: 'Deny', Action: 'sts:TagSession' }), request)).toBe(false);
  });

  it('rejects a condition that Kubecost cannot meet', () => {
    const condition = { StringEquals: { 'sts:ExternalId': 'secret' } };
    expect(trusts(policyOf({ ...allow, Condition: condition }), request)).toBe(false);
  });
});
