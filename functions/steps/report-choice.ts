import { AccountBucket } from '../../shared/aws/bucket.ts';
import { curBucketName, defaultReportName } from '../../shared/aws/names.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { reportMerits, reportProblems } from '../../shared/billing/report-assessment.ts';
import { deliveryTime, listReports, type Report, settingProblems } from '../../shared/billing/report-definition.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import { isAwsError } from '../../shared/errors/errors.ts';
import type { OnboardingRequest } from '../../shared/model/onboarding-request.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { claimPayer } from '../../shared/targets/payer-targets.ts';
import { listPurgedReports } from '../../shared/targets/purged-reports.ts';

interface Input {
  payerAccountId: string;
  target: Target;
  wanted: OnboardingRequest['report'];
}

interface Observation {
  reports: Report[];
  /** The name a new report gets: the wanted one, else the first default that no deleted report had. */
  name: string;
  /** True if a report of this name was deleted: AWS warns against another one (CUR User Guide, "Edit"). */
  isPurged: boolean;
  /** Our own report under that name. */
  ours: Report | undefined;
}

type Choice = Outputs['report-choice'];

/** Reads every report, decides which one to use. A report of ours is `create`: its bucket is ours to keep right. */
export const reportChoice = defineStep<'report-choice', Input, Observation>({
  name: 'report-choice',
  summary: 'Looks at every existing report and decides whether to adopt one or to create one',
  permissions: {
    payer: [
      { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
      {
        actions: ['s3:GetBucketLocation', 's3:GetBucketTagging', 's3:ListBucketVersions'],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'],
      },
    ],
    table: ['Query'],
  },

  input({ run: { request } }) {
    const { payerAccountId, report: wanted } = request;
    return { payerAccountId, target: targetOf(request), wanted };
  },

  /** From here on an offboarding elsewhere leaves the payer's things to us. */
  async register(_cx, { payerAccountId, target }) {
    await claimPayer(payerAccountId, target);
    return undefined;
  },

  async observe(cx, input) {
    const [reports, purged] = await Promise.all([listReports(cx.payer), listPurgedReports(input.payerAccountId)]);
    const creates =
      input.wanted.mode === 'create' || (input.wanted.mode === 'adopt-or-create' && !reports.some(usableFor(input)));
    const isDeleted = async (name: string) =>
      purged.includes(name) ||
      (creates &&
        !reports.some(({ reportName }) => reportName === name) &&
        (await hasLeftData(cx, freshReport(input, name))));
    const name = input.wanted.name ?? (await firstNot(isDeleted));
    const namesake = reports.find(({ reportName }) => reportName === name);
    const isPurged = input.wanted.name !== undefined && !namesake && (await isDeleted(name));
    const isOurs =
      namesake &&
      (namesake.bucket === curBucketName(input.payerAccountId, namesake.region) || (await isTaggedOurs(cx, namesake)));
    return { reports, name, isPurged, ours: isOurs ? namesake : undefined };
  },

  plan(input, { reports, name, isPurged, ours }): Plan<never, Choice> {
    const { wanted } = input;
    const usable = usableFor(input);
    const use = (
      choice: Choice['choice'],
      { reportName, bucket, prefix, region }: Place,
      ...warnings: string[]
    ): Plan<never, Choice> => ({
      kind: 'ready',
      output: { choice, reportName, bucket, prefix, region, considered: considered(reports, wanted, reportName) },
      warnings,
      quotas: [
        {
          quota: 'reports of the payer account; AWS’s user guide says 10, its API reference 5',
          used: reports.length,
          adds: reports.some((report) => report.reportName === reportName) ? 0 : 1,
          limit: 10,
        },
      ],
    });

    if (wanted.mode === 'adopt') {
      const adopted = newest(reports.filter(usable));
      return adopted
        ? use('adopt', adopted)
        : { kind: 'refuse', code: 'no-usable-report', detail: reasonsOf(considered(reports, wanted)) };
    }
    if (ours && fits(ours, input, name)) return use('create', ours);
    const adopted = wanted.mode === 'adopt-or-create' ? newest(reports.filter(usable)) : undefined;
    if (adopted) return use('adopt', adopted);

    const namesake = reports.find(({ reportName }) => reportName === name);
    if (!namesake && isPurged)
      return {
        kind: 'refuse',
        code: 'report-name-purged',
        detail: `report ${name} of account ${input.payerAccountId}`,
      };
    if (!namesake) {
      const warning = `report ${defaultReportName} was deleted, so the new one is named ${name}: under the old name its data might get corrupt`;
      const isOther = wanted.name === undefined && name !== defaultReportName;
      return use('create', freshReport(input, name), ...(isOther ? [warning] : []));
    }
    const difference =
      settingProblems(namesake).join(', ') || `it delivers to s3://${namesake.bucket}/${namesake.prefix}`;
    return { kind: 'refuse', code: 'report-differs', detail: `report ${name} exists: ${difference}` };
  },
});

type Place = Pick<Report, 'reportName' | 'bucket' | 'prefix' | 'region'>;

function freshReport({ payerAccountId, wanted }: Input, name: string): Place {
  const { region, prefix } = wanted;
  return { reportName: name, bucket: wanted.bucket ?? curBucketName(payerAccountId, region), prefix, region };
}

/** Ours may have a failed delivery behind it: its bucket is mended next. */
function fits(ours: Report, input: Input, name: string): boolean {
  if (settingProblems(ours).length > 0) return false;
  const { bucket, prefix, region } = freshReport(input, name);
  if (input.wanted.mode === 'create') return ours.bucket === bucket && ours.prefix === prefix && ours.region === region;
  return input.wanted.bucket === undefined || ours.bucket === bucket;
}

function usableFor({ wanted }: Input): (report: Report) => boolean {
  return (report) => reportProblems(report, wanted).length === 0;
}

/** The most recently delivered one. */
function newest(reports: Report[]): Report | undefined {
  const time = ({ lastDelivery }: Report) => (lastDelivery ? deliveryTime(lastDelivery) : 0);
  return reports.toSorted((a, b) => time(b) - time(a))[0];
}

/** @param used the report that the run goes on with; none if it cannot */
function considered(reports: Report[], wanted: Input['wanted'], used?: string): Choice['considered'] {
  return reports.map((report) => {
    const { reportName } = report;
    const problems = reportProblems(report, wanted);
    const isUsed = reportName === used;
    const remedies = new Set(problems.flatMap(({ remedy }) => remedy ?? []));
    if (problems.length > 0)
      return {
        reportName,
        usable: false,
        used: isUsed,
        reasons: problems.map(({ reason }) => reason),
        remedies: [...remedies],
      };
    const choice =
      wanted.mode === 'create'
        ? 'a new one was asked for'
        : `${used ?? ''} goes before it, which is ours or was delivered last`;
    const reasons = [...reportMerits(report), isUsed ? 'it is used' : `it is not used: ${choice}`];
    return { reportName, usable: true, used: isUsed, reasons, remedies: [] };
  });
}

function reasonsOf(reports: Choice['considered']): string {
  if (reports.length === 0) return 'the account has no report';
  return reports.map(({ reportName, reasons }) => `${reportName}: ${reasons.join(', ')}`).join('; ');
}

/** kubecost_cur, kubecost_cur_2, kubecost_cur_3 and so on. */
async function firstNot(isDeleted: (name: string) => Promise<boolean>): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? defaultReportName : `${defaultReportName}_${n}`;
    if (!(await isDeleted(name))) return name;
  }
}

/** What a deleted report has left tells of it, should the table have forgotten. */
async function hasLeftData(cx: StepContext, { bucket: name, region, ...place }: Place): Promise<boolean> {
  const bucket = new AccountBucket(cx.payer, name);
  const location = await bucket.locate();
  if (location === undefined || location === 'taken' || location.region !== region) return false;
  return (await bucket.someKeys(region, reportRoot(place))).length > 0;
}

/** A bucket that we may not look into, or that is gone, is not one of ours. */
async function isTaggedOurs(cx: StepContext, { bucket, region }: Report): Promise<boolean> {
  try {
    return ownership(await new AccountBucket(cx.payer, bucket).readTags(region), cx.owner) === 'ours';
  } catch (error) {
    if (isAwsError(error, 'AccessDenied', 'NoSuchBucket')) return false;
    throw error;
  }
}

export const handler = stepHandler(reportChoice);
