import * as z from 'zod';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import { type DeliveredMonth, type Delivery, readDelivery, readFirstKeys } from '../../shared/billing/delivery.ts';
import {
  completeMonth,
  deliveryProblem,
  monthWithGaps,
  monthWithoutManifest,
  type Needs,
} from '../../shared/billing/delivery-decision.ts';
import { type DeliveryStatus, readDeliveryStatus } from '../../shared/billing/delivery-status.ts';
import { deliveryWatch, SeenDelivery, seenDelivery } from '../../shared/billing/delivery-watch.ts';
import { reportPermissions } from '../../shared/billing/report-definition.ts';
import { reportRoot } from '../../shared/billing/report-location.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf, type RunRecord } from '../../shared/model/run.ts';
import { longestHours } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { log } from '../../shared/platform/logger.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['first-delivery'];

interface Input {
  report: Outputs['cur-report'];
  intervalSeconds: number;
  deadlineSeconds: number;
  /** When this run last changed bucket or report, milliseconds since the epoch. */
  changedAt: number;
  needs: Needs;
}

interface Observation {
  delivery: Delivery;
  status?: DeliveryStatus | undefined;
  /** First keys of the bucket, if the report's folder has none. */
  strangers?: string[];
}

/** The data files that an earlier observation saw without a manifest. */
const Notes = SeenDelivery.extend({ fingerprint: z.string().optional(), fingerprintAt: z.number().optional() });
type Notes = z.infer<typeof Notes>;

type DeliveryPlan = Plan<never, Output, Notes>;
type DeliverySituation = Situation<'onboarding', Notes>;

const hour = 3_600_000;
/** AWS writes the files of a month one after the other. */
const settledMs = 60_000;

export const firstDelivery = defineStep<'first-delivery', Input, Observation, never, Notes>({
  name: 'first-delivery',
  summary: 'Waits until AWS has delivered all files of a month',
  permissions: {
    payer: [
      reportPermissions.list,
      curBucketPermissions.readPolicy,
      curBucketPermissions.list,
      curBucketPermissions.readObjects,
    ],
  },
  notes: Notes,
  watch: deliveryWatch,
  waits: { 'delivery-overdue': { seconds: 60, longestSeconds: longestHours * 3600 } },
  watchedWaits: { 'delivery-overdue': { seconds: 300, longestSeconds: longestHours * 3600, closeLooks: 6 } },

  input({ run }) {
    const { crawler, wait } = run.request;
    return {
      report: outputOf(run, 'cur-report'),
      intervalSeconds: wait.intervalMinutes * 60,
      deadlineSeconds: wait.deadlineHours * 3600,
      changedAt: lastChange(run),
      needs: { template: crawler === 'template', data: crawler !== 'none' && crawler !== 'native' },
    };
  },

  async observe(cx, input) {
    const delivery = await readDelivery(cx.payer, input.report);
    if (completeMonth(input.needs, delivery) || cx.run.request.dryRun) return { delivery };
    const status = await readDeliveryStatus(cx.payer, input.report);
    if (status) logWhatIsThere(cx.run.runId, delivery, status);
    const isLost = status?.text === 'SUCCESS' && delivery.keyCount === 0;
    return { delivery, status, ...(isLost && { strangers: await readFirstKeys(cx.payer, input.report) }) };
  },

  plan(input, { delivery, status, strangers = [] }, situation): DeliveryPlan {
    const { report } = input;
    const complete = completeMonth(input.needs, delivery);
    if (complete) return ready(delivery, complete, situation);
    if (status?.obstacle !== undefined)
      return {
        kind: 'refuse',
        code: 'delivery-failed',
        detail: `the last delivery ended with ${status.text}: bucket ${report.bucket} ${status.obstacle}`,
      };
    if (!status || status.lastDelivery <= input.changedAt)
      return waitForDelivery(input, { delivery, status }, situation);
    if (!status.text.startsWith('ERROR')) return planAfterSuccess(input, delivery, { status, strangers }, situation);
    // A later attempt follows a repair, so only a delivery that AWS tries after the repair counts.
    if (situation.run.attempt > 1 && status.lastDelivery <= situation.since)
      return waitForDelivery(input, { delivery, status }, situation);
    return {
      kind: 'refuse',
      code: 'delivery-failed',
      detail: `the last delivery of report ${report.reportName} ended with ${status.text}`,
    };
  },
});

