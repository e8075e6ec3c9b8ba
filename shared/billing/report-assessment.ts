import { curRegions, type OnboardingRequest } from '../model/onboarding-request.ts';
import { deliveryTime, type Report, settingProblems } from './report-definition.ts';

type Wanted = OnboardingRequest['report'];

/** Something that keeps a report from being adopted, and the way out where there is one. */
export interface ReportProblem {
  reason: string;
  remedy?: string;
}

/** A report's settings cannot be changed after the fact: its data and table would be of two kinds. */
const anotherReport =
  'let a new report be made beside it: report.mode adopt-or-create does so where no report is usable, create always';

/** Everything that speaks against adopting the report. Region and prefix of the request are those of a new one: an adopted one keeps its own. */
export function reportProblems(report: Report, wanted: Wanted): ReportProblem[] {
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
      reason: 'its name does not begin with a letter, and so its table’s neither',
      remedy: anotherReport,
    });
  if (lastStatus?.startsWith('ERROR'))
    problems.push({
      reason: `its last delivery failed with ${lastStatus}`,
      remedy: `let billingreports.amazonaws.com write to bucket ${bucket} again; it is usable once AWS has delivered`,
    });
  return problems;
}

/** What makes a report without problems one to adopt. */
export function reportMerits({ timeUnit, lastDelivery }: Report): string[] {
  return [
    `it is ${timeUnit.toLowerCase()}, in Parquet for Athena, with resource ids, one version of each month`,
    lastDelivery
      ? `AWS delivered it last at ${new Date(deliveryTime(lastDelivery)).toISOString()}`
      : 'AWS has not delivered it yet, which takes up to 24 hours',
  ];
}
