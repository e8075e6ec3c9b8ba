import type { LifecycleRule } from '@aws-sdk/client-s3';
import { AccountBucket, bucketActions } from '../aws/bucket.ts';
import { ownership } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { Permission, StepChange } from '../step/contract.ts';
import { keepAll, type RemovalDecision } from '../step/removal-decision.ts';
import type { Workgroup } from './athena-workgroup.ts';
import { bucketArn, type WantedBucket } from './managed-bucket.ts';

const bucket = 'arn:${AWS::Partition}:s3:::${AthenaResultsBucket}';
const objects = `${bucket}/*`;

/** The bucket that Athena writes query results to. */
export const resultsBucketPermissions = {
  manage: { actions: bucketActions.manage, resources: [bucket] },
  readKey: { actions: bucketActions.readKey, resources: [bucket] },
  remove: { actions: [...bucketActions.inspect, 's3:DeleteBucket'], resources: [bucket] },
  erase: { actions: bucketActions.erase, resources: [objects] },
  /** Athena checks the bucket with the rights of the session that starts a query. */
  list: { actions: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], resources: [bucket] },
  /** Athena writes results in parts, with the same rights. */
  writeResults: {
    actions: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
    resources: [objects],
  },
} as const satisfies Record<string, Permission>;

export function wantedResultsBucket(name: string, region: string, retentionDays: number): WantedBucket {
  const rule: LifecycleRule = {
    ID: 'kubecost-expire-results',
    Status: 'Enabled',
    Filter: { Prefix: '' },
    Expiration: { Days: retentionDays },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 },
  };
  return { name, region, parameter: 'AthenaResultsBucket', statements: [], lifetime: { name: 'expiry', rule } };
}

/** Where results go. */
export interface ResultsPlace {
  bucket: string;
  location: string;
  /** True if the request or the workgroup names the bucket, so that it is used as it is. */
  isNamed: boolean;
}

/**
 * The workgroup's own location if it has one, because the workgroup may enforce it; else the requested bucket or ours. Without a
 * slash at the end, which Athena ignores: the text is part of the key under which Kubecost keeps its data.
 */
export function resultsPlace(
  { requestedBucket, defaultBucket }: { requestedBucket: string | undefined; defaultBucket: string },
  workgroup: Workgroup | undefined,
): ResultsPlace {
  const location = workgroup?.location?.replace(/\/+$/, '');
  const own = location?.split('/')[2];
  if (location && own && (requestedBucket === undefined || requestedBucket === own))
    return { bucket: own, location, isNamed: true };
  const name = requestedBucket ?? defaultBucket;
  return { bucket: name, location: `s3://${name}`, isNamed: requestedBucket !== undefined };
}

/** The bucket as the removal sees it. */
export interface RemovableResults {
  ownership: Ownership;
  isEmpty: boolean;
}

/** Undefined if this account has no bucket of the name in the region. */
export async function observeRemovableResults(
  payer: TargetAccount,
  name: string,
  region: string,
  owner: Owner,
): Promise<RemovableResults | undefined> {
  const account = new AccountBucket(payer, name);
  if (!(await account.isIn(region))) return undefined;
  const [tags, keys] = await Promise.all([account.readTags(region), account.someKeys(region)]);
  return { ownership: ownership(tags, owner), isEmpty: keys.length === 0 };
}

export type ResultsRemoval = StepChange & { action: 'delete-objects' | 'delete-bucket' };

/** @param purge true if the request lets us delete a bucket that runs did not create */
export function decideOnResults(
  name: string,
  { ownership: owned, isEmpty }: RemovableResults,
  purge: boolean,
): RemovalDecision<ResultsRemoval> {
  const resource = bucketArn(name);
  if (owned === 'other-deployment') return keepAll([resource], ['it belongs to another deployment']);
  if (owned === 'foreign' && !purge) return keepAll([resource], ['adopted: kept unless purge names results-bucket']);
  const erase: ResultsRemoval = { action: 'delete-objects', resource: `${resource}/*` };
  return { changes: [...(isEmpty ? [] : [erase]), { action: 'delete-bucket', resource }], kept: [] };
}

/** @returns false if the bucket is not empty, so that S3 does not delete it */
export async function removeResults(
  payer: TargetAccount,
  name: string,
  region: string,
  { action }: ResultsRemoval,
): Promise<boolean> {
  const account = new AccountBucket(payer, name);
  if (action === 'delete-bucket') return account.delete(region);
  await account.erase(region);
  return true;
}
