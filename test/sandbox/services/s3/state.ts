import { createHash, randomUUID } from 'node:crypto';
import type * as sdk from '@aws-sdk/client-s3';
import { AwsError, type CallContext, type Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import { accessDenied, refusedByBucketPolicy } from './bucket-policy.ts';
import { defaultKey } from './object-keys.ts';

export interface StoredObject {
  key: string;
  /** `null` if the bucket keeps no versions. */
  versionId: string;
  body: Buffer;
  etag: string;
  contentType: string;
  metadata: Record<string, string>;
  /** ARN of the KMS key that encrypts it; absent for S3's own keys. */
  kmsKeyArn?: string | undefined;
  /** Virtual milliseconds. */
  lastModified: number;
  /** `STANDARD` unless a lifecycle rule or the writer chose another one. */
  storageClass: sdk.ObjectStorageClass;
}

/** An earlier version of an object in a versioned bucket; without an object it is a delete marker. */
export interface Version {
  key: string;
  versionId: string;
  at: number;
  object?: StoredObject;
}

export interface Bucket {
  name: string;
  accountId: string;
  region: string;
  createdAt: number;
  policy?: { text: string; setAt: number };
  publicAccessBlock?: sdk.PublicAccessBlockConfiguration;
  encryption: sdk.ServerSideEncryptionConfiguration;
  ownership: sdk.OwnershipControls;
  tags: sdk.Tag[];
  /** Stored only: the sandbox expires and moves no object. */
  lifecycle: sdk.LifecycleRule[];
  intelligentTiering: sdk.IntelligentTieringConfiguration[];
  notification: sdk.NotificationConfiguration;
  objects: Map<string, StoredObject>;
  versioned: boolean;
  /** True if AWS has shut the bucket down; its name stays in use. */
  disabled?: boolean;
  /** Oldest first. */
  noncurrent: Version[];
}

export interface BucketRequest {
  Bucket: string | undefined;
  ExpectedBucketOwner?: string | undefined;
}

/** Bucket names are global, so one map holds the buckets of all accounts. */
export class S3State {
  readonly buckets = new Map<string, Bucket>();
  /**
   * True: every denial is a plain "Access Denied". Otherwise a denial names the missing right, except for a bucket of another
   * organisation. Source: S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors".
   */
  deniesPlainly = false;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  createBucket(accountId: string, region: string, name: string): Bucket {
    // The defaults of a new bucket since April 2023: encrypted, no ACLs, no public access.
    const bucket: Bucket = {
      name,
      accountId,
      region,
      createdAt: this.#world.clock.now(),
      publicAccessBlock: {
        BlockPublicAcls: true,
        IgnorePublicAcls: true,
        BlockPublicPolicy: true,
        RestrictPublicBuckets: true,
      },
      encryption: {
        Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' }, BucketKeyEnabled: false }],
      },
      ownership: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
      tags: [],
      lifecycle: [],
      intelligentTiering: [],
      notification: {},
      objects: new Map(),
      versioned: false,
      noncurrent: [],
    };
    this.buckets.set(name, bucket);
    return bucket;
  }

  setPolicy(bucketName: string, policy: string): void {
    this.#existing(bucketName).policy = { text: policy, setAt: this.#world.clock.now() };
  }

  /** Stores an object and invokes the Lambda functions that the bucket's notification rules name. */
  put(
    bucketName: string,
    key: string,
    content: string | Uint8Array,
    headers: Partial<StoredObject> = {},
  ): StoredObject {
    const bucket = this.#existing(bucketName);
    const body = Buffer.from(content);
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    const versionId = bucket.versioned ? randomUUID() : 'null';
    const kmsKeyArn = defaultKey(this.#world, bucket);
    const common = {
      contentType: 'binary/octet-stream',
      metadata: {},
      storageClass: 'STANDARD' as const,
      lastModified: this.#world.clock.now(),
      ...(kmsKeyArn && { kmsKeyArn }),
      ...headers,
    };
    const object = { ...common, key, versionId, body, etag };
    if (bucket.versioned) retire(bucket, key);
    bucket.objects.set(key, object);
    for (const rule of bucket.notification.LambdaFunctionConfigurations ?? [])
      if (rule.LambdaFunctionArn && wantsCreation(rule, key))
        this.#world.cloudformation.runFunction(rule.LambdaFunctionArn);
    return object;
  }

  /** Deletes an object, or one version of it; without a version id a versioned bucket only gets a delete marker. */
  erase(bucket: Bucket, key: string, versionId?: string): void {
    const current = bucket.objects.get(key);
    if (versionId !== undefined) {
      bucket.noncurrent = bucket.noncurrent.filter((one) => one.key !== key || one.versionId !== versionId);
      if (current && current.versionId !== versionId) return;
      bucket.objects.delete(key);
      const newest = bucket.noncurrent.findLast((one) => one.key === key);
      if (!newest?.object) return;
      bucket.noncurrent = bucket.noncurrent.filter((one) => one !== newest);
      bucket.objects.set(key, newest.object);
    } else if (bucket.versioned) {
      retire(bucket, key);
      bucket.noncurrent.push({ key, versionId: randomUUID(), at: this.#world.clock.now() });
    } else bucket.objects.delete(key);
  }

  text(bucketName: string, key: string): string | undefined {
    return this.buckets.get(bucketName)?.objects.get(key)?.body.toString();
  }

  keys(bucketName: string, prefix = ''): string[] {
    const keys = [...(this.buckets.get(bucketName)?.objects.keys() ?? [])];
    return keys.filter((key) => key.startsWith(prefix)).sort();
  }

  /** The bucket of a request, after the checks that S3 makes before the operation. */
  open({ Bucket: name = '', ExpectedBucketOwner: owner }: BucketRequest, cx: CallContext): Bucket {
    const bucket = this.buckets.get(name);
    if (!bucket) throw new AwsError('NoSuchBucket', 'The specified bucket does not exist', 404);
    if (bucket.disabled) throw new AwsError('AllAccessDisabled', 'All access to this object has been disabled', 403);
    if (bucket.region !== cx.region) throw redirect(bucket);
    if (owner !== undefined && owner !== bucket.accountId) throw this.denial(cx.caller, 's3:GetBucketLocation', bucket);
    return bucket;
  }

  /** The 403 of an operation that the caller may not perform. */
  denial(caller: Caller, action: string, { accountId, name }: Bucket): AwsError {
    const { organizations } = this.#world;
    const isOwn = accountId === caller.accountId;
    const organization = organizations.of(caller.accountId);
    const isNear = isOwn || (organization !== undefined && organizations.of(accountId) === organization);
    if (this.deniesPlainly || !isNear) return accessDenied();
    const text = `User: ${caller.arn} is not authorized to perform: ${action} on resource: "arn:aws:s3:::${name}"`;
    const why = isOwn
      ? 'with an explicit deny in a resource-based policy'
      : `because no resource-based policy allows the ${action} action`;
    return accessDenied(`${text} ${why}`);
  }

  /** Whether the bucket's policy allows the action and, for another account's caller, the caller's IAM policies too. */
  allows(caller: Caller, action: string, bucket: Bucket, key?: string): boolean {
    const resource = key === undefined ? `arn:aws:s3:::${bucket.name}` : `arn:aws:s3:::${bucket.name}/${key}`;
    if (refusedByBucketPolicy(bucket, caller, action, resource)) return false;
    const context = { 'aws:ResourceAccount': bucket.accountId, 's3:ResourceAccount': bucket.accountId };
    return (
      (caller.accountId === bucket.accountId && !this.deniesPlainly) ||
      this.#world.iam.evaluate(caller, { action, resources: [resource], context }).allowed
    );
  }

  #existing(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (!bucket) throw new Error(`The sandbox has no bucket ${name}`);
    return bucket;
  }
}

function retire(bucket: Bucket, key: string): void {
  const object = bucket.objects.get(key);
  if (object) bucket.noncurrent.push({ key, versionId: object.versionId, at: object.lastModified, object });
  bucket.objects.delete(key);
}

function wantsCreation({ Events = [], Filter }: sdk.LambdaFunctionConfiguration, key: string): boolean {
  if (!Events.some((event) => event === 's3:ObjectCreated:*' || event === 's3:ObjectCreated:Put')) return false;
  return (Filter?.Key?.FilterRules ?? []).every(({ Name, Value = '' }) =>
    Name?.toLowerCase() === 'prefix' ? key.startsWith(Value) : key.endsWith(Value),
  );
}

/** Clients read the region from the header, because a redirected HEAD has no body. */
function redirect({ region, name }: Bucket): AwsError {
  const message = `The bucket you are attempting to access must be addressed using the specified endpoint: ${name}.s3.${region}.amazonaws.com`;
  const error = new AwsError('PermanentRedirect', message, 301);
  error.headers = { 'x-amz-bucket-region': region };
  return error;
}
