import { GetDatabasesCommand, GetPartitionCommand, GetTablesCommand, type GlueClient } from '@aws-sdk/client-glue';
import { absentIf } from '../errors/errors.ts';
import type { Partition } from '../model/steps-and-outputs.ts';
import type { Permission } from '../step/contract.ts';
import { crawlerDatabase, dataLocation, type ReportPlace, reportRoot } from './report-location.ts';

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

/** A table on the report's data with the partitions that Kubecost expects. */
export interface ReportTable {
  database: string;
  name: string;
  /** Columns that Kubecost's query needs and the table lacks. */
  missingColumns: string[];
}

/** Source: OpenCost, pkg/cloud/aws/athenaintegration.go; further columns are optional. */
const requiredColumns = [
  'bill_payer_account_id',
  'line_item_availability_zone',
  'line_item_line_item_type',
  'line_item_product_code',
  'line_item_resource_id',
  'line_item_unblended_cost',
  'line_item_usage_account_id',
  'line_item_usage_start_date',
  'line_item_usage_type',
  'product_region_code',
];

/** Tables of a database that hold the report. The crawler chooses their names, so they are searched by location. */
export async function tablesOfReport(glue: GlueClient, database: string, report: ReportPlace): Promise<ReportTable[]> {
  const home = dataLocation(report);
  const tables: ReportTable[] = [];
  let token: string | undefined;
  do {
    const page = await absentIf(['EntityNotFoundException'], () =>
      glue.send(new GetTablesCommand({ DatabaseName: database, NextToken: token })),
    );
    for (const { Name: name = '', PartitionKeys: keys = [], StorageDescriptor: storage } of page?.TableList ?? []) {
      const location = storage?.Location?.replace(/\/+$/, '');
      const partitions = keys.map(({ Name }) => Name).join();
      if (location !== home || partitions !== 'year,month') continue;
      const columns = new Set(storage?.Columns?.map(({ Name }) => Name));
      tables.push({ database, name, missingColumns: requiredColumns.filter((column) => !columns.has(column)) });
    }
    token = page?.NextToken;
  } while (token);
  return tables;
}

/** All tables on the report. Those of an adopted report may lie in any database, if the usual one has none. */
export async function findReportTables(
  glue: GlueClient,
  report: ReportPlace & { adopted: boolean },
): Promise<ReportTable[]> {
  const usual = crawlerDatabase(report.reportName);
  const tables = await tablesOfReport(glue, usual, report);
  if (tables.length > 0 || !report.adopted) return tables;
  for (const database of await databaseNames(glue))
    if (database !== usual) tables.push(...(await tablesOfReport(glue, database, report)));
  return tables;
}

/** Tables and views of a database outside the report's folder: neither the crawler's table nor the status table. */
export async function foreignTables(glue: GlueClient, database: string, report: ReportPlace): Promise<string[]> {
  const home = `s3://${report.bucket}/${reportRoot(report)}`;
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await absentIf(['EntityNotFoundException'], () =>
      glue.send(new GetTablesCommand({ DatabaseName: database, NextToken: token })),
    );
    for (const { Name: name = '', StorageDescriptor: storage } of page?.TableList ?? [])
      if (!storage?.Location?.startsWith(home)) names.push(name);
    token = page?.NextToken;
  } while (token);
  return names;
}

export async function hasPartition(
  glue: GlueClient,
  { database, name }: Pick<ReportTable, 'database' | 'name'>,
  { year, month }: Partition,
): Promise<boolean> {
  const answer = await absentIf(['EntityNotFoundException'], () =>
    glue.send(new GetPartitionCommand({ DatabaseName: database, TableName: name, PartitionValues: [year, month] })),
  );
  return answer?.Partition !== undefined;
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