/** AWS says that it has delivered, and its manifest does not, or the template that is needed is not there. */
function planAfterSuccess(
  input: Input,
  delivery: Delivery,
  { status, strangers }: { status: DeliveryStatus; strangers: string[] },
  situation: DeliverySituation,
): DeliveryPlan {
  const { notes, now } = situation;
  const month = monthWithoutManifest(input.needs, delivery);
  if (month) {
    const { fingerprint } = month;
    const since = notes.fingerprint === fingerprint ? (notes.fingerprintAt ?? now) : now;
    if (now - since >= settledMs) return ready(delivery, month, situation);
    return waitForDelivery(input, { delivery, status }, situation, { fingerprint, fingerprintAt: since });
  }
  const incomplete = monthWithGaps(input.needs, delivery, status, now);
  if (incomplete) return ready(delivery, incomplete, situation);
  const problem = deliveryProblem({ ...input, delivery }, status, strangers, now);
  return problem ? { kind: 'refuse', ...problem } : waitForDelivery(input, { delivery, status }, situation);
}

function ready({ templateKey, firstMonth }: Delivery, month: DeliveredMonth, { now }: DeliverySituation): DeliveryPlan {
  const { monthText, missing } = month;
  const padded = `the data’s folders spell the month ${monthText ?? ''} with a leading zero; Kubecost asks for months without one and finds no costs from January to September`;
  const gap = `the manifest ${month.manifestKey ?? ''} names files that do not exist, and their costs are missing until AWS delivers again: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ` and ${missing.length - 3} more` : ''}`;
  const warnings = [...(monthText?.startsWith('0') ? [padded] : []), ...(missing.length > 0 ? [gap] : [])];
  return {
    kind: 'ready',
    output: {
      templateKey: templateKey ?? null,
      manifestKey: month.manifestKey,
      newestPartition: month.month,
      firstPartition: firstMonth ?? month.month,
      deliveredAt: month.deliveredAt,
      detectedAt: new Date(now).toISOString(),
    },
    ...(warnings.length > 0 && { warnings }),
  };
}

function waitForDelivery(
  { report, intervalSeconds, deadlineSeconds }: Input,
  { delivery, status }: Pick<Observation, 'delivery' | 'status'>,
  { now }: DeliverySituation,
  notes: Notes = {},
): DeliveryPlan {
  const unknown = knownAfter('first-delivery');
  const hasBegun = now - Math.max(delivery.lastWrittenAt, status?.lastDelivery ?? 0) < hour;
  return waitFor(
    {
      reason: `the first delivery of report ${report.reportName}`,
      ...(hasBegun ? { seconds: 60 } : { seconds: intervalSeconds, watched: true }),
      deadlineSeconds,
      expectedSeconds: 24 * 3600,
      overdue: 'delivery-overdue',
    },
    {
      templateKey: `${reportRoot(report)}crawler-cfn.yml`,
      manifestKey: unknown,
      newestPartition: { year: unknown, month: unknown },
      firstPartition: { year: unknown, month: unknown },
      deliveredAt: unknown,
      detectedAt: unknown,
    },
    { ...seenDelivery(delivery, status), ...notes },
  );
}

function lastChange(run: RunRecord): number {
  const changes = [...(run.steps['cur-bucket']?.changes ?? []), ...(run.steps['cur-report']?.changes ?? [])];
  return Math.max(0, ...changes.map(({ at }) => (at ? Date.parse(at) : 0)));
}

/** The first real accounts are to show how AWS lays out a delivery. */
function logWhatIsThere(
  runId: string,
  { newest, keyCount, templateKey, firstKeys }: Delivery,
  { text }: DeliveryStatus,
) {
  const evidence = newest?.evidence ?? 'none';
  log('delivery not complete', {
    runId,
    status: text,
    keyCount,
    evidence,
    templateKey,
    firstKeys: firstKeys.join(' '),
  });
}

export const handler = stepHandler(firstDelivery);
