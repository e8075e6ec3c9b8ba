import { defaultReportName } from '../aws/names.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Target } from '../model/target.ts';
import type { Plan } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import type { BucketName } from './bucket-name.ts';
import type { CrawlerMode } from './crawler-way.ts';
import {
  differenceOf,
  fits,
  named,
  newReport,
  type Place,
  placeProblem,
  placeWarnings,
  reportQuota,
} from './new-report.ts';
import {
  assessReports,
  bestReport,
  reasonsOf,
  stalenessWarnings,
  unreadableDetail,
  unreadableReports,
} from './report-assessment.ts';
import type { Report } from './report-definition.ts';
import { deliveredAt, type Evidence } from './report-evidence.ts';
import { reportKindOf } from './report-kinds.ts';

export interface Input {
  payerAccountId: string;
  target: Target;
  wanted: OnboardingRequest['report'];
  crawler: CrawlerMode;
}

export interface Observation {
  reports: Report[];
  evidence: Evidence;
  /** Of a new report. */
  bucket: BucketName;
  /** What billing transfers mean for the report. */
  transfers: string[];
  /** The name of a new report: the requested one, else the first default that no deleted report had. */
  name: string;
  /** True if a report of the requested name was deleted: AWS warns against another one (CUR User Guide, "Edit"). */
  isPurged: boolean;
  /** Our own report under that name. */
  ours: Report | undefined;
  /** By name of the report: why AWS's template cannot be deployed beside what others have. */
  clashes: Record<string, Problem>;
}

type Choice = Outputs['report-choice'];
export type ChoicePlan = Plan<never, Choice>;

export function choose(input: Input, seen: Observation, now: number): ChoicePlan {
  const { mode } = input.wanted;
  const best = bestReport(seen.reports, input.wanted, seen.evidence);
  if (mode === 'adopt') return best ? adopt(best, input, seen, now) : noneToAdopt(input, seen);
  if (seen.ours && fits(seen.ours, input.wanted, input.payerAccountId, seen.name))
    return use('create', seen.ours, input, seen);
  if (best && mode === 'adopt-or-create') return adopt(best, input, seen, now);
  return planNewReport(input, seen);
}

function adopt(report: Report, input: Input, seen: Observation, now: number): ChoicePlan {
  const evidence = seen.evidence[report.reportName];
  const adopted = { ...report, deliveredAt: deliveredAt(report, evidence) };
  return use('adopt', adopted, input, seen, ...stalenessWarnings(report, evidence, now));
}

function use(
  choice: Choice['choice'],
  { reportName, bucket, prefix, region, deliveredAt = null }: Place & { deliveredAt?: string | null },
  { wanted }: Input,
  { reports, evidence, transfers }: Observation,
  ...warnings: string[]
): Extract<ChoicePlan, { kind: 'ready' }> {
  return {
    kind: 'ready',
    output: {
      choice,
      reportKind: reportKindOf({}).name,
      reportName,
      bucket,
      prefix,
      region,
      deliveredAt,
      considered: assessReports(reports, wanted, evidence, reportName),
    },
    warnings: [...transfers, ...warnings],
    quotas: [reportQuota(reports, reportName)],
  };
}

function noneToAdopt({ wanted }: Input, { reports, evidence }: Observation): ChoicePlan {
  const [unreadable] = unreadableReports(reports, wanted, evidence);
  if (unreadable) return { kind: 'refuse', code: 'access-parameter-differs', detail: unreadableDetail(unreadable) };
  const reasons = reasonsOf(reports, wanted, evidence);
  return { kind: 'refuse', code: 'no-usable-report', detail: reasons.join('; ') || 'the account has no report' };
}

function planNewReport(input: Input, seen: Observation): ChoicePlan {
  const { name, reports } = seen;
  const namesake = named(name, reports);
  const passedOver = input.wanted.mode === 'create' ? [] : unreadableReports(reports, input.wanted, seen.evidence);
  if (namesake && passedOver.includes(namesake))
    return { kind: 'refuse', code: 'access-parameter-differs', detail: unreadableDetail(namesake) };
  if (namesake) return { kind: 'refuse', code: 'report-differs', detail: differenceOf(namesake) };
  if (seen.isPurged)
    return { kind: 'refuse', code: 'report-name-purged', detail: `report ${name} of account ${input.payerAccountId}` };
  const isOther = input.wanted.name === undefined && name !== defaultReportName;
  const beside = passedOver.map(
    (report) => `the run creates report ${name} beside another: ${unreadableDetail(report)}`,
  );
  const renamed = `report ${defaultReportName} was deleted, so the new one is named ${name}: under the old name its data might get corrupt`;
  const place = newReport(input.wanted, seen.bucket.name, name);
  const names = [...placeWarnings(input.wanted, input.payerAccountId, place), ...(isOther ? [renamed] : [])];
  const created = use('create', place, input, seen, ...beside, ...names);
  const problem = placeProblem(place, seen.bucket);
  if (!problem) return created;
  const reasons = reasonsOf(reports, input.wanted, seen.evidence);
  return {
    kind: 'refuse',
    code: problem.code,
    detail: [problem.detail, ...reasons].join('; '),
    expected: created.output,
  };
}
