/** Many runs that share a payer's role or a target's policies, at once. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { podIdentityTrust } from '../../shared/aws/access-policies.ts';
import { iso, now } from '../../shared/clock.ts';
import { payerRoleName, podRoleName } from '../../shared/aws/names.ts';
import { policyOf, type PolicyDocument } from '../../shared/aws/policy.ts';
import { OnboardingRequest } from '../../shared/request.ts';
import { newRunId } from '../../shared/run-id.ts';
import { createRun } from '../../shared/run-store.ts';
import { endStep } from '../api/requests.ts';
import { deployProvisioner } from '../sandbox/provisioners.ts';
import { accountAt } from '../runs/payers.ts';
import { seedChance } from '../chance.ts';
import { AccessWorld, region } from './access-world.ts';

interface Cluster {
  accountId: string;
  name: string;
}

const serviceAccount = 'kubecost-serviceaccount';
const clusters: Cluster[] = [0, 1].map((index) => ({ accountId: accountAt('cluster', index), name: 'finops' }));
const arnOf = ({ accountId, name }: Cluster) => `arn:aws:eks:${region}:${accountId}:cluster/${name}`;
const podRoleNameOf = (cluster: Cluster) => podRoleName(arnOf(cluster), 'kubecost', serviceAccount);
const podRoleArnOf = (cluster: Cluster) => `arn:aws:iam::${cluster.accountId}:role/${podRoleNameOf(cluster)}`;
const payerRoleArnOf = (payer: string) => `arn:aws:iam::${payer}:role/${payerRoleName}`;

let access: AccessWorld;
beforeEach(async () => {
  access = await AccessWorld.start();
  for (const cluster of clusters) {
    deployProvisioner(access.world, 'cluster', cluster.accountId);
    const trust = policyOf(podIdentityTrust({ clusterArn: arnOf(cluster), namespace: 'kubecost', serviceAccount }));
    access.world.iam.createRole({ accountId: cluster.accountId, name: podRoleNameOf(cluster), trust, settled: true });
  }
});
afterEach(async () => {
  await access.close();
  vi.restoreAllMocks();
});

/** A run whose pod has its role. */
async function newRun(payerAccountId: string, cluster: Cluster): Promise<string> {
  const runId = newRunId();
  const request = OnboardingRequest.parse({ payerAccountId, cluster: { ...cluster, region } });
  await createRun({ runId, kind: 'onboarding', attempt: 1, status: 'running', createdAt: iso(now()), request });
  const workload = { installation: 'none', workload: null, image: null, mount: null, serviceAccount };
  const podRole = { podRoleArn: podRoleArnOf(cluster), serviceAccount, oidcProviderArn: 'arn' };
  const finish = (name: 'discovery' | 'pod-role', output: object) => endStep(runId, name, { ...output });
  await finish('discovery', workload);
  await finish('pod-role', podRole);
  return runId;
}

/** Takes both steps, each after a while that chance decides. */
async function share(payer: string, cluster: Cluster): Promise<void> {
  const runId = await newRun(payer, cluster);
  for (const step of ['payer-role', 'grant'] as const) {
    await access.world.clock.sleep(Math.floor(Math.random() * 2) * 1000);
    const taken = await access.take(runId, step);
    expect(taken.error, `${step} of ${payer}`).toBeUndefined();
    expect(taken.status).toBe('succeeded');
  }
}

const statementsOf = (stored: { text: string } | undefined) =>
  (JSON.parse(stored?.text ?? '{"Statement":[]}') as PolicyDocument).Statement;

function trustedBy(payer: string): string[] {
  const trust = access.world.iam.role(payer, payerRoleName)?.trust.current;
  return statementsOf(trust)
    .flatMap(({ Condition }) => Condition?.ArnEquals?.['aws:PrincipalArn'] ?? [])
    .sort();
}

/** By what is attached to the pod's role. */
function grantedTo(cluster: Cluster): string[] {
  const role = access.world.iam.role(cluster.accountId, podRoleNameOf(cluster));
  return [...(role?.attached.values() ?? [])]
    .flatMap(({ current }) => statementsOf(current?.content.current))
    .flatMap(({ Resource }) => Resource ?? [])
    .sort();
}

describe('a hundred payers that join two clusters at once', () => {
  it('are all in both clusters’ policies, and each trusts both pod roles', async () => {
    seedChance(1);
    const payers = Array.from({ length: 100 }, (_, index) => accountAt('payer', index));
    for (const payer of payers) deployProvisioner(access.world, 'payer', payer);
    await Promise.all(payers.flatMap((payer) => clusters.map((cluster) => share(payer, cluster))));
    for (const payer of payers) expect(trustedBy(payer)).toEqual(clusters.map(podRoleArnOf).sort());
    for (const cluster of clusters) expect(grantedTo(cluster)).toEqual(payers.map(payerRoleArnOf));
  }, 120_000);
});
