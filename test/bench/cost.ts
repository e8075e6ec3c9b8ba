import { assumptions, prices } from './prices.ts';

/** The counted units. */
interface Usage {
  transitions: number;
  invocations: number;
  tableWrites: number;
  tableReads: number;
  events: number;
  /** Crawls a month that the new resources cause. */
  scheduledCrawls: number;
  /** Reports that the run created. */
  reports: number;
}

export interface Cost {
  once: { total: number; transitions: number; lambda: number; table: number; events: number };
  monthly: { total: number; crawls: number; storage: number; scans: number };
}

/** Counted units times the dated price table; `assumptions` contains the rest. */
export function costOf(usage: Usage): Cost {
  const transitions = usage.transitions * prices.stateTransition;
  const gbSeconds = (usage.invocations * assumptions.lambdaMilliseconds * assumptions.lambdaGb) / 1000;
  const lambda = usage.invocations * prices.lambdaRequest + gbSeconds * prices.lambdaGbSecond;
  const writes = usage.tableWrites * assumptions.tableWriteUnits * prices.dynamoWriteUnit;
  const table = writes + usage.tableReads * assumptions.tableReadUnits * prices.dynamoReadUnit;
  const events = usage.events * prices.eventBusEvent;
  const crawls = usage.scheduledCrawls * prices.glueCrawlHours * prices.glueCrawlDpus * prices.glueDpuHour;
  const storage = usage.reports * assumptions.reportGb * prices.s3GbMonth;
  const bytes = Math.max(assumptions.scannedBytesPerQuery, prices.athenaMinimumBytes);
  const scans = ((assumptions.queriesPerMonth * bytes) / 1e12) * prices.athenaTbScanned;
  return {
    once: { total: transitions + lambda + table + events, transitions, lambda, table, events },
    monthly: { total: crawls + storage + scans, crawls, storage, scans },
  };
}
