import type {
  CreateBucketCommandInput,
  CreateBucketCommandOutput,
  GetBucketLocationCommandInput,
  HeadBucketCommandInput,
  ListBucketsCommandInput,
} from '@aws-sdk/client-s3';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { onBucket, ownBucket } from './operation-builders.ts';

export const bucketOperations = {
  CreateBucket: operation<CreateBucketCommandInput, Omit<CreateBucketCommandOutput, '$metadata'>>({
    writes: true,
    permissions: ({ Bucket, CreateBucketConfiguration, BucketNamespace }) => [
      {
        action: 's3:CreateBucket',
        resources: [`arn:aws:s3:::${Bucket ?? ''}`],
        context: {
          's3:LocationConstraint': CreateBucketConfiguration?.LocationConstraint ?? '',
          's3:x-amz-bucket-namespace': BucketNamespace ?? 'global',
        },
      },
      ...(CreateBucketConfiguration?.Tags?.length
        ? [{ action: 's3:TagResource', resources: [`arn:aws:s3:::${Bucket ?? ''}`] }]
        : []),
    ],
    run({ Bucket: name = '', CreateBucketConfiguration: configuration, ObjectOwnership, BucketNamespace }, cx) {
      const region = newBucketRegion(configuration?.LocationConstraint, cx);
      if (!isBucketName(name)) throw new AwsError('InvalidBucketName', 'The specified bucket is not valid.', 400);
      checkNamespace(name, region, BucketNamespace, cx);
      const existing = cx.world.s3.buckets.get(name);
      if (existing && existing.accountId !== cx.caller.accountId)
        throw new AwsError(
          'BucketAlreadyExists',
          'The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.',
          409,
        );
      // Only us-east-1 answers 200 when the owner creates a bucket again; S3 then resets ACLs, which the sandbox does not have.
      if (existing && !(existing.region === 'us-east-1' && cx.region === 'us-east-1'))
        throw new AwsError(
          'BucketAlreadyOwnedByYou',
          'Your previous request to create the named bucket succeeded and you already own it.',
          409,
        );
      const bucket = existing ?? cx.world.s3.createBucket(cx.caller.accountId, region, name);
      if (ObjectOwnership) bucket.ownership = { Rules: [{ ObjectOwnership }] };
      if (configuration?.Tags) bucket.tags = configuration.Tags;
      return { Location: region === 'us-east-1' ? `/${name}` : `http://${name}.s3.amazonaws.com/` };
    },
  }),

  HeadBucket: operation<HeadBucketCommandInput, { BucketRegion: string }>({
    writes: false,
    permissions: ({ Bucket }, cx) => ownBucket(cx, 's3:ListBucket', Bucket),
    run(input, cx) {
      if (!cx.world.s3.buckets.has(input.Bucket ?? '')) throw new AwsError('NotFound', 'Not Found', 404);
      const bucket = cx.world.s3.open(input, cx);
      if (!cx.world.s3.allows(cx.caller, 's3:ListBucket', bucket))
        throw cx.world.s3.denial(cx.caller, 's3:ListBucket', bucket);
      return { BucketRegion: bucket.region };
    },
  }),

  GetBucketLocation: operation<GetBucketLocationCommandInput, { LocationConstraint?: string }>({
    writes: false,
    permissions: ({ Bucket }, cx) => ownBucket(cx, 's3:GetBucketLocation', Bucket),
    run(input, cx) {
      // us-east-1 answers this operation for buckets of every region.
      const home = cx.world.s3.buckets.get(input.Bucket ?? '')?.region;
      const bucket = cx.world.s3.open(input, cx.region === 'us-east-1' && home ? { ...cx, region: home } : cx);
      if (!cx.world.s3.allows(cx.caller, 's3:GetBucketLocation', bucket))
        throw cx.world.s3.denial(cx.caller, 's3:GetBucketLocation', bucket);
      return bucket.region === 'us-east-1' ? {} : { LocationConstraint: bucket.region };
    },
  }),

  DeleteBucket: onBucket('write', 's3:DeleteBucket', (bucket, _, cx) => {
    if (bucket.objects.size > 0)
      throw new AwsError('BucketNotEmpty', 'The bucket you tried to delete is not empty', 409);
    if (bucket.noncurrent.length > 0)
      throw new AwsError(
        'BucketNotEmpty',
        'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
        409,
      );
    cx.world.s3.buckets.delete(bucket.name);
    return {};
  }),

  ListBuckets: operation<ListBucketsCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 's3:ListAllMyBuckets', resources: ['*'] }],
    run({ Prefix = '' }, { world, caller }) {
      const own = [...world.s3.buckets.values()].filter(
        ({ accountId, name }) => accountId === caller.accountId && name.startsWith(Prefix),
      );
      return {
        Owner: { ID: caller.accountId },
        Buckets: own
          .sort((a, b) => (a.name < b.name ? -1 : 1))
          .map(({ name, createdAt, region }) => ({
            Name: name,
            CreationDate: new Date(createdAt),
            BucketRegion: region,
          })),
      };
    },
  }),
};

function newBucketRegion(constraint: string | undefined, cx: CallContext): string {
  if (constraint === 'us-east-1' || (constraint && !/^[a-z]{2}(-[a-z]+)+-\d$/.test(constraint)))
    throw new AwsError('InvalidLocationConstraint', 'The specified location-constraint is not valid', 400);
  if (cx.region !== 'us-east-1' && constraint !== cx.region)
    throw new AwsError(
      'IllegalLocationConstraintException',
      `The ${constraint ?? 'unspecified'} location constraint is incompatible for the region specific endpoint this request was sent to.`,
      400,
    );
  return constraint ?? 'us-east-1';
}

/** Regions without account-regional names. Source: S3 User Guide, "Namespaces for general purpose buckets". */
const withoutNamespace = ['me-central-1', 'me-south-1'];

/** Only an account itself can create buckets whose name ends in its id, the region and `-an`, and it has to ask for this namespace. */
function checkNamespace(name: string, region: string, namespace: string | undefined, { caller }: CallContext): void {
  const isReserved = /-\d{12}-[a-z]{2}(-[a-z]+)+-\d-an$/.test(name);
  const isOwn = name.endsWith(`-${caller.accountId}-${region}-an`) && !withoutNamespace.includes(region);
  const asks = namespace === 'account-regional';
  if (asks ? !isOwn : isReserved)
    throw new AwsError(
      'InvalidBucketNamespace',
      `The requested bucket was not created because the bucket name and the bucket namespace ${namespace ?? 'global'} do not fit.`,
      400,
    );
}

function isBucketName(name: string): boolean {
  return (
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) &&
    !name.includes('..') &&
    !/^\d+\.\d+\.\d+\.\d+$/.test(name) &&
    !name.startsWith('xn--') &&
    !name.endsWith('-s3alias')
  );
}
