import type { LifecycleRule } from '@aws-sdk/client-s3';
import { AccountBucket, bucketActions, type BucketLocation, isInRegion, tlsOnlySid } from '../aws/bucket.ts';
import type { PolicyDocument } from '../aws/policy-document.ts';
import { isTakenOver, ownership, ownerTags, takenOverTags } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { Permission, StepChange } from '../step/contract.ts';
import { keepAll, type RemovalDecision } from '../step/removal-decision.ts';
import { billingSids, billingStatements, missingBillingRights } from './cur-bucket-policy.ts';
import { bucketArn, parameterRemedy, type WantedBucket } from './managed-bucket.ts';
import { dataPath, type ReportPlace, reportRoot } from './report-location.ts';

type Place = ReportPlace & { region: string };

const bucket = 'arn:${AWS::Partition}:s3:::${CurBucket}';
const objects = `${bucket}/*`;

/** The bucket that AWS delivers the report to. */
export const curBucketPermissions = {
  /** A delivery that does not arrive: AWS's permission in the policy may be missing. */
  readPolicy: { actions: ['s3:GetBucketLocation', 's3:GetBucketPolicy'], resources: [bucket] },
  locate: { actions: ['s3:GetBucketLocation'], resources: [bucket] },
  /** Whose bucket it is that S3 denies. */
  findOwner: { actions: bucketActions.listOwn, resources: ['*'] },
  /** Whose bucket it is, and whether a deleted report left data in it. */
  inspect: { actions: bucketActions.inspect, resources: [bucket] },
  readKey: { actions: bucketActions.readKey, resources: [bucket] },
  /** A bucket that is taken over gets our tags after its creation. */
  manage: { actions: [...bucketActions.manage, 's3:PutBucketTagging'], resources: [bucket] },
  /** A bucket that stays loses AWS's permission, and our tags if it was taken over. */
  remove: {
    actions: [
      ...bucketActions.inspect,
      's3:DeleteBucket',
      's3:DeleteBucketPolicy',
      's3:GetBucketPolicy',
      's3:PutBucketPolicy',
      's3:PutBucketTagging',
    ],
    resources: [bucket],
  },
  erase: { actions: bucketActions.erase, resources: [objects] },
  /** Which files AWS has delivered. */
  list: { actions: ['s3:ListBucket'], resources: [bucket] },
  /** The manifests, the crawler template and the data. */
  readObjects: { actions: ['s3:GetObject'], resources: [objects] },
  /** AWS's crawler template, and the deletion of its stack, replace the notifications. */
  notifications: { actions: ['s3:GetBucketNotification', 's3:PutBucketNotification'], resources: [bucket] },
} as const satisfies Record<string, Permission>;

/** @param retentionDays null: the data does not expire */
export function wantedCurBucket(accountId: string, report: Place, retentionDays: number | null): WantedBucket {
  const { bucket: name, region } = report;
  return {
    name,
    region,
    parameter: 'CurBucket',
    statements: billingStatements(name, accountId),
    lifetime: retentionDays === null ? null : { name: 'retention', rule: retentionRule(report, retentionDays) },
  };
}

/** Only the data expires: the template, the status and the folder of the manifests stay. */
function retentionRule(report: ReportPlace, days: number): LifecycleRule {
  return {
    ID: `kubecost-retention-${report.reportName}`,
    Status: 'Enabled',
    Filter: { Prefix: `${dataPath(report)}/` },
    Expiration: { Days: days },
  };
}

/** Why AWS cannot deliver to the bucket; the text continues a sentence that starts with "bucket <name>". */
export function deliveryObstacle(
  accountId: string,
  { bucket: name, region }: Place,
  location: BucketLocation,
  policy: PolicyDocument | undefined,
): string | undefined {
  if (location === undefined) return 'does not exist';
  if (location === 'taken') return `does not belong to account ${accountId}`;
  if (typeof location === 'string') return `is denied to our role: ${parameterRemedy('CurBucket', name)}`;
  if (location.region !== region) return `is in ${location.region}, but the report says ${region}`;
  const missing = missingBillingRights(policy, name, accountId);
  return missing.length > 0 ? `does not allow billingreports.amazonaws.com ${missing.join(' and ')}` : undefined;
}

export async function readDeliveryObstacle(payer: TargetAccount, place: Place): Promise<string | undefined> {
  const account = new AccountBucket(payer, place.bucket);
  const location = await account.locate();
  const policy = isInRegion(location, place.region) ? await account.readPolicy(place.region) : undefined;
  return deliveryObstacle(payer.accountId, place, location, policy);
}

/** AWS writes it to the root of the bucket to check its permission. */
const testObject = 'aws-programmatic-access-test-object';

/** The bucket as the removal sees it. */
export interface RemovableBucket {
  ownership: Ownership;
  takenOver: boolean;
  tags: Record<string, string>;
  policy: PolicyDocument | undefined;
  holdsData: boolean;
  holdsTestObject: boolean;
  /** True if its first thousand keys include any other object. */
  holdsMore: boolean;
}

