import { GetDatabasesCommand, GetPartitionCommand, GetTablesCommand, type GlueClient } from '@aws-sdk/client-glue';
import { absentIf } from '../errors/errors.ts';
import type { Partition } from '../model/step-outputs.ts';
import { dataLocation, type ReportPlace, reportRoot } from './report-location.ts';

/** A table whose data is the report's and whose partitions are Kubecost's. */
export interface ReportTable {
  database: string;
  name: string;
  /** Columns Kubecost's query names and the table lacks. */
  missingColumns: string[];
}

/** Source: OpenCost, pkg/cloud/aws/athenaintegration.go; further columns are used if they are there. */
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

/** Tables of a database that hold the report; their names are the crawler's business and are never computed. */
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

/** Tables and views of a database that do not lie in the report's folder: neither its crawler's nor its status table. */
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

export async function databaseNames(glue: GlueClient): Promise<string[]> {
  const names: string[] = [];
  let token: string | undefined;
  do {
    const page = await glue.send(new GetDatabasesCommand({ NextToken: token }));
    names.push(...(page.DatabaseList ?? []).map(({ Name = '' }) => Name));
    token = page.NextToken;
  } while (token);
  return names;
}
