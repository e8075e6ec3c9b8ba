import { coversBucket } from '../../shared/access/access-template.ts';
import { defaultReportName } from '../../shared/aws/names.ts';
import { transferPermission, transferWarnings } from '../../shared/billing/billing-transfer.ts';
import type { BucketName } from '../../shared/billing/bucket-name.ts';
import { readStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import { type CrawlerMode, requestedWay } from '../../shared/billing/crawler-way.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import {
  differenceOf,
  firstDefaultName,
  fits,
  hasLeftData,
  isOurs,
  mayCreate,
  named,
  newBucketName,
  newReport,
  type Place,
  placeProblem,
  placeWarnings,
  reportQuota,
} from '../../shared/billing/new-report.ts';
import {
  assessReports,
  bestReport,
  isCandidate,
  reasonsOf,
  stalenessWarnings,
  unreadableDetail,
  unreadableReports,
} from '../../shared/billing/report-assessment.ts';
import { listReports, type Report, reportPermissions } from '../../shared/billing/report-definition.ts';
import { deliveredAt, type Evidence, gatherEvidence } from '../../shared/billing/report-evidence.ts';
import { reportKindOf } from '../../shared/billing/report-kinds.ts';
import { clashesOf } from '../../shared/billing/template-clash.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import { type Outputs, parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { defineStep, type Plan } from '../../shared/step/contract.ts';
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
type ChoicePlan = Plan<never, Choice>;

/** For a report of ours the choice is `create`, because later steps repair its bucket. */
export const reportChoice = defineStep<'report-choice', Input, Observation>({
  name: 'report-choice',
  summary: 'Reads every existing report and decides whether to adopt one or to create one',
  permissions: {
    payer: [
      reportPermissions.list,
      curBucketPermissions.inspect,
      curBucketPermissions.list,
      curBucketPermissions.findOwner,
      transferPermission,
      ...readStackPermissions,
    ],
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
    const known = parseOutput('preflight', cx.run.steps.preflight?.output);
    const [reports, purged, transfers] = await Promise.all([
      listReports(cx.payer),
      listPurgedReports(input.payerAccountId),
      known?.organization === 'management' ? transferWarnings(cx.payer, cx.now) : [],
    ]);
    const candidates = reports.filter((report) => isCandidate(report, wanted));
    const evidence = await gatherEvidence(
      cx.payer,
      candidates,
      cx.now,
      (name) => coversBucket(known?.access ?? null, name) !== false,
    );
    const creates = mayCreate(wanted, reports, evidence);
    const bucket = await newBucketName(cx.payer, wanted, creates);
    const isDeleted = async (name: string) =>
      purged.includes(name) ||
      (creates && !named(name, reports) && (await hasLeftData(cx.payer, newReport(wanted, bucket.name, name))));
    const name = wanted.name ?? (await firstDefaultName(isDeleted));
    const namesake = named(name, reports);
    return {
      reports,
      evidence,
      bucket,
      transfers,
      name,
      isPurged: wanted.name !== undefined && !namesake && (await isDeleted(name)),
      ours: namesake && (await isOurs(cx.payer, namesake, cx.owner)) ? namesake : undefined,
      clashes: await clashesOf(cx, input.crawler, [...reports, newReport(wanted, bucket.name, name)]),
    };
  },

  plan(input, seen, { now }): ChoicePlan {
    const plan = choose(input, seen, now);
    const clash = plan.kind === 'ready' ? seen.clashes[plan.output.reportName] : undefined;
    return clash ? { kind: 'refuse', ...clash } : plan;
  },
});

function choose(input: Input, seen: Observation, now: number): ChoicePlan {
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

export const handler = stepHandler(reportChoice);
