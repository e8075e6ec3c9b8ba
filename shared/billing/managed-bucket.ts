import type { LifecycleRule } from '@aws-sdk/client-s3';
import * as z from 'zod';
import {
  AccountBucket,
  type BucketLocation,
  type BucketSettings,
  hasExpiry,
  isInRegion,
  newBucket,
  tlsOnlyStatement,
} from '../aws/bucket.ts';
import { mergeStatements, type PolicyDocument, samePolicy, type Statement } from '../aws/policy-document.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { DeclaredWaits, StepChange, Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { keyOfBucket } from './keys-in-play.ts';

/** A bucket that runs create or complete, and the settings it should have. */
export interface WantedBucket {
  name: string;
  region: string;
  /** Of its policy, beside the statement that requires TLS. */
  statements: readonly Statement[];
  /** Parameter of the payer's access template that limits its name. */
  parameter: 'CurBucket' | 'AthenaResultsBucket';
  /** When objects expire; null leaves the bucket's lifecycle as it is. */
  lifetime: { name: 'retention' | 'expiry'; rule: LifecycleRule } | null;
}

export interface BucketObservation {
  location: BucketLocation;
  /** Absent unless this account has the bucket in the wanted region. */
  bucket?: BucketSettings;
  /** ARN of the KMS key that encrypts new objects; null for S3’s own keys. */
  kmsKeyArn: string | null;
}

export type BucketChange = StepChange &
  (
    | { action: 'create-bucket' }
    | { action: 'tag-bucket'; tags: Record<string, string> }
    | { action: 'block-public-access' }
    | { action: 'put-bucket-policy'; policy: PolicyDocument }
    | { action: 'put-retention' | 'put-expiry'; rules: LifecycleRule[] }
  );

export function bucketArn(name: string): string {
  return `arn:aws:s3:::${name}`;
}

export async function observeBucket(
  payer: TargetAccount,
  { name, region }: Pick<WantedBucket, 'name' | 'region'>,
): Promise<BucketObservation> {
  const account = new AccountBucket(payer, name);
  const location = await account.locate();
  if (!isInRegion(location, region)) return { location, kmsKeyArn: null };
  const [bucket, kmsKeyArn] = await Promise.all([account.read(region), keyOfBucket(payer, name, region)]);
  return { location, bucket, kmsKeyArn };
}

/** Why this account cannot have the bucket in the wanted region. */
export function locationProblem(
  { name, region, parameter }: Pick<WantedBucket, 'name' | 'region' | 'parameter'>,
  location: BucketLocation,
): Problem | undefined {
  if (location === 'taken') return { code: 'bucket-name-taken', detail: `bucket ${name} belongs to another account` };
  if (typeof location === 'string')
    return {
      code: 'access-parameter-differs',
      detail: `${deniedBucket(name, location)}: ${parameterRemedy(parameter, name)}`,
    };
  if (location && location.region !== region)
    return { code: 'bucket-in-other-region', detail: `bucket ${name} is in ${location.region}, not in ${region}` };
  return undefined;
}

/** What is known of a bucket that S3 denies to our role. */
export function deniedBucket(name: string, location: Extract<BucketLocation, string>): string {
  if (location === 'taken') return `bucket ${name} belongs to another account`;
  const doubt = location === 'unreadable' ? '' : ', or the bucket belongs to another account';
  return `S3 denies our role bucket ${name}${doubt}`;
}

/** What the owner of the payer account sets so that our role may use the bucket. A default name has the pattern of the template's default. */
export function parameterRemedy(parameter: WantedBucket['parameter'], name: string): string {
  const [pattern] = ['kubecost-cur-', 'kubecost-athena-results-'].filter((start) => name.startsWith(start));
  return `set parameter ${parameter} of the payer’s access template to ${pattern ? `${pattern}*` : name}`;
}

/** Why a run may not use an existing bucket. @param mayBeForeign true if the request allows to use a bucket of others */
export function bucketOwnerProblem(
  { name }: Pick<WantedBucket, 'name'>,
  owned: Ownership,
  mayBeForeign: boolean,
): Problem | undefined {
  if (owned === 'other-deployment') return { code: 'owned-by-another-deployment', detail: `bucket ${name}` };
  if (owned === 'foreign' && !mayBeForeign)
    return { code: 'bucket-not-ours', detail: `bucket ${name} exists without our tags` };
  return undefined;
}

export function creation(wanted: WantedBucket, owner: Owner): [BucketChange, ...BucketChange[]] {
  const create: BucketChange = { action: 'create-bucket', resource: bucketArn(wanted.name) };
  return [create, ...settingChanges(wanted, newBucket(wanted.region, owner))];
}

/** What the bucket's settings still lack. */
export function settingChanges({ name, statements, lifetime }: WantedBucket, seen: BucketSettings): BucketChange[] {
  const resource = bucketArn(name);
  const changes: BucketChange[] = [];
  if (!seen.publicAccessBlocked) changes.push({ action: 'block-public-access', resource });
  const policy = mergeStatements(seen.policy, [...statements, tlsOnlyStatement(name)]);
  if (!seen.policy || !samePolicy(seen.policy, policy)) changes.push({ action: 'put-bucket-policy', resource, policy });
  if (lifetime && !hasExpiry(seen.lifecycle, lifetime.rule)) {
    const { rule } = lifetime;
    const rules = [...seen.lifecycle.filter(({ ID }) => ID !== rule.ID), rule];
    const note = `${rule.Expiration?.Days ?? 0}-day ${lifetime.name}`;
    changes.push({ action: `put-${lifetime.name}`, resource, note, rules });
  }
  return changes;
}

export async function applyToBucket(
  payer: TargetAccount,
  { name, region }: Pick<WantedBucket, 'name' | 'region'>,
  change: BucketChange,
  owner: Owner,
): Promise<void> {
  const bucket = new AccountBucket(payer, name);
  switch (change.action) {
    case 'create-bucket':
      return bucket.create(region, owner);
    case 'tag-bucket':
      return bucket.putTags(region, change.tags);
    case 'block-public-access':
      return bucket.blockPublicAccess(region);
    case 'put-bucket-policy':
      return bucket.putPolicy(region, change.policy);
    case 'put-retention':
    case 'put-expiry':
      return bucket.putLifecycle(region, change.rules);
  }
}

/** Of a step that empties a bucket. `erasedAt`: when it last deleted objects, milliseconds since the epoch. */
export const EmptyingNotes = z.object({ erasedAt: z.number().optional() });
export type EmptyingNotes = z.infer<typeof EmptyingNotes>;

/** A bucket may need many deletions, each of an invocation's length. */
export const emptyingWaits = {
  'bucket-not-emptied': { seconds: 2, longestSeconds: 24 * 3600, closeLooks: 80 },
} as const satisfies DeclaredWaits;

/** One invocation deletes only a part of the objects, and the next one continues. Undefined if this invocation may delete. */
export function nextErasure(
  bucket: string,
  changes: readonly StepChange[],
  { notes, now }: { notes: EmptyingNotes; now: number },
): Wait | undefined {
  if (notes.erasedAt !== now || !changes.some(({ action }) => action === 'delete-objects')) return undefined;
  return {
    reason: `the next deletion of objects in bucket ${bucket}`,
    seconds: 2,
    deadlineSeconds: 24 * 3600,
    overdue: 'bucket-not-emptied',
  };
}
