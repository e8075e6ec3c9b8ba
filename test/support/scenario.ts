import { readFileSync } from 'node:fs';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { World } from '../sandbox/index.ts';
import { deployProvisioner } from './provisioners.ts';

export const examples = ['new-irsa', 'new-pod-identity', 'adopt-report', 'take-over-hand-made'] as const;
export const clusters = [
  { accountId: '222233330001', region: 'eu-west-1', name: 'finops' },
  { accountId: '222233330002', region: 'us-east-1', name: 'platform' },
] as const;

/** Kubecost 3.x mounts its file by subPath, so only a new pod sees a change; 2.x mounts a directory. */
export const generations = { finops: '3.x', platform: '2.x' } as const;

const firstDeliveryHours = { '111122220001': 7.5, '111122220002': 11 };
const adopted = { accountId: '111122220003', bucket: 'acme-billing-cur', report: 'acme_daily', region: 'us-east-1' };
const handMade = {
  accountId: '111122220004',
  bucket: 'borealis-cur',
  report: 'Borealis-CUR',
  region: 'us-west-2',
  database: 'borealis_billing',
  table: 'cur',
  workgroup: 'kubecost',
  results: 'borealis-athena-results',
};

export function exampleRequest(name: (typeof examples)[number]): OnboardingRequestInput {
  return JSON.parse(
    readFileSync(new URL(`../../examples/${name}.json`, import.meta.url), 'utf8'),
  ) as OnboardingRequestInput;
}

/** Secrets of others: no run may change them or show them anywhere. */
export const plantedSecrets = { azureKey: 'azure-storage-key-of-another-team', awsSecret: 'wJalrSECRETofAnotherPayer' };

/** The first cluster's file before the demo: hand-indented, with an Azure entry, a foreign payer and the hand-made one. */
export const foreignFile = `{
    "azure": [
        { "azureSubscriptionID": "11111111-2222-3333-4444-555555555555", "azureStorageAccount": "acmebilling",
          "azureStorageAccessKey": "${plantedSecrets.azureKey}", "azureStorageContainer": "exports",
          "azureContainerPath": "", "azureCloud": "public" }
    ],
    "aws": [
        {"athenaBucketName":"s3://other-team-results","athenaRegion":"us-east-1","athenaDatabase":"athenacurcfn_other",
         "athenaTable":"other","athenaWorkgroup":"primary","projectID":"555566667777",
         "serviceKeyName":"AKIAOTHERTEAM","serviceKeySecret":"${plantedSecrets.awsSecret}"},
        {"athenaBucketName":"s3://${handMade.results}","athenaRegion":"${handMade.region}","athenaDatabase":"${handMade.database}",
         "athenaTable":"${handMade.table}","athenaWorkgroup":"${handMade.workgroup}","projectID":"${handMade.accountId}",
         "masterPayerARN":"arn:aws:iam::${handMade.accountId}:role/kubecost-cur-access"}
    ]
}
`;

/**
 * Two clusters with Kubecost and four payer accounts: two have nothing, one has a suitable report, one was
 * set up by hand with the tutorial.
 */
export async function seedScenario(world: World): Promise<void> {
  await Promise.all(
    clusters.map((cluster) => world.eks.createCluster({ ...cluster, addons: ['eks-pod-identity-agent'] })),
  );
  for (const { accountId } of clusters) deployProvisioner(world, 'cluster', accountId);
  for (const [accountId, hours] of Object.entries(firstDeliveryHours)) {
    deployProvisioner(world, 'payer', accountId);
    world.cur.firstDeliveryHours.set(accountId, hours);
  }
  seedAdoptedPayer(world);
  seedHandMadePayer(world);
  seedSecret(world);
  for (const cluster of clusters) {
    const { kubernetes } = world.eks.cluster(clusterArn(cluster));
    kubernetes.installKubecost({ generation: generations[cluster.name] });
  }
}

function seedAdoptedPayer(world: World): void {
  const { accountId, bucket, report, region } = adopted;
  deployProvisioner(world, 'payer', accountId, { CurBucket: bucket });
  world.cur.seedReport({
    accountId,
    definition: { ReportName: report, S3Bucket: bucket, S3Prefix: 'billing', S3Region: region },
    deliveredSince: monthsAgo(world, 3),
  });
}

/** Makes what the tutorial makes: report, table, workgroup, and a role with the tutorial's trust and policies. */
function seedHandMadePayer(world: World): void {
  const { accountId, bucket, report, region, database, table, workgroup, results } = handMade;
  deployProvisioner(world, 'payer', accountId, { CurBucket: bucket, AthenaResultsBucket: results });
  world.cur.seedReport({
    accountId,
    definition: { ReportName: report, S3Bucket: bucket, S3Prefix: 'cur', S3Region: region },
    deliveredSince: monthsAgo(world, 5),
  });
  world.glue.seedTable({ accountId, region, database, table, location: `s3://${bucket}/cur/${report}/${report}/` });
  world.s3.createBucket(accountId, region, results);
  world.athena.seedWorkgroup({
    accountId,
    region,
    name: workgroup,
    configuration: { ResultConfiguration: { OutputLocation: `s3://${results}` }, EnforceWorkGroupConfiguration: false },
  });
  world.iam.createRole({
    accountId,
    name: 'kubecost-cur-access',
    trust: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: 'arn:aws:iam::222233330001:root' }, Action: 'sts:AssumeRole' }],
    },
    inline: {
      'team-notes': {
        Version: '2012-10-17',
        Statement: [{ Sid: 'ByHand', Effect: 'Allow', Action: 'athena:ListWorkGroups', Resource: '*' }],
      },
    },
    settled: true,
  });
}

function seedSecret(world: World): void {
  const [cluster] = clusters;
  const { kubernetes } = world.eks.cluster(clusterArn(cluster));
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cloud-integration', namespace: 'kubecost' },
    type: 'Opaque',
    data: { 'cloud-integration.json': Buffer.from(foreignFile).toString('base64') },
  });
}

/** What names an EKS cluster. */
interface ClusterPlace {
  accountId: string;
  region: string;
  name: string;
}

export function clusterArn({ accountId, region, name }: ClusterPlace): string {
  return `arn:aws:eks:${region}:${accountId}:cluster/${name}`;
}

/** A cluster's cloud-integration.json; undefined if it has none. */
export function readSecret(world: World, cluster: ClusterPlace): string | undefined {
  const secret = world.eks.cluster(clusterArn(cluster)).kubernetes.get('Secret', 'kubecost', 'cloud-integration') as
    { data?: Record<string, string> } | undefined;
  const data = secret?.data?.['cloud-integration.json'];
  return data === undefined ? undefined : Buffer.from(data, 'base64').toString('utf8');
}

function monthsAgo(world: World, months: number): number {
  const now = new Date(world.clock.now());
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - months, 1);
}
