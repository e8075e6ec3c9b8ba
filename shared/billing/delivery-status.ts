import type { TargetAccount } from '../aws/target-account.ts';
import { readDeliveryObstacle } from './cur-bucket.ts';
import { deliveryTime, listReports } from './report-definition.ts';
import type { ReportPlace } from './report-kind.ts';

/** AWS's word on its last delivery. */
export interface DeliveryStatus {
  /** `SUCCESS` or `ERROR_…` */
  text: string;
  /** Milliseconds since the epoch. */
  lastDelivery: number;
  /** After a failure: why AWS cannot write to the bucket now. The status alone may be older than a repair. */
  obstacle?: string | undefined;
}

/** Undefined if AWS has not tried to deliver yet. */
export async function readDeliveryStatus(
  payer: TargetAccount,
  report: ReportPlace & { region: string },
): Promise<DeliveryStatus | undefined> {
  const definition = (await listReports(payer)).find(({ reportName }) => reportName === report.reportName);
  if (!definition?.lastStatus) return undefined;
  const { lastStatus: text, lastDelivery } = definition;
  const obstacle = text.startsWith('ERROR') ? await readDeliveryObstacle(payer, report) : undefined;
  return { text, lastDelivery: lastDelivery ? deliveryTime(lastDelivery) : 0, obstacle };
}
