import { curBucketPermissions, readDeliveryObstacle } from '../../shared/billing/cur-bucket.ts';
import { type Delivery, readDelivery } from '../../shared/billing/delivery.ts';
import { deliveryTime, listReports, reportPermissions } from '../../shared/billing/report-definition.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf, type RunRecord } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
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
  /** The failure of AWS's last attempt; read once an hour only. */
  failure?: { status: string; lastDelivery: number; obstacle: string | undefined } | undefined;
}

const hour = 3_600_000;

export const firstDelivery = defineStep<'first-delivery', Input, Observation>({
  name: 'first-delivery',
  summary: 'Waits until AWS has delivered the crawler template and all files of a month',
  permissions: {
    payer: [
      reportPermissions.list,
      curBucketPermissions.readPolicy,
      curBucketPermissions.list,
      curBucketPermissions.readObjects,
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
    if (complete || cx.run.request.dryRun || !isHourly(cx, intervalSeconds)) return { delivery };
    return { delivery, failure: await readFailure(cx, report) };
  },

  plan(input, { delivery, failure }, { now, since, run }): Plan<never, Output> {
    const { report } = input;
    const { templateKey, newest } = delivery;
    const detectedAt = new Date(now).toISOString();
    if (templateKey && newest?.missing.length === 0) {
      const { manifestKey, partition, deliveredAt } = newest;
      return {
        kind: 'ready',
        output: { templateKey, manifestKey, newestPartition: partition, deliveredAt, detectedAt },
      };
    }
    if (failure?.obstacle !== undefined)
      return {
        kind: 'refuse',
        code: 'delivery-failed',
        detail: `the last delivery ended with ${failure.status}: bucket ${report.bucket} ${failure.obstacle}`,
      };
    // A later attempt follows a repair, so only a delivery that AWS tries after the repair counts.
    const repairedAt = run.attempt === 1 ? input.changedAt : Math.max(input.changedAt, since);
    if (failure && failure.lastDelivery > repairedAt)
      return {
        kind: 'refuse',
        code: 'delivery-failed',
        detail: `the last delivery of report ${report.reportName} ended with ${failure.status}`,
      };
    return waitForDelivery(input, delivery);
  },
});

function waitForDelivery({ report, intervalSeconds, deadlineSeconds }: Input, delivery: Delivery): Plan<never, Output> {
  const unknown = knownAfter('first-delivery');
  const hasBegun = delivery.templateKey !== undefined || delivery.newest !== undefined;
  return waitFor(
    {
      reason: `the first delivery of report ${report.reportName}`,
      seconds: hasBegun ? Math.min(60, intervalSeconds) : intervalSeconds,
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
}

function lastChange(run: RunRecord): number {
  const changes = [...(run.steps['cur-bucket']?.changes ?? []), ...(run.steps['cur-report']?.changes ?? [])];
  return Math.max(0, ...changes.map(({ at }) => (at ? Date.parse(at) : 0)));
}

/** True for the first observation and for the first one of each further hour, because the status changes only when AWS tries to deliver. */
function isHourly({ now, since }: StepContext, intervalSeconds: number): boolean {
  const elapsed = now - since;
  return Math.floor(elapsed / hour) !== Math.floor((elapsed - intervalSeconds * 1000) / hour);
}

/** The failed status, and why AWS cannot write to the bucket now. The status alone may be older than a repair. */
async function readFailure(cx: StepContext, report: Input['report']): Promise<Observation['failure']> {
  const definition = (await listReports(cx.payer)).find(({ reportName }) => reportName === report.reportName);
  if (!definition?.lastStatus?.startsWith('ERROR')) return undefined;
  return {
    status: definition.lastStatus,
    lastDelivery: definition.lastDelivery ? deliveryTime(definition.lastDelivery) : 0,
    obstacle: await readDeliveryObstacle(cx.payer, report),
  };
}

export const handler = stepHandler(firstDelivery);
