import { CreatePodIdentityAssociationCommand, EKSClient } from '@aws-sdk/client-eks';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterAccount, clusterWorld, home } from '../testing/cluster-world.ts';
import { type Credentials, errorOf, policy, rootOf, sessionOf } from '../testing/core-world.ts';

const audience = 'pods.eks.amazonaws.com';
const podTrust = policy({
  Effect: 'Allow',
  Principal: { Service: audience },
  Action: ['sts:AssumeRole', 'sts:TagSession'],
});

let served: Awaited<ReturnType<typeof clusterWorld>>;

beforeAll(async () => {
  served = await clusterWorld();
  served.world.iam.createRole({ accountId: clusterAccount, name: 'kubecost', trust: podTrust, settled: true });
  const eks = served.client(EKSClient, rootOf(clusterAccount));
  const association = { clusterName: home.name, namespace: 'kubecost', serviceAccount: 'kubecost' };
  const roleArn = `arn:aws:iam::${clusterAccount}:role/kubecost`;
  await eks.send(new CreatePodIdentityAssociationCommand({ ...association, roleArn }));
  const { kubernetes } = served.cluster;
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
  for (const name of ['kubecost', 'stranger']) {
    const metadata = { name, namespace: 'kubecost' };
    kubernetes.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    kubernetes.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: `${name}-0` },
      spec: { serviceAccountName: name, containers: [{ name: 'cloud-cost', image: 'cost-model:3' }] },
    });
  }
});
afterAll(() => served.close());

const uidOf = (pod: string) => served.cluster.kubernetes.get('Pod', 'kubecost', pod)?.metadata.uid;

function tokenOf(account: string, spec: object): string {
  const answer = served.cluster.kubernetes.tokens.issue('kubecost', account, { kind: 'TokenRequest', spec });
  return (answer as { status: { token: string } }).status.token;
}

const bound = (pod: string, uid = uidOf(pod)) => ({ kind: 'Pod', apiVersion: 'v1', name: pod, uid });
const good = () => tokenOf('kubecost', { audiences: [audience], boundObjectRef: bound('kubecost-0') });

/** AssumeRoleForPodIdentity without an SDK client, because EKS Auth's is not among the dependencies. */
async function ask(token: string, caller = rootOf(clusterAccount)): Promise<Credentials> {
  const scope = `${caller.accessKeyId}/20261110/${home.region}/eks-auth/aws4_request`;
  const answer = await fetch(`${served.endpoint}/clusters/${home.name}/assume-role-for-pod-identity`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
      ...(caller.sessionToken && { 'x-amz-security-token': caller.sessionToken }),
    },
    body: JSON.stringify({ token }),
  });
  const body = (await answer.json()) as { credentials: Required<Credentials>; message?: string };
  if (answer.ok) {
    const { accessKeyId, secretAccessKey, sessionToken } = body.credentials;
    return { accessKeyId, secretAccessKey, sessionToken };
  }
  const [name = ''] = (answer.headers.get('x-amzn-errortype') ?? '').split(':');
  throw Object.assign(new Error(body.message), { name, $metadata: { httpStatusCode: answer.status } });
}

describe('EKS Auth', () => {
  it('gives a bound token the role of the association with its tags', async () => {
    const credentials = await ask(good());
    const sts = served.client(STSClient, credentials);
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toMatch(new RegExp(`^arn:aws:sts::${clusterAccount}:assumed-role/kubecost/eks-finops-kubecost-0-`));
    expect(served.world.sts.callerOf(credentials.accessKeyId)?.sessionTags).toEqual({
      'eks-cluster-arn': served.cluster.arn,
      'eks-cluster-name': 'finops',
      'kubernetes-namespace': 'kubecost',
      'kubernetes-service-account': 'kubecost',
      'kubernetes-pod-name': 'kubecost-0',
      'kubernetes-pod-uid': uidOf('kubecost-0'),
    });
  });

  it.each([
    ['for another audience', () => tokenOf('kubecost', { boundObjectRef: bound('kubecost-0') })],
    ['of no pod', () => tokenOf('kubecost', { audiences: [audience] })],
    ['that was changed', () => good().replace(/\.[^.]+\./, `.${Buffer.from('{}').toString('base64url')}.`)],
  ])('refuses a token %s', async (_, token) => {
    expect(await errorOf(ask(token()))).toMatchObject({ name: 'InvalidTokenException', status: 400 });
  });

  it('refuses a token that has expired', async () => {
    const token = tokenOf('kubecost', {
      audiences: [audience],
      expirationSeconds: 600,
      boundObjectRef: bound('kubecost-0'),
    });
    await served.world.clock.sleep(601_000);
    expect((await errorOf(ask(token))).name).toBe('ExpiredTokenException');
  });

  it('does not find an association for another service account', async () => {
    const token = tokenOf('stranger', { audiences: [audience], boundObjectRef: bound('stranger-0') });
    expect(await errorOf(ask(token))).toMatchObject({ name: 'ResourceNotFoundException', status: 404 });
  });

  it('refuses callers without permission and clusters of other accounts', async () => {
    const anybody = sessionOf(served.world, clusterAccount, 'anybody', {
      Effect: 'Allow',
      Action: 'eks:*',
      Resource: '*',
    });
    expect((await errorOf(ask(good(), anybody))).name).toBe('AccessDeniedException');
    expect((await errorOf(ask(good(), rootOf('999900001111')))).name).toBe('ResourceNotFoundException');
  });

  it('refuses a role whose trust does not allow TagSession', async () => {
    served.world.iam.createRole({
      accountId: clusterAccount,
      name: 'kubecost-untagged',
      trust: policy({ Effect: 'Allow', Principal: { Service: audience }, Action: 'sts:AssumeRole' }),
      settled: true,
    });
    const [association] = served.cluster.associations.values();
    if (!association) throw new Error('there is no association');
    const { roleArn } = association;
    association.roleArn = `${roleArn}-untagged`;
    const error = await errorOf(ask(good()));
    association.roleArn = roleArn;
    expect(error).toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('assume') as string,
    });
  });

  it('refuses the token of a deleted pod', async () => {
    const token = good();
    served.cluster.kubernetes.delete('Pod', 'kubecost', 'kubecost-0');
    expect((await errorOf(ask(token))).name).toBe('InvalidTokenException');
  });
});

describe('a token bound to a pod', () => {
  const request = (account: string, boundObjectRef: object) => () => tokenOf(account, { boundObjectRef });

  it('needs the existing pod that runs as the service account', () => {
    expect(request('kubecost', bound('nobody', 'x'))).toThrow('not found');
    expect(request('stranger', bound('stranger-0', 'another uid'))).toThrow('does not match the UID');
    expect(request('kubecost', bound('stranger-0'))).toThrow('different serviceaccount');
    expect(request('stranger', { kind: 'Node', name: 'n' })).toThrow('cannot bind token');
  });
});
