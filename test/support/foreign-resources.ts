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
import type { StepHarness } from './step-harness.ts';

const forSpreadsheets = {
  Format: 'textORcsv',
  Compression: 'GZIP',
  AdditionalArtifacts: [],
  ReportVersioning: 'CREATE_NEW_REPORT',
};

/** A resource of another owner in the place where a step makes its own. */
export interface Foreign {
  step: StepName;
  what: string;
  code: ErrorCode;
  plant: (stepHarness: StepHarness) => unknown;
  /** Removes it. Without this, the run with take-over continues beside it. */
  remove?: (stepHarness: StepHarness) => unknown;
  /** Checks what must remain of it after the take-over. */
  kept?: (stepHarness: StepHarness) => void;
}

const payer = '111122220001';
const [finops] = clusters;
const arn = clusterArn(finops);
const region = 'us-east-1';
const curBucket = curBucketName(payer, region);
const resultsBucket = athenaResultsBucketName(payer, region);
/** The service account of Kubecost 3.x. */
const serviceAccount = 'kubecost';
const policyName = grantPolicyName(arn, 'kubecost', serviceAccount);
const provisionerArn = `arn:aws:iam::${finops.accountId}:role/kubecost-payer-onboarding/kubecost-cluster-provisioner`;
const byHand = (Action: string) => ({ Sid: 'ByHand', Effect: 'Allow', Action, Resource: '*' });
const othersTags = { 'managed-by': managedBy, 'deployment-id': `not-${deploymentId}`, 'run-id': 'r' };

/** A client with every permission in an account. */
function owner<Client>(Constructor: ClientConstructor<Client>, accountId: string, inRegion = region): Client {
  return newClient(Constructor, inRegion, () => Promise.resolve({ accessKeyId: accountId, secretAccessKey: 'x' }));
}

