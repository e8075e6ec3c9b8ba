import {
  GetDatabasesCommand,
  GetPartitionCommand,
  GetTablesCommand,
  type GlueClient,
  type Table,
} from '@aws-sdk/client-glue';
import { absentIf } from '../errors/errors.ts';
import type { Permission } from '../step/contract.ts';
import { ownDatabase } from './own-table.ts';
import type { BillingMonth, Column } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';
import { crawlerDatabase, dataLocation, isGlueName, type ReportPlace, reportRoot } from './report-location.ts';

/** Glue resources of the payer account, in every region. */
export const glueArn = 'arn:${AWS::Partition}:glue:*:${AWS::AccountId}';

/** Glue checks a call on a table also against its database and the catalog. Databases of adopted tables have any name. */
const catalog = [`${glueArn}:catalog`, `${glueArn}:database/*`, `${glueArn}:table/*/*`] as const;

export const reportTablePermissions = {
  /** Which tables and databases there are. */
  search: {
    actions: ['glue:GetDatabase', 'glue:GetDatabases', 'glue:GetTable', 'glue:GetTables'],
    resources: catalog,
  },
  /** Whether the table has its newest month. */
  read: { actions: ['glue:GetPartition', 'glue:GetTables'], resources: catalog },
  /** Athena reads the catalog with the rights of the session that starts a query. */
  query: {
    actions: [
      'glue:BatchGetPartition',
      'glue:GetDatabase',
      'glue:GetDatabases',
      'glue:GetPartition',
      'glue:GetPartitions',
      'glue:GetTable',
      'glue:GetTables',
    ],
    resources: catalog,
  },
} as const satisfies Record<string, Permission>;

/** A table on the report's data with the partition columns that the consumer's query names. */
export interface ReportTable {
  database: string;
  name: string;
  /** Columns that the consumer's query needs and the table lacks. */
  missingColumns: string[];
  /** Without a slash at the end. */
  location: string;
  partitionKeys: Column[];
  /** Athena's parameters of a table whose partitions it computes; undefined if Glue holds the partitions. */
  projection: Record<string, string> | undefined;
}

/** Tables of a database that hold the report. The crawler chooses their names, so they are searched by location. */
export async function tablesOfReport(glue: GlueClient, database: string, report: ReportPlace): Promise<ReportTable[]> {
  const tables = await tablesIn(glue, database);
  return tables.flatMap((table) => reportTable(table, database, report) ?? []);
}

function reportTable(table: Table, database: string, report: ReportPlace): ReportTable | undefined {
  const { Name: name = '', PartitionKeys: keys = [], StorageDescriptor: storage, Parameters: parameters = {} } = table;
  const kind = reportKindOf(report);
  const home = dataLocation(report);
  const location = withoutSlash(storage?.Location);
  const isProjected = parameters['projection.enabled']?.trim().toLowerCase() === 'true';
  const isHere = location === home || (isProjected && parameters[locationTemplate]?.startsWith(`${home}/`));
  const names = keys.map(({ Name }) => Name);
  const isPartitioned = kind.partitions.keys.every((key) => names.includes(key));
  if (!isHere || !isPartitioned || (!isProjected && names.length > kind.partitions.keys.length)) return undefined;
  const columns = new Set(storage?.Columns?.map(({ Name }) => Name));
  return {
    database,
    name,
    missingColumns: kind.table.required.map((column) => column.name).filter((column) => !columns.has(column)),
    location,
    partitionKeys: keys.map(({ Name = '', Type = 'string' }) => ({ name: Name, type: Type })),
    projection: isProjected ? projectionOf(parameters) : undefined,
  };
}

export const locationTemplate = 'storage.location.template';

function projectionOf(parameters: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(parameters).filter(([name]) => name.startsWith('projection.') || name === locationTemplate),
  );
}

/** Tables that hold single folders of the report: a crawler makes them if the columns of its months differ too much. */
export async function partialTables(glue: GlueClient, database: string, report: ReportPlace): Promise<string[]> {
  const home = dataLocation(report);
  const tables = await tablesIn(glue, database);
  return tables.flatMap(({ Name = '', StorageDescriptor: storage }) =>
    storage?.Location?.startsWith(`${home}/`) && withoutSlash(storage.Location) !== home ? [Name] : [],
  );
}

function withoutSlash(location = ''): string {
  return location.replace(/\/+$/, '');
}

/** Every table and view of a database; none if it does not exist. */
export async function tablesIn(glue: GlueClient, database: string): Promise<Table[]> {
  const tables: Table[] = [];
  if (!isGlueName(database)) return tables;
  let token: string | undefined;
  do {
    const page = await absentIf(['EntityNotFoundException'], () =>
      glue.send(new GetTablesCommand({ DatabaseName: database, NextToken: token })),
    );
    tables.push(...(page?.TableList ?? []));
    token = page?.NextToken;
  } while (token);
  return tables;
}

/** All tables on the report. Those of an adopted report may lie in any database, if the usual one has none. */
export async function findReportTables(
  glue: GlueClient,
  report: ReportPlace & { adopted: boolean },
): Promise<ReportTable[]> {
  const usual = [crawlerDatabase(report.reportName), ownDatabase(report.reportName)];
  const tables: ReportTable[] = [];
  for (const database of usual) tables.push(...(await tablesOfReport(glue, database, report)));
  if (tables.length > 0 || !report.adopted) return tables;
  for (const database of await databaseNames(glue))
    if (!usual.includes(database)) tables.push(...(await tablesOfReport(glue, database, report)));
  return tables;
}

/** Tables and views of a database outside the report's folder: neither the crawler's table nor the status table. */
export async function foreignTables(glue: GlueClient, database: string, report: ReportPlace): Promise<string[]> {
  const home = `s3://${report.bucket}/${reportRoot(report)}`;
  const tables = await tablesIn(glue, database);
  return tables.flatMap(({ Name = '', StorageDescriptor: storage }) =>
    storage?.Location?.startsWith(home) ? [] : [Name],
  );
}

/** Whether Glue holds the month's partition. */
export async function hasPartition(
  glue: GlueClient,
  report: ReportPlace,
  { database, name, partitionKeys }: Pick<ReportTable, 'database' | 'name' | 'partitionKeys'>,
  month: BillingMonth,
): Promise<boolean> {
  const values = partitionValues(report, month);
  const get = new GetPartitionCommand({
    DatabaseName: database,
    TableName: name,
    PartitionValues: partitionKeys.map((key) => values[key.name] ?? ''),
  });
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(get));
  return answer?.Partition !== undefined;
}

/** The value of each partition column for a month. */
export function partitionValues(report: ReportPlace, month: BillingMonth): Record<string, string> {
  const { partitions } = reportKindOf(report);
  const values = partitions.values(month);
  return Object.fromEntries(partitions.keys.map((key, index) => [key, values[index] ?? '']));
}

async function databaseNames(glue: GlueClient): Promise<string[]> {
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await glue.send(new GetDatabasesCommand({ NextToken: token }));
    names.push(...(page.DatabaseList ?? []).map(({ Name = '' }) => Name));
    token = page.NextToken;
  } while (token);
  return names;
}
