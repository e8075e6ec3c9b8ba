import type {
  DeleteObjectsCommandInput,
  DeleteObjectsCommandOutput,
  ListObjectsV2CommandInput,
  ListObjectsV2CommandOutput,
  ListObjectVersionsCommandInput,
  ObjectIdentifier,
  PutObjectCommandInput,
} from '@aws-sdk/client-s3';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { accessDenied } from './bucket-policy.ts';
import { demandObjectKey, encryptionHeaders, keyForUpload } from './object-keys.ts';
import { onObject, ownBucket, s3Permission } from './operation-builders.ts';
import type { Bucket, StoredObject, Version } from './state.ts';

/** Objects of these classes cannot be read until somebody restores them. */
const archives = ['GLACIER', 'DEEP_ARCHIVE'];

export const objectOperations = {
  PutObject: onObject('write', 's3:PutObject', (bucket, key, input: PutObjectCommandInput, cx) => {
    if (input.IfNoneMatch === '*' && bucket.objects.has(key))
      throw new AwsError('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
    const { ContentType, Metadata } = input;
    const kmsKeyArn = keyForUpload(bucket, input, cx);
    demandObjectKey(cx, 'kms:GenerateDataKey', kmsKeyArn);
    const object = cx.world.s3.put(bucket.name, key, bytes(input.Body), {
      kmsKeyArn,
      ...(ContentType && { contentType: ContentType }),
      ...(Metadata && { metadata: Metadata }),
    });
    return { ETag: object.etag, ...encryptionHeaders(object) };
  }),

  GetObject: onObject('read', 's3:GetObject', (bucket, key, _, cx) => {
    const object = bucket.objects.get(key);
    if (!object) throw missingKey(bucket, cx, 'NoSuchKey', 'The specified key does not exist.');
    if (archives.includes(object.storageClass))
      throw new AwsError('InvalidObjectState', "The operation is not valid for the object's storage class", 403);
    demandObjectKey(cx, 'kms:Decrypt', object.kmsKeyArn);
    return { ...description(object), Body: object.body };
  }),

  HeadObject: onObject('read', 's3:GetObject', (bucket, key, _, cx) => {
    const object = bucket.objects.get(key);
    if (!object) throw missingKey(bucket, cx, 'NotFound', 'Not Found');
    return description(object);
  }),

  DeleteObject: onObject('write', 's3:DeleteObject', (bucket, key, _, { world }) => {
    world.s3.erase(bucket, key);
    return {};
  }),

  // A key that the caller may not delete is listed with an error in an answer of 200.
  DeleteObjects: operation<DeleteObjectsCommandInput, Omit<DeleteObjectsCommandOutput, '$metadata'>>({
    writes: true,
    permissions: () => [],
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      const objects = input.Delete?.Objects ?? [];
      if (objects.length === 0 || objects.length > 1000)
        throw new AwsError(
          'MalformedXML',
          'The XML you provided was not well-formed or did not validate against our published schema',
          400,
        );
      const mayDelete = ({ Key = '', VersionId }: ObjectIdentifier) => {
        const action = VersionId === undefined ? 's3:DeleteObject' : 's3:DeleteObjectVersion';
        const [own] = ownBucket(cx, action, input.Bucket, Key);
        return (
          (!own || cx.world.iam.evaluate(cx.caller, own).allowed) && cx.world.s3.allows(cx.caller, action, bucket, Key)
        );
      };
      const allowed = objects.filter(mayDelete);
      for (const { Key = '', VersionId } of allowed) cx.world.s3.erase(bucket, Key, VersionId);
      const denied = objects.filter((object) => !allowed.includes(object));
      return {
        ...(!input.Delete?.Quiet && { Deleted: allowed.map(({ Key, VersionId }) => ({ Key, VersionId })) }),
        ...(denied.length > 0 && {
          Errors: denied.map(({ Key, VersionId }) => ({
            Key,
            VersionId,
            Code: 'AccessDenied',
            Message: 'Access Denied',
          })),
        }),
      };
    },
  }),

  ListObjectVersions: operation<ListObjectVersionsCommandInput, object>({
    writes: false,
    permissions: ({ Bucket, Prefix }, cx) =>
      ownBucket(cx, 's3:ListBucketVersions', Bucket).map(({ context, ...permission }) => ({
        ...permission,
        context: { ...context, 's3:prefix': Prefix ?? '' },
      })),
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      if (!cx.world.s3.allows(cx.caller, 's3:ListBucketVersions', bucket))
        throw cx.world.s3.denial(cx.caller, 's3:ListBucketVersions', bucket);
      return versionListing(bucket, input);
    },
  }),

  ListObjectsV2: operation<ListObjectsV2CommandInput, Omit<ListObjectsV2CommandOutput, '$metadata'>>({
    writes: false,
    permissions: ({ Bucket, Prefix, Delimiter }, cx) =>
      ownBucket(cx, 's3:ListBucket', Bucket).map(({ context, ...permission }) => ({
        ...permission,
        context: { ...context, 's3:prefix': Prefix ?? '', ...(Delimiter && { 's3:delimiter': Delimiter }) },
      })),
    run(input, cx) {
      const bucket = cx.world.s3.open(input, cx);
      if (!cx.world.s3.allows(cx.caller, 's3:ListBucket', bucket))
        throw cx.world.s3.denial(cx.caller, 's3:ListBucket', bucket);
      return listing(bucket, input, cx);
    },
  }),
};

