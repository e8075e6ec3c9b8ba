import type { TargetAccount } from '../aws/target-account.ts';
import { readDeliveryObstacle } from './cur-bucket.ts';
import { deliveryTime, listReports, type Report } from './report-definition.ts';
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
  const status = deliveryStatusIn(await listReports(payer), report);
  if (!status?.text.startsWith('ERROR')) return status;
  return { ...status, obstacle: await readDeliveryObstacle(payer, report) };
}

/** The status of one report among those of its account. */
export function deliveryStatusIn(
  reports: readonly Report[],
  report: Pick<ReportPlace, 'reportName'>,
): Pick<DeliveryStatus, 'text' | 'lastDelivery'> | undefined {
  const { lastStatus: text, lastDelivery } = reports.find(({ reportName }) => reportName === report.reportName) ?? {};
  return text ? { text, lastDelivery: lastDelivery ? deliveryTime(lastDelivery) : 0 } : undefined;
}
