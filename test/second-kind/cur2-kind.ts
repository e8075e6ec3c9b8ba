import * as z from 'zod';
import type { BillingMonth, ReportFolder, ReportKind } from '../../shared/billing/report-kind.ts';

/**
 * A second kind of report, as the CUR 2.0 exports of AWS have it: data in `data/BILLING_PERIOD=2026-11/`, manifest in
 * `metadata/BILLING_PERIOD=2026-11/`, one partition column, tags in a map. Source: AWS, "Understanding export delivery".
 */
export const cur2: ReportKind = {
  name: 'test-cur2',
  layout: {
    dataPath,
    recognise(folder, key) {
      const root = `${folder.prefix}/${folder.reportName}/`;
      const [, area, year, monthText, name = ''] =
        /^(data|metadata)\/BILLING_PERIOD=(\d{4})-(\d\d)\/([^/]+)$/.exec(
          key.startsWith(root) ? key.slice(root.length) : '',
        ) ?? [];
      if (year === undefined || monthText === undefined) return undefined;
      const month = { year, month: String(Number(monthText)) };
      if (area === 'data') return name.endsWith('.parquet') ? { is: 'data', month, monthText: month.month } : undefined;
      return name === `${folder.reportName}-Manifest.json` ? { is: 'manifest', month } : undefined;
    },
    readManifest(text) {
      const { dataFiles, columns } = Manifest.parse(JSON.parse(text));
      return { month: undefined, dataKeys: dataFiles, columns: columns.map((column) => ({ category: '', ...column })) };
    },
  },
  partitions: {
    keys: ['billing_period'],
    values: (month) => [periodOf(month)],
    projection: (place, years) => ({
      'projection.billing_period.type': 'date',
      'projection.billing_period.format': 'yyyy-MM',
      'projection.billing_period.range': `${years.first}-01,${years.last}-12`,
      'storage.location.template': `s3://${place.bucket}/${dataPath(place)}/BILLING_PERIOD=\${billing_period}/`,
    }),
    yearsOf(parameters) {
      const [, first, last] = /^(\d{4})-01,(\d{4})-12$/.exec(parameters['projection.billing_period.range'] ?? '') ?? [];
      return first && last ? { first: Number(first), last: Number(last) } : undefined;
    },
    predicate: (month) => `(billing_period = '${periodOf(month)}')`,
  },
  table: {
    required: [
      { name: 'line_item_unblended_cost', type: 'double' },
      { name: 'line_item_usage_start_date', type: 'timestamp' },
      { name: 'line_item_resource_id', type: 'string' },
      { name: 'resource_tags', type: 'map<string,string>' },
    ],
    columnsOf: (columns) => ({ columns: columns.map(({ name, type }) => ({ name, type })), warnings: [] }),
  },
};

const Manifest = z.object({
  dataFiles: z.array(z.string()),
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
});

function dataPath({ prefix, reportName }: ReportFolder): string {
  return `${prefix}/${reportName}/data`;
}

function periodOf({ year, month }: BillingMonth): string {
  return `${year}-${month.padStart(2, '0')}`;
}
