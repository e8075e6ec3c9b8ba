import { describe, expect, it } from 'vitest';
import { columnsOfCreateTable } from '../../../shared/billing/create-table-sql.ts';
import { columnName, columnsOf, requiredColumns } from '../../../shared/billing/legacy-cur/columns.ts';
import { createTableSql, fromCrawledTable, fromManifest, shownTable } from './column-samples.ts';

const column = (category: string, name: string, type = 'String') => ({ category, name, type });
const parts = (source: string) =>
  [source.slice(0, source.indexOf('/')), source.slice(source.indexOf('/') + 1)] as const;

describe('the columns of a manifest', () => {
  it('have names and types of a manifest from the field', () => {
    const manifest = fromManifest.map(([source]) => {
      const [path = '', type = ''] = source.split(' ');
      return column(...parts(path), type);
    });
    expect(columnsOf(manifest)).toEqual({
      columns: fromManifest.map(([, name, type]) => ({ name, type })),
      warnings: [],
    });
  });

  it.each(fromCrawledTable)('name %s as AWS’s crawler does', (source, name, type) => {
    expect(columnName(...parts(source))).toBe(name);
    const manifestType = type === 'double' ? 'OptionalBigDecimal' : 'OptionalString';
    expect(columnsOf([column(...parts(source), manifestType)]).columns).toEqual([{ name, type }]);
  });

  it('are taken as they are if every name has its category', () => {
    // From a manifest with contentType Parquet in the test data of a public loader written in Go.
    const manifest = [
      column('identity', 'identity_line_item_id', 'STRING'),
      column('line_item', 'line_item_line_item_type', 'STRING'),
      column('lineItem', 'line_item_unblended_cost', 'DOUBLE'),
    ];
    expect(columnsOf(manifest).columns).toEqual([
      { name: 'identity_line_item_id', type: 'string' },
      { name: 'line_item_line_item_type', type: 'string' },
      { name: 'line_item_unblended_cost', type: 'double' },
    ]);
  });

  it('merge tags whose names differ in case or signs only', () => {
    const tags = ['user:Team', 'user:team', 'user:cost-center', 'user:cost_center', 'user:cost center', 'user:TEAM'];
    expect(columnsOf(tags.map((tag) => column('resourceTags', tag))).columns.map(({ name }) => name)).toEqual([
      'resource_tags_user_team',
      'resource_tags_user_cost_center',
      'resource_tags_user_t_e_a_m',
    ]);
  });

  it('lose underscores from the left if the name is too long', () => {
    const name = columnName('resourceTags', `user:${'A'.repeat(128)}`);
    expect(name).toHaveLength(255);
    expect(name).toMatch(/^resourcetagsusera+(_a)+$/);
    expect(columnName('resourceTags', 'x'.repeat(300))).toHaveLength(255);
  });

  it('have no names of the partition columns, and no empty names', () => {
    expect(columnsOf([column('', 'year'), column('', 'Month'), column('', '::')]).columns).toEqual([]);
  });

  it('of unknown types are left out with a warning', () => {
    const { columns, warnings } = columnsOf([
      column('lineItem', 'Embedding', 'Vector'),
      column('lineItem', 'UnblendedCost', 'Money'),
      column('resourceTags', 'user:team', 'Label'),
      column('pricing', 'factor', 'decimal(18, 6)'),
    ]);
    expect(columns).toEqual([
      { name: 'line_item_unblended_cost', type: 'double' },
      { name: 'resource_tags_user_team', type: 'string' },
      { name: 'pricing_factor', type: 'decimal(18, 6)' },
    ]);
    expect(warnings).toEqual([
      'the manifest has columns of unknown types: line_item_embedding (Vector, left out), line_item_unblended_cost (Money, taken as double), resource_tags_user_team (Label, taken as string)',
    ]);
  });

  it('without any type are those that the consumer reads', () => {
    const { columns } = columnsOf([column('lineItem', 'UsageStartDate', ''), column('product', 'sku', '')]);
    expect(columns).toEqual([{ name: 'line_item_usage_start_date', type: 'timestamp' }]);
    expect(requiredColumns.map(({ name }) => name)).toContain('line_item_usage_start_date');
  });
});

describe('the columns of create-table.sql', () => {
  it('are read from the form that AWS writes', () => {
    expect(columnsOfCreateTable(createTableSql)).toEqual({
      columns: [
        { name: 'identity_line_item_id', type: 'string' },
        { name: 'bill_billing_period_end_date', type: 'timestamp' },
        { name: 'line_item_net_unblended_rate', type: 'string' },
        { name: 'line_item_net_unblended_cost', type: 'double' },
        { name: 'reservation_number_of_reservations', type: 'string' },
        { name: 'savings_plan_total_commitment_to_date', type: 'double' },
      ],
      warnings: [],
    });
  });

  it('are read from the form that Athena shows', () => {
    expect(columnsOfCreateTable(shownTable)?.columns).toEqual([
      { name: 'identity_line_item_id', type: 'string' },
      { name: 'line_item_usage_amount', type: 'double' },
      { name: 'bill_billing_period_start_date', type: 'timestamp' },
    ]);
  });

  it('are read past comments, brackets and commas in texts', () => {
    const sql = `-- made by AWS (2026)
      create external table IF NOT EXISTS "db".\`t\` ( /* a, b */
        a decimal(10, 2) COMMENT 'cost, (net)', -- the cost
        tags map<string, string>,
        b geometry,
        A string)`;
    expect(columnsOfCreateTable(sql)).toEqual({
      columns: [
        { name: 'a', type: 'decimal(10,2)' },
        { name: 'tags', type: 'map<string,string>' },
      ],
      warnings: ['create-table.sql has columns of unknown types, left out: b (geometry)'],
    });
  });

  it.each(['', 'DROP TABLE cur', 'SELECT 1', 'CREATE EXTERNAL TABLE cur LIKE other'])('do not come from %j', (sql) => {
    expect(columnsOfCreateTable(sql)).toBeUndefined();
  });
});