/** The keys after the continuation point, grouped by the delimiter, at most MaxKeys. */
function listing(bucket: Bucket, input: ListObjectsV2CommandInput, cx: CallContext) {
  const { Prefix = '', Delimiter, MaxKeys = 1000, ContinuationToken } = input;
  const after = ContinuationToken === undefined ? (input.StartAfter ?? '') : continuation(ContinuationToken);
  const max = Math.min(MaxKeys, 1000);
  const objects: StoredObject[] = [];
  const prefixes: string[] = [];
  let last = '';
  let more = false;
  for (const key of cx.world.s3.keys(bucket.name, Prefix)) {
    const cut = Delimiter ? key.indexOf(Delimiter, Prefix.length) : -1;
    const entry = cut < 0 ? key : key.slice(0, cut + (Delimiter?.length ?? 0));
    if (entry <= after || entry === last) continue;
    if (objects.length + prefixes.length >= max) {
      more = true;
      break;
    }
    last = entry;
    const object = bucket.objects.get(key);
    if (cut >= 0) prefixes.push(entry);
    else if (object) objects.push(object);
  }
  return {
    Name: bucket.name,
    Prefix,
    MaxKeys,
    KeyCount: objects.length + prefixes.length,
    IsTruncated: more,
    ...(Delimiter && { Delimiter }),
    ...(ContinuationToken !== undefined && { ContinuationToken }),
    ...(more && { NextContinuationToken: Buffer.from(last).toString('base64url') }),
    Contents: objects.map(({ key, etag, lastModified, body, storageClass }) => ({
      Key: key,
      ETag: etag,
      LastModified: new Date(lastModified),
      Size: body.length,
      StorageClass: storageClass,
    })),
    CommonPrefixes: prefixes.map((entry) => ({ Prefix: entry })),
  };
}

/** By key, newest first; markers and versions are counted together. */
function versionListing(bucket: Bucket, input: ListObjectVersionsCommandInput) {
  const { Prefix = '', MaxKeys = 1000, KeyMarker, VersionIdMarker } = input;
  const current = [...bucket.objects.values()].map((object): Version => {
    return { key: object.key, versionId: object.versionId, at: object.lastModified, object };
  });
  const all = [...current, ...bucket.noncurrent.toReversed()]
    .filter(({ key }) => key.startsWith(Prefix))
    .toSorted((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -1 : 1));
  const marked = all.findIndex(({ key, versionId }) => key === KeyMarker && versionId === VersionIdMarker);
  const start = KeyMarker === undefined ? 0 : marked < 0 ? all.findIndex(({ key }) => key > KeyMarker) : marked + 1;
  const page = start < 0 ? [] : all.slice(start, start + Math.min(MaxKeys, 1000));
  const last = page.at(-1);
  const more = last !== undefined && last !== all.at(-1);
  const latest = new Map(all.toReversed().map((one) => [one.key, one]));
  const isLatest = (one: Version) => latest.get(one.key) === one;
  return {
    Name: bucket.name,
    Prefix,
    MaxKeys,
    IsTruncated: more,
    ...(more && { NextKeyMarker: last.key, NextVersionIdMarker: last.versionId }),
    Versions: page.flatMap((one) =>
      one.object
        ? [
            {
              Key: one.key,
              VersionId: one.versionId,
              IsLatest: isLatest(one),
              LastModified: new Date(one.at),
              Size: one.object.body.length,
            },
          ]
        : [],
    ),
    DeleteMarkers: page.flatMap((one) =>
      one.object ? [] : [{ Key: one.key, VersionId: one.versionId, IsLatest: isLatest(one) }],
    ),
  };
}

function continuation(token: string): string {
  const key = Buffer.from(token, 'base64url').toString();
  if (Buffer.from(key).toString('base64url') === token && key !== '') return key;
  throw new AwsError('InvalidArgument', 'The continuation token provided is incorrect', 400);
}

function description(object: StoredObject) {
  const { etag, lastModified, body, contentType, metadata, storageClass } = object;
  return {
    ETag: etag,
    LastModified: new Date(lastModified),
    ContentLength: body.length,
    ContentType: contentType,
    Metadata: metadata,
    AcceptRanges: 'bytes',
    ...encryptionHeaders(object),
    // S3 leaves the header out for the standard class.
    ...(storageClass !== 'STANDARD' && { StorageClass: storageClass }),
  };
}

/** A caller who may not list the bucket gets AccessDenied for a missing key. */
function missingKey(bucket: Bucket, cx: CallContext, code: string, message: string): AwsError {
  const list = s3Permission(cx, 's3:ListBucket', bucket.name);
  const mayList = cx.world.iam.evaluate(cx.caller, list).allowed && cx.world.s3.allows(cx.caller, list.action, bucket);
  return mayList ? new AwsError(code, message, 404) : accessDenied();
}

function bytes(body: PutObjectCommandInput['Body']): string | Uint8Array {
  if (body === undefined) return '';
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new TypeError('The sandbox reads object bodies as bytes, never as streams');
}
