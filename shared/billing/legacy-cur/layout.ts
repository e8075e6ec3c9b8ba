import * as z from 'zod';
import type { BillingMonth, DeliveredKey, Manifest, ReportFolder } from '../report-kind.ts';

/** Folder of the data, without a slash at the end, as AWS's crawler has it. */
export function dataPath({ prefix, reportName }: ReportFolder): string {
  return `${prefix}/${reportName}/${reportName}`;
}

/**
 * AWS's guide ("Accessing your Cost and Usage Reports", sections on Athena) shows template, SQL and manifest in four places: the report's
 * folder, a date range below it, a date range below the data's folder, and the month's folder. Each of them counts.
 */
export function recognise(folder: ReportFolder, key: string): DeliveredKey | undefined {
  const root = `${folder.prefix}/${folder.reportName}/`;
  if (!key.startsWith(root)) return undefined;
  const path = key.slice(root.length).split('/');
  const name = path.pop() ?? '';
  if (path[0] === folder.reportName) path.shift();
  const [place = '', below, ...deeper] = path;
  const inMonth = below !== undefined && deeper.length === 0 ? monthOfFolders(place, below) : undefined;
  if (inMonth && name.endsWith('.parquet')) return { is: 'data', ...inMonth };
  const isPlace =
    path.length === 0 || (path.length === 1 && monthOfRange(place) !== undefined) || inMonth !== undefined;
  if (!isPlace) return undefined;
  switch (name) {
    case `${folder.reportName}-Manifest.json`:
      return { is: 'manifest', month: inMonth?.month ?? monthOfRange(place) };
    case 'crawler-cfn.yml':
      return { is: 'template' };
    case `${folder.reportName}-create-table.sql`:
      return { is: 'create-table' };
    default:
      return undefined;
  }
}

function monthOfFolders(
  yearFolder: string,
  monthFolder: string,
): { month: BillingMonth; monthText: string } | undefined {
  const [, year] = /^year=(\d{4})$/.exec(yearFolder) ?? [];
  const [, text] = /^month=(0?[1-9]|1[0-2])$/.exec(monthFolder) ?? [];
  return year && text ? { month: { year, month: String(Number(text)) }, monthText: text } : undefined;
}

/** `20261101-20261201` */
function monthOfRange(folder: string): BillingMonth | undefined {
  const [, year, month] = /^(\d{4})(\d\d)\d\d-\d{8}$/.exec(folder) ?? [];
  return year && month ? { year, month: String(Number(month)) } : undefined;
}

const ManifestFile = z.object({
  reportKeys: z.array(z.string()),
  billingPeriod: z.object({ start: z.string() }).nullish(),
  columns: z
    .array(
      z.object({
        category: z
          .string()
          .nullish()
          .transform((text) => text ?? ''),
        name: z.string(),
        type: z
          .string()
          .nullish()
          .transform((text) => text ?? ''),
      }),
    )
    .nullish()
    .transform((columns) => columns ?? []),
});

/** @throws if the text is no manifest */
export function readManifest(text: string): Manifest {
  const { reportKeys: dataKeys, billingPeriod, columns } = ManifestFile.parse(JSON.parse(text));
  const [, year, month] = /^(\d{4})(\d\d)/.exec(billingPeriod?.start ?? '') ?? [];
  return { dataKeys, columns, month: year && month ? { year, month: String(Number(month)) } : undefined };
}
