import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eksToken } from '../../../shared/aws/eks-token.ts';
import { classify } from '../../../shared/errors/errors.ts';
import { kubernetesError } from '../../../shared/errors/kubernetes-error.ts';
import { KubernetesClient, type KubernetesObject, probeEndpoint } from '../../../shared/kubernetes/client.ts';
import { createWorld, Kubernetes } from '../../sandbox/index.ts';

type Named = KubernetesObject & { data?: Record<string, string> };

let cluster: Kubernetes;
let other: Kubernetes;

beforeAll(async () => {
  const start = () =>
    Kubernetes.start(createWorld(), {
      accountId: '222233334444',
      version: '1.31',
      region: 'eu-west-1',
      issuer: 'https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE',
      reachable: true,
      hasPodIdentity: () => false,
      authenticate: (token) =>
        token === 'admin'
          ? { username: 'admin', groups: ['system:masters', 'system:authenticated'], policies: [] }
          : undefined,
    });
  [cluster, other] = await Promise.all([start(), start()]);
});

afterAll(() => Promise.all([cluster.close(), other.close()]));

const authority = (of = cluster) => Buffer.from(of.certificateAuthority).toString('base64');
const connect = (token = 'admin', ca = authority()) =>
  new KubernetesClient(cluster.endpoint, ca, () => Promise.resolve(token));
const nameOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: unknown) => (error as Error).name,
  );

describe('the Kubernetes client', () => {
  const path = '/api/v1/namespaces/default/secrets';
  const secret = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { a: 'YQ==' } });

  it('reads, writes and deletes objects', async () => {
    const client = connect();
    expect(await client.get(`${path}/one`)).toBeUndefined();
    const made = await client.create<Named>(path, secret('one'));
    const replaced = await client.replace<Named>(`${path}/one`, { ...made, data: { b: 'Yg==' } });
    expect(replaced.data).toEqual({ b: 'Yg==' });
    const patched = await client.patch<Named>(`${path}/one`, { metadata: { labels: { mine: 'yes' } } });
    expect(patched).toMatchObject({ metadata: { labels: { mine: 'yes' } }, data: { b: 'Yg==' } });
    expect((await client.list(path)).map(({ metadata }) => metadata.name)).toContain('one');
    await client.delete(`${path}/one`);
    await client.delete(`${path}/one`);
    expect(await client.get(`${path}/one`)).toBeUndefined();
  });

  it('names the reason of a failure', async () => {
    const client = connect();
    const made = await client.create<Named>(path, secret('two'));
    await client.patch(`${path}/two`, { metadata: { labels: { touched: 'yes' } } });
    expect(await nameOf(client.create(path, secret('two')))).toBe('AlreadyExists');
    expect(await nameOf(client.replace(`${path}/two`, made))).toBe('Conflict');
    expect(await nameOf(connect('nobody').get(`${path}/two`))).toBe('Unauthorized');
  });

  it('trusts only the cluster’s own certificate authority', async () => {
    const { endpoint } = cluster;
    await expect(connect('admin', authority(other)).get(`${path}/two`)).rejects.toThrow(/certificate/);
    expect(await probeEndpoint(endpoint, authority())).toBeUndefined();
    expect(await probeEndpoint(endpoint, authority(other))).toMatch(/certificate/);
    expect(await probeEndpoint('https://127.0.0.1:1', authority())).toMatch(/ECONNREFUSED/);
  });
});

describe('errors of the API server', () => {
  const classified = (status: number, body = '') => classify(kubernetesError('GET /x', status, body));

  it('are classified by their reason', () => {
    expect(classified(403)).toMatchObject({ name: 'UserError', code: 'cluster-rights-missing' });
    expect(classified(401)).toMatchObject({ name: 'RetryableError', code: 'cluster-rights-missing' });
    expect(classified(429)).toMatchObject({ name: 'RetryableError', code: 'throttled' });
    expect(classified(503)).toMatchObject({ name: 'RetryableError', code: 'aws-unavailable' });
    expect(classified(422)).toMatchObject({ name: 'TerminalError' });
  });

  it('are not taken from the response of a proxy', () => {
    expect(kubernetesError('GET /x', 502, '{"reason":"NotFound"}').name).toBe('Http502');
    expect(kubernetesError('GET /x', 404, '<html>').name).toBe('Http404');
  });
});

describe('the cluster token', () => {
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'x', sessionToken: 'a/b+c=='.repeat(40) };

  it('is a presigned GetCallerIdentity request that names the cluster', async () => {
    const token = await eksToken({ name: 'finops', region: 'eu-west-1' }, credentials);
    expect(token).toMatch(/^k8s-aws-v1\.[\w-]+$/);
    const url = new URL(Buffer.from(token.slice('k8s-aws-v1.'.length), 'base64url').toString());
    expect(`${url.origin}${url.pathname}`).toBe('https://sts.eu-west-1.amazonaws.com/');
    expect(url.searchParams.get('X-Amz-SignedHeaders')).toBe('host;x-k8s-aws-id');
    expect(url.searchParams.get('X-Amz-Security-Token')).toBe(credentials.sessionToken);
    expect([...url.searchParams.keys()].sort()).toEqual([
      'Action',
      'Version',
      'X-Amz-Algorithm',
      'X-Amz-Credential',
      'X-Amz-Date',
      'X-Amz-Expires',
      'X-Amz-Security-Token',
      'X-Amz-Signature',
      'X-Amz-SignedHeaders',
    ]);
  });

  it('is refused if it is too long for a cluster', async () => {
    const long = { ...credentials, sessionToken: 'a'.repeat(4000) };
    await expect(eksToken({ name: 'finops', region: 'eu-west-1' }, long)).rejects.toThrow(/4096/);
  });
});
