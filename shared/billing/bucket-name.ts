import { AccountBucket } from '../aws/bucket.ts';
import { secondBucketName } from '../aws/names.ts';
import type { TargetAccount } from '../aws/target-account.ts';

/** The name of a bucket that no request names. */
export interface BucketName {
  name: string;
  /** True if S3 denies our role each name that we could use: then its permission is missing. */
  isDenied?: boolean;
}

/**
 * The default name, or its second form if S3 denies the default and so may have given it to another account. The denial alone does not
 * show that: a role without the permission is denied both.
 */
export async function findBucketName(payer: TargetAccount, defaultName: string, region: string): Promise<BucketName> {
  const location = await new AccountBucket(payer, defaultName).locate();
  if (location !== 'taken' && location !== 'taken-or-unreadable') return { name: defaultName };
  const name = secondBucketName(defaultName, region);
  const isDenied = typeof (await new AccountBucket(payer, name).locate()) === 'string';
  return isDenied ? { name: defaultName, isDenied } : { name };
}

/** What the run says of a bucket whose name is the second form. */
export function bucketNameWarnings(name: string, defaultName: string, region: string): string[] {
  if (name !== secondBucketName(defaultName, region)) return [];
  return [`S3 denies bucket ${defaultName}, as it does if another account owns it, so the run uses the name ${name}`];
}
