import { snakeCase } from '../../aws/names.ts';
import type { Column, ManifestColumn, TableColumns } from '../report-kind.ts';
import { glueTypeOf } from './column-types.ts';

/** Source: OpenCost, pkg/cloud/aws/athenaintegration.go. */
export const requiredColumns: readonly Column[] = [
  { name: 'bill_payer_account_id', type: 'string' },
  { name: 'line_item_availability_zone', type: 'string' },
  { name: 'line_item_line_item_type', type: 'string' },
  { name: 'line_item_product_code', type: 'string' },
  { name: 'line_item_resource_id', type: 'string' },
  { name: 'line_item_unblended_cost', type: 'double' },
  { name: 'line_item_usage_account_id', type: 'string' },
  { name: 'line_item_usage_start_date', type: 'timestamp' },
  { name: 'line_item_usage_type', type: 'string' },
  { name: 'product_region_code', type: 'string' },
];

/** Of names of Glue and Athena, in characters. */
const longestName = 255;

/**
 * AWS's rule for the columns of its Parquet files. Source: CUR User Guide, "Column names". Of a name that is too long, underscores are
 * removed from left to right.
 */
export function columnName(category: string, name: string): string {
  let column = snakeCase(`${category}_${name}`);
  while (column.length > longestName && column.includes('_')) column = column.replace('_', '');
  return column.slice(0, longestName);
}

/**
 * Two names of the manifest may give one column, such as the tags `Team` and `team`; AWS merges their data. A column of an unknown type is
 * left out, because a wrong type fails each query that reads it.
 */
export function columnsOf(manifestColumns: readonly ManifestColumn[]): TableColumns {
  const isComplete = hasCompleteNames(manifestColumns);
  const required = new Map(requiredColumns.map(({ name, type }) => [name, type]));
  const columns = new Map<string, string>();
  const unknown: string[] = [];
  for (const { category, name, type } of manifestColumns) {
    const column = isComplete ? columnName('', name) : columnName(category, name);
    if (column === '' || column === 'year' || column === 'month' || columns.has(column)) continue;
    const known = glueTypeOf(type);
    const glueType = known ?? required.get(column) ?? (column.startsWith('resource_tags_') ? 'string' : undefined);
    if (glueType !== undefined) columns.set(column, glueType);
    if (known === undefined)
      unknown.push(`${column} (${type || 'no type'}${glueType ? `, taken as ${glueType}` : ', left out'})`);
  }
  return {
    columns: [...columns].map(([name, type]) => ({ name, type })),
    warnings: unknown.length > 0 ? [`the manifest has columns of unknown types: ${unknown.join(', ')}`] : [],
  };
}

/** Manifests of Parquet reports have been seen whose names have the category and the form of the table: `identity_line_item_id`. */
function hasCompleteNames(columns: readonly ManifestColumn[]): boolean {
  return (
    columns.length > 0 &&
    columns.every(({ category, name }) => /^[a-z0-9_]+$/.test(name) && name.startsWith(`${snakeCase(category)}_`))
  );
}
