import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AccessHarness, payerAccountId } from '../support/access-harness.ts';

const podIdentity = { identity: { mode: 'pod-identity' as const } };

let access: AccessHarness;
beforeAll(() => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
});
beforeEach(async () => {
  access = await AccessHarness.start();
  return () => access.close();
});
afterAll(() => {
  vi.restoreAllMocks();
});

/** Installs Kubecost with the secret that it mounts, so its pod starts. */
function install(): void {
  access.cluster.kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
  access.putFile('{"aws":[]}');
  access.cluster.kubernetes.installKubecost({ generation: '3.x' });
}

async function prove() {
  const runId = await access.newRun(podIdentity);
  const taken = await access.takeAll(runId, 'chain-proof');
  return taken['chain-proof'];
}

describe('the proof of the EKS Pod Identity chain', () => {
  it('uses a token of the running pod', async () => {
    install();
    const proof = await prove();
    expect(proof?.error).toBeUndefined();
    expect(proof?.record.output).toMatchObject({ level: 'pod-chain' });
    expect(proof?.record.output?.['identityArn']).toMatch(
      new RegExp(`^arn:aws:sts::${payerAccountId}:assumed-role/kubecost-cur-access/`),
    );
  });

  it('uses the policies of both sides if no pod runs', async () => {
    expect((await prove())?.record.output).toMatchObject({ level: 'documents' });
  });

  it.each([
    ['refuses callers that are not nodes', { code: 'AccessDeniedException', message: 'not authorized', status: 400 }],
    ['does not know the association yet', { code: 'ResourceNotFoundException', message: 'none found', status: 404 }],
  ])('uses the policies of both sides if AWS %s', async (_, kind) => {
    install();
    access.world.faults.push({ service: 'eks-auth', kind });
    const proof = await prove();
    expect(proof?.error).toBeUndefined();
    expect(proof?.record.output).toMatchObject({ level: 'documents' });
  });

  it('uses the policies of both sides if EKS Auth is unreachable', async () => {
    install();
    vi.stubEnv('AWS_ENDPOINT_URL_EKS_AUTH', 'http://127.0.0.1:1');
    const proof = await prove();
    vi.unstubAllEnvs();
    expect(proof?.error).toBeUndefined();
    expect(proof?.record.output).toMatchObject({ level: 'documents' });
  });

  it('is repeated if EKS Auth throttles', async () => {
    install();
    access.world.faults.push({ service: 'eks-auth', kind: 'throttle', times: 1 });
    expect((await prove())?.record.output).toMatchObject({ level: 'pod-chain' });
  });

  it('fails at a payer role that does not allow session tags', async () => {
    install();
    const runId = await access.newRun(podIdentity);
    await access.takeAll(runId, 'grant');
    const role = access.world.iam.role(payerAccountId, 'kubecost-cur-access');
    if (!role?.trust.current) throw new Error('there is no payer role');
    const { current } = role.trust;
    const text = JSON.stringify(current.document).replaceAll('sts:TagSession', 'sts:AssumeRole');
    role.trust.set({ ...current, document: JSON.parse(text) as typeof current.document }, 0);
    const { error } = await access.take(runId, 'chain-proof');
    expect(error).toMatchObject({ code: 'tag-session-missing', actor: 'payer account owner' });
    expect(error?.message).toContain('not authorized to perform: sts:TagSession');
  });

  it('does not use a pod of another service account', async () => {
    install();
    const runId = await access.newRun(podIdentity);
    await access.takeAll(runId, 'grant');
    const { kubernetes } = access.cluster;
    const [pod] = kubernetes.kubelet.running().filter(({ serviceAccount }) => serviceAccount === 'kubecost');
    kubernetes.uninstallKubecost({ generation: '3.x' });
    for (const name of ['kubecost', 'stranger'])
      kubernetes.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'kubecost' } });
    kubernetes.apply({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'stranger', namespace: 'kubecost', labels: pod?.labels ?? {} },
      spec: { serviceAccountName: 'stranger', containers: [{ name: 'cloud-cost', image: 'cost-model:3' }] },
    });
    await access.world.clock.sleep(60_000);
    expect(kubernetes.kubelet.running().map(({ serviceAccount }) => serviceAccount)).toEqual(['stranger']);
    expect((await access.take(runId, 'chain-proof')).record.output).toMatchObject({ level: 'documents' });
  });
});
