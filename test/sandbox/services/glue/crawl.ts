import { createHash } from 'node:crypto';
import type { Column, Partition } from '@aws-sdk/client-glue';
import { AwsError, type Caller } from '../../service.ts';
import type { World } from '../../world.ts';
import { decodeDataFile } from '../cur/report-data.ts';
import type { StoredObject } from '../s3/state.ts';
import { demandCatalogKey } from './catalog-encryption.ts';
import type { Crawler, Database, Table } from './state.ts';

const STOPPING = 20_000;

/** Two to three minutes, then a short time of `STOPPING` in which the tables exist already. */
export function startCrawl(world: World, crawler: Crawler): void {
  const { clock } = world;
  crawler.state = 'RUNNING';
  crawler.startedAt = clock.now();
  const duration = 120_000 + (crawler.name.length % 7) * 10_000;
  clock.after(duration, () => {
    if (crawler.state !== 'RUNNING') return;
    crawler.state = 'STOPPING';
    const problem = crawl(world, crawler);
    clock.after(STOPPING, () => {
      crawler.state = 'READY';
      crawler.lastRuntimeSeconds = duration / 1000;
      crawler.lastCrawl = {
        Status: problem ? 'FAILED' : 'SUCCEEDED',
        ...(problem && { ErrorMessage: problem }),
        LogGroup: '/aws-glue/crawlers',
        LogStream: crawler.name,
        MessagePrefix: createHash('md5').update(`${crawler.name}${crawler.startedAt}`).digest('hex'),
        StartTime: new Date(crawler.startedAt ?? 0),
      };
    });
  });
}

/** Creates or updates one table for each target with data; returns an error message or undefined. */
function crawl(world: World, crawler: Crawler): string | undefined {
  const { accountId, region, settings } = crawler;
  const database = world.glue.catalog(accountId, region).databases.get(settings.DatabaseName ?? '');
  if (!database) return `Database ${settings.DatabaseName ?? ''} not found.`;
  if (world.lakeformation.refuses({ caller: roleOf(crawler), region }, 'databases'))
    return `Insufficient Lake Formation permission(s) on ${database.input.Name}`;
  const refusal = catalogRefusal(world, crawler);
  if (refusal !== undefined) return refusal;
  crawler.created = crawler.updated = crawler.deleted = 0;
  for (const { Path = '', Exclusions = [] } of settings.Targets?.S3Targets ?? []) {
    const problem = mayRead(world, crawler, Path);
    if (problem) return problem;
    for (const folder of foldersWithTable(world, Path, crawler, Exclusions)) {
      const found = tableFromFolder(world, folder, (settings.TablePrefix ?? '') + tableName(folder), Exclusions);
      if (found) store(found, database, crawler);
    }
  }
  return undefined;
}

/** A crawler makes one table of folders whose schemas are this similar, unless it may combine all compatible ones. */
const similarEnough = 0.7;

/** The target, or each of its data folders if their columns differ too much. Source: Glue guide, "How does a crawler determine when to create partitions?". */
function foldersWithTable(world: World, path: string, { settings }: Crawler, exclusions: readonly string[]): string[] {
  if (settings.Configuration?.includes('CombineCompatibleSchemas')) return [path];
  const { bucket, prefix } = parsePath(path);
  const columns = new Map<string, Set<string>>();
  for (const { key, body } of dataObjects(world, path, exclusions)) {
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    if (folder === prefix) return [path];
    const names = columns.get(folder) ?? new Set<string>();
    for (const { name } of decodeDataFile(body).columns) names.add(name);
    columns.set(folder, names);
  }
  const all = [...columns.values()];
  const isSimilar = all.every((one) =>
    all.every(
      (other) => [...one].filter((name) => other.has(name)).length >= similarEnough * Math.max(one.size, other.size),
    ),
  );
  return isSimilar ? [path] : [...columns.keys()].map((folder) => `s3://${bucket}/${folder}`);
}

function dataObjects(world: World, path: string, exclusions: readonly string[]): StoredObject[] {
  const { bucket, prefix } = parsePath(path);
  const suffixes = exclusions.map((glob) => glob.replace(/^\*+/, ''));
  return world.s3
    .keys(bucket, prefix)
    .filter((key) => !suffixes.some((suffix) => key.endsWith(suffix)))
    .flatMap((key) => world.s3.buckets.get(bucket)?.objects.get(key) ?? []);
}

function store(found: Table, { tables }: Database, crawler: Crawler): void {
  const { input } = found;
  const location = input.StorageDescriptor?.Location ?? '';
  const same = tables.get(input.Name);
  if (!same) {
    tables.set(input.Name, found);
    crawler.created++;
  } else if (withSlash(same.input.StorageDescriptor?.Location ?? '') === location) {
    tables.set(input.Name, { ...found, createdAt: same.createdAt });
    crawler.updated++;
  } else {
    // A table of other data has this name: the crawler appends a hash.
    input.Name += `_${createHash('md5').update(location).digest('hex')}`;
    tables.set(input.Name, found);
    crawler.created++;
  }
}

