import {
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteBucketTaggingCommand,
  DeleteObjectsCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetPublicAccessBlockCommand,
  type IntelligentTieringConfiguration,
  type LifecycleRule,
  ListBucketIntelligentTieringConfigurationsCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { absentIf, httpStatus, isAwsError, RetryableError, UserError } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import { log } from '../platform/logger.ts';
import { isAccountRegionalName } from './names.ts';
import { decodePolicy, type PolicyDocument, type Statement } from './policy-document.ts';
import { fromTagList, ownerTags, toTagList } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

/**
 * Undefined if there is no bucket of the name. `taken`: another account owns it. `unreadable`: it is in this account, and S3 denies it
 * to our role. `taken-or-unreadable`: one of the two, because our role may not list the buckets of the account.
 */
export type BucketLocation = { region: string } | 'taken' | 'unreadable' | 'taken-or-unreadable' | undefined;

export interface BucketSettings {
  region: string;
  tags: Record<string, string>;
  policy: PolicyDocument | undefined;
  publicAccessBlocked: boolean;
  lifecycle: LifecycleRule[];
}

/** IAM actions of `AccountBucket`, by purpose. */
export const bucketActions = {
  /** `create`, `read`, `readEncryption` and the settings. `create` also sends the tags, which needs `s3:TagResource`. */
  manage: [
    's3:CreateBucket',
    's3:GetBucketLocation',
    's3:GetBucketPolicy',
    's3:GetBucketPublicAccessBlock',
    's3:GetBucketTagging',
    's3:GetEncryptionConfiguration',
    's3:GetLifecycleConfiguration',
    's3:PutBucketPolicy',
    's3:PutBucketPublicAccessBlock',
    's3:PutLifecycleConfiguration',
    's3:TagResource',
  ],
  /** `locate`, `readEncryption`. */
  readKey: ['s3:GetBucketLocation', 's3:GetEncryptionConfiguration'],
  /** `locate`, `readTags`, `someKeys`: the owner and the content of the bucket. */
  inspect: ['s3:GetBucketLocation', 's3:GetBucketTagging', 's3:ListBucketVersions'],
  /** Whose bucket it is that S3 denies; on `*`. */
  listOwn: ['s3:ListAllMyBuckets'],
  /** `erase`, on the objects: with every version, because S3 deletes no bucket that holds one. */
  erase: ['s3:DeleteObject', 's3:DeleteObjectVersion'],
} as const;

/** True if the account has the bucket in the region. */
export function isInRegion(location: BucketLocation, region: string): boolean {
  return typeof location === 'object' && location.region === region;
}

/** The settings of a bucket right after its creation. S3 blocks public access to new buckets since April 2023. */
export function newBucket(region: string, owner: Owner): BucketSettings {
  return { region, tags: ownerTags(owner), policy: undefined, publicAccessBlocked: true, lifecycle: [] };
}

/** A bucket of one account. Every call names the expected owner, so that S3 refuses it for a bucket of another account. */
export class AccountBucket {
  readonly #payer: TargetAccount;
  readonly #name: string;

  constructor(payer: TargetAccount, name: string) {
    this.#payer = payer;
    this.#name = name;
  }

  async isIn(region: string): Promise<boolean> {
    return isInRegion(await this.locate(), region);
  }

  async locate(): Promise<BucketLocation> {
    try {
      // Only us-east-1 answers this call for the buckets of every region; other regions redirect.
      const { LocationConstraint: region } = await this.#client('us-east-1').send(
        new GetBucketLocationCommand(this.#named),
      );
      return { region: region === 'EU' ? 'eu-west-1' : (region ?? 'us-east-1') };
    } catch (error) {
      if (isAwsError(error, 'NoSuchBucket')) return undefined;
      if (!isBucketDenial(error)) throw error;
      const location = await this.#whyDenied();
      const { name: code, message: detail } = error;
      log('S3 denies a bucket', { bucket: this.#name, accountId: this.#payer.accountId, code, detail, location });
      return location;
    }
  }

  /**
   * Who owns a bucket that S3 denies. The text of a denial does not show it: within one organisation it is the same for another
   * account's bucket and for a missing right (S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors").
   */
  async #whyDenied(): Promise<Extract<BucketLocation, string>> {
    try {
      const own = await this.#client('us-east-1').send(new ListBucketsCommand({ Prefix: this.#name }));
      return own.Buckets?.some(({ Name }) => Name === this.#name) ? 'unreadable' : 'taken';
    } catch (error) {
      if (isBucketDenial(error)) return 'taken-or-unreadable';
      throw error;
    }
  }

  async read(region: string): Promise<BucketSettings> {
    const s3 = this.#client(region);
    const [tags, policy, block, lifecycle] = await Promise.all([
      this.readTags(region),
      this.readPolicy(region),
      absentIf(['NoSuchPublicAccessBlockConfiguration'], () => s3.send(new GetPublicAccessBlockCommand(this.#named))),
      this.readLifecycle(region),
    ]);
    const blocked = block?.PublicAccessBlockConfiguration;
    return {
      region,
      tags,
      policy,
      publicAccessBlocked: Boolean(
        blocked?.BlockPublicAcls &&
        blocked.BlockPublicPolicy &&
        blocked.IgnorePublicAcls &&
        blocked.RestrictPublicBuckets,
      ),
      lifecycle,
    };
  }

  async readLifecycle(region: string): Promise<LifecycleRule[]> {
    const answer = await absentIf(['NoSuchLifecycleConfiguration'], () =>
      this.#client(region).send(new GetBucketLifecycleConfigurationCommand(this.#named)),
    );
    return answer?.Rules ?? [];
  }

  /** The first hundred configurations; a bucket has at most a thousand, and one is usual. */
  async readTierings(region: string): Promise<IntelligentTieringConfiguration[]> {
    const answer = await this.#client(region).send(new ListBucketIntelligentTieringConfigurationsCommand(this.#named));
    return answer.IntelligentTieringConfigurationList ?? [];
  }

  /**
   * When the newest object under the prefix was written, milliseconds since the epoch; undefined if there is none. Stops at the first
   * object that is not older than `enough`, and after twenty pages.
   */
  async newestObject(region: string, prefix: string, enough: number): Promise<number | undefined> {
    let newest: number | undefined;
    let token: string | undefined;
    for (let page = 0; page < 20; page++) {
      const { Contents = [], NextContinuationToken } = await this.#client(region).send(
        new ListObjectsV2Command({ ...this.#named, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { LastModified } of Contents) newest = Math.max(newest ?? 0, LastModified?.getTime() ?? 0);
      token = NextContinuationToken;
      if (!token || (newest ?? 0) >= enough) break;
    }
    return newest;
  }

  async readTags(region: string): Promise<Record<string, string>> {
    const answer = await absentIf(['NoSuchTagSet'], () =>
      this.#client(region).send(new GetBucketTaggingCommand(this.#named)),
    );
    return fromTagList(answer?.TagSet);
  }

  async readPolicy(region: string): Promise<PolicyDocument | undefined> {
    const answer = await absentIf(['NoSuchBucketPolicy'], () =>
      this.#client(region).send(new GetBucketPolicyCommand(this.#named)),
    );
    return answer?.Policy ? decodePolicy(answer.Policy) : undefined;
  }

  /** How new objects are encrypted, with the key as the settings name it; undefined if a bucket from before 2023 has no settings. */
  async readEncryption(region: string): Promise<{ algorithm: string; key: string | undefined } | undefined> {
    const answer = await absentIf(['ServerSideEncryptionConfigurationNotFoundError'], () =>
      this.#client(region).send(new GetBucketEncryptionCommand(this.#named)),
    );
    const rule = answer?.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault;
    return rule?.SSEAlgorithm ? { algorithm: rule.SSEAlgorithm, key: rule.KMSMasterKeyID } : undefined;
  }

  /**
   * Creates the bucket with its tags, so that a crash right after it leaves no bucket without an owner. us-east-1 is no LocationConstraint.
   * @throws RetryableError if the name is taken now: by another account, or by us in a call whose answer was lost. The next
   * observation shows which, before any setting is written.
   * @throws UserError bucket-name-taken if the name is reserved for another account
   */
  async create(region: string, owner: Owner): Promise<void> {
    const create = new CreateBucketCommand({
      Bucket: this.#name,
      ...(isAccountRegionalName(this.#name, this.#payer.accountId, region) && { BucketNamespace: 'account-regional' }),
      CreateBucketConfiguration: {
        ...(region !== 'us-east-1' && { LocationConstraint: region as BucketLocationConstraint }),
        Tags: toTagList(ownerTags(owner)),
      },
    });
    try {
      await this.#client(region).send(create);
    } catch (error) {
      if (isAwsError(error, 'InvalidBucketNamespace'))
        throw new UserError('bucket-name-taken', `bucket ${this.#name}: ${error.message}`, { cause: error });
      if (!isAwsError(error, 'BucketAlreadyOwnedByYou', 'BucketAlreadyExists')) throw error;
      throw new RetryableError('aws-unavailable', `bucket ${this.#name} was created since the step checked for it`, {
        cause: error,
      });
    }
  }

  async putTags(region: string, tags: Record<string, string>): Promise<void> {
    await this.#client(region).send(
      new PutBucketTaggingCommand({ ...this.#named, Tagging: { TagSet: toTagList(tags) } }),
    );
  }

  async blockPublicAccess(region: string): Promise<void> {
    await this.#client(region).send(
      new PutPublicAccessBlockCommand({
        ...this.#named,
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      }),
    );
  }

  async putPolicy(region: string, policy: PolicyDocument): Promise<void> {
    await this.#client(region).send(new PutBucketPolicyCommand({ ...this.#named, Policy: JSON.stringify(policy) }));
  }

  async putLifecycle(region: string, rules: LifecycleRule[]): Promise<void> {
    await this.#client(region).send(
      new PutBucketLifecycleConfigurationCommand({ ...this.#named, LifecycleConfiguration: { Rules: rules } }),
    );
  }

  /** @param tags an empty object removes all tags */
  async replaceTags(region: string, tags: Record<string, string>): Promise<void> {
    if (Object.keys(tags).length > 0) return this.putTags(region, tags);
    await this.#client(region).send(new DeleteBucketTaggingCommand(this.#named));
  }

  async deletePolicy(region: string): Promise<void> {
    await this.#client(region).send(new DeleteBucketPolicyCommand(this.#named));
  }

  /** The first thousand keys under the prefix, including keys with only old versions or a delete marker. */
  async someKeys(region: string, prefix = ''): Promise<string[]> {
    return (await this.#someVersions(region, prefix)).map(({ Key }) => Key);
  }

  /**
   * Deletes the objects under the prefix with all their versions, at most ten thousand, so that the invocation ends in time.
   * @throws UserError access-denied if S3 refuses a single key, for example because of an object lock
   */
  async erase(region: string, prefix = ''): Promise<void> {
    for (let page = 0; page < 10; page++) {
      const versions = await this.#someVersions(region, prefix);
      if (versions.length === 0) return;
      const { Errors: failed = [] } = await this.#client(region).send(
        new DeleteObjectsCommand({ ...this.#named, Delete: { Objects: versions, Quiet: true } }),
      );
      const [{ Code: code = '' } = {}] = failed;
      if (failed.length === 0) continue;
      const detail = `S3 did not delete ${failed.length} objects of bucket ${this.#name}: ${code}`;
      throw code === 'AccessDenied'
        ? new UserError('access-denied', detail)
        : new RetryableError('aws-unavailable', detail);
    }
  }

  /** @returns false if the bucket is not empty */
  async delete(region: string): Promise<boolean> {
    try {
      await absentIf(['NoSuchBucket'], () => this.#client(region).send(new DeleteBucketCommand(this.#named)));
      return true;
    } catch (error) {
      if (isAwsError(error, 'BucketNotEmpty')) return false;
      throw error;
    }
  }

  /** One page of versions and delete markers. A bucket without versions lists its objects as version `null`. */
  async #someVersions(region: string, prefix: string): Promise<{ Key: string; VersionId: string | undefined }[]> {
    const page = await absentIf(['NoSuchBucket'], () =>
      this.#client(region).send(new ListObjectVersionsCommand({ ...this.#named, Prefix: prefix })),
    );
    return [...(page?.Versions ?? []), ...(page?.DeleteMarkers ?? [])].map(({ Key = '', VersionId }) => ({
      Key,
      VersionId,
    }));
  }

  get #named() {
    return { Bucket: this.#name, ExpectedBucketOwner: this.#payer.accountId };
  }

  #client(region: string): S3Client {
    return this.#payer.client(S3Client, region);
  }
}

const credentialProblems = ['InvalidAccessKeyId', 'RequestTimeTooSkewed', 'SignatureDoesNotMatch'];

/** True for a 403 that is about the bucket. Its code varies (AccessDenied, AllAccessDisabled), and a HEAD has none. */
export function isBucketDenial(error: unknown): error is Error {
  return error instanceof Error && httpStatus(error) === 403 && !credentialProblems.includes(error.name);
}

export const tlsOnlySid = 'KubecostDenyInsecureTransport';

export function tlsOnlyStatement(bucket: string): Statement {
  return {
    Sid: tlsOnlySid,
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:*',
    Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  };
}

/** True if the rule with this id has the same effect already. S3 returns rules with more fields than were put. */
export function hasExpiry(rules: LifecycleRule[], { ID, Filter, Expiration }: LifecycleRule): boolean {
  return rules.some(
    (rule) =>
      rule.ID === ID &&
      rule.Status === 'Enabled' &&
      (rule.Filter?.Prefix ?? '') === (Filter?.Prefix ?? '') &&
      rule.Expiration?.Days === Expiration?.Days,
  );
}
