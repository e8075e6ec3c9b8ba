import { AccountBucket, type BucketLocation, isBucketDenial, isInRegion } from '../aws/bucket.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { deliveryTime, type Report } from './report-definition.ts';
import { reportRoot } from './report-location.ts';

/** What a report's bucket shows, beside what the API says of the report. */
export interface ReportEvidence {
  location: BucketLocation;
  /** When the newest object in the report's folder was written, milliseconds since the epoch; undefined if there is none. */
  newestObject?: number | undefined;
}

/** AWS delivers at least once a day (CUR User Guide), and its days vary by hours. */
const freshMs = 48 * 3_600_000;

/** What is known of the buckets, by the name of the report. */
export type Evidence = Readonly<Record<string, ReportEvidence | undefined>>;

/** @param isCovered false if the access template excludes the bucket, so that S3 is not asked */
export async function gatherEvidence(
  payer: TargetAccount,
  reports: readonly Report[],
  now: number,
  isCovered: (bucket: string) => boolean,
): Promise<Evidence> {
  const entries = reports.map(async (report) => {
    const seen: ReportEvidence = isCovered(report.bucket)
      ? await readEvidence(payer, report, now)
      : { location: 'unreadable' };
    return [report.reportName, seen] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function readEvidence(payer: TargetAccount, report: Report, now: number): Promise<ReportEvidence> {
  const { bucket, region } = report;
  const account = new AccountBucket(payer, bucket);
  const location = await account.locate();
  if (!isInRegion(location, region)) return { location };
  try {
    return { location, newestObject: await account.newestObject(region, reportRoot(report), now - freshMs) };
  } catch (error) {
    if (isBucketDenial(error)) return { location: 'unreadable' };
    throw error;
  }
}

/** True if AWS has written at this time and so can write to the bucket. */
export function isFresh(at: number | undefined, now: number): boolean {
  return at !== undefined && now - at < freshMs;
}

/** When AWS last wrote to the report's folder; null if it never did, or says that it failed since. */
export function deliveredAt({ lastStatus }: Report, evidence: ReportEvidence | undefined): string | null {
  const at = evidence?.newestObject;
  return at === undefined || lastStatus?.startsWith('ERROR') ? null : new Date(at).toISOString();
}

/** When AWS last delivered the report, as its status or the newest object says; 0 for never. */
export function lastDelivered({ lastDelivery }: Report, evidence: ReportEvidence | undefined): number {
  return Math.max(lastDelivery ? deliveryTime(lastDelivery) : 0, evidence?.newestObject ?? 0);
}