function mayRead(world: World, crawler: Crawler, path: string): string | undefined {
  const { bucket: name, prefix } = parsePath(path);
  const bucket = world.s3.buckets.get(name);
  if (!bucket)
    return `The specified bucket does not exist (Service: Amazon S3; Status Code: 404; Error Code: NoSuchBucket)`;
  const caller = roleOf(crawler);
  const permission = { action: 's3:GetObject', resources: [`arn:aws:s3:::${name}/${prefix}year`] };
  const allowed =
    world.iam.evaluate(caller, permission).allowed && world.s3.allows(caller, 's3:GetObject', bucket, prefix);
  if (!allowed) return 'Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)';
  const keys = new Set(world.s3.keys(name, prefix).map((key) => bucket.objects.get(key)?.kmsKeyArn));
  for (const keyArn of keys) {
    const use = keyArn && ({ action: 'kms:Decrypt', keyArn, via: 's3', region: crawler.region } as const);
    const refusal = use && world.kms.refusal(caller, use);
    if (refusal) return `${refusal} (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)`;
  }
  return undefined;
}

/** A crawler is a client of the catalog: its role needs the catalog's key. */
function catalogRefusal(world: World, crawler: Crawler): string | undefined {
  const cx = { world, caller: roleOf(crawler), region: crawler.region, now: world.clock.now() };
  try {
    demandCatalogKey(cx, ['kms:GenerateDataKey', 'kms:Encrypt', 'kms:Decrypt']);
    return undefined;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    return `${error.message} (Service: AWSGlue; Status Code: 400; Error Code: ${error.code})`;
  }
}

function roleOf({ accountId, settings }: Crawler): Caller {
  const role = settings.Role?.split('/').at(-1) ?? '';
  const roleArn = settings.Role?.startsWith('arn:') ? settings.Role : `arn:aws:iam::${accountId}:role/${role}`;
  return { accountId, arn: `arn:aws:sts::${accountId}:assumed-role/${role}/AWS-Crawler`, roleArn };
}

/** The table of a folder with data: named after the folder, partitioned by its `key=value` sub-folders. */
export function tableFromFolder(
  world: World,
  path: string,
  name = tableName(path),
  exclusions: readonly string[] = ['**.json', '**.yml', '**.sql'],
): Table | undefined {
  const { bucket, prefix } = parsePath(path);
  const objects = dataObjects(world, path, exclusions);
  const newest = objects.toSorted((a, b) => a.lastModified - b.lastModified).at(-1);
  if (!newest) return undefined;
  const now = world.clock.now();
  const columns = mergedColumns(objects);
  const keys = partitionPath(newest.key, prefix).map(([key]) => ({ Name: key, Type: 'string' }));
  const partitions = new Map<string, Partition>();
  for (const { key, lastModified } of objects) {
    const values = partitionPath(key, prefix).map(([, value]) => value);
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    if (values.length === 0) continue;
    partitions.set(values.join('/'), {
      Values: values,
      CreationTime: new Date(lastModified),
      StorageDescriptor: { ...parquet, Columns: columns, Location: `s3://${bucket}/${folder}` },
    });
  }
  return {
    input: {
      Name: name,
      TableType: 'EXTERNAL_TABLE',
      PartitionKeys: keys,
      StorageDescriptor: { ...parquet, Columns: columns, Location: `s3://${bucket}/${prefix}` },
      Parameters: { classification: 'parquet', typeOfData: 'file', EXTERNAL: 'TRUE' },
    },
    createdAt: now,
    updatedAt: now,
    partitions,
  };
}

const parquet = {
  InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
  OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
  SerdeInfo: { SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
};

function mergedColumns(objects: readonly StoredObject[]): Column[] {
  const types = new Map<string, string>();
  for (const { body } of objects) for (const { name, type } of decodeDataFile(body).columns) types.set(name, type);
  return [...types].map(([Name, Type]) => ({ Name, Type }));
}

function partitionPath(key: string, prefix: string): [string, string][] {
  const folders = key.slice(prefix.length).split('/').slice(0, -1);
  return folders.map((folder, index) => {
    const [name = '', value] = folder.split('=');
    return value === undefined ? [`partition_${index}`, folder] : [name, value];
  });
}

/** The crawler's rule for names. Unlike the database's rule, it only converts capitals to lower case. */
function tableName(path: string): string {
  const folder = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return folder.toLowerCase().replace(/[^a-z0-9_]/g, '_');
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}

function parsePath(path: string): { bucket: string; prefix: string } {
  const [, bucket = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(withSlash(path)) ?? [];
  return { bucket, prefix };
}
