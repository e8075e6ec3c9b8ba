import { randomUUID } from 'node:crypto';
import type {
  LifecycleRule,
  NotificationConfiguration,
  PutBucketEncryptionCommandInput,
  PutBucketLifecycleConfigurationCommandInput,
  PutBucketNotificationConfigurationCommandInput,
  PutBucketOwnershipControlsCommandInput,
  PutBucketPolicyCommandInput,
  PutBucketTaggingCommandInput,
  PutPublicAccessBlockCommandInput,
} from '@aws-sdk/client-s3';
import { AwsError } from '../../service.ts';
import { checkBucketPolicy } from './bucket-policy.ts';
import { onBucket } from './operation-builders.ts';

const malformed = () =>
  new AwsError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
    400,
  );

export const settingOperations = {
  GetBucketPolicy: onBucket('read', 's3:GetBucketPolicy', ({ policy }) => {
    if (!policy) throw new AwsError('NoSuchBucketPolicy', 'The bucket policy does not exist', 404);
    return { Policy: policy.text };
  }),

  PutBucketPolicy: onBucket('write', 's3:PutBucketPolicy', (bucket, input: PutBucketPolicyCommandInput, cx) => {
    const text = input.Policy ?? '';
    checkBucketPolicy(text, bucket);
    bucket.policy = { text, setAt: cx.now };
    return {};
  }),

  DeleteBucketPolicy: onBucket('write', 's3:DeleteBucketPolicy', (bucket) => {
    delete bucket.policy;
    return {};
  }),

  GetPublicAccessBlock: onBucket('read', 's3:GetBucketPublicAccessBlock', ({ publicAccessBlock }) => {
    if (!publicAccessBlock)
      throw new AwsError(
        'NoSuchPublicAccessBlockConfiguration',
        'The public access block configuration was not found',
        404,
      );
    return { PublicAccessBlockConfiguration: publicAccessBlock };
  }),

  PutPublicAccessBlock: onBucket(
    'write',
    's3:PutBucketPublicAccessBlock',
    (bucket, { PublicAccessBlockConfiguration: wanted = {} }: PutPublicAccessBlockCommandInput) => {
      bucket.publicAccessBlock = {
        BlockPublicAcls: wanted.BlockPublicAcls ?? false,
        IgnorePublicAcls: wanted.IgnorePublicAcls ?? false,
        BlockPublicPolicy: wanted.BlockPublicPolicy ?? false,
        RestrictPublicBuckets: wanted.RestrictPublicBuckets ?? false,
      };
      return {};
    },
  ),

  GetBucketEncryption: onBucket('read', 's3:GetEncryptionConfiguration', ({ encryption }) => ({
    ServerSideEncryptionConfiguration: encryption,
  })),

  PutBucketEncryption: onBucket(
    'write',
    's3:PutEncryptionConfiguration',
    (bucket, { ServerSideEncryptionConfiguration: wanted }: PutBucketEncryptionCommandInput) => {
      if (!wanted?.Rules?.length) throw malformed();
      bucket.encryption = wanted;
      return {};
    },
  ),

  GetBucketTagging: onBucket('read', 's3:GetBucketTagging', ({ tags }) => {
    if (tags.length === 0) throw new AwsError('NoSuchTagSet', 'The TagSet does not exist', 404);
    return { TagSet: tags };
  }),

  PutBucketTagging: onBucket('write', 's3:PutBucketTagging', (bucket, { Tagging }: PutBucketTaggingCommandInput) => {
    const tags = Tagging?.TagSet ?? [];
    if (new Set(tags.map(({ Key }) => Key)).size < tags.length)
      throw new AwsError('InvalidTag', 'Cannot provide multiple Tags with the same key', 400);
    bucket.tags = tags;
    return {};
  }),

  DeleteBucketTagging: onBucket('write', 's3:PutBucketTagging', (bucket) => {
    bucket.tags = [];
    return {};
  }),

  GetBucketLifecycleConfiguration: onBucket('read', 's3:GetLifecycleConfiguration', ({ lifecycle }) => {
    if (lifecycle.length === 0)
      throw new AwsError('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist', 404);
    return { Rules: lifecycle };
  }),

  PutBucketLifecycleConfiguration: onBucket(
    'write',
    's3:PutLifecycleConfiguration',
    (bucket, { LifecycleConfiguration }: PutBucketLifecycleConfigurationCommandInput) => {
      const rules = LifecycleConfiguration?.Rules ?? [];
      if (rules.length === 0) throw malformed();
      bucket.lifecycle = rules.map(checkedRule);
      return {};
    },
  ),

  DeleteBucketLifecycle: onBucket('write', 's3:PutLifecycleConfiguration', (bucket) => {
    bucket.lifecycle = [];
    return {};
  }),

  ListBucketIntelligentTieringConfigurations: onBucket(
    'read',
    's3:GetIntelligentTieringConfiguration',
    ({ intelligentTiering }) => ({ IsTruncated: false, IntelligentTieringConfigurationList: intelligentTiering }),
  ),

  GetBucketNotificationConfiguration: onBucket('read', 's3:GetBucketNotification', ({ notification }) => notification),

  // Replaces the whole configuration: an EventBridge setting or a rule that is not sent again is removed.
  PutBucketNotificationConfiguration: onBucket(
    'write',
    's3:PutBucketNotification',
    (bucket, { NotificationConfiguration: wanted = {} }: PutBucketNotificationConfigurationCommandInput) => {
      checkOverlaps(wanted);
      bucket.notification = withIds(wanted);
      return {};
    },
  ),

  GetBucketOwnershipControls: onBucket('read', 's3:GetBucketOwnershipControls', ({ ownership }) => ({
    OwnershipControls: ownership,
  })),

  PutBucketOwnershipControls: onBucket(
    'write',
    's3:PutBucketOwnershipControls',
    (bucket, { OwnershipControls: wanted }: PutBucketOwnershipControlsCommandInput) => {
      if (!wanted?.Rules?.length) throw malformed();
      bucket.ownership = wanted;
      return {};
    },
  ),
};

