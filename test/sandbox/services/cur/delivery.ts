import type { World } from '../../world.ts';
import { deliveryProblem } from './bucket-check.ts';
import { crawlerTemplate } from './crawler-template.ts';
import { type Bill, type Column, columnsOf, encodeDataFile, rowsOfDay, snakeCase } from './report-data.ts';
import type { Report } from './service.ts';

const DAY = 86_400_000;
/** Files of one delivery appear one after the other, so a reader can see a partial delivery. */
const BETWEEN_FILES = 60_000;

/** An object that AWS writes. */
export interface File {
  key: string;
  content: string;
}

/**
 * A folder in which the CUR User Guide ("Accessing your reports", Athena) shows AWS's files: of the report, of a date range below it, of a
 * date range below the data's folder, or of the month's data. The guide contradicts itself, and accounts differ.
 */
type DeliveryFolder = 'report' | 'range' | 'data-range' | 'month';

/** Where AWS writes what belongs to a report beside its data. */
export interface DeliveryLayout {
  template: DeliveryFolder | 'nowhere';
  manifest: DeliveryFolder | 'nowhere';
  /** `<report>-create-table.sql` */
  createTable: DeliveryFolder | 'nowhere';
  /** True for `month=03` instead of `month=3`. */
  paddedMonths: boolean;
}

const usualLayout: DeliveryLayout = {
  template: 'report',
  manifest: 'month',
  createTable: 'range',
  paddedMonths: false,
};

/** Writes one delivery, file by file, unless the bucket refuses. */
export function deliver(world: World, report: Report): void {
  const problem = deliveryProblem(world, report, 'delivery');
  if (problem) {
    report.status = { ...report.status, lastStatus: problem };
    return;
  }
  const now = world.clock.now();
  const edit = world.cur.deliveryEdits.get(report.accountId) ?? ((files: File[]) => files);
  const files = edit(deliveredFiles(report, monthsToDeliver(report, now), now, world));
  if (files.length === 0) complete(world, report);
  files.forEach((file, index) => {
    world.clock.after(index * BETWEEN_FILES, () => {
      if (!world.s3.buckets.has(report.definition.S3Bucket)) return;
      world.s3.put(report.definition.S3Bucket, file.key, file.content);
      if (index === files.length - 1) complete(world, report);
    });
  });
}

/** The same at once, for a world with earlier deliveries. */
export function deliverAtOnce(world: World, report: Report): void {
  const now = world.clock.now();
  for (const { key, content } of deliveredFiles(report, monthsToDeliver(report, now), now, world))
    world.s3.put(report.definition.S3Bucket, key, content);
  complete(world, report);
}

function complete(world: World, report: Report): void {
  const time = new Date(world.clock.now()).toISOString().slice(0, 19).replace(/[-:]/g, '');
  report.deliveredUntil = world.clock.now();
  report.status = { lastDelivery: `${time}Z`, lastStatus: 'SUCCESS' };
}

/** The running month, and the closed ones since the last delivery: the last days of a month are billed after its end. */
function monthsToDeliver({ deliveredUntil, dataSince }: Report, now: number): number[] {
  const months = [];
  const first = new Date(deliveredUntil ?? dataSince);
  for (let month = Date.UTC(first.getUTCFullYear(), first.getUTCMonth()); month <= now; month = nextMonth(month))
    months.push(month);
  return months;
}

function nextMonth(month: number): number {
  const date = new Date(month);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
}

function deliveredFiles(report: Report, months: number[], now: number, { cur }: World): File[] {
  const { definition, accountId } = report;
  const root = `${definition.S3Prefix}/${definition.ReportName}`;
  if (!definition.AdditionalArtifacts.includes('ATHENA')) return months.flatMap((month) => plainFiles(report, month));
  const layout = { ...usualLayout, ...cur.layouts.get(accountId) };
  const bill = cur.bills.get(accountId) ?? {};
  const columns = [{ name: 'status', type: 'string' }];
  const status = (word: string): File => ({
    key: `${root}/cost_and_usage_data_status/cost_and_usage_data_status.parquet`,
    content: encodeDataFile({ columns, rows: [[word]] }),
  });
  const newest = months.at(-1) ?? now;
  const template = report.editTemplate(crawlerTemplate(definition, report.templateRuntime));
  const artifact = (folder: DeliveryFolder | 'nowhere', name: string, content: string): File[] =>
    folder === 'nowhere' ? [] : [{ key: `${folderOf(report, folder, newest, layout)}/${name}`, content }];
  return [
    ...artifact(layout.template, 'crawler-cfn.yml', template),
    ...artifact(layout.createTable, `${definition.ReportName}-create-table.sql`, createTable(report, newest, bill)),
    status('UPDATING'),
    // In half of the accounts the manifest is written first and names files that do not exist yet, in the other half last.
    ...months.flatMap((month) => {
      const { manifests, data } = monthFiles(report, month, now, { layout, bill });
      return Number(accountId.at(-1)) % 2 ? [...data, ...manifests] : [...manifests, ...data];
    }),
    status('READY'),
  ];
}

