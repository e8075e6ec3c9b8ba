import type { Partition } from '../model/steps-and-outputs.ts';

/** Where AWS delivers a report. The names under it are fixed. */
export interface ReportPlace {
  reportName: string;
  bucket: string;
  prefix: string;
}

/** Folder of everything AWS writes for the report, with a trailing slash. */
export function reportRoot({ prefix, reportName }: Pick<ReportPlace, 'prefix' | 'reportName'>): string {
  return `${prefix}/${reportName}/`;
}

/** Folder of the data, without a trailing slash, as AWS's crawler has it. */
export function dataPath(report: Pick<ReportPlace, 'prefix' | 'reportName'>): string {
  return `${reportRoot(report)}${report.reportName}`;
}

export function dataLocation(report: ReportPlace): string {
  return `s3://${report.bucket}/${dataPath(report)}`;
}

/** The month is not zero padded. */
function monthFolder(report: Pick<ReportPlace, 'prefix' | 'reportName'>, { year, month }: Partition): string {
  return `${dataPath(report)}/year=${year}/month=${month}/`;
}

export function manifestKey(report: Pick<ReportPlace, 'prefix' | 'reportName'>, partition: Partition): string {
  return `${monthFolder(report, partition)}${report.reportName}-Manifest.json`;
}

/** Rank of a month: later is greater. */
export function monthNumber({ year, month }: Partition): number {
  return Number(year) * 12 + Number(month);
}

/**
 * AWS's rule for the database's name: `_` before each capital, lower case, one `_` for other characters than letters and digits.
 * Source: CUR User Guide, "Column names"; seen in every published crawler-cfn.yml.
 */
export function crawlerDatabase(reportName: string): string {
  const snake = reportName
    .replace(/[A-Z]/g, '_$&')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  return `athenacurcfn_${snake}`;
}

export function crawlerName(reportName: string): string {
  return `AWSCURCrawler-${reportName}`;
}
