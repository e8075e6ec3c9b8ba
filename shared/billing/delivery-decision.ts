import type { Problem } from '../step/problem-list.ts';
import type { DeliveredMonth, Delivery } from './delivery.ts';
import type { DeliveryStatus } from './delivery-status.ts';
import { type ReportPlace, reportRoot } from './report-location.ts';

/** What the table of the report will be made with. */
export interface Needs {
  /** True if AWS's template is to be deployed and nothing else. */
  template: boolean;
  /** True for a crawler, which finds no table before there is data. */
  data: boolean;
}

const hour = 3_600_000;

/** The month that AWS's own manifest says is delivered. */
export function completeMonth(needs: Needs, { templateKey, newest }: Delivery): DeliveredMonth | undefined {
  const isComplete = newest?.evidence === 'manifest' || (newest?.evidence === 'no-data' && !needs.data);
  return isComplete && hasTemplate(needs, templateKey) ? newest : undefined;
}

/** The month whose data files are there without a manifest. AWS's own SUCCESS says that they are delivered. */
export function monthWithoutManifest(needs: Needs, { templateKey, newest }: Delivery): DeliveredMonth | undefined {
  return newest?.evidence === 'files' && hasTemplate(needs, templateKey) ? newest : undefined;
}

/**
 * The month of which some files have been missing for an hour since AWS has called its delivery a success: Athena reads the others, and
 * AWS writes the month again within a day.
 */
export function monthWithGaps(
  needs: Needs,
  { templateKey, newest, lastWrittenAt }: Delivery,
  { lastDelivery }: DeliveryStatus,
  now: number,
): DeliveredMonth | undefined {
  const rests = now - Math.max(lastDelivery, lastWrittenAt) >= hour;
  const hasData = newest?.evidence === 'incomplete' && newest.monthText !== undefined;
  return rests && hasData && hasTemplate(needs, templateKey) ? newest : undefined;
}

/**
 * The problem of a delivery that AWS has called a success for an hour: nothing in it is recognised, or the template is not there. Without
 * any key there is none: AWS delivers again within a day.
 * @param strangers first keys of the bucket, if the report's folder has none
 */
export function deliveryProblem(
  { needs, delivery, report }: { needs: Needs; delivery: Delivery; report: ReportPlace },
  { lastDelivery }: DeliveryStatus,
  strangers: readonly string[],
  now: number,
): Problem | undefined {
  const { newest, templateKey, firstKeys } = delivery;
  const [folder, keys] = firstKeys.length > 0 ? [reportRoot(report), firstKeys] : ['', strangers];
  if (now - lastDelivery < hour || keys.length === 0) return undefined;
  const said = `AWS says that it delivered report ${report.reportName} at ${new Date(lastDelivery).toISOString()}`;
  const there = `the first keys in s3://${report.bucket}/${folder} are ${keys.join(', ')}`;
  if (!newest) return { code: 'delivery-not-recognised', detail: `${said}; ${there}` };
  if (hasTemplate(needs, templateKey)) return undefined;
  return { code: 'crawler-template-unusable', detail: `${said}, without crawler-cfn.yml; ${there}` };
}

function hasTemplate(needs: Needs, templateKey: string | undefined): boolean {
  return templateKey !== undefined || !needs.template;
}
