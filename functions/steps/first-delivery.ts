import { AccountBucket } from '../../shared/aws/bucket.ts';
import { missingBillingRights } from '../../shared/billing/cur-bucket-policy.ts';
import { type Delivery, readDelivery } from '../../shared/billing/delivery.ts';
import { deliveryTime, listReports } from '../../shared/billing/report-definition.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import { knownAfter } from '../../shared/model/known-after.ts';
import { outputOf, type RunRecord } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['first-delivery'];

interface Input {
  report: Outputs['cur-report'];
  intervalSeconds: number;
  deadlineSeconds: number;
  /** When this run last changed bucket or report, milliseconds since the epoch. */
  changedAt: number;
}

interface Observation {
  delivery: Delivery;
  /** What AWS says of its last attempt; only asked once an hour. */
  failure?: { status: string; lastDelivery: number; bucketProblem: string | undefined } | undefined;
}

const hour = 3_600_000;

export const firstDelivery = defineStep<'first-delivery', Input, Observation>({
  name: 'first-delivery',
  summary: 'Waits until AWS has delivered the template and a whole month’s files',
  permissions: {
    payer: [
      { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
      {
        actions: ['s3:GetBucketLocation', 's3:GetBucketPolicy', 's3:ListBucket'],
        resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'],
      },
      { actions: ['s3:GetObject'], resources: ['arn:${AWS::Partition}:s3:::${CurBucket}/*'] },
    ],
  },

  input({ run }) {
    const { intervalMinutes, deadlineHours } = run.request.wait;
    return {
      report: outputOf(run, 'cur-report'),
      intervalSeconds: intervalMinutes * 60,
      deadlineSeconds: deadlineHours * 3600,
      changedAt: lastChange(run),
    };
  },

  async observe(cx, { report, intervalSeconds }) {
    const delivery = await readDelivery(cx.payer, report);
    const complete = delivery.templateKey && delivery.newest?.missing.length === 0;
    if (complete || cx.run.request.dryRun || !isHourlyLook(cx, intervalSeconds)) return { delivery };
    return { delivery, failure: await readFailure(cx, report) };
  },

  plan(input, { delivery, failure }, { now, since, run }): Plan<never, Output> {
    const { report, intervalSeconds, deadlineSeconds } = input;
    const { templateKey, newest } = delivery;
    const detectedAt = new Date(now).toISOString();
    if (templateKey && newest?.missing.length === 0) {
      const { manifestKey, partition, deliveredAt } = newest;
      return {
        kind: 'ready',
        output: { templateKey, manifestKey, newestPartition: partition, deliveredAt, detectedAt },
      };
    }
    if (failure?.bucketProblem !== undefined)
      return {
        kind: 'refuse',
        code: 'delivery-failed',
        detail: `${failure.status}: bucket ${report.bucket} ${failure.bucketProblem}`,
      };
    // A later attempt follows a repair: only a delivery that AWS has tried since then counts.
    const mendedAt = run.attempt === 1 ? input.changedAt : Math.max(input.changedAt, since);
    if (failure && failure.lastDelivery > mendedAt)
      return { kind: 'refuse', code: 'delivery-failed', detail: `${failure.status} for report ${report.reportName}` };
    const unknown = knownAfter('first-delivery');
    return waitFor(
      {
        reason: `the first delivery of report ${report.reportName}`,
        seconds: templateKey || newest ? Math.min(60, intervalSeconds) : intervalSeconds,
        deadlineSeconds,
        expectedSeconds: 24 * 3600,
        overdue: 'delivery-overdue',
      },
      {
        templateKey: `${reportRoot(report)}crawler-cfn.yml`,
        manifestKey: unknown,
        newestPartition: { year: unknown, month: unknown },
        deliveredAt: unknown,
        detectedAt: unknown,
      },
    );
  },
});

function lastChange(run: RunRecord): number {
  const changes = [...(run.steps['cur-bucket']?.changes ?? []), ...(run.steps['cur-report']?.changes ?? [])];
  return Math.max(0, ...changes.map(({ at }) => (at ? Date.parse(at) : 0)));
}

/** The first look, and the first one of each further hour: a status only changes when AWS tries to deliver. */
function isHourlyLook({ now, since }: StepContext, intervalSeconds: number): boolean {
  const elapsed = now - since;
  return Math.floor(elapsed / hour) !== Math.floor((elapsed - intervalSeconds * 1000) / hour);
}

async function readFailure(
  cx: StepContext,
  { reportName, bucket: name, region }: Input['report'],
): Promise<Observation['failure']> {
  const report = (await listReports(cx.payer)).find((candidate) => candidate.reportName === reportName);
  if (!report?.lastStatus?.startsWith('ERROR')) return undefined;
  const lastDelivery = report.lastDelivery ? deliveryTime(report.lastDelivery) : 0;
  return { status: report.lastStatus, lastDelivery, bucketProblem: await problemOf(cx, name, region) };
}

/** What keeps AWS out of the bucket right now: the status alone may be older than its repair. */
async function problemOf(cx: StepContext, name: string, region: string): Promise<string | undefined> {
  const bucket = new AccountBucket(cx.payer, name);
  const location = await bucket.locate();
  if (location === undefined) return 'does not exist';
  if (location === 'taken') return 'belongs to another account';
  if (location.region !== region) return `is in ${location.region}, the report says ${region}`;
  const missing = missingBillingRights(await bucket.readPolicy(region), name, cx.payer.accountId);
  return missing.length > 0 ? `does not allow billingreports.amazonaws.com ${missing.join(' and ')}` : undefined;
}

export const handler = stepHandler(firstDelivery);
