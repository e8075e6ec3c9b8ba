import type { IntelligentTieringConfiguration } from '@aws-sdk/client-s3';
import { AccountBucket, isBucketDenial, isInRegion } from '../aws/bucket.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { log } from '../platform/logger.ts';
import type { Permission } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { curBucketPermissions, deliveryObstacle } from './cur-bucket.ts';
import { mayAllowBilling } from './cur-bucket-policy.ts';
import { lifetimeWarnings } from './data-lifetime.ts';
import { keyOfBucket } from './keys-in-play.ts';
import { type BucketObservation, deniedBucket, parameterRemedy } from './managed-bucket.ts';
import { dataPath, type ReportPlace } from './report-location.ts';

/** A bucket whose settings a run only reads. */
export interface CurBucketObservation extends BucketObservation {
  tierings: IntelligentTieringConfiguration[];
}

/** A role of release 0.3.0 does not have it: then we know nothing of the bucket's tiering. */
export const tieringPermission: Permission = {
  actions: ['s3:GetIntelligentTieringConfiguration'],
  resources: curBucketPermissions.locate.resources,
};

/** Its policy, key and rules. The other settings are those that need no change. */
export async function observeAdoptedBucket(
  payer: TargetAccount,
  { bucket, region }: ReportPlace & { region: string },
): Promise<CurBucketObservation> {
  const account = new AccountBucket(payer, bucket);
  const location = await account.locate();
  if (!isInRegion(location, region)) return { location, kmsKeyArn: null, tierings: [] };
  const [policy, kmsKeyArn, lifecycle, tierings] = await Promise.all([
    account.readPolicy(region),
    keyOfBucket(payer, bucket, region),
    unlessDenied(() => account.readLifecycle(region)),
    unlessDenied(() => account.readTierings(region)),
  ]);
  return { location, bucket: { region, policy, tags: {}, publicAccessBlocked: true, lifecycle }, kmsKeyArn, tierings };
}

/** For facts that only give a warning. */
async function unlessDenied<T>(read: () => Promise<T[]>): Promise<T[]> {
  try {
    return await read();
  } catch (error) {
    if (!isBucketDenial(error)) throw error;
    log('setting of a bucket not visible', { code: error.name, detail: error.message });
    return [];
  }
}

/** What the rules of the bucket will do to the report's data. */
export function bucketWarnings(report: ReportPlace, { bucket, tierings }: CurBucketObservation): string[] {
  return lifetimeWarnings(report.bucket, bucket?.lifecycle ?? [], tierings, `${dataPath(report)}/`);
}

/**
 * Why AWS cannot deliver the adopted report, or our role cannot read it. A recent delivery outranks our reading of the policy: AWS does
 * not say which conditions it meets, and old policies name it in other ways.
 * @param isDelivered true if AWS has delivered in the last days
 */
export function judgeAdoptedBucket(
  accountId: string,
  report: ReportPlace & { region: string },
  { location, bucket }: CurBucketObservation,
  isDelivered: boolean,
): { problem?: Problem; warnings: string[] } {
  const subject = `bucket ${report.bucket} of report ${report.reportName}`;
  if (typeof location === 'string' && location !== 'taken') {
    const detail = `${deniedBucket(report.bucket, location)}: ${parameterRemedy('CurBucket', report.bucket)}`;
    return { problem: { code: 'access-parameter-differs', detail }, warnings: [] };
  }
  const obstacle = deliveryObstacle(accountId, report, location, bucket?.policy);
  if (obstacle === undefined) return { warnings: [] };
  if (isDelivered && isInRegion(location, report.region) && mayAllowBilling(bucket?.policy, accountId))
    return {
      warnings: [
        `${subject} ${obstacle}, as far as we can tell; AWS has delivered to it in the last two days all the same`,
      ],
    };
  return { problem: { code: 'adopted-bucket-broken', detail: `${subject} ${obstacle}` }, warnings: [] };
}
