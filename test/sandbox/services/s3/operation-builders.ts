import { type CallContext, type Operation, operation, type Permission } from '../../service.ts';
import type { Bucket, BucketRequest } from './state.ts';

/** The IAM action and resource for a bucket or a key. The bucket may belong to another account, so its owner is part of the resource. */
export function s3Permission(
  cx: CallContext,
  action: string,
  bucketName: string | undefined,
  key?: string,
): Permission {
  const bucketArn = `arn:aws:s3:::${bucketName ?? ''}`;
  const owner = cx.world.s3.buckets.get(bucketName ?? '')?.accountId;
  return {
    action,
    resources: [key === undefined ? bucketArn : `${bucketArn}/${key}`],
    context: owner ? { 'aws:ResourceAccount': owner, 's3:ResourceAccount': owner } : {},
  };
}

/**
 * The authorisation before the operation runs: none for another account's bucket, because S3 refuses that with a plain "Access
 * Denied" that does not name the missing right (see `S3State.allows`).
 */
export function ownBucket(
  cx: CallContext,
  ...permission: [action: string, bucketName: string | undefined, key?: string]
) {
  const owner = cx.world.s3.buckets.get(permission[1] ?? '')?.accountId ?? cx.caller.accountId;
  return owner === cx.caller.accountId && !cx.world.s3.deniesPlainly ? [s3Permission(cx, ...permission)] : [];
}

/** An operation on an existing bucket that needs one action on the bucket's ARN; `run` defines its input. */
export function onBucket(
  access: 'read' | 'write',
  action: string,
  run: (bucket: Bucket, input: never, cx: CallContext) => object,
): Operation {
  return operation<BucketRequest, object>({
    writes: access === 'write',
    permissions: (input, cx) => ownBucket(cx, action, input.Bucket),
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      if (!cx.world.s3.allows(cx.caller, action, bucket)) throw cx.world.s3.denial(cx.caller, action, bucket);
      return run(bucket, input as never, cx);
    },
  });
}

interface ObjectRequest extends BucketRequest {
  Key: string | undefined;
}

/** An operation on one key of an existing bucket. */
export function onObject(
  access: 'read' | 'write',
  action: string,
  run: (bucket: Bucket, key: string, input: never, cx: CallContext) => object,
): Operation {
  return operation<ObjectRequest, object>({
    writes: access === 'write',
    permissions: (input, cx) => ownBucket(cx, action, input.Bucket, input.Key ?? ''),
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      const key = input.Key ?? '';
      if (!cx.world.s3.allows(cx.caller, action, bucket, key)) throw cx.world.s3.denial(cx.caller, action, bucket);
      return run(bucket, key, input as never, cx);
    },
  });
}