/** Undefined if this account has no such bucket in the report's region. */
export async function observeRemovableBucket(
  payer: TargetAccount,
  report: Place,
  owner: Owner,
): Promise<RemovableBucket | undefined> {
  const { region } = report;
  const account = new AccountBucket(payer, report.bucket);
  if (!(await account.isIn(region))) return undefined;
  const root = reportRoot(report);
  const [tags, policy, data, keys] = await Promise.all([
    account.readTags(region),
    account.readPolicy(region),
    account.someKeys(region, root),
    account.someKeys(region),
  ]);
  return {
    ownership: ownership(tags, owner),
    takenOver: isTakenOver(tags),
    tags,
    policy,
    holdsData: data.length > 0,
    holdsTestObject: keys.includes(testObject),
    holdsMore: keys.some((key) => key !== testObject && !key.startsWith(root)),
  };
}

export type BucketRemoval = StepChange &
  (
    | { action: 'delete-objects' | 'delete-test-object' | 'delete-bucket' | 'remove-bucket-policy' }
    | { action: 'put-bucket-policy'; policy: PolicyDocument }
    | { action: 'untag-bucket'; tags: Record<string, string> }
  );

/** The report's data, as changes and outputs name it. */
export function dataArn(report: ReportPlace): string {
  return `${bucketArn(report.bucket)}/${reportRoot(report)}*`;
}

/** The objects that AWS delivered. */
export function decideOnData(
  report: ReportPlace,
  { holdsData }: RemovableBucket,
  purge: boolean,
): RemovalDecision<BucketRemoval> {
  const resource = dataArn(report);
  if (!holdsData) return { changes: [], kept: [] };
  if (purge) return { changes: [{ action: 'delete-objects', resource }], kept: [] };
  return keepAll([resource], ['kept unless purge names data: its storage continues to cost money']);
}

/** What other reports and the request say about the bucket. */
interface BucketUse {
  /** Other reports that deliver to it. */
  neighbours: readonly string[];
  /** True if the report stays and delivers to it. */
  isDelivering: boolean;
  purgeData: boolean;
}

/** Deletes the bucket, restores its state before our runs, or leaves it unchanged. */
export function decideOnBucket(name: string, seen: RemovableBucket, use: BucketUse): RemovalDecision<BucketRemoval> {
  const resource = bucketArn(name);
  const reason = whyBucketIsLeftAlone(seen, use);
  if (reason !== undefined) return keepAll([resource], [reason]);
  if (use.purgeData && !seen.takenOver && !seen.holdsMore) {
    const test: BucketRemoval = { action: 'delete-test-object', resource: `${resource}/${testObject}` };
    return { changes: [...(seen.holdsTestObject ? [test] : []), { action: 'delete-bucket', resource }], kept: [] };
  }
  return {
    changes: [...policyRemoval(resource, seen), ...tagRemoval(resource, seen)],
    kept: [{ resource, why: whyBucketStays(seen) }],
  };
}

const adopted = 'adopted: only the report’s data in it is ever deleted';

function whyBucketIsLeftAlone(seen: RemovableBucket, { neighbours, isDelivering }: BucketUse): string | undefined {
  if (neighbours.length > 0) return `other reports deliver to it: ${neighbours.join(', ')}`;
  if (seen.ownership !== 'ours') return adopted;
  return isDelivering ? 'the report delivers to it' : undefined;
}

function whyBucketStays({ takenOver, holdsMore }: RemovableBucket): string {
  if (takenOver) return adopted;
  return holdsMore ? 'it holds objects that do not belong to the report' : 'it holds the report’s data';
}

/** Removes AWS's permission; on a bucket that was taken over, our TLS statement too. */
function policyRemoval(resource: string, { policy, takenOver }: RemovableBucket): BucketRemoval[] {
  if (!policy) return [];
  const ours: readonly string[] = takenOver ? [...billingSids, tlsOnlySid] : billingSids;
  const others = policy.Statement.filter(({ Sid = '' }) => !ours.includes(Sid));
  if (others.length === 0) return [{ action: 'remove-bucket-policy', resource }];
  if (others.length === policy.Statement.length) return [];
  return [{ action: 'put-bucket-policy', resource, policy: { ...policy, Statement: others } }];
}

function tagRemoval(resource: string, { tags, takenOver }: RemovableBucket): BucketRemoval[] {
  if (!takenOver) return [];
  const ours = Object.keys({ ...ownerTags({ deploymentId: '', runId: '' }), ...takenOverTags });
  const others = Object.fromEntries(Object.entries(tags).filter(([key]) => !ours.includes(key)));
  return [{ action: 'untag-bucket', resource, tags: others }];
}

/** @returns false if the bucket is not empty, so that S3 does not delete it */
export async function removeFromBucket(payer: TargetAccount, report: Place, change: BucketRemoval): Promise<boolean> {
  const { region } = report;
  const account = new AccountBucket(payer, report.bucket);
  switch (change.action) {
    case 'delete-objects':
      await account.erase(region, reportRoot(report));
      return true;
    case 'delete-test-object':
      await account.erase(region, testObject);
      return true;
    case 'put-bucket-policy':
      await account.putPolicy(region, change.policy);
      return true;
    case 'remove-bucket-policy':
      await account.deletePolicy(region);
      return true;
    case 'untag-bucket':
      await account.replaceTags(region, change.tags);
      return true;
    case 'delete-bucket':
      return account.delete(region);
  }
}
