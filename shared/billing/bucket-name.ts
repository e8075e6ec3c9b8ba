import { AccountBucket, type BucketLocation } from '../aws/bucket.ts';
import { secondBucketName } from '../aws/names.ts';
import type { TargetAccount } from '../aws/target-account.ts';

/** The name of a bucket that no request names, and why it is not the usual one. */
export interface BucketName {
  name: string;
  warning?: string;
}

/**
 * The default name, or its second form if the default belongs to somebody else. S3's denial of the default alone does not show this:
 * a role that may read neither name lacks a permission, and then the default stays, so that the next check says so.
 */
export async function findBucketName(payer: TargetAccount, defaultName: string, region: string): Promise<BucketName> {
  const location = await new AccountBucket(payer, defaultName).locate();
  if (!mayBeTaken(location)) return { name: defaultName };
  const name = secondBucketName(defaultName, region);
  if (typeof (await new AccountBucket(payer, name).locate()) === 'string') return { name: defaultName };
  const owner = location === 'taken' ? 'belongs to another account' : 'is denied to us, as another account’s would be';
  return { name, warning: `bucket ${defaultName} ${owner}, so the run uses the name ${name}` };
}

function mayBeTaken(location: BucketLocation): boolean {
  return location === 'taken' || location === 'taken-or-unreadable';
}
