import { coversBucket } from '../../shared/access/access-template.ts';
import { transferPermission, transferWarnings } from '../../shared/billing/billing-transfer.ts';
import { readStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import { requestedWay } from '../../shared/billing/crawler-way.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import {
  firstDefaultName,
  hasLeftData,
  isOurs,
  mayCreate,
  named,
  newBucketName,
  newReport,
} from '../../shared/billing/new-report.ts';
import { isCandidate } from '../../shared/billing/report-assessment.ts';
import { type ChoicePlan, choose, type Input, type Observation } from '../../shared/billing/report-choice-plan.ts';
import { listReports, reportPermissions } from '../../shared/billing/report-definition.ts';
import { gatherEvidence } from '../../shared/billing/report-evidence.ts';
import { clashesOf } from '../../shared/billing/template-clash.ts';
import { parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { targetOf } from '../../shared/model/target.ts';
import { defineStep } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listPurgedReports } from '../../shared/targets/purged-reports.ts';
import { claimPayer } from '../../shared/targets/targets-of-payer.ts';

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

export const handler = stepHandler(reportChoice);
