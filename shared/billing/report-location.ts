import { snakeCase } from '../aws/names.ts';
import type { BillingMonth, ReportFolder, ReportPlace } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';

export type { ReportPlace } from './report-kind.ts';

/** Folder of everything AWS writes for the report, with a trailing slash. */
export function reportRoot({ prefix, reportName }: ReportFolder): string {
  return `${prefix}/${reportName}/`;
}

/** Folder of the data, without a trailing slash, as AWS's crawler has it. */
export function dataPath(report: ReportFolder & Pick<ReportPlace, 'reportKind'>): string {
  return reportKindOf(report).layout.dataPath(report);
}

export function dataLocation(report: ReportPlace): string {
  return `s3://${report.bucket}/${dataPath(report)}`;
}

/** Rank of a month: later is greater. */
export function monthNumber({ year, month }: BillingMonth): number {
  return Number(year) * 12 + Number(month);
}

/** The database's name in AWS's template. */
export function crawlerDatabase(reportName: string): string {
  return `athenacurcfn_${snakeCase(reportName)}`;
}

/** Glue has no name of more than 255 characters, and refuses to look for one. A report's name may be as long as 256. */
export function isGlueName(name: string): boolean {
  return name.length <= 255;
}

export function crawlerName(reportName: string): string {
  return `AWSCURCrawler-${reportName}`;
}
