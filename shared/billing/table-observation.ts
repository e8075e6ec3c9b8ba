import type { GlueClient } from '@aws-sdk/client-glue';
import { isKnown } from '../model/dry-run-placeholder.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import { type Crawler, findCrawler } from './crawler.ts';
import { findCrawlerOfReport } from './crawler-search.ts';
import type { BillingMonth } from './report-kind.ts';
import type { ReportPlace } from './report-location.ts';
import { hasPartition, partialTables, type ReportTable, tablesOfReport } from './report-table.ts';

/** What was read of the tables on a report that somebody else made. */
export interface SeenTables {
  tables: ReportTable[];
  /** Tables that hold single folders of the report. */
  parts: string[];
  /** True if Glue holds the partition of the newest month. */
  fresh: boolean;
  /** Read for a table that is not ready, or whose months a crawler has to add; undefined if there is none. */
  crawler?: Crawler | undefined;
}

export const noTables: SeenTables = { tables: [], parts: [], fresh: false };

export async function readTables(
  glue: GlueClient,
  report: ReportPlace,
  { kind, athenaDatabase, crawlerName }: Outputs['crawler-stack'],
  newest: BillingMonth,
): Promise<SeenTables> {
  const [tables, parts] = await Promise.all([
    tablesOfReport(glue, athenaDatabase, report),
    partialTables(glue, athenaDatabase, report),
  ]);
  const table = tables.length === 1 ? tables[0] : undefined;
  const isInGlue = table !== undefined && !table.projection;
  const fresh = isInGlue && isKnown(newest.month) && (await hasPartition(glue, report, table, newest));
  const isReady = table?.missingColumns.length === 0 && (fresh || table.projection !== undefined);
  if (tables.length > 1 || (isReady && (table.projection ?? crawlerName))) return { tables, parts, fresh };
  const crawler =
    crawlerName !== null && kind !== 'adopted-table'
      ? await findCrawler(glue, crawlerName)
      : await findCrawlerOfReport(glue, report, athenaDatabase);
  return { tables, parts, fresh, crawler };
}
