import * as z from 'zod';
import { outputOf } from '../model/run.ts';
import { outputs } from '../model/steps-and-outputs.ts';
import type { Watch } from '../step/contract.ts';
import { type Delivery, readDelivery } from './delivery.ts';
import { type DeliveryStatus, deliveryStatusIn } from './delivery-status.ts';
import { listReports, type Report } from './report-definition.ts';

/** What the step saw when it looked last. If a note is missing, the watcher wakes the step once. */
export const SeenDelivery = z.object({
  seenStatus: z.string().optional(),
  /** When AWS wrote the newest key, milliseconds since the epoch. */
  seenWrittenAt: z.number().optional(),
});
export type SeenDelivery = z.infer<typeof SeenDelivery>;

/** @param status undefined if AWS has not tried to deliver yet */
export function seenDelivery(
  { lastWrittenAt }: Pick<Delivery, 'lastWrittenAt'>,
  status: Pick<DeliveryStatus, 'text' | 'lastDelivery'> | undefined,
): SeenDelivery {
  return { seenStatus: statusText(status), seenWrittenAt: lastWrittenAt };
}

function statusText(status: Pick<DeliveryStatus, 'text' | 'lastDelivery'> | undefined): string {
  return status ? `${status.text} ${status.lastDelivery}` : 'none';
}

const Subject = SeenDelivery.extend({
  report: outputs['cur-report'].pick({ reportName: true, bucket: true, prefix: true, region: true }),
});

/**
 * Has the step look when AWS's status of the report has changed, which is free to read. The bucket is listed once an hour, in case AWS
 * shows its status late or never; then any new key is news.
 */
export const deliveryWatch: Watch<'onboarding', SeenDelivery, z.infer<typeof Subject>, Report[]> = {
  subject: Subject,
  subjectOf: (run, { seenStatus, seenWrittenAt }) => ({
    report: outputOf(run, 'cur-report'),
    seenStatus,
    seenWrittenAt,
  }),
  readPayer: listReports,

  async hasChanged({ payer, hourly }, { report, seenStatus, seenWrittenAt }, reports) {
    if (statusText(deliveryStatusIn(reports, report)) !== seenStatus) return true;
    return hourly && (await readDelivery(payer, report)).lastWrittenAt !== seenWrittenAt;
  },
};