function checkedRule(rule: LifecycleRule): LifecycleRule {
  const days = rule.Expiration?.Days;
  if (days !== undefined && days <= 0)
    throw new AwsError('InvalidArgument', "'Days' for Expiration action must be a positive integer", 400);
  if (rule.Status !== 'Enabled' && rule.Status !== 'Disabled') throw malformed();
  if (
    !rule.Expiration &&
    !rule.AbortIncompleteMultipartUpload &&
    !rule.NoncurrentVersionExpiration &&
    !rule.NoncurrentVersionTransitions &&
    !rule.Transitions
  )
    throw new AwsError('InvalidRequest', 'At least one action needs to be specified in a rule', 400);
  return { ...rule, ID: rule.ID ?? randomUUID() };
}

/** Two rules must not fire for the same event of the same key. */
function checkOverlaps(wanted: NotificationConfiguration): void {
  const rules = [
    ...(wanted.TopicConfigurations ?? []),
    ...(wanted.QueueConfigurations ?? []),
    ...(wanted.LambdaFunctionConfigurations ?? []),
  ].map(({ Events = [], Filter }) => {
    const part = (kind: string) =>
      Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === kind)?.Value ?? '';
    return { events: Events.map((event) => event.replace('*', '')), prefix: part('prefix'), suffix: part('suffix') };
  });
  const meet = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);
  const meetAtEnd = (a: string, b: string) => a.endsWith(b) || b.endsWith(a);
  for (const [index, a] of rules.entries())
    for (const b of rules.slice(index + 1))
      if (
        meet(a.prefix, b.prefix) &&
        meetAtEnd(a.suffix, b.suffix) &&
        a.events.some((event) => b.events.some((other) => meet(event, other)))
      )
        throw new AwsError(
          'InvalidArgument',
          'Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.',
          400,
        );
}

function withIds(wanted: NotificationConfiguration): NotificationConfiguration {
  const named = <Rule extends { Id?: string | undefined }>(rules: Rule[]): Rule[] =>
    rules.map((rule) => ({ ...rule, Id: rule.Id ?? randomUUID() }));
  return {
    ...(wanted.TopicConfigurations && { TopicConfigurations: named(wanted.TopicConfigurations) }),
    ...(wanted.QueueConfigurations && { QueueConfigurations: named(wanted.QueueConfigurations) }),
    ...(wanted.LambdaFunctionConfigurations && {
      LambdaFunctionConfigurations: named(wanted.LambdaFunctionConfigurations),
    }),
    ...(wanted.EventBridgeConfiguration && { EventBridgeConfiguration: {} }),
  };
}
