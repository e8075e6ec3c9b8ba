import { randomUUID } from 'node:crypto';
import { AwsError, type CallContext } from '../../service.ts';
import { type DataFile, decodeDataFile, type Value } from '../cur/report-data.ts';
import { demandCatalogKey } from '../glue/catalog-encryption.ts';
import type { Database, Table } from '../glue/state.ts';
import type { KeyAction } from '../kms/state.ts';
import { athenaType, checkColumns, columnsRead, evaluate, mayMatch, type ResultTable, type Row } from './evaluate.ts';
import { isProjected, type PartitionFolder, projectedFolders } from './projection.ts';
import { parseSelect, type Select, SqlError } from './sql.ts';

/** The result of a query and the bytes it read; errors are `SqlError`s with the text that the user reads as StateChangeReason. */
export interface Answer extends ResultTable {
  bytesScanned: number;
}

/** Runs a query with the caller's permissions for catalog and data, like Athena. */
export function runQuery(sql: string, database: string | undefined, cx: CallContext): Answer {
  const select = parseSelect(sql);
  const schema = select.table.database ?? database?.toLowerCase();
  if (schema === undefined) {
    const { line, column } = select.table.at;
    throw new SqlError(`SYNTAX_ERROR: line ${line}:${column}: Schema must be specified when session schema is not set`);
  }
  return schema === 'information_schema' ? readInformationSchema(select, cx) : readTable(select, schema, cx);
}

function readTable(select: Select, schema: string, cx: CallContext): Answer {
  const { name, at } = select.table;
  const path = ['catalog', `database/${schema}`];
  demandCatalog(cx);
  demandGlue(cx, 'GetDatabase', path);
  demandGlue(cx, 'GetTable', [...path, `table/${schema}/${name}`]);
  const database = cx.world.glue.catalog(cx.caller.accountId, cx.region).databases.get(schema);
  if (!database)
    throw new SqlError(`SCHEMA_NOT_FOUND: line ${at.line}:${at.column}: Schema '${schema}' does not exist`);
  const table = database.tables.get(name);
  if (!table)
    throw new SqlError(
      `TABLE_NOT_FOUND: line ${at.line}:${at.column}: Table 'awsdatacatalog.${schema}.${name}' does not exist`,
    );
  if (cx.world.lakeformation.refuses(cx, 'tables'))
    throw new SqlError(
      `Insufficient permissions to execute the query. Insufficient Lake Formation permission(s) on ${name}`,
    );
  checkMetadata(table);
  const columns = columnTypes(table);
  checkColumns(select, columns);
  const keys = table.input.PartitionKeys ?? [];
  // The fine-grained rights that Athena's guide lists for SELECT on a partitioned table.
  for (const action of keys.length > 0 ? ['GetPartitions', 'GetPartition', 'BatchGetPartition'] : [])
    demandGlue(cx, action, [...path, `table/${schema}/${name}`]);
  const read = columnsRead(select, columns);
  const rows: Row[] = [];
  let bytesScanned = 0;
  for (const { location, values } of foldersOf(table, select, cx)) {
    if (!mayMatch(select.where, values)) continue;
    for (const { url, body } of readFolder(location, cx)) {
      const file = decodeDataFile(body);
      checkTypes(table, file, read, url);
      bytesScanned += body.length;
      for (const cells of file.rows)
        rows.push({
          ...Object.fromEntries(file.columns.map((column, i) => [column.name, cells[i] ?? null])),
          ...values,
        });
    }
  }
  return { ...evaluate(select, { columns, rows }), bytesScanned };
}

/** Every folder that the query may read, with the values of the partition columns in their types. */
function foldersOf(table: Table, { where }: Select, { now }: CallContext): PartitionFolder[] {
  const keys = table.input.PartitionKeys ?? [];
  if (keys.length === 0) return [{ location: locationOf(table), values: {} }];
  const folders = isProjected(table)
    ? projectedFolders(table, where, now)
    : partitionFolders(
        table,
        keys.map(({ Name = '' }) => Name),
      );
  const numeric = new Set(
    keys.filter(({ Type }) => /^(tiny|small|big)?int(eger)?$/.test(Type ?? '')).map(({ Name }) => Name),
  );
  const typed = (name: string, value: Value) => (numeric.has(name) ? Number(value) : value);
  return folders.map(({ location, values }) => ({
    location,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, typed(name, value)])),
  }));
}

/** Parquet's physical type and the declared types that read it. A column is found by its name; of columns that are not read, the type does not matter. */
const parquetTypes: Record<string, [physical: string, declared: RegExp]> = {
  string: ['BINARY', /^(string|varchar|char)/],
  double: ['DOUBLE', /^double$/],
  timestamp: ['INT96', /^timestamp$/],
  date: ['INT32', /^date$/],
  int: ['INT32', /^(int|integer|bigint)$/],
  bigint: ['INT64', /^bigint$/],
};

function checkTypes({ input }: Table, { columns }: DataFile, read: Set<string>, url: string): void {
  const declared = new Map(input.StorageDescriptor?.Columns?.map(({ Name = '', Type = 'string' }) => [Name, Type]));
  for (const { name, type } of columns) {
    const wanted = declared.get(name)?.toLowerCase();
    if (wanted === undefined || !read.has(name)) continue;
    const [physical, fits] = parquetTypes[type] ?? ['GROUP', new RegExp(`^${type}$`)];
    if (!fits.test(wanted))
      throw new SqlError(
        `HIVE_BAD_DATA: Field ${name}'s type ${physical} in parquet file ${url} is incompatible with type ${wanted} defined in table schema`,
      );
  }
}

