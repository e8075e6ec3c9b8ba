import type { MeasuredRun } from './measure.ts';
import { assumptions, prices } from './prices.ts';

export interface Cost {
  once: { total: number; transitions: number; lambda: number; table: number };
  monthly: { total: number; crawls: number; storage: number; scans: number };
}

/** Counted units times the dated price table; what cannot be counted is in `assumptions`. */
export function costOf(run: Pick<MeasuredRun, 'transitions' | 'invocations' | 'calls' | 'scheduledCrawls'>): Cost {
  const transitions = run.transitions * prices.stateTransition;
  const gbSeconds = (run.invocations * assumptions.lambdaMilliseconds * assumptions.lambdaGb) / 1000;
  const lambda = run.invocations * prices.lambdaRequest + gbSeconds * prices.lambdaGbSecond;
  const table = run.calls.ownTable * assumptions.tableWriteUnits * prices.dynamoWriteUnit;
  const crawls = run.scheduledCrawls * prices.glueCrawlHours * prices.glueCrawlDpus * prices.glueDpuHour;
  const storage = assumptions.reportGb * prices.s3GbMonth;
  const bytes = Math.max(assumptions.scannedBytesPerQuery, prices.athenaMinimumBytes);
  const scans = ((assumptions.queriesPerMonth * bytes) / 1e12) * prices.athenaTbScanned;
  return {
    once: { total: transitions + lambda + table, transitions, lambda, table },
    monthly: { total: crawls + storage + scans, crawls, storage, scans },
  };
}
