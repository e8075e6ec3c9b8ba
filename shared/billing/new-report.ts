import { AccountBucket } from '../aws/bucket.ts';
import { curBucketName, defaultReportName, secondBucketName } from '../aws/names.ts';
import { ownership } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { isAwsError } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { Quota } from '../model/run-schemas.ts';
import type { Problem } from '../step/problem-list.ts';
import { type BucketName, bucketNameWarnings, findBucketName } from './bucket-name.ts';
import { locationProblem } from './managed-bucket.ts';
import { isUsable } from './report-assessment.ts';
import { deliversTo, type Report, settingProblems } from './report-definition.ts';
import type { Evidence } from './report-evidence.ts';
import { type ReportPlace, reportRoot } from './report-location.ts';

type Wanted = OnboardingRequest['report'];
export type Place = ReportPlace & { region: string };

/** Where a report of this name would be created. */
export function newReport({ region, prefix }: Wanted, bucket: string, reportName: string): Place {
  return { reportName, bucket, prefix, region };
}

export function named(name: string, reports: readonly Report[]): Report | undefined {
  return reports.find(({ reportName }) => reportName === name);
}

/** @param name of the report that the run uses */
export function reportQuota(reports: readonly Report[], name: string): Quota {
  return {
    quota: 'reports of the payer account; AWS’s user guide says 10, its API reference 5',
    used: reports.length,
    adds: named(name, reports) ? 0 : 1,
    limit: 10,
  };
}

/** Why a report that has the name of the new one is not it. */
export function differenceOf(namesake: Report): string {
  const { reportName, bucket, prefix } = namesake;
  const difference = settingProblems(namesake).join(', ') || `it delivers to s3://${bucket}/${prefix}`;
  return `report ${reportName} exists: ${difference}`;
}

/** True if the request lets the run create a report and no existing one is better. */
export function mayCreate(wanted: Wanted, reports: readonly Report[], evidence: Evidence): boolean {
  if (wanted.mode === 'adopt-or-create') return !reports.some((report) => isUsable(report, wanted, evidence));
  return wanted.mode === 'create';
}

/** @param creates false if no report will be created, so that nobody needs to look whose bucket it is */
export async function newBucketName(payer: TargetAccount, wanted: Wanted, creates: boolean): Promise<BucketName> {
  const name = wanted.bucket ?? curBucketName(payer.accountId, wanted.region);
  return creates && wanted.bucket === undefined ? findBucketName(payer, name, wanted.region) : { name };
}

/** Why our role cannot create the bucket of a new report. */
export function placeProblem({ bucket: name, region }: Place, { isDenied }: BucketName): Problem | undefined {
  return locationProblem({ name, region, parameter: 'CurBucket' }, isDenied ? 'taken-or-unreadable' : undefined);
}

export function placeWarnings(wanted: Wanted, accountId: string, { bucket, region }: Place): string[] {
  return wanted.bucket === undefined ? bucketNameWarnings(bucket, curBucketName(accountId, region), region) : [];
}

/** True if our own report is what the request asks for. A failed delivery does not count: the next step repairs its bucket. */
export function fits(ours: Report, wanted: Wanted, accountId: string, name: string): boolean {
  if (settingProblems(ours).length > 0) return false;
  const { bucket, mode, region } = wanted;
  if (mode === 'adopt-or-create') return bucket === undefined || ours.bucket === bucket;
  const usual = curBucketName(accountId, region);
  const buckets = bucket === undefined ? [usual, secondBucketName(usual, region)] : [bucket];
  return buckets.some((one) => deliversTo(ours, newReport(wanted, one, name)));
}

/** kubecost_cur, kubecost_cur_2, kubecost_cur_3 and so on. */
export async function firstDefaultName(isDeleted: (name: string) => Promise<boolean>): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? defaultReportName : `${defaultReportName}_${n}`;
    if (!(await isDeleted(name))) return name;
  }
}

/** Data in the bucket shows a deleted report even if our table has lost its record. */
export async function hasLeftData(
  payer: TargetAccount,
  { bucket: name, region, ...place }: Omit<Place, 'bucket'> & { bucket: string },
): Promise<boolean> {
  const bucket = new AccountBucket(payer, name);
  return (await bucket.isIn(region)) && (await bucket.someKeys(region, reportRoot(place))).length > 0;
}

/** Decides by the bucket's name or its tags. A bucket that does not exist, or whose tags we may not read, is not ours. */
export async function isOurs(payer: TargetAccount, { bucket, region }: Report, owner: Owner): Promise<boolean> {
  if (bucket === curBucketName(payer.accountId, region)) return true;
  try {
    return ownership(await new AccountBucket(payer, bucket).readTags(region), owner) === 'ours';
  } catch (error) {
    if (isAwsError(error, 'AccessDenied', 'NoSuchBucket')) return false;
    throw error;
  }
}
