import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { connectionStatuses, type KubecostGeneration } from '../sandbox/index.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { isLongSuite } from '../support/long-suite.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { stepOf } from '../support/run-harness.ts';
import { accountAt, seedPayerWithTable } from '../support/seed-payers.ts';

const startMs = Date.parse('2026-11-23T08:00:00Z');
const region = 'eu-west-1';

const generations: KubecostGeneration[] = ['1.x', '2.x', '2.x-statefulset', '3.x', 'opencost'];
const modes = ['irsa', 'pod-identity'] as const;

/** The secret's text before the run, with unusual spacing that must stay. */
const files = {
  'no file': undefined,
  'a legacy file':
    '{"aws":[ {"athenaBucketName":"s3://other-results","athenaRegion":"us-east-1","athenaDatabase":"other","athenaTable":"cur","athenaWorkgroup":"primary","projectID":"555566667777","serviceKeyName":"AKIAOTHER","serviceKeySecret":"foreign-secret"} ]}\n',
  'a file of configurations':
    '{"aws": {"athena":[\n {"bucket":"s3://other-results","region":"us-east-1","database":"other","table":"cur","workgroup":"primary","account":"555566667777","authorizer":{"authorizerType":"AWSAccessKey","id":"AKIAOTHER","secret":"foreign-secret"}}]}}',
  'other clouds only':
    '{ "azure":[{"azureSubscriptionID":"11111111-2222-3333-4444-555555555555","azureStorageAccount":"acme","azureStorageAccessKey":"foreign-secret","azureStorageContainer":"exports","azureContainerPath":"","azureCloud":"public"}],\n  "gcp":[{"projectID":"acme","billingDataDataset":"billing.export","key":{"private_key":"foreign-secret"}}] }',
};
type FileKind = keyof typeof files;

/** Kubecost supports EKS Pod Identity since 2.2. */
const allCombinations = generations.flatMap((generation) =>
  modes
    .filter((mode) => generation !== '1.x' || mode !== 'pod-identity')
    .flatMap((mode) => (Object.keys(files) as FileKind[]).map((file) => ({ generation, mode, file }))),
);
type Combination = (typeof allCombinations)[number];

/** Each generation and mode with one of the files; with all files in the long suite. */
const combinations = allCombinations.filter((_, index) => isLongSuite || index % 4 === Math.floor(index / 4) % 4);

const namespaceOf = ({ generation }: Combination) => (generation === 'opencost' ? 'opencost' : 'kubecost');

let sandbox: DeployedSandbox;
let runs: Run[];

/** A cluster and a payer of its own for each combination, all onboarded at once. */
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  sandbox = await startDeployedSandbox({ startMs });
  const requests = await Promise.all(combinations.map(seed));
  const api = new ApiClient(sandbox.apiUrl);
  runs = await Promise.all(
    requests.map(async (request) => {
      const { runId } = await api.start(request);
      return api.untilEnded(runId, undefined, 1000);
    }),
  );
});
afterAll(async () => {
  await sandbox.close();
  vi.restoreAllMocks();
});

async function seed(combination: Combination, index: number): Promise<OnboardingRequestInput> {
  const { world } = sandbox;
  const { generation, mode, file } = combination;
  const cluster = { accountId: accountAt('cluster', index), region, name: `cluster-${index}` };
  const { kubernetes } = await world.eks.createCluster({ ...cluster, addons: ['eks-pod-identity-agent'] });
  deployProvisioner(world, 'cluster', cluster.accountId);
  const namespace = namespaceOf(combination);
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  const text = files[file];
  if (text !== undefined)
    kubernetes.apply({
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: { name: 'cloud-integration', namespace },
      data: { 'cloud-integration.json': Buffer.from(text).toString('base64') },
    });
  kubernetes.installKubecost({ generation });
  const payerAccountId = accountAt('payer', index);
  seedPayerWithTable(world, payerAccountId);
  return {
    payerAccountId,
    cluster,
    identity: { mode },
    report: { mode: 'adopt' },
    kubecost: { namespace },
  };
}

function fileOf(combination: Combination, run: Run): string {
  const { accountId, name } = run.request.cluster;
  const { kubernetes } = sandbox.world.eks.cluster(`arn:aws:eks:${region}:${accountId}:cluster/${name}`);
  const secret = kubernetes.get('Secret', namespaceOf(combination), 'cloud-integration');
  const { data } = secret as unknown as { data: Record<string, string> };
  return Buffer.from(data['cloud-integration.json'] ?? '', 'base64').toString();
}

describe.each(combinations.map((combination, index) => ({ ...combination, index })))(
  'an onboarding to $generation with $mode and $file',
  (combination) => {
    const run = (): Run => {
      const found = runs[combination.index];
      if (!found) throw new Error(`no run for combination ${combination.index}`);
      return found;
    };

    it('ends with the status Connection Successful', () => {
      expect(run().error).toBeNull();
      expect(run().status).toBe('succeeded');
      expect(run().evidence?.level).toBe('connection');
      const { accountId, name } = run().request.cluster;
      const statuses = connectionStatuses(sandbox.world, `arn:aws:eks:${region}:${accountId}:cluster/${name}`);
      expect(statuses[run().evidence?.secret.key ?? '']).toBe('Connection Successful');
      expect(stepOf(run(), 'load-proof').output).toMatchObject({ verdict: 'proven' });
    });

    it('keeps every existing byte of the file', () => {
      const before = files[combination.file] ?? '';
      const after = fileOf(combination, run());
      const insertedAt = Array.from(before).findIndex((byte, index) => after[index] !== byte);
      expect(after.endsWith(before.slice(insertedAt))).toBe(true);
    });
  },
);
