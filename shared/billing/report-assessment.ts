import { curRegions, type OnboardingRequest } from '../model/run-requests.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import { deniedBucket, parameterRemedy } from './managed-bucket.ts';
import { deliveryTime, type Report, settingProblems } from './report-definition.ts';
import { type Evidence, isFresh, lastDelivered, type ReportEvidence } from './report-evidence.ts';

type Wanted = OnboardingRequest['report'];
type Considered = Outputs['report-choice']['considered'];

/** Why a report cannot be adopted, and the remedy. */
interface ReportProblem {
  reason: string;
  remedy?: string;
}

/** A report's settings cannot be changed later, because its data and table would have two formats. */
const anotherReport =
  'create a new report beside it: report.mode create always does so, adopt-or-create does if no report is usable';

/** All reasons against adopting the report. */
function reportProblems(report: Report, wanted: Wanted, evidence: Evidence): ReportProblem[] {
  return [...definitionProblems(report, wanted), ...bucketProblems(report, evidence[report.reportName])];
}

/** Why our role cannot read the report. The step cur-bucket checks what AWS may do to the bucket. */
function bucketProblems({ bucket, region }: Report, evidence: ReportEvidence | undefined): ReportProblem[] {
  if (!evidence) return [];
  const { location } = evidence;
  if (location === undefined) return [{ reason: `its bucket ${bucket} does not exist`, remedy: anotherReport }];
  if (typeof location === 'object')
    return location.region === region
      ? []
      : [
          {
            reason: `its bucket ${bucket} is in ${location.region}, but the report says ${region}`,
            remedy: anotherReport,
          },
        ];
  const remedy = location === 'taken' ? anotherReport : parameterRemedy('CurBucket', bucket);
  return [{ reason: `we cannot read it: ${deniedBucket(bucket, location)}`, remedy }];
}

/** Reports that are usable as soon as our role may read their buckets. */
export function unreadableReports(reports: readonly Report[], wanted: Wanted, evidence: Evidence): Report[] {
  return reports.filter((report) => {
    const location = evidence[report.reportName]?.location;
    const isOurs = typeof location === 'string' && location !== 'taken';
    return isOurs && definitionProblems(report, wanted).length === 0;
  });
}

/** What is known of a report that our role may not read, and what the payer's owner sets. */
export function unreadableDetail({ reportName, bucket }: Report): string {
  return `our role may not read bucket ${bucket} of report ${reportName}: ${parameterRemedy('CurBucket', bucket)}`;
}

/** True if only the report's bucket can still be a reason against it. */
export function isCandidate(report: Report, wanted: Wanted): boolean {
  return definitionProblems(report, wanted).length === 0;
}

/** Region and prefix of the request apply to a new report: an adopted one keeps its own. */
function definitionProblems(report: Report, wanted: Wanted): ReportProblem[] {
  const { reportName, bucket, prefix, region, lastStatus } = report;
  const problems: ReportProblem[] = settingProblems(report).map((reason) => ({ reason, remedy: anotherReport }));
  if (wanted.name && reportName !== wanted.name)
    problems.push({
      reason: `it is not the requested report ${wanted.name}`,
      remedy: `leave report.name out, or set it to ${reportName}`,
    });
  if (wanted.bucket && bucket !== wanted.bucket)
    problems.push({
      reason: `it is not in the requested bucket ${wanted.bucket}`,
      remedy: `leave report.bucket out, or set it to ${bucket}`,
    });
  if (prefix === '' || /^\/|\/$/.test(prefix))
    problems.push({ reason: 'its prefix is empty or has a slash at an end', remedy: anotherReport });
  if (!curRegions.some((known) => known === region))
    problems.push({ reason: `its region ${region} is not supported`, remedy: anotherReport });
  // Kubecost's older queries do not quote the table's name, which is the report's.
  if (!/^[A-Za-z_]/.test(reportName))
    problems.push({
      reason: 'its name, which becomes the name of its table, does not begin with a letter',
      remedy: anotherReport,
    });
  if (lastStatus?.startsWith('ERROR'))
    problems.push({
      reason: `its last delivery failed with ${lastStatus}`,
      remedy: `let billingreports.amazonaws.com write to bucket ${bucket} again; the report is usable after AWS’s next delivery`,
    });
  return problems;
}

/** Why a report without problems is usable. */
function reportMerits({ timeUnit, lastDelivery }: Report, evidence: ReportEvidence | undefined): string[] {
  const { newestObject } = evidence ?? {};
  return [
    `it is ${timeUnit.toLowerCase()}, in Parquet for Athena, with resource ids, one version of each month`,
    lastDelivery
      ? `AWS delivered it last at ${new Date(deliveryTime(lastDelivery)).toISOString()}`
      : 'AWS has not delivered it yet, which takes up to 24 hours',
    ...(newestObject ? [`the newest object in its folder is of ${new Date(newestObject).toISOString()}`] : []),
  ];
}

export function isUsable(report: Report, wanted: Wanted, evidence: Evidence): boolean {
  return reportProblems(report, wanted, evidence).length === 0;
}

/** The usable report that AWS delivered last. */
export function bestReport(reports: readonly Report[], wanted: Wanted, evidence: Evidence): Report | undefined {
  const time = (report: Report) => lastDelivered(report, evidence[report.reportName]);
  return reports.filter((report) => isUsable(report, wanted, evidence)).toSorted((a, b) => time(b) - time(a))[0];
}

/** A report that AWS has stopped to deliver gives old costs. */
export function stalenessWarnings(report: Report, evidence: ReportEvidence | undefined, now: number): string[] {
  const at = lastDelivered(report, evidence);
  if (at === 0 || isFresh(at, now)) return [];
  return [
    `AWS has not delivered report ${report.reportName} since ${new Date(at).toISOString()}, although it delivers daily`,
  ];
}

/**
 * Each report with the reasons for it or against it.
 * @param used name of the report that the run uses; none if it cannot use any
 */
export function assessReports(
  reports: readonly Report[],
  wanted: Wanted,
  evidence: Evidence,
  used?: string,
): Considered {
  return reports.map((report) => {
    const { reportName } = report;
    const problems = reportProblems(report, wanted, evidence);
    const isUsed = reportName === used;
    if (problems.length > 0)
      return {
        reportName,
        usable: false,
        used: isUsed,
        reasons: problems.map(({ reason }) => reason),
        remedies: [...new Set(problems.flatMap(({ remedy }) => remedy ?? []))],
      };
    const decision = isUsed ? 'the run uses it' : `the run does not use it: ${otherReason(wanted, used)}`;
    return {
      reportName,
      usable: true,
      used: isUsed,
      reasons: [...reportMerits(report, evidence[reportName]), decision],
      remedies: [],
    };
  });
}

/** Why no report can be adopted, or what else the run does with it; one text for each report. */
export function reasonsOf(reports: readonly Report[], wanted: Wanted, evidence: Evidence): string[] {
  return assessReports(reports, wanted, evidence).map(
    ({ reportName, reasons }) => `${reportName}: ${reasons.join(', ')}`,
  );
}

function otherReason({ mode }: Wanted, used = ''): string {
  if (mode === 'create') return 'the request asks for a new one';
  return `${used} takes precedence, because we created it or AWS delivered it later`;
}
