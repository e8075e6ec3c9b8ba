/** Many simultaneous runs that share a payer's role or a target's policies. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { podIdentityTrust } from '../../shared/access/pod-trust.ts';
import { payerRoleName, podRoleName } from '../../shared/aws/names.ts';
import { type PolicyDocument, policyOf } from '../../shared/aws/policy-document.ts';
import { defaultNames } from '../../shared/cluster/provisioner-role.ts';
import type { Cluster } from '../sandbox/index.ts';
import { AccessHarness, region } from '../support/access-harness.ts';
import { applyManifest, createAccessEntry } from '../support/cluster-owner.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { accountAt } from '../support/seed-payers.ts';
import { seedRandom } from '../support/seeded-random.ts';
import { endStep } from '../support/stored-runs.ts';

const serviceAccount = 'kubecost-serviceaccount';
const scope = { namespace: 'kubecost', secretName: 'cloud-integration', ...defaultNames };
const provisioner = 'role/kubecost-payer-onboarding/kubecost-cluster-provisioner';
const podRoleNameOf = ({ arn }: Cluster) => podRoleName(arn, 'kubecost', serviceAccount);
const podRoleArnOf = (cluster: Cluster) => `arn:aws:iam::${cluster.accountId}:role/${podRoleNameOf(cluster)}`;
const payerRoleArnOf = (payer: string) => `arn:aws:iam::${payer}:role/${payerRoleName}`;
const resultsOf = (payer: string) => `s3://results-${payer}`;

let access: AccessHarness;
let clusters: Cluster[];
beforeEach(async () => {
  access = await AccessHarness.start();
  clusters = await Promise.all([0, 1].map((index) => openCluster(accountAt('cluster', index))));
  await access.world.clock.sleep(access.world.eks.accessEntryMs);
});
afterEach(async () => {
  await access.close();
  vi.restoreAllMocks();
});

/** A cluster whose owner has granted us access and whose pod role exists. */
async function openCluster(accountId: string): Promise<Cluster> {
  const { world, sandbox } = access;
  deployProvisioner(world, 'cluster', accountId);
  const cluster = await world.eks.createCluster({ accountId, region, name: 'finops' });
  applyManifest(cluster, scope);
  await createAccessEntry(sandbox, cluster, `arn:aws:iam::${accountId}:${provisioner}`);
  const trust = policyOf(
    podIdentityTrust({ clusterArn: cluster.arn, namespace: 'kubecost', serviceAccount }).statement,
  );
  world.iam.createRole({ accountId, name: podRoleNameOf(cluster), trust, settled: true });
  return cluster;
}

/** A run whose discovery and pod-role steps have ended. */
async function newRun(payerAccountId: string, cluster: Cluster): Promise<string> {
  const results = { athenaResultsLocation: resultsOf(payerAccountId) };
  const runId = await access.newRun({ payerAccountId }, true, results, cluster);
  const none = { workload: null, container: null, image: null, mount: null, podSelector: null, statusService: null };
  await endStep(runId, 'discovery', { installation: 'none', serviceAccount, ...none });
  await endStep(runId, 'pod-role', { podRoleArn: podRoleArnOf(cluster), serviceAccount, oidcProviderArn: 'arn' });
  return runId;
}

/** Takes the steps that write shared resources, each after a random delay. */
async function takeSharedSteps(payer: string, cluster: Cluster): Promise<void> {
  const runId = await newRun(payer, cluster);
  for (const step of ['payer-role', 'grant', 'publish'] as const) {
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

/** The payer roles in the policies that are attached to the cluster's pod role. */
function grantedTo(cluster: Cluster): string[] {
  const role = access.world.iam.role(cluster.accountId, podRoleNameOf(cluster));
  return [...(role?.attached.values() ?? [])]
    .flatMap(({ current }) => statementsOf(current?.content.current))
    .flatMap(({ Resource }) => Resource ?? [])
    .sort();
}

/** The payer, results location and payer role of each entry in the cluster's file. */
function entriesIn({ kubernetes }: Cluster): [payer: string, results: string, role: string][] {
  const { data } = kubernetes.get('Secret', scope.namespace, scope.secretName) as { data?: Record<string, string> };
  const text = Buffer.from(data?.['cloud-integration.json'] ?? '', 'base64').toString();
  const { aws } = JSON.parse(text) as { aws: Record<'projectID' | 'athenaBucketName' | 'masterPayerARN', string>[] };
  return aws.map(({ projectID, athenaBucketName, masterPayerARN }) => [projectID, athenaBucketName, masterPayerARN]);
}

describe('payers that are onboarded to two clusters at once', () => {
  it('are in both clusters’ policies and files, and trust both pod roles', async () => {
    seedRandom(1);
    const payers = Array.from({ length: isLongSuite ? 100 : 20 }, (_, index) => accountAt('payer', index));
    for (const payer of payers) deployProvisioner(access.world, 'payer', payer);
    await Promise.all(payers.flatMap((payer) => clusters.map((cluster) => takeSharedSteps(payer, cluster))));
    for (const payer of payers) expect(trustedBy(payer)).toEqual(clusters.map(podRoleArnOf).sort());
    for (const cluster of clusters) {
      expect(grantedTo(cluster)).toEqual(payers.map(payerRoleArnOf));
      expect(entriesIn(cluster).sort()).toEqual(
        payers.map((payer) => [payer, resultsOf(payer), payerRoleArnOf(payer)]),
      );
    }
  });
});
