import { AccountBucket } from '../../shared/aws/bucket.ts';
import { curBucketName, defaultReportName } from '../../shared/aws/names.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { readStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import { type CrawlerMode, requestedWay } from '../../shared/billing/crawler-way.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import { assessReports, bestReport, isUsable } from '../../shared/billing/report-assessment.ts';
import {
  deliversTo,
  listReports,
  type Report,
  reportPermissions,
  settingProblems,
} from '../../shared/billing/report-definition.ts';
import { reportKindOf } from '../../shared/billing/report-kinds.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import { clashesOf } from '../../shared/billing/template-clash.ts';
import { isAwsError } from '../../shared/errors/errors.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listPurgedReports } from '../../shared/targets/purged-reports.ts';
import { claimPayer } from '../../shared/targets/targets-of-payer.ts';

interface Input {
  payerAccountId: string;
  target: Target;
  wanted: OnboardingRequest['report'];
  crawler: CrawlerMode;
}

interface Observation {
  reports: Report[];
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
type Place = Pick<Report, 'reportName' | 'bucket' | 'prefix' | 'region'>;
type ChoicePlan = Plan<never, Choice>;

/** For a report of ours the choice is `create`, because later steps repair its bucket. */
export const reportChoice = defineStep<'report-choice', Input, Observation>({
  name: 'report-choice',
  summary: 'Reads every existing report and decides whether to adopt one or to create one',
  permissions: {
    payer: [reportPermissions.list, curBucketPermissions.inspect, ...readStackPermissions],
    table: ['Query'],
  },

  input({ run: { request } }) {
    const { payerAccountId, report: wanted } = request;
    return { payerAccountId, target: targetOf(request), wanted, crawler: requestedWay(request.crawler).mode };
  },

  /** From now on the offboarding of another target keeps the payer's resources. */
  async register(_cx, { payerAccountId, target }) {
    await claimPayer(payerAccountId, target);
    return undefined;
  },

  async observe(cx, input) {
    const { wanted } = input;
    const [reports, purged] = await Promise.all([listReports(cx.payer), listPurgedReports(input.payerAccountId)]);
    const isDeleted = async (name: string) =>
      purged.includes(name) ||
      (mayCreate(wanted, reports) && !named(name, reports) && (await hasLeftData(cx, newReport(input, name))));
    const name = wanted.name ?? (await firstNot(isDeleted));
    const namesake = named(name, reports);
    return {
      reports,
      name,
      isPurged: wanted.name !== undefined && !namesake && (await isDeleted(name)),
      ours: namesake && (await isOurs(cx, input, namesake)) ? namesake : undefined,
      clashes: await clashesOf(cx, input.crawler, [...reports, newReport(input, name)]),
    };
  },

  plan(input, seen): ChoicePlan {
    const adopted = bestReport(seen.reports, input.wanted);
    if (input.wanted.mode === 'adopt') return adopted ? use('adopt', adopted, input, seen) : noneToAdopt(input, seen);
    if (seen.ours && fits(seen.ours, input, seen.name)) return use('create', seen.ours, input, seen);
    if (adopted && input.wanted.mode === 'adopt-or-create') return use('adopt', adopted, input, seen);
    return planNewReport(input, seen);
  },
});

function use(
  choice: Choice['choice'],
  { reportName, bucket, prefix, region }: Place,
  { wanted }: Input,
  { reports, clashes }: Observation,
  ...warnings: string[]
): ChoicePlan {
  const clash = clashes[reportName];
  if (clash) return { kind: 'refuse', ...clash };
  return {
    kind: 'ready',
    output: {
      choice,
      reportKind: reportKindOf({}).name,
      reportName,
      bucket,
      prefix,
      region,
      considered: assessReports(reports, wanted, reportName),
    },
    warnings,
    quotas: [
      {
        quota: 'reports of the payer account; AWS’s user guide says 10, its API reference 5',
        used: reports.length,
        adds: named(reportName, reports) ? 0 : 1,
        limit: 10,
      },
    ],
  };
}

function noneToAdopt({ wanted }: Input, { reports }: Observation): ChoicePlan {
  const reasons = assessReports(reports, wanted).map(
    ({ reportName, reasons }) => `${reportName}: ${reasons.join(', ')}`,
  );
  return { kind: 'refuse', code: 'no-usable-report', detail: reasons.join('; ') || 'the account has no report' };
}

function planNewReport(input: Input, seen: Observation): ChoicePlan {
  const { name, reports } = seen;
  const namesake = named(name, reports);
  if (namesake) {
    const location = `it delivers to s3://${namesake.bucket}/${namesake.prefix}`;
    const difference = settingProblems(namesake).join(', ') || location;
    return { kind: 'refuse', code: 'report-differs', detail: `report ${name} exists: ${difference}` };
  }
  if (seen.isPurged)
    return { kind: 'refuse', code: 'report-name-purged', detail: `report ${name} of account ${input.payerAccountId}` };
  const isOther = input.wanted.name === undefined && name !== defaultReportName;
  const warning = `report ${defaultReportName} was deleted, so the new one is named ${name}: under the old name its data might get corrupt`;
  return use('create', newReport(input, name), input, seen, ...(isOther ? [warning] : []));
}

function newReport({ payerAccountId, wanted }: Input, name: string): Place {
  const { region, prefix } = wanted;
  return { reportName: name, bucket: wanted.bucket ?? curBucketName(payerAccountId, region), prefix, region };
}

/** A failed delivery does not count: the next step repairs the bucket of our own report. */
function fits(ours: Report, input: Input, name: string): boolean {
  if (settingProblems(ours).length > 0) return false;
  if (input.wanted.mode === 'create') return deliversTo(ours, newReport(input, name));
  return input.wanted.bucket === undefined || ours.bucket === input.wanted.bucket;
}

function named(name: string, reports: readonly Report[]): Report | undefined {
  return reports.find(({ reportName }) => reportName === name);
}

function mayCreate(wanted: Input['wanted'], reports: readonly Report[]): boolean {
  if (wanted.mode === 'adopt-or-create') return !reports.some((report) => isUsable(report, wanted));
  return wanted.mode === 'create';
}

/** kubecost_cur, kubecost_cur_2, kubecost_cur_3 and so on. */
async function firstNot(isDeleted: (name: string) => Promise<boolean>): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? defaultReportName : `${defaultReportName}_${n}`;
    if (!(await isDeleted(name))) return name;
  }
}

/** Data in the bucket shows a deleted report even if our table has lost its record. */
async function hasLeftData(cx: StepContext, { bucket: name, region, ...place }: Place): Promise<boolean> {
  const bucket = new AccountBucket(cx.payer, name);
  return (await bucket.isIn(region)) && (await bucket.someKeys(region, reportRoot(place))).length > 0;
}

/** Decides by the bucket's name or its tags. A bucket that does not exist, or whose tags we may not read, is not ours. */
async function isOurs(cx: StepContext, { payerAccountId }: Input, { bucket, region }: Report): Promise<boolean> {
  if (bucket === curBucketName(payerAccountId, region)) return true;
  try {
    return ownership(await new AccountBucket(cx.payer, bucket).readTags(region), cx.owner) === 'ours';
  } catch (error) {
    if (isAwsError(error, 'AccessDenied', 'NoSuchBucket')) return false;
    throw error;
  }
}

export const handler = stepHandler(reportChoice);