function makeBucket(
  stepHarness: StepHarness,
  name: string,
  tags: Record<string, string> = {},
  where = region,
  accountId = payer,
): void {
  const bucket = stepHarness.world.s3.createBucket(accountId, where, name);
  bucket.tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

function tagsOf({ world }: StepHarness, bucket: string): Record<string, string> {
  return Object.fromEntries(world.s3.buckets.get(bucket)?.tags.map(({ Key = '', Value = '' }) => [Key, Value]) ?? []);
}

const dropBucket = (name: string) => (stepHarness: StepHarness) => stepHarness.world.s3.buckets.delete(name);

function makePayerRole(stepHarness: StepHarness, tags: Record<string, string> = {}): void {
  stepHarness.world.iam.createRole({
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

function dropPayerRole(stepHarness: StepHarness): void {
  const role = stepHarness.world.iam.role(payer, payerRoleName);
  if (role) stepHarness.world.iam.removeRole(role);
}

function makePodRole(stepHarness: StepHarness, subject: string): void {
  const { issuer, kubernetes } = stepHarness.world.eks.cluster(arn);
  const url = issuer.replace('https://', '');
  const { arn: roleArn } = stepHarness.world.iam.createRole({
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

function markSecret(stepHarness: StepHarness, labels: Record<string, string>): void {
  const { kubernetes } = stepHarness.world.eks.cluster(arn);
  const secret = kubernetes.get('Secret', 'kubecost', 'cloud-integration');
  if (!secret) throw new Error('there is no secret');
  kubernetes.apply({ ...secret, metadata: { name: 'cloud-integration', namespace: 'kubecost', labels } });
}

function addEntry(stepHarness: StepHarness): void {
  editAws(stepHarness, (entries) => [
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

function dropEntry(stepHarness: StepHarness): void {
  editAws(stepHarness, (entries) => entries.slice(0, -1));
}

function editAws({ world }: StepHarness, edit: (entries: object[]) => object[]): void {
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

export const foreignResources: readonly Foreign[] = [
  {
    step: 'report-choice',
    what: 'a report of our name that is not for Athena',
    code: 'report-differs',
    plant: (stepHarness) => {
      const place = { ReportName: 'kubecost_cur', S3Bucket: 'someones-cur', S3Prefix: 'p', S3Region: region };
      stepHarness.world.cur.seedReport({ accountId: payer, definition: { ...place, ...forSpreadsheets } });
    },
    remove: (stepHarness) => {
      const report = stepHarness.world.cur.find(payer, 'kubecost_cur');
      if (report) stepHarness.world.cur.remove(report);
    },
  },
  {
    step: 'cur-bucket',
    what: 'a bucket of our name in another account',
    code: 'bucket-name-taken',
    plant: (stepHarness) => {
      makeBucket(stepHarness, curBucket, {}, region, '999988887777');
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'our bucket in another region',
    code: 'bucket-in-other-region',
    plant: (stepHarness) => {
      makeBucket(stepHarness, curBucket, {}, 'eu-central-1');
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'another deployment’s bucket',
    code: 'owned-by-another-deployment',
    plant: (stepHarness) => {
      makeBucket(stepHarness, curBucket, othersTags);
    },
    remove: dropBucket(curBucket),
  },
  {
    step: 'cur-bucket',
    what: 'somebody’s bucket with a policy',
    code: 'bucket-not-ours',
    plant: (stepHarness) => {
      makeBucket(stepHarness, curBucket, { team: 'finance' });
      const Principal = { AWS: `arn:aws:iam::${payer}:root` };
      const statement = { ...byHand('s3:ListBucket'), Principal, Resource: `arn:aws:s3:::${curBucket}` };
      stepHarness.world.s3.setPolicy(curBucket, JSON.stringify({ Version: '2012-10-17', Statement: [statement] }));
    },
    kept: (stepHarness) => {
      expect(stepHarness.world.s3.buckets.get(curBucket)?.policy?.text).toContain('ByHand');
      expect(tagsOf(stepHarness, curBucket)).toMatchObject({ team: 'finance', 'managed-by': managedBy });
    },
  },
  {
    step: 'cur-report',
    what: 'a report of our name that delivers elsewhere',
    code: 'report-differs',
    plant: (stepHarness) => {
      const place = { ReportName: 'kubecost_cur', S3Bucket: 'someones-cur', S3Prefix: 'p', S3Region: region };
      stepHarness.world.cur.seedReport({ accountId: payer, definition: place });
    },
    remove: (stepHarness) => {
      const report = stepHarness.world.cur.find(payer, 'kubecost_cur');
      if (report) stepHarness.world.cur.remove(report);
    },
  },
  {
    step: 'crawler-stack',
    what: 'somebody’s stack of our name',
    code: 'crawler-stack-not-ours',
    plant: (stepHarness) => deployStack(stepHarness),
    remove: (stepHarness) => deleteStack(stepHarness),
  },
  {
    step: 'athena-results',
    what: 'somebody’s bucket of our name',
    code: 'bucket-not-ours',
    plant: (stepHarness) => {
      makeBucket(stepHarness, resultsBucket, { team: 'finance' });
    },
    // The step uses the bucket unchanged: our expiry would delete other people's objects.
    kept: (stepHarness) => {
      expect(tagsOf(stepHarness, resultsBucket)).toEqual({ team: 'finance' });
      expect(stepHarness.world.s3.buckets.get(resultsBucket)?.lifecycle).toEqual([]);
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
    plant: (stepHarness) => {
      makePodRole(stepHarness, 'system:serviceaccount:kubecost:other');
    },
    remove: (stepHarness) => {
      const role = stepHarness.world.iam.role(finops.accountId, 'kubecost-by-hand');
      if (role) stepHarness.world.iam.removeRole(role);
    },
  },
  {
    step: 'pod-role',
    what: 'a role somebody made for this service account',
    code: 'pod-role-not-ours',
    plant: (stepHarness) => {
      makePodRole(stepHarness, `system:serviceaccount:kubecost:${serviceAccount}`);
    },
    kept: (stepHarness) => {
      const role = stepHarness.world.iam.role(finops.accountId, 'kubecost-by-hand');
      expect(role?.trust.current?.text).toContain('ByHand');
      expect(role?.tags.get('managed-by')).toBe(managedBy);
    },
  },
  {
    step: 'payer-role',
    what: 'another deployment’s role',
    code: 'owned-by-another-deployment',
    plant: (stepHarness) => {
      makePayerRole(stepHarness, othersTags);
    },
    remove: dropPayerRole,
  },
  {
    step: 'payer-role',
    what: 'the role somebody made with the tutorial',
    code: 'payer-role-not-ours',
    plant: (stepHarness) => {
      makePayerRole(stepHarness);
    },
    kept: (stepHarness) => {
      const role = stepHarness.world.iam.role(payer, payerRoleName);
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
    kept: (stepHarness) => {
      const policy = stepHarness.world.iam.policies.get(`arn:aws:iam::${finops.accountId}:policy/${policyName}`);
      expect(policy?.content.current?.text).toContain('ByHand');
      expect(policy?.tags.get('managed-by')).toBe(managedBy);
    },
  },
  {
    step: 'chain-proof',
    what: 'Helm’s secret',
    code: 'secret-owned-elsewhere',
    plant: (stepHarness) => {
      markSecret(stepHarness, { 'app.kubernetes.io/managed-by': 'Helm' });
    },
    remove: (stepHarness) => {
      markSecret(stepHarness, {});
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
    plant: (stepHarness) => {
      stepHarness.world.iam.role(payer, payerRoleName)?.tags.delete('managed-by');
    },
    remove: (stepHarness) => {
      stepHarness.world.iam.role(payer, payerRoleName)?.tags.set('managed-by', managedBy);
    },
  },
  {
    step: 'chain-proof',
    what: 'a secret that Flux keeps',
    code: 'secret-owned-elsewhere',
    plant: (stepHarness) => {
      markSecret(stepHarness, { 'kustomize.toolkit.fluxcd.io/name': 'apps' });
    },
    remove: (stepHarness) => {
      markSecret(stepHarness, {});
    },
  },
  {
    step: 'publish',
    what: 'the payer under another key',
    code: 'payer-already-integrated',
    plant: addEntry,
    kept: (stepHarness) => {
      const file = JSON.parse(readSecret(stepHarness.world, finops) ?? '{}') as { aws: { projectID: string }[] };
      expect(file.aws.filter(({ projectID }) => projectID === payer)).toHaveLength(1);
    },
  },
];

async function deployStack(stepHarness: StepHarness): Promise<void> {
  const body = stepHarness.world.s3.text(curBucket, 'kubecost/kubecost_cur/crawler-cfn.yml') ?? '';
  await owner(CloudFormationClient, payer).send(
    new CreateStackCommand({
      StackName: crawlerStackName('kubecost_cur'),
      TemplateBody: body,
      Capabilities: ['CAPABILITY_IAM'],
    }),
  );
  await stepHarness.world.clock.sleep(10 * 60_000);
}

async function deleteStack(stepHarness: StepHarness): Promise<void> {
  await owner(CloudFormationClient, payer).send(
    new DeleteStackCommand({ StackName: crawlerStackName('kubecost_cur') }),
  );
  await stepHarness.world.clock.sleep(10 * 60_000);
}
