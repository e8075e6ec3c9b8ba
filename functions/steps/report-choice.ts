import { AccountBucket } from '../../shared/aws/bucket.ts';
import { deliveryTime, listReports, settingProblems, type Report } from '../../shared/aws/cur.ts';
import { curBucketName, defaultReportName } from '../../shared/aws/names.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { isAwsError } from '../../shared/errors.ts';
import { curRegions, type OnboardingRequest } from '../../shared/request.ts';
import type { Outputs } from '../../shared/outputs.ts';
import { stepHandler } from '../../shared/step-handler.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step.ts';

interface Input {
  payerAccountId: string;
  wanted: OnboardingRequest['report'];
  /** The name a new report gets. */
  name: string;
}

interface Seen {
  reports: Report[];
  /** Our own report under the wanted name. */
  ours: Report | undefined;
}

type Choice = Outputs['report-choice'];

/** Reads every report, decides which one to use. A report of ours is `create`: its bucket is ours to keep right. */
export const reportChoice = defineStep<'report-choice', Input, Seen, never>({
  name: 'report-choice',
  summary: 'Looks at every existing report and decides whether to adopt one or to create one',
  permissions: {
    payer: [
      { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
      { actions: ['s3:GetBucketTagging'], resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'] },
    ],
  },

  input({ run: { request } }) {
    const { payerAccountId, report: wanted } = request;
    return { payerAccountId, wanted, name: wanted.name ?? defaultReportName };
  },

  async observe(cx, { payerAccountId, name }) {
    const reports = await listReports(cx.payer);
    const namesake = reports.find(({ reportName }) => reportName === name);
    const isOurs =
      namesake &&
      (namesake.bucket === curBucketName(payerAccountId, namesake.region) || (await isTaggedOurs(cx, namesake)));
    return { reports, ours: isOurs ? namesake : undefined };
  },

  plan(input, { reports, ours }): Plan<never, Choice> {
    const { wanted, name } = input;
    const usable = (report: Report) => problemsOf(report, wanted).length === 0;
    const considered = reports.map((report) => {
      const reasons = problemsOf(report, wanted);
      return { reportName: report.reportName, usable: reasons.length === 0, reasons };
    });
    const use = (choice: Choice['choice'], { reportName, bucket, prefix, region }: Place): Plan<never, Choice> => ({
      kind: 'ready',
      output: { choice, reportName, bucket, prefix, region, considered },
    });

    if (wanted.mode === 'adopt') {
      const adopted = newest(reports.filter(usable));
      return adopted
        ? use('adopt', adopted)
        : { kind: 'refuse', code: 'no-usable-report', detail: reasonsOf(considered) };
    }
    if (ours && fits(ours, input)) return use('create', ours);
    const adopted = wanted.mode === 'adopt-or-create' ? newest(reports.filter(usable)) : undefined;
    if (adopted) return use('adopt', adopted);

    const namesake = reports.find(({ reportName }) => reportName === name);
    if (!namesake) return use('create', freshReport(input));
    const difference =
      settingProblems(namesake).join(', ') || `it delivers to s3://${namesake.bucket}/${namesake.prefix}`;
    return { kind: 'refuse', code: 'report-differs', detail: `report ${name} exists: ${difference}` };
  },

  apply: () => Promise.resolve(),
});

type Place = Pick<Report, 'reportName' | 'bucket' | 'prefix' | 'region'>;

function freshReport({ payerAccountId, wanted, name }: Input): Place {
  const { region, prefix } = wanted;
  return { reportName: name, bucket: wanted.bucket ?? curBucketName(payerAccountId, region), prefix, region };
}

/** Ours may have a failed delivery behind it: its bucket is mended next. */
function fits(ours: Report, input: Input): boolean {
  if (settingProblems(ours).length > 0) return false;
  const { bucket, prefix, region } = freshReport(input);
  if (input.wanted.mode === 'create') return ours.bucket === bucket && ours.prefix === prefix && ours.region === region;
  return input.wanted.bucket === undefined || ours.bucket === bucket;
}

/** Region and prefix of the request are those of a new report: an adopted one keeps its own. */
function problemsOf(report: Report, wanted: Input['wanted']): string[] {
  const { reportName, bucket, prefix, region, lastStatus } = report;
  return [
    ...settingProblems(report),
    ...(wanted.name && reportName !== wanted.name ? [`it is not the requested report ${wanted.name}`] : []),
    ...(wanted.bucket && bucket !== wanted.bucket ? [`it is not in the requested bucket ${wanted.bucket}`] : []),
    ...(prefix === '' || /^\/|\/$/.test(prefix) ? ['its prefix is empty or has a slash at an end'] : []),
    ...((curRegions as readonly string[]).includes(region) ? [] : [`its region ${region} is not supported`]),
    // Kubecost's older queries do not quote the table's name, which is the report's.
    ...(/^[A-Za-z_]/.test(reportName) ? [] : ['its name does not begin with a letter, and so its table’s neither']),
    ...(lastStatus?.startsWith('ERROR') ? [`its last delivery failed with ${lastStatus}`] : []),
  ];
}

/** The most recently delivered one. */
function newest(reports: Report[]): Report | undefined {
  const time = ({ lastDelivery }: Report) => (lastDelivery ? deliveryTime(lastDelivery) : 0);
  return reports.toSorted((a, b) => time(b) - time(a))[0];
}

function reasonsOf(considered: Choice['considered']): string {
  if (considered.length === 0) return 'the account has no report';
  return considered.map(({ reportName, reasons }) => `${reportName}: ${reasons.join(', ')}`).join('; ');
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
