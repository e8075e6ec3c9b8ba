import type { Partition } from '../model/steps-and-outputs.ts';

/**
 * The two queries that Kubecost and OpenCost run per window, with the same structure, for one day.
 * Source: OpenCost, pkg/cloud/aws/athenaintegration.go.
 */

/** The query compares names as text, so they must be spelled as in Glue. */
export function columnsQuery(database: string, table: string): string {
  return `SELECT column_name FROM information_schema.columns WHERE table_schema = '${database}' AND table_name = '${table}'`;
}

const groupBy = [
  'line_item_resource_id',
  'bill_payer_account_id',
  'line_item_usage_account_id',
  'line_item_product_code',
  'line_item_usage_type',
  'product_region_code',
  'line_item_availability_zone',
];

const lineItemTypes = ['Usage', 'DiscountedUsage', 'SavingsPlanCoveredUsage', 'EdpDiscount', 'PrivateRateDiscount'];

/**
 * @param month the condition on the partition columns, as the kind of the report has it
 * @param columns of the table, from the first query: a feature that the account does not use has no column
 */
export function costsQuery(table: string, month: string, day: string, columns: readonly string[]): string {
  const tags = columns.filter((column) => /^resource_tags_(user|aws)_/.test(column)).map((column) => `"${column}"`);
  const keys = [`DATE_TRUNC('day',line_item_usage_start_date)`, ...groupBy, ...tags];
  const next = new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
  const cost = (column: string) =>
    `SUM(CASE line_item_line_item_type WHEN 'EdpDiscount' THEN 0 WHEN 'PrivateRateDiscount' THEN 0 ELSE ${column} END)`;
  const net = columns.includes('line_item_net_unblended_cost') ? 'line_item_net_unblended_cost' : undefined;
  return [
    `SELECT ${keys[0] ?? ''} as usage_date, ${keys.slice(1).join(', ')},`,
    `${cost('line_item_unblended_cost')} as list_cost${net ? `, ${cost(net)} as net_cost` : ''}`,
    `FROM "${table}"`,
    `WHERE ${month}`,
    `AND line_item_usage_start_date >= date '${day}' AND line_item_usage_start_date < date '${next}'`,
    `AND (${lineItemTypes.map((type) => `line_item_line_item_type = '${type}'`).join(' OR ')})`,
    `GROUP BY ${keys.join(', ')}`,
  ].join(' ');
}

/** The day before the newest delivery, within the month: the day of the delivery is not complete. */
export function dayToQuery({ year, month }: Partition, deliveredAt: string): string {
  const first = Date.UTC(Number(year), Number(month) - 1, 1);
  const last = Date.UTC(Number(year), Number(month), 0);
  const before = Date.parse(deliveredAt.slice(0, 10)) - 86_400_000;
  return new Date(Math.min(Math.max(before, first), last)).toISOString().slice(0, 10);
}
