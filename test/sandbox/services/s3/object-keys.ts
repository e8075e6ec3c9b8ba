import type * as sdk from '@aws-sdk/client-s3';
import { AwsError, type CallContext } from '../../service.ts';
import type { World } from '../../world.ts';
import { demandKey, type KeyAction } from '../kms/state.ts';
import type { Bucket, StoredObject } from './state.ts';

/** ARN of the KMS key that a new object gets from its bucket's settings; undefined for S3's own keys. */
export function defaultKey(world: World, bucket: Bucket): string | undefined {
  const wanted = bucket.encryption.Rules?.[0]?.ApplyServerSideEncryptionByDefault;
  return keyOf(world, bucket, bucket.accountId, wanted?.SSEAlgorithm, wanted?.KMSMasterKeyID);
}

/** The key of a new object: that of the request, else that of the bucket. */
export function keyForUpload(
  bucket: Bucket,
  { ServerSideEncryption: algorithm, SSEKMSKeyId: name }: sdk.PutObjectCommandInput,
  { world, caller }: CallContext,
): string | undefined {
  if (algorithm === undefined) return defaultKey(world, bucket);
  return keyOf(world, bucket, caller.accountId, algorithm, name);
}

/** `aws:kms` without a key is the account's key aws/s3, not S3's own key (PutBucketEncryption, KMSMasterKeyID). */
function keyOf(
  world: World,
  { region }: Bucket,
  accountId: string,
  algorithm: string | undefined,
  name: string | undefined,
): string | undefined {
  if (!algorithm?.startsWith('aws:kms')) return undefined;
  try {
    return world.kms.arnOf(accountId, region, name ?? 'alias/aws/s3');
  } catch (error) {
    if (error instanceof AwsError) throw new AwsError('KMS.NotFoundException', error.message, 400);
    throw error;
  }
}

/** S3 uses the key with the rights of its caller (Amazon S3 User Guide, "Using server-side encryption with AWS KMS keys"). */
export function demandObjectKey(cx: CallContext, action: KeyAction, keyArn: string | undefined): void {
  if (keyArn !== undefined) demandKey(cx, 'AccessDenied', { action, keyArn, via: 's3' });
}

export function encryptionHeaders({ kmsKeyArn }: Pick<StoredObject, 'kmsKeyArn'>) {
  return kmsKeyArn === undefined
    ? { ServerSideEncryption: 'AES256' }
    : { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: kmsKeyArn };
}
