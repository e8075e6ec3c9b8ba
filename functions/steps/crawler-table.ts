import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { type Crawler, crawlPermission, findCrawler, startCrawler } from '../../shared/billing/crawler.ts';
import { dataLocation } from '../../shared/billing/report-location.ts';
import {
  hasPartition,
  type ReportTable,
  reportTablePermissions,
  tablesOfReport,
} from '../../shared/billing/report-table.ts';
import { isKnown, knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Partition } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['crawler-table'];

interface Input {
  accountId: string;
  report: Outputs['cur-report'];
  stack: Outputs['crawler-stack'];
  newest: Partition;
  /** When the step crawler-stack of this run started. A crawl since then counts as a crawl of this run. */
  stackSince: number;
}

interface Observation {
  tables: ReportTable[];
  /** True if there is one table and it has the newest delivered month. */
  fresh: boolean;
  /** Read only while the table is not ready; undefined if there is none. */
  crawler: Crawler | undefined;
}

type Change = StepChange & { action: 'start-crawler' };

const Notes = z.object({
  /** When this step last started the crawler, milliseconds since the epoch. */
  startedAt: z.number().optional(),
  /** Number of those starts. */
  starts: z.number().optional(),
});
type Notes = z.infer<typeof Notes>;

type TablePlan = Plan<Change, Output, Notes>;

const maxCrawls = 2;

export const crawlerTable = defineStep<'crawler-table', Input, Observation, Change, Notes>({
  name: 'crawler-table',
  summary: 'Waits until the crawler has added the newest month to the report’s table, and reads the table’s name',
  permissions: { payer: [reportTablePermissions.read, crawlPermission] },
  notes: Notes,

  input({ run, now }) {
    const startedAt = run.steps['crawler-stack']?.startedAt;
    return {
      accountId: run.request.payerAccountId,
      report: outputOf(run, 'cur-report'),
      stack: outputOf(run, 'crawler-stack'),
      newest: outputOf(run, 'first-delivery').newestPartition,
      stackSince: startedAt ? Date.parse(startedAt) : now,
    };
  },

  async observe(cx, { report, stack, newest }) {
    if (!isKnown(stack.athenaDatabase)) return { tables: [], fresh: false, crawler: undefined };
    const glue = cx.payer.client(GlueClient, report.region);
    const tables = await tablesOfReport(glue, stack.athenaDatabase, report);
    const table = tables.length === 1 ? tables[0] : undefined;
    const fresh = table !== undefined && isKnown(newest.month) && (await hasPartition(glue, table, newest));
    const needsCrawler = tables.length <= 1 && !(fresh && table.missingColumns.length === 0);
    const crawler = needsCrawler && stack.crawlerName !== null ? await findCrawler(glue, stack.crawlerName) : undefined;
    return { tables, fresh, crawler };
  },

  plan(input, { tables, fresh, crawler }, situation): TablePlan {
    const { stack, newest } = input;
    const [table, ...others] = tables;
    if (others.length > 0) {
      const detail = `${stack.athenaDatabase}: ${tables.map(({ name }) => name).join(', ')}`;
      return { kind: 'refuse', code: 'table-ambiguous', detail };
    }
    if (table && fresh && table.missingColumns.length === 0) {
      const { database: athenaDatabase, name: athenaTable } = table;
      return { kind: 'ready', output: { athenaDatabase, athenaTable, newestPartition: newest } };
    }
    const missing = whatIsMissing(input, table, fresh);
    const expected: Output = {
      athenaDatabase: stack.athenaDatabase,
      athenaTable: table?.name ?? knownAfter('crawler-table'),
      newestPartition: newest,
    };
    if (situation.run.request.dryRun || crawler) return planCrawl(input, crawler, missing, situation, expected);
    return planWithoutCrawler(input, missing, expected);
  },

  async apply(cx, _, { input: { report, stack } }) {
    const started = await startCrawler(cx.payer.client(GlueClient, report.region), stack.crawlerName ?? '');
    return started ? 'changed' : 'not-changed';
  },
});

function planWithoutCrawler({ stack: { crawlerName } }: Input, missing: string, expected: Output): TablePlan {
  if (crawlerName !== null)
    return { kind: 'refuse', code: 'table-not-found', detail: `${missing}; crawler ${crawlerName} does not exist` };
  return waitFor(
    {
      reason: `the table’s owner to update it: ${missing}`,
      seconds: 300,
      deadlineSeconds: 26 * 3600,
      expectedSeconds: 24 * 3600,
      overdue: 'table-not-found',
    },
    expected,
  );
}

function planCrawl(
  { accountId, report, stack, stackSince }: Input,
  crawler: Crawler | undefined,
  missing: string,
  { notes, now }: Situation<'onboarding', Notes>,
  expected: Output,
): TablePlan {
  const name = stack.crawlerName ?? '';
  const { startedAt = 0, starts = 0 } = notes;
  const { isReady = true, elapsedMs = 0, lastStart = 0, lastFailure } = crawler ?? {};
  // GetCrawler may show the state before our start for some seconds.
  const isStarting = startedAt > 0 && lastStart < startedAt && now - startedAt < 60_000;
  if (isStarting || !isReady)
    return waitFor(
      {
        reason: `crawler ${name} to finish its crawl`,
        // A crawl takes minutes, so frequent observations help only towards its end.
        seconds: Math.max(15, Math.ceil(150 - elapsedMs / 1000)),
        deadlineSeconds: 2 * 3600,
        expectedSeconds: 180,
        overdue: 'table-not-found',
      },
      expected,
    );
  if (lastFailure !== undefined && lastStart >= stackSince)
    return {
      kind: 'refuse',
      code: lastFailure.includes('Lake Formation') ? 'lake-formation-locked' : 'crawl-failed',
      detail: `crawler ${name}: ${lastFailure}`,
    };
  if (starts >= maxCrawls)
    return { kind: 'refuse', code: 'table-not-found', detail: `${missing} after ${starts} crawls by ${name}` };
  const resource = `arn:aws:glue:${report.region}:${accountId}:crawler/${name}`;
  return {
    kind: 'change',
    changes: [{ action: 'start-crawler', resource, note: missing }],
    expected,
    notes: { startedAt: now, starts: starts + 1 },
  };
}

function whatIsMissing({ stack, report, newest }: Input, table: ReportTable | undefined, fresh: boolean): string {
  if (!table)
    return isKnown(stack.athenaDatabase)
      ? `database ${stack.athenaDatabase} has no partitioned table on ${dataLocation(report)}`
      : 'the report has no table yet';
  const name = `${table.database}.${table.name}`;
  if (!isKnown(newest.month)) return `table ${name} will lack the month of the next delivery`;
  if (!fresh) return `table ${name} lacks the month ${newest.year}-${newest.month}`;
  return `table ${name} lacks ${table.missingColumns.join(', ')}`;
}

export const handler = stepHandler(crawlerTable);
