import type { World } from '../../world.ts';
import { deliveryProblem } from './bucket-check.ts';
import { crawlerTemplate } from './crawler-template.ts';
import { type Column, columnsOf, encodeDataFile, rowsOfDay } from './report-data.ts';
import type { Report } from './service.ts';

const DAY = 86_400_000;
/** Files of one delivery appear one after the other, so a reader can see a partial delivery. */
const BETWEEN_FILES = 60_000;

interface File {
  key: string;
  content: string;
}

/** Writes one delivery, file by file, unless the bucket refuses. */
export function deliver(world: World, report: Report): void {
  const problem = deliveryProblem(world, report, 'delivery');
  if (problem) {
    report.status = { ...report.status, lastStatus: problem };
    return;
  }
  const now = world.clock.now();
  const files = deliveredFiles(report, monthsToDeliver(report, now), now);
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
  for (const { key, content } of deliveredFiles(report, monthsToDeliver(report, now), now))
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

function deliveredFiles(report: Report, months: number[], now: number): File[] {
  const { definition, accountId } = report;
  const root = `${definition.S3Prefix}/${definition.ReportName}`;
  if (!definition.AdditionalArtifacts.includes('ATHENA')) return months.flatMap((month) => plainFiles(report, month));
  const columns = [{ name: 'status', type: 'string' }];
  const status = (word: string): File => ({
    key: `${root}/cost_and_usage_data_status/cost_and_usage_data_status.parquet`,
    content: encodeDataFile({ columns, rows: [[word]] }),
  });
  return [
    { key: `${root}/crawler-cfn.yml`, content: crawlerTemplate(definition, report.templateRuntime) },
    status('UPDATING'),
    // In half of the accounts the manifest is written first and names files that do not exist yet, in the other half last.
    ...months.flatMap((month) => {
      const [manifest, ...data] = monthFiles(report, month, now);
      return Number(accountId.at(-1)) % 2 ? [...data, manifest] : [manifest, ...data];
    }),
    status('READY'),
  ];
}

function monthFiles({ definition, accountId }: Report, month: number, now: number): [File, ...File[]] {
  const { ReportName: name, S3Prefix } = definition;
  const date = new Date(month);
  // The month is not zero padded.
  const folder = `${S3Prefix}/${name}/${name}/year=${date.getUTCFullYear()}/month=${date.getUTCMonth() + 1}`;
  const columns = columnsOf(accountId, definition.AdditionalSchemaElements);
  const halves = [
    [month, month + 14 * DAY],
    [month + 14 * DAY, nextMonth(month)],
  ] as const;
  const files = halves.map(([from, to], index) => {
    const key = `${folder}/${name}-0000${index + 1}.snappy.parquet`;
    return { key, content: dataOf(accountId, columns, from, Math.min(to, now)) };
  });
  const content = manifest(
    { definition, accountId },
    month,
    files.map(({ key }) => key),
  );
  return [{ key: `${folder}/${name}-Manifest.json`, content }, ...files];
}

/** By account, days and columns: most worlds of a process deliver the same months. */
const known = new Map<string, string>();
const mostKnown = 200;

function dataOf(accountId: string, columns: readonly Column[], from: number, to: number): string {
  const id = [accountId, from, to, ...columns.map(({ name }) => name)].join(' ');
  let content = known.get(id);
  if (content === undefined) {
    const rows = [];
    for (let day = from; day < to; day += DAY) rows.push(...rowsOfDay(accountId, day, columns));
    content = encodeDataFile({ columns: [...columns], rows });
    if (known.size >= mostKnown) known.clear();
    known.set(id, content);
  }
  return content;
}

function plainFiles(report: Report, month: number): File[] {
  const { ReportName: name, S3Prefix } = report.definition;
  const period = [month, nextMonth(month)].map((at) => new Date(at).toISOString().slice(0, 10).replaceAll('-', ''));
  const folder = [S3Prefix, name, period.join('-')].filter((part) => part !== '').join('/');
  const data = { key: `${folder}/${name}-00001.csv.gz`, content: '' };
  return [data, { key: `${folder}/${name}-Manifest.json`, content: manifest(report, month, [data.key]) }];
}

function manifest({ definition, accountId }: Pick<Report, 'definition' | 'accountId'>, month: number, keys: string[]) {
  const compact = (at: number) => new Date(at).toISOString().replace(/[-:]/g, '');
  const types = { string: 'OptionalString', double: 'OptionalBigDecimal', timestamp: 'DateTime' };
  return JSON.stringify({
    assemblyId: `${accountId}-${compact(month)}`,
    account: accountId,
    columns: columnsOf(accountId, definition.AdditionalSchemaElements).map(({ category, label, type }) => ({
      category,
      name: label,
      type: types[type],
    })),
    charset: 'UTF-8',
    compression: definition.Compression,
    contentType: definition.Format,
    reportName: definition.ReportName,
    billingPeriod: { start: compact(month), end: compact(nextMonth(month)) },
    bucket: definition.S3Bucket,
    reportKeys: keys,
  });
}
