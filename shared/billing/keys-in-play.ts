/** The KMS keys in play: what encrypts the report, the results of queries and the Glue catalog. The payer role and our own role need all of them. */
import { GetDataCatalogEncryptionSettingsCommand, GlueClient } from '@aws-sdk/client-glue';
import { KMSClient, ListAliasesCommand } from '@aws-sdk/client-kms';
import { AccountBucket } from '../aws/bucket.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Permission } from '../step/contract.ts';

/** Both actions are for the whole account and region (Service Authorization Reference). */
export const keyPermissions = {
  find: { actions: ['kms:ListAliases'], resources: ['*'] },
  findCatalogKey: { actions: ['glue:GetDataCatalogEncryptionSettings', 'kms:ListAliases'], resources: ['*'] },
} as const satisfies Record<string, Permission>;

/** The template of release 0.3.0 does not allow the two reads. */
const denied = ['AccessDenied', 'AccessDeniedException'];

/** A key, and what it encrypts as a text names it. */
export interface KeyInPlay {
  arn: string;
  of: string;
  ofCatalog?: true;
}

/** Where keys are looked for. */
export interface Places {
  /** `mayBeDenied`: without an error; then a later step finds the key. */
  buckets: readonly { name: string; mayBeDenied: boolean }[];
  /** The key as the workgroup's settings name it. */
  workgroup: { name: string; key: string | undefined };
}

/** All keys of a run that can be known before it makes anything. A bucket that does not exist has none. */
export async function keysInPlay(
  payer: TargetAccount,
  region: string,
  { buckets, workgroup }: Places,
): Promise<KeyInPlay[]> {
  const bucketKey = async (name: string) =>
    (await new AccountBucket(payer, name).isIn(region)) ? keyOfBucket(payer, name, region) : null;
  const found = await Promise.all([
    ...buckets.map(async ({ name, mayBeDenied }) => ({
      arn: await absentIf(mayBeDenied ? denied : [], () => bucketKey(name)),
      of: `bucket ${name}`,
    })),
    keyOfWorkgroup(payer, region, workgroup.key).then((arn) => ({ arn, of: `workgroup ${workgroup.name}` })),
    keyOfCatalog(payer, region).then((arn) => ({ arn, of: `the Glue catalog in ${region}`, ofCatalog: true as const })),
  ]);
  return found.flatMap(({ arn, ...rest }): KeyInPlay[] => (arn ? [{ arn, ...rest }] : []));
}

/** ARN of the key that a workgroup names for its results. */
export function keyOfWorkgroup(payer: TargetAccount, region: string, key: string | undefined): Promise<string | null> {
  return key === undefined ? Promise.resolve(null) : resolveKey(payer, region, key);
}

/** ARN of the key that encrypts new objects of a bucket; null for S3's own keys. */
export async function keyOfBucket(payer: TargetAccount, name: string, region: string): Promise<string | null> {
  const encryption = await new AccountBucket(payer, name).readEncryption(region);
  if (!encryption?.algorithm.startsWith('aws:kms')) return null;
  // Without a name it is the account's key aws/s3, which is not one of S3's own keys.
  return resolveKey(payer, region, encryption.key ?? 'alias/aws/s3');
}

/** ARN of the key that every reader and writer of the Glue catalog needs; null if there is none. */
export async function keyOfCatalog(payer: TargetAccount, region: string): Promise<string | null> {
  const answer = await absentIf(denied, () =>
    payer.client(GlueClient, region).send(new GetDataCatalogEncryptionSettingsCommand({})),
  );
  const { CatalogEncryptionMode: mode, SseAwsKmsKeyId: key } =
    answer?.DataCatalogEncryptionSettings?.EncryptionAtRest ?? {};
  // With SSE-KMS-WITH-SERVICE-ROLE, Glue uses the key as its service role.
  return mode === 'SSE-KMS' ? resolveKey(payer, region, key ?? 'alias/aws/glue') : null;
}

/**
 * ARN of a key by its id, ARN, alias or alias's ARN, as settings name it. Null for a key that AWS manages and whose ARN we may not read:
 * it admits everybody in the account.
 */
async function resolveKey(payer: TargetAccount, region: string, name: string): Promise<string | null> {
  const [, owner = payer.accountId, alias] = /^(?:arn:[^:]+:kms:[^:]*:(\d{12}):)?(alias\/.+)$/.exec(name) ?? [];
  const account = `arn:aws:kms:${region}:${owner}`;
  if (alias === undefined) return name.startsWith('arn:') ? name : `${account}:key/${name}`;
  if (owner !== payer.accountId) return `${account}:key/*`;
  const aliases = await listAliases(payer, region);
  const found = aliases.get(alias);
  if (found !== undefined) return found;
  if (alias.startsWith('alias/aws/')) return null;
  // A policy cannot name an alias as its resource.
  return `${account}:key/*`;
}

/** Keys without those that AWS manages for a service: their policies admit everybody in the account, so nobody has to grant them. */
export async function customerKeys(payer: TargetAccount, region: string, arns: readonly string[]): Promise<string[]> {
  const different = [...new Set(arns)];
  if (different.length === 0) return [];
  const aliases = await listAliases(payer, region);
  const managed = new Set([...aliases].filter(([alias]) => alias.startsWith('alias/aws/')).map(([, arn]) => arn));
  return different.filter((arn) => !managed.has(arn));
}

/** Why AWS's crawler template cannot be deployed: its roles have no more than kms:Decrypt. */
export function catalogKeyObstacle(keyArn: string): string {
  return `the Glue catalog is encrypted with KMS key ${keyArn}, and the crawler of AWS’s template has no right to encrypt with it`;
}

/** ARN of the key by alias. */
async function listAliases(payer: TargetAccount, region: string): Promise<Map<string, string>> {
  const kms = payer.client(KMSClient, region);
  const keys = new Map<string, string>();
  let Marker: string | undefined;
  do {
    const marker = Marker;
    const page = await absentIf(denied, () => kms.send(new ListAliasesCommand({ Limit: 100, Marker: marker })));
    for (const { AliasName: alias, TargetKeyId: id } of page?.Aliases ?? [])
      if (alias && id) keys.set(alias, `arn:aws:kms:${region}:${payer.accountId}:key/${id}`);
    Marker = page?.NextMarker;
  } while (Marker);
  return keys;
}
