import { CloudFormationClient, CreateStackCommand, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { CreateAccessEntryCommand, DeleteAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import { CreatePolicyCommand, IAMClient } from '@aws-sdk/client-iam';
import { expect } from 'vitest';
import { type ClientConstructor, newClient } from '../../shared/aws/clients.ts';
import {
  athenaResultsBucketName,
  crawlerStackName,
  curBucketName,
  grantPolicyName,
  payerRoleName,
} from '../../shared/aws/names.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import { managedBy } from '../../shared/model/ownership.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { deploymentId } from './deployed-sandbox.ts';
import { clusterArn, clusters, readSecret } from './scenario.ts';
import type { Stage } from './step-harness.ts';

const forSpreadsheets = {
  Format: 'textORcsv',
  Compression: 'GZIP',
  AdditionalArtifacts: [],
  ReportVersioning: 'CREATE_NEW_REPORT',
};

/** Something of somebody else’s where a step wants to have its own. */
export interface Foreign {
  step: StepName;
  what: string;
  code: ErrorCode;
  plant: (stage: Stage) => unknown;
  /** Takes it away again; without it, the run that may take over goes on beside it. */
  remove?: (stage: Stage) => unknown;
  /** What of it must still be there after the take-over. */
  kept?: (stage: Stage) => void;
}

const payer = '111122220001';
const [finops] = clusters;
const arn = clusterArn(finops);
const region = 'us-east-1';
const curBucket = curBucketName(payer, region);
const resultsBucket = athenaResultsBucketName(payer, region);
/** Of Kubecost 3.x, which runs in the cluster. */
const serviceAccount = 'kubecost';
const policyName = grantPolicyName(arn, 'kubecost', serviceAccount);
const provisionerArn = `arn:aws:iam::${finops.accountId}:role/kubecost-payer-onboarding/kubecost-cluster-provisioner`;
const byHand = (Action: string) => ({ Sid: 'ByHand', Effect: 'Allow', Action, Resource: '*' });
const othersTags = { 'managed-by': managedBy, 'deployment-id': `not-${deploymentId}`, 'run-id': 'r' };

/** Somebody with every right in an account. */
function owner<Client>(Constructor: ClientConstructor<Client>, accountId: string, inRegion = region): Client {
  return newClient(Constructor, inRegion, () => Promise.resolve({ accessKeyId: accountId, secretAccessKey: 'x' }));
}

function makeBucket(
  stage: Stage,
  name: string,
  tags: Record<string, string> = {},
  where = region,
  accountId = payer,
): void {
  const bucket = stage.world.s3.createBucket(accountId, where, name);
  bucket.tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

function tagsOf({ world }: Stage, bucket: string): Record<string, string> {
  return Object.fromEntries(world.s3.buckets.get(bucket)?.tags.map(({ Key = '', Value = '' }) => [Key, Value]) ?? []);
}

const dropBucket = (name: string) => (stage: Stage) => stage.world.s3.buckets.delete(name);

function makePayerRole(stage: Stage, tags: Record<string, string> = {}): void {
  stage.world.iam.createRole({
    accountId: payer,
    name: payerRoleName,
    trust: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { AWS: finops.accountId }, Action: 'sts:AssumeRole' }],
    },
    inline: { 'team-notes': { Version: '2012-10-17', Statement: [byHand('athena:ListWorkGroups')] } },
    tags,
    settled: true,
  });
}

function dropPayerRole(stage: Stage): void {
  const role = stage.world.iam.role(payer, payerRoleName);
  if (role) stage.world.iam.removeRole(role);
}

function makePodRole(stage: Stage, subject: string): void {
  const { issuer, kubernetes } = stage.world.eks.cluster(arn);
  const url = issuer.replace('https://', '');
  const { arn: roleArn } = stage.world.iam.createRole({
    accountId: finops.accountId,
    name: 'kubecost-by-hand',
    trust: {
      Version: '2012-10-17',
      Statement: [
        {
          Sid: 'ByHand',
          Effect: 'Allow',
          Principal: { Federated: `arn:aws:iam::${finops.accountId}:oidc-provider/${url}` },
          Action: 'sts:AssumeRoleWithWebIdentity',
          Condition: { StringEquals: { [`${url}:sub`]: subject, [`${url}:aud`]: 'sts.amazonaws.com' } },
        },
      ],
    },
    settled: true,
  });
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: {
      name: serviceAccount,
      namespace: 'kubecost',
      annotations: { 'eks.amazonaws.com/role-arn': roleArn },
    },
  });
}