/** `information_schema.columns`: each name is lower case, and comparison is case-sensitive. */
function readInformationSchema(select: Select, cx: CallContext): Answer {
  const { name, at } = select.table;
  if (name !== 'columns')
    throw new SqlError(
      `TABLE_NOT_FOUND: line ${at.line}:${at.column}: Table 'awsdatacatalog.information_schema.${name}' does not exist`,
    );
  const { databases } = cx.world.glue.catalog(cx.caller.accountId, cx.region);
  const columns = new Map(['table_schema', 'table_name', 'column_name', 'data_type'].map((key) => [key, 'varchar']));
  checkColumns(select, columns);
  const rows = [...databases.values()].flatMap((database) => columnRows(database, select, cx));
  return { ...evaluate(select, { columns, rows }), bytesScanned: 0 };
}

function columnRows({ input, tables }: Database, { where }: Select, cx: CallContext): Row[] {
  return [...tables.values()].flatMap((table) => {
    const named = { table_schema: input.Name, table_name: table.input.Name };
    if (!mayMatch(where, named)) return [];
    demandCatalog(cx);
    const path = ['catalog', `database/${input.Name}`, `table/${input.Name}/${table.input.Name}`];
    demandGlue(cx, 'GetTable', path);
    return [...columnTypes(table)].map(([column, type]) => ({ ...named, column_name: column, data_type: type }));
  });
}

function checkMetadata({ input }: Table): void {
  const all = [...(input.StorageDescriptor?.Columns ?? []), ...(input.PartitionKeys ?? [])].map(({ Name }) => Name);
  if (new Set(all).size < all.length)
    throw new SqlError(
      `HIVE_INVALID_METADATA: Hive metadata for table ${input.Name} is invalid: Table descriptor contains duplicate columns`,
    );
}

function columnTypes({ input }: Table): Map<string, string> {
  const all = [...(input.StorageDescriptor?.Columns ?? []), ...(input.PartitionKeys ?? [])];
  return new Map(all.map(({ Name = '', Type = 'string' }) => [Name, athenaType(Type)]));
}

function partitionFolders({ partitions }: Table, keys: string[]): PartitionFolder[] {
  return [...partitions.values()].map(({ Values = [], StorageDescriptor }) => ({
    location: StorageDescriptor?.Location ?? '',
    values: Object.fromEntries(keys.map((key, index) => [key, Values[index] ?? null])),
  }));
}

function locationOf({ input }: Table): string {
  return input.StorageDescriptor?.Location ?? '';
}

function readFolder(location: string, cx: CallContext): { url: string; body: Buffer }[] {
  const [, name = '', prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(location) ?? [];
  const bucket = cx.world.s3.buckets.get(name);
  const keys = cx.world.s3.keys(name, prefix);
  const readable =
    bucket !== undefined &&
    mayUseS3(cx, 's3:GetBucketLocation', name) &&
    mayUseS3(cx, 's3:ListBucket', name) &&
    keys.every((key) => mayUseS3(cx, 's3:GetObject', name, key));
  if (!readable) throw new SqlError(`Permission denied on S3 path: ${location.replace(/\/$/, '')}`);
  for (const keyArn of new Set(keys.flatMap((key) => bucket.objects.get(key)?.kmsKeyArn ?? []))) {
    const refusal = keyRefusal(cx, 'kms:Decrypt', keyArn);
    if (refusal !== undefined)
      throw new SqlError(
        `Permission denied on S3 path: ${location.replace(/\/$/, '')} ${refusal} (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)`,
      );
  }
  return keys.flatMap((key) => {
    const body = key.endsWith('.parquet') ? bucket.objects.get(key)?.body : undefined;
    return body ? [{ url: `s3://${name}/${key}`, body }] : [];
  });
}

/** Whether IAM and the bucket's policy allow the caller an action on a bucket or key. */
export function mayUseS3(cx: CallContext, action: string, bucketName: string, key?: string): boolean {
  const bucket = cx.world.s3.buckets.get(bucketName);
  if (!bucket) return false;
  const resource = `arn:aws:s3:::${bucketName}${key === undefined ? '' : `/${key}`}`;
  const context = { ...calledVia, 'aws:ResourceAccount': bucket.accountId };
  return (
    cx.world.iam.evaluate(cx.caller, { action, resources: [resource], context }).allowed &&
    cx.world.s3.allows(cx.caller, action, bucket, key)
  );
}

/** AWS's words if the caller may not use the key of an object; undefined if it may. */
export function keyRefusal({ world, caller, region }: CallContext, action: KeyAction, keyArn: string) {
  return world.kms.refusal(caller, { action, keyArn, via: 's3', region });
}

/** Athena reads an encrypted catalog with the caller's rights on its key. */
function demandCatalog(cx: CallContext): void {
  try {
    demandCatalogKey(cx, ['kms:Decrypt']);
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    throw new SqlError(
      `Insufficient permissions to execute the query. ${error.message} (Service: AmazonDataCatalog; Status Code: 400; Error Code: ${error.code}; Request ID: ${randomUUID()}; Proxy: null)`,
    );
  }
}

const calledVia = { 'aws:CalledVia': 'athena.amazonaws.com' };

function demandGlue({ world, caller, region }: CallContext, action: string, resources: string[]): void {
  const context = { ...calledVia, 'aws:ResourceAccount': caller.accountId };
  const arns = resources.map((path) => `arn:aws:glue:${region}:${caller.accountId}:${path}`);
  const { allowed, message } = world.iam.evaluate(caller, { action: `glue:${action}`, resources: arns, context });
  if (!allowed)
    throw new SqlError(
      `Insufficient permissions to execute the query. ${message} (Service: AmazonDataCatalog; Status Code: 400; Error Code: AccessDeniedException; Request ID: ${randomUUID()}; Proxy: null)`,
    );
}
