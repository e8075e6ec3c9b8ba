import { describe, expect, it } from 'vitest';
import { ask, billingWorld, payer } from '../../testing/billing-world.ts';
import type { World } from '../../world.ts';
import { glueService } from '../glue/service.ts';
import { runQuery } from './query.ts';

const region = 'eu-central-1';
const home = 's3://reports/cur/daily/daily/';
const string = (Name: string) => ({ Name, Type: 'string' });

async function worldWithTable(
  parameters: Record<string, string>,
  { keys = [string('year'), string('month')], columns = [{ Name: 'line_item_unblended_cost', Type: 'double' }] } = {},
): Promise<World> {
  const world = billingWorld();
  world.cur.seedReport({
    accountId: payer,
    definition: { ReportName: 'daily', S3Bucket: 'reports', S3Prefix: 'cur', S3Region: region },
    deliveredSince: Date.parse('2026-09-01T00:00:00Z'),
  });
  await ask(world, glueService, 'CreateDatabase', { DatabaseInput: { Name: 'by_hand' } });
  await ask(world, glueService, 'CreateTable', {
    DatabaseName: 'by_hand',
    TableInput: {
      Name: 'daily',
      PartitionKeys: keys,
      StorageDescriptor: { Columns: columns, Location: home },
      Parameters: { 'projection.enabled': 'true', ...parameters },
    },
  });
  return world;
}

const years = { 'projection.year.type': 'integer', 'projection.year.range': '2020,2030' };
const months = { 'projection.month.type': 'integer', 'projection.month.range': '1,12' };

function count(world: World, where: string, column = 'line_item_unblended_cost'): number {
  const cx = { world, caller: { accountId: payer, arn: `arn:aws:iam::${payer}:root` }, region, now: world.clock.now() };
  return Number(runQuery(`SELECT COUNT(${column}) FROM daily WHERE ${where}`, 'by_hand', cx).rows[0]?.[0]);
}

const september = "year = '2026' AND month = '9'";

describe('Partition projection', () => {
  it('reads the folders of its integers without any partition in Glue', async () => {
    const world = await worldWithTable({ ...years, ...months });
    expect(count(world, september)).toBe(150);
    expect(count(world, "year = '2026'")).toBeGreaterThan(300);
  });

  it('finds nothing outside its range', async () => {
    expect(count(await worldWithTable({ ...years, ...months, 'projection.year.range': '2020,2025' }), september)).toBe(
      0,
    );
    expect(count(await worldWithTable({ ...years, ...months, 'projection.month.interval': '5' }), september)).toBe(0);
  });

  it('pads its integers only with digits', async () => {
    const world = await worldWithTable({ ...years, ...months, 'projection.month.digits': '2' });
    expect(count(world, september)).toBe(0);
    // The folder is month=9, not month=09.
    expect(count(world, "year = '2026' AND month = '09'")).toBe(0);
    expect(count(world, "year = '2026' AND month = '11'")).toBeGreaterThan(0);
    const unpadded = await worldWithTable({ ...years, ...months, 'projection.month.range': '01,12' });
    expect(count(unpadded, september)).toBe(150);
  });

  it('has the values of an enum', async () => {
    const few = { ...years, 'projection.month.type': 'enum', 'projection.month.values': '10,11' };
    const world = await worldWithTable(few);
    expect(count(world, september)).toBe(0);
    expect(count(world, "month = '10'")).toBe(155);
  });

  it('takes injected values from the query', async () => {
    const world = await worldWithTable({ ...years, 'projection.month.type': 'injected' });
    expect(count(world, september)).toBe(150);
    expect(() => count(world, "year = '2026'")).toThrow(/injected projected partition column month/);
  });

  it('has dates up to now', async () => {
    const byDate = {
      'projection.year.type': 'date',
      'projection.year.format': 'yyyy',
      'projection.year.range': '2025,NOW',
    };
    expect(count(await worldWithTable({ ...byDate, ...months }), september)).toBe(150);
    const period = {
      'projection.period.type': 'date',
      'projection.period.format': "'year='yyyy'/month='M",
      'projection.period.range': 'year=2026/month=1,NOW',
      'storage.location.template': `${home}\${period}/`,
    };
    const world = await worldWithTable(period, { keys: [string('period')] });
    expect(count(world, "period = 'year=2026/month=9'")).toBe(150);
  });

  it('reads where its template says', async () => {
    const wrong = await worldWithTable({
      ...years,
      ...months,
      'storage.location.template': `${home}\${year}/\${month}/`,
    });
    expect(count(wrong, september)).toBe(0);
    const incomplete = await worldWithTable({ ...years, ...months, 'storage.location.template': `${home}\${year}/` });
    expect(() => count(incomplete, september)).toThrow(/lacks the partition column month/);
  });

  it('fails without the type of a partition column', async () => {
    const world = await worldWithTable(years);
    expect(() => count(world, september)).toThrow(/'projection.month.type' is missing/);
  });

  it('compares a numeric partition column with numbers only', async () => {
    const keys = [string('year'), { Name: 'month', Type: 'int' }];
    const world = await worldWithTable({ ...years, ...months }, { keys });
    expect(() => count(world, september)).toThrow('TYPE_MISMATCH');
    expect(count(world, "year = '2026' AND month = 9")).toBe(150);
  });
});

describe('A column', () => {
  it('of another type than the file’s fails each query that reads it', async () => {
    const columns = [
      { Name: 'line_item_unblended_cost', Type: 'string' },
      { Name: 'line_item_usage_type', Type: 'string' },
      { Name: 'line_item_usage_start_date', Type: 'string' },
    ];
    const world = await worldWithTable({ ...years, ...months }, { columns });
    expect(() => count(world, september)).toThrow(
      /^HIVE_BAD_DATA: Field line_item_unblended_cost's type DOUBLE in parquet file s3:\S+ is incompatible with type string defined in table schema$/,
    );
    expect(() => count(world, september, 'line_item_usage_start_date')).toThrow(/INT96/);
    expect(count(world, september, 'line_item_usage_type')).toBe(150);
  });

  it('that no file has is empty', async () => {
    const world = await worldWithTable({ ...years, ...months }, { columns: [string('resource_tags_user_later')] });
    expect(count(world, september, 'resource_tags_user_later')).toBe(0);
  });

  it('must not exist twice in a table', async () => {
    const world = await worldWithTable({ ...years, ...months }, { columns: [string('month')] });
    expect(() => count(world, september, 'month')).toThrow(/duplicate columns/);
  });
});