function markSecret(stage: Stage, labels: Record<string, string>): void {
  const { kubernetes } = stage.world.eks.cluster(arn);
  const secret = kubernetes.get('Secret', 'kubecost', 'cloud-integration');
  if (!secret) throw new Error('there is no secret');
  kubernetes.apply({ ...secret, metadata: { name: 'cloud-integration', namespace: 'kubecost', labels } });
}

function addEntry(stage: Stage): void {
  editAws(stage, (entries) => [
    ...entries,
    {
      athenaBucketName: 's3://by-hand-results',
      athenaRegion: region,
      athenaDatabase: 'by_hand',
      athenaTable: 'cur',
      athenaWorkgroup: 'primary',
      projectID: payer,
    },
  ]);
}

function dropEntry(stage: Stage): void {
  editAws(stage, (entries) => entries.slice(0, -1));
}

function editAws({ world }: Stage, edit: (entries: object[]) => object[]): void {
  const file = JSON.parse(readSecret(world, finops) ?? '{}') as { aws: object[] };
  const text = JSON.stringify({ ...file, aws: edit(file.aws) });
  world.eks.cluster(arn).kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'cloud-integration', namespace: 'kubecost' },
    data: { 'cloud-integration.json': Buffer.from(text).toString('base64') },
  });
}