function folderOf(
  { definition: { ReportName: name, S3Prefix } }: Pick<Report, 'definition'>,
  folder: DeliveryFolder,
  month: number,
  { paddedMonths }: DeliveryLayout,
): string {
  const root = `${S3Prefix}/${name}`;
  const date = new Date(month);
  const number = String(date.getUTCMonth() + 1).padStart(paddedMonths ? 2 : 1, '0');
  switch (folder) {
    case 'report':
      return root;
    case 'range':
      return `${root}/${rangeOf(month)}`;
    case 'data-range':
      return `${root}/${name}/${rangeOf(month)}`;
    case 'month':
      return `${root}/${name}/year=${date.getUTCFullYear()}/month=${number}`;
  }
}

/** `20261101-20261201` */
function rangeOf(month: number): string {
  return [month, nextMonth(month)].map((at) => new Date(at).toISOString().slice(0, 10).replaceAll('-', '')).join('-');
}

function columnsOfMonth(
  { definition, accountId }: Pick<Report, 'definition' | 'accountId'>,
  month: number,
  { tags = [] }: Bill,
) {
  const keys = tags.filter(({ since = 0 }) => since < nextMonth(month)).map(({ key }) => key);
  return columnsOf(accountId, definition.AdditionalSchemaElements, keys);
}

function monthFiles(
  report: Report,
  month: number,
  now: number,
  { layout, bill }: { layout: DeliveryLayout; bill: Bill },
): { manifests: File[]; data: File[] } {
  const { definition, accountId } = report;
  const name = definition.ReportName;
  const folder = folderOf(report, 'month', month, layout);
  const columns = columnsOfMonth(report, month, bill);
  const halves = [
    [month, month + 14 * DAY],
    [month + 14 * DAY, nextMonth(month)],
  ] as const;
  const isEmpty = bill.emptyMonths?.includes(new Date(month).toISOString().slice(0, 7));
  const data = isEmpty
    ? []
    : halves.map(([from, to], index) => {
        const key = `${folder}/${name}-0000${index + 1}.snappy.parquet`;
        return { key, content: dataOf(accountId, columns, from, Math.min(to, now), bill) };
      });
  const keys = data.map(({ key }) => key);
  const manifests =
    layout.manifest === 'nowhere'
      ? []
      : [
          {
            key: `${folderOf(report, layout.manifest, month, layout)}/${name}-Manifest.json`,
            content: manifest({ definition, accountId }, month, columns, keys),
          },
        ];
  return { manifests, data };
}

/** In AWS's form: names without backticks, one column a line, types in capitals. */
function createTable(report: Report, month: number, bill: Bill): string {
  const { ReportName: name, S3Bucket, S3Prefix } = report.definition;
  const columns = new Map(
    columnsOfMonth(report, month, bill).map((column) => [column.name, column.type.toUpperCase()]),
  );
  const table = snakeCase(name);
  return [
    `CREATE EXTERNAL TABLE IF NOT EXISTS ${table}.${table}(`,
    [...columns].map(([column, type]) => `\t${column} ${type}`).join(',\n'),
    ')',
    'PARTITIONED BY (',
    '\tyear STRING,',
    '\tmonth STRING',
    ')',
    `ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'`,
    'WITH  SERDEPROPERTIES (',
    ` 'serialization.format' = '1'`,
    `) LOCATION 's3://${S3Bucket}/${S3Prefix}/${name}/${name}/'`,
    '',
  ].join('\n');
}

/** By account, days and columns: most worlds of a process deliver the same months. */
const known = new Map<string, string>();
const mostKnown = 200;

function dataOf(accountId: string, all: readonly Column[], from: number, to: number, { quietDays = [] }: Bill): string {
  const columns = [...new Map(all.map((column) => [column.name, column])).values()];
  const id = [accountId, from, to, ...columns.map(({ name }) => name), ...quietDays].join(' ');
  let content = known.get(id);
  if (content === undefined) {
    const rows = [];
    for (let day = from; day < to; day += DAY)
      if (!quietDays.includes(new Date(day).toISOString().slice(0, 10)))
        rows.push(...rowsOfDay(accountId, day, columns));
    content = encodeDataFile({ columns, rows });
    if (known.size >= mostKnown) known.clear();
    known.set(id, content);
  }
  return content;
}

function plainFiles(report: Report, month: number): File[] {
  const { ReportName: name, S3Prefix } = report.definition;
  const folder = [S3Prefix, name, rangeOf(month)].filter((part) => part !== '').join('/');
  const data = { key: `${folder}/${name}-00001.csv.gz`, content: '' };
  const columns = columnsOfMonth(report, month, {});
  return [data, { key: `${folder}/${name}-Manifest.json`, content: manifest(report, month, columns, [data.key]) }];
}

function manifest(
  { definition, accountId }: Pick<Report, 'definition' | 'accountId'>,
  month: number,
  columns: readonly Column[],
  keys: string[],
) {
  const compact = (at: number) => new Date(at).toISOString().replace(/[-:]/g, '');
  return JSON.stringify({
    assemblyId: `${accountId}-${compact(month)}`,
    account: accountId,
    columns: columns.map(({ category, label, manifestType }) => ({ category, name: label, type: manifestType })),
    charset: 'UTF-8',
    compression: definition.Compression,
    contentType: definition.Format,
    reportName: definition.ReportName,
    billingPeriod: { start: compact(month), end: compact(nextMonth(month)) },
    bucket: definition.S3Bucket,
    reportKeys: keys,
  });
}
