import type { Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import type { Crawler } from './crawler.ts';
import { wayOut } from './table-readiness.ts';

/** What this run knows of earlier crawls. */
export interface CrawlHistory {
  /** When the run last started the crawler, milliseconds since the epoch; 0 if it did not. */
  startedAt: number;
  starts: number;
  /** True if our role may not start the crawler. */
  isDenied: boolean;
  /** A crawl since then counts as one of this run, milliseconds since the epoch. */
  since: number;
}

export type CrawlDecision = { wait: Wait } | { problem: Problem } | 'start';

const mostCrawls = 2;

/** @param missing what the table lacks; a crawl adds a column only if the data has it, so one crawl is enough to know */
export function decideCrawl(
  { name, isReady, elapsedMs, lastStart, lastFailure }: Crawler,
  { what, lacksColumns }: { what: string; lacksColumns: boolean },
  { startedAt, starts, isDenied, since }: CrawlHistory,
  now: number,
): CrawlDecision {
  // GetCrawler may show the state before our start for some seconds.
  const isStarting = startedAt > 0 && lastStart < startedAt && now - startedAt < 60_000;
  if (isStarting || !isReady) return { wait: untilCrawled(name, elapsedMs) };
  if (lastFailure !== undefined && lastStart >= since)
    return {
      problem: {
        code: lastFailure.includes('Lake Formation') ? 'lake-formation-locked' : 'crawl-failed',
        detail: `crawler ${name}: ${lastFailure}`,
      },
    };
  const crawls = Math.max(starts, lastStart >= since ? 1 : 0);
  if (starts >= mostCrawls || (lacksColumns && crawls > 0))
    return notFound(`${what} after ${crawls === 1 ? 'a crawl' : `${crawls} crawls`} by ${name}; ${wayOut}`);
  if (isDenied) return notFound(`${what}; start crawler ${name}, which our role may not start. Otherwise, ${wayOut}`);
  return 'start';
}

export function notFound(detail: string): { problem: Problem } {
  return { problem: { code: 'table-not-found', detail } };
}

function untilCrawled(name: string, elapsedMs: number): Wait {
  return {
    reason: `crawler ${name} to finish its crawl`,
    // A crawl takes minutes, so frequent observations help only towards its end.
    seconds: Math.max(15, Math.ceil(150 - elapsedMs / 1000)),
    deadlineSeconds: 2 * 3600,
    expectedSeconds: 180,
    overdue: 'table-not-found',
  };
}