export const foreignThings: readonly Foreign[] = [
  {
    step: 'report-choice',
    what: 'a report of our name that is not for Athena',
    code: 'report-differs',
    plant: (stage) => {
      const place = { ReportName: 'kubecost_cur', S3Bucket: 'someones-cur', S3Prefix: 'p', S3Region: region };
      stage.world.cur.seedReport({ accountId: payer, definition: { ...place, ...forSpreadsheets } });
    },
    remove: (stage) => {
      const report = stage.world.cur.find(payer, 'kubecost_cur');
      if (report) stage.world.cur.remove(report);
    },
  },
  {
    step: 'cur-bucket',
    what: 'a bucket of our name in another account',
    code: 'bucket-name-taken',
    plant: (stage) => {
      makeBucket(stage, curBucket, {}, region, '999988887777');
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'our bucket in another region',
    code: 'bucket-in-other-region',
    plant: (stage) => {
      makeBucket(stage, curBucket, {}, 'eu-central-1');
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'another deployment’s bucket',
    code: 'owned-by-another-deployment',
    plant: (stage) => {
      makeBucket(stage, curBucket, othersTags);
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'somebody’s bucket with a policy',
    code: 'bucket-not-ours',
    plant: (stage) => {
      makeBucket(stage, curBucket, { team: 'finance' });
      const Principal = { AWS: `arn:aws:iam::${payer}:root` };
      const statement = { ...byHand('s3:ListBucket'), Principal, Resource: `arn:aws:s3:::${curBucket}` };
      stage.world.s3.setPolicy(curBucket, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    },
    kept: (stage) => {
      expect(stage.world.s3.buckets.get(curBucket)?.policy?.text).toContain('ByHand');
      expect(tagsOf(stage, curBucket)).toMatchObject({ team: 'finance', 'managed-by': managedBy });
    },
  },
  {
    step: 'cur-report',
    what: 'a report of our name that delivers elsewhere',
    code: 'report-differs',
    plant: (stage) => {
      const place = { ReportName: 'kubecost_cur', S3Bucket: 'someones-cur', S3Prefix: 'p', S3Region: region };
      stage.world.cur.seedReport({ accountId: payer, definition: place });
    },
    remove: (stage) => {
      const report = stage.world.cur.find(payer, 'kubecost_cur');
      if (report) stage.world.cur.remove(report);
    },
  },
  {
    step: 'crawler-stack',
    what: 'somebody’s stack of our name',
    code: 'crawler-stack-not-ours',
    plant: (stage) => deployStack(stage),
    remove: (stage) => deleteStack(stage),
  },
  {
    step: 'athena-results',
    what: 'somebody’s bucket of our name',
    code: 'bucket-not-ours',
    plant: (stage) => {
      makeBucket(stage, resultsBucket, { team: 'finance' });
    },
    // Used as it is: our expiry would delete what others keep there.
    kept: (stage) => {
      expect(tagsOf(stage, resultsBucket)).toEqual({ team: 'finance' });
      expect(stage.world.s3.buckets.get(resultsBucket)?.lifecycle).toEqual([]);
    },
  },
  {
    step: 'cluster-access',
    what: 'an access entry of our role with other groups',
    code: 'access-entry-not-ours',
    plant: () =>
      owner(EKSClient, finops.accountId, finops.region).send(
        new CreateAccessEntryCommand({
          clusterName: finops.name,
          principalArn: provisionerArn,
          kubernetesGroups: ['viewers'],
        }),
      ),
    remove: () =>
      owner(EKSClient, finops.accountId, finops.region).send(
        new DeleteAccessEntryCommand({ clusterName: finops.name, principalArn: provisionerArn }),
      ),
  },
  {
    step: 'pod-role',
    what: 'a role for another service account',
    code: 'service-account-subject-mismatch',
    plant: (stage) => {
      makePodRole(stage, 'system:serviceaccount:kubecost:other');
    },
    remove: (stage) => {
      const role = stage.world.iam.role(finops.accountId, 'kubecost-by-hand');
      if (role) stage.world.iam.removeRole(role);
    },
  },
  {
    step: 'pod-role',
    what: 'a role somebody made for this service account',
    code: 'pod-role-not-ours',
    plant: (stage) => {
      makePodRole(stage, `system:serviceaccount:kubecost:${serviceAccount}`);
    },
    kept: (stage) => {
      const role = stage.world.iam.role(finops.accountId, 'kubecost-by-hand');
      expect(role?.trust.current?.text).toContain('ByHand');
      expect(role?.tags.get('managed-by')).toBe(managedBy);
    },
  },
  {
    step: 'payer-role',
    what: 'another deployment’s role',
    code: 'owned-by-another-deployment',
    plant: (stage) => {
      makePayerRole(stage, othersTags);
    },
    remove: dropPayerRole,
  },
  {
    step: 'payer-role',
    what: 'the role somebody made with the tutorial',
    code: 'payer-role-not-ours',
    plant: (stage) => {
      makePayerRole(stage);
    },
    kept: (stage) => {
      const role = stage.world.iam.role(payer, payerRoleName);
      expect(role?.trust.current?.text).toContain(`"${finops.accountId}"`);
      expect([...(role?.inline.keys() ?? [])]).toContain('team-notes');
    },
  },
  {
    step: 'grant',
    what: 'somebody’s policy of our name',
    code: 'pod-policy-not-ours',
    plant: () =>
      owner(IAMClient, finops.accountId).send(
        new CreatePolicyCommand({
          PolicyName: policyName,
          PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [byHand('s3:ListAllMyBuckets')] }),
        }),
      ),
    kept: (stage) => {
      const policy = stage.world.iam.policies.get(`arn:aws:iam::${finops.accountId}:policy/${policyName}`);
      expect(policy?.content.current?.text).toContain('ByHand');
      expect(policy?.tags.get('managed-by')).toBe(managedBy);
    },
  },
  {
    step: 'chain-proof',
    what: 'Helm’s secret',
    code: 'secret-owned-elsewhere',
    plant: (stage) => {
      markSecret(stage, { 'app.kubernetes.io/managed-by': 'Helm' });
    },
    remove: (stage) => {
      markSecret(stage, {});
    },
  },
  {
    step: 'chain-proof',
    what: 'the payer under another key',
    code: 'payer-already-integrated',
    plant: addEntry,
    remove: dropEntry,
  },
  {
    step: 'payer-policy',
    what: 'a payer role that lost our tags',
    code: 'payer-role-not-ours',
    plant: (stage) => {
      stage.world.iam.role(payer, payerRoleName)?.tags.delete('managed-by');
    },
    remove: (stage) => {
      stage.world.iam.role(payer, payerRoleName)?.tags.set('managed-by', managedBy);
    },
  },
  {
    step: 'chain-proof',
    what: 'a secret that Flux keeps',
    code: 'secret-owned-elsewhere',
    plant: (stage) => {
      markSecret(stage, { 'kustomize.toolkit.fluxcd.io/name': 'apps' });
    },
    remove: (stage) => {
      markSecret(stage, {});
    },
  },
  {
    step: 'publish',
    what: 'the payer under another key',
    code: 'payer-already-integrated',
    plant: addEntry,
    kept: (stage) => {
      const file = JSON.parse(readSecret(stage.world, finops) ?? '{}') as { aws: { projectID: string }[] };
      expect(file.aws.filter(({ projectID }) => projectID === payer)).toHaveLength(1);
    },
  },
];

async function deployStack(stage: Stage): Promise<void> {
  const body = stage.world.s3.text(curBucket, 'kubecost/kubecost_cur/crawler-cfn.yml') ?? '';
  await owner(CloudFormationClient, payer).send(
    new CreateStackCommand({
      StackName: crawlerStackName('kubecost_cur'),
      TemplateBody: body,
      Capabilities: ['CAPABILITY_IAM'],
    }),
  );
  await stage.world.clock.sleep(10 * 60_000);
}

async function deleteStack(stage: Stage): Promise<void> {
  await owner(CloudFormationClient, payer).send(
    new DeleteStackCommand({ StackName: crawlerStackName('kubecost_cur') }),
  );
  await stage.world.clock.sleep(10 * 60_000);
}
