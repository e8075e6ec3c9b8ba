import type { GetQueryExecutionOutput, GetQueryResultsOutput } from '@aws-sdk/client-athena';
import type { Caller } from '../../service.ts';
import { finishNow } from '../../services/athena/executions.ts';
import { athenaService } from '../../services/athena/service.ts';
import type { World } from '../../world.ts';
import { ask, SdkError } from './credentials.ts';
import type { Integration } from './integration-file.ts';

/** Milliseconds since the epoch; `to` is exclusive. */
export interface Window {
  from: number;
  to: number;
}

export interface Answered {
  columns: number;
  rows: number;
}

const day = 86_400_000;

/**
 * The two queries of a window: first the existing columns, then the costs by column.
 * Source: OpenCost, pkg/cloud/aws/athenaintegration.go and athenaquerier.go.
 * @throws SdkError with the text the ingestor logs
 */
export function queryCosts(
  world: World,
  values: Integration['values'],
  caller: () => Caller,
  window: Window,
): Answered {
  const { database = '', table = '' } = values;
  let session: Caller | undefined;
  let columns: string[];
  try {
    columns = rowsOf(
      `SELECT column_name FROM information_schema.columns WHERE table_schema = '${database}' AND table_name = '${table}'`,
    );
  } catch (error) {
    if (error instanceof SdkError) throw new SdkError(`GetCloudCost: error getting Athena columns: ${error.message}`);
    throw error;
  }
  return { columns: columns.length, rows: rowsOf(costsSql(table, columns, window)).length };

  function rowsOf(sql: string): string[] {
    const { region = '', bucket = '', workgroup = '', catalog = '' } = values;
    const call = (name: string, input: object, words: string): unknown => {
      try {
        return ask(world, athenaService, name, input, { caller: signedIn(), region });
      } catch (error) {
        if (error instanceof SdkError) throw new SdkError(`QueryAthenaPaginated: ${words}: ${error.message}`);
        throw error;
      }
    };
    const started = {
      QueryString: sql,
      QueryExecutionContext: { Database: database, ...(catalog !== '' && { Catalog: catalog }) },
      ResultConfiguration: { OutputLocation: bucket },
      ...(workgroup !== '' && { WorkGroup: workgroup }),
    };
    const { QueryExecutionId } = call('StartQueryExecution', started, 'start query error') as {
      QueryExecutionId: string;
    };
    finishNow(world, QueryExecutionId);
    const asked = { QueryExecutionId };
    const { QueryExecution } = call('GetQueryExecution', asked, 'query execution error') as GetQueryExecutionOutput;
    // The reason is in the execution, which the ingestor does not read.
    if (QueryExecution?.Status?.State !== 'SUCCEEDED')
      throw new SdkError(
        `QueryAthenaPaginated: query execution error: no query results available for query ${QueryExecutionId}`,
      );
    const rows: string[] = [];
    for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
      const page = { ...asked, ...(token !== undefined && { NextToken: token }) };
      const { ResultSet, NextToken } = call('GetQueryResults', page, 'GetQueryResults error') as GetQueryResultsOutput;
      rows.push(...(ResultSet?.Rows ?? []).map(({ Data = [] }) => Data[0]?.VarCharValue ?? ''));
      token = NextToken;
    }
    return rows.slice(1);
  }

  function signedIn(): Caller {
    try {
      session ??= caller();
      return session;
    } catch (error) {
      if (error instanceof SdkError)
        throw new SdkError(
          `operation error Athena: StartQueryExecution, get identity: get credentials: ${error.message}`,
        );
      throw error;
    }
  }
}

const keys = [
  'line_item_resource_id',
  'bill_payer_account_id',
  'line_item_usage_account_id',
  'line_item_product_code',
  'line_item_usage_type',
  'product_region_code',
  'line_item_availability_zone',
];
const kubernetesTags = ['resource_tags_aws_eks_cluster_name', 'resource_tags_user_eks_cluster_name'];
const lineItemTypes = ['Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'EdpDiscount', 'PrivateRateDiscount'];

function costsSql(table: string, columns: readonly string[], { from, to }: Window): string {
  const has = (column: string) => columns.includes(column);
  const isKubernetes = [
    `line_item_product_code = 'AmazonEKS'`,
    ...kubernetesTags.filter(has).map((tag) => `${tag} <> ''`),
  ];
  const tags = columns.filter((column) => /^resource_tags_(user|aws)_/.test(column)).map((column) => `"${column}"`);
  const groups = [`DATE_TRUNC('day',line_item_usage_start_date)`, ...keys, `(${isKubernetes.join(' OR ')})`, ...tags];
  const [date = '', ...others] = groups;
  const sum = (column: string) =>
    `SUM(CASE line_item_line_item_type WHEN 'EdpDiscount' THEN 0 WHEN 'PrivateRateDiscount' THEN 0 ELSE ${column} END)`;
  const optional = {
    line_item_net_unblended_cost: 'net_cost',
    reservation_effective_cost: 'amortized_cost',
    reservation_net_effective_cost: 'amortized_net_cost',
  };
  const costs = Object.entries({ line_item_unblended_cost: 'list_cost', ...optional })
    .filter(([column, name]) => name === 'list_cost' || has(column))
    .map(([column, name]) => `${sum(column)} as ${name}`);
  return [
    `SELECT ${date} as usage_date, ${[...others, ...costs].join(', ')}`,
    `FROM "${table}"`,
    `WHERE (${months(from, to).join(' OR ')})`,
    `AND line_item_usage_start_date >= date '${dateOf(from)}' AND line_item_usage_start_date < date '${dateOf(to)}'`,
    `AND (${lineItemTypes.map((type) => `line_item_line_item_type = '${type}'`).join(' OR ')})`,
    `GROUP BY ${groups.join(', ')}`,
  ].join('\n');
}

/** Partition values are texts, and months have no leading zero. */
function months(from: number, to: number): string[] {
  const all = new Set<string>();
  for (let at = from; at < to; at += day) {
    const date = new Date(at);
    all.add(`(year = '${date.getUTCFullYear()}' AND month = '${date.getUTCMonth() + 1}')`);
  }
  return [...all];
}

function dateOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
