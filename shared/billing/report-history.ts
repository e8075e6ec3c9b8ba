import { historyDays } from './data-lifetime.ts';
import type { ReportPlace } from './report-location.ts';

const dayMs = 86_400_000;

/** A new report has no costs of the months before its creation. @returns `YYYY-MM-DD` */
export function firstDayOf(created: number): string {
  return `${new Date(created).toISOString().slice(0, 7)}-01`;
}

/** What the owner of the payer account has to know of a new report, because nobody else can change it. */
export function newReportWarnings({ reportName, bucket }: ReportPlace, created: number): string[] {
  const since = firstDayOf(created);
  const wanted = firstDayOf(created - historyDays * dayMs).slice(0, 7);
  return [
    `the new report has costs from ${since} on at the earliest, and the consumer builds ${historyDays} days: earlier days stay empty. For them, the payer’s owner asks AWS Support (Account and billing) to backfill Cost and Usage Report ${reportName} in bucket ${bucket} from ${wanted} on`,
    'only the payer account can activate cost allocation tags (Billing and Cost Management, Cost allocation tags): without them, only EKS resources count as Kubernetes, and costs have no labels',
  ];
}
