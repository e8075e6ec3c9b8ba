import { operation, type CallContext, type Operation, type Permission } from '../service.ts';
import type { Bucket, BucketRequest } from './s3.ts';
import { accessDenied } from './s3-access.ts';

/** S3 calls name a bucket that may belong to anybody, so its owner is part of what IAM is asked. */
export function s3Permission(
  cx: CallContext,
  action: string,
  bucketName: string | undefined,
  key?: string,
  context: Record<string, string> = {},
): Permission {
  const bucketArn = `arn:aws:s3:::${bucketName ?? ''}`;
  const owner = cx.world.s3.buckets.get(bucketName ?? '')?.accountId;
  return {
    action,
    resources: [key === undefined ? bucketArn : `${bucketArn}/${key}`],
    context: { ...context, ...(owner && { 'aws:ResourceAccount': owner, 's3:ResourceAccount': owner }) },
  };
}

/** An operation on an existing bucket, guarded by one action on the bucket's ARN; `run` says which input it takes. */
export function onBucket(
  access: 'read' | 'write',
  action: string,
  run: (bucket: Bucket, input: never, cx: CallContext) => object,
): Operation {
  return operation<BucketRequest, object>({
    writes: access === 'write',
    permissions: (input, cx) => [s3Permission(cx, action, input.Bucket)],
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      if (!cx.world.s3.allows(cx.caller, action, bucket)) throw accessDenied();
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
    permissions: (input, cx) => [s3Permission(cx, action, input.Bucket, input.Key ?? '')],
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      const key = input.Key ?? '';
      if (!cx.world.s3.allows(cx.caller, action, bucket, key)) throw accessDenied();
      return run(bucket, key, input as never, cx);
    },
  });
}
