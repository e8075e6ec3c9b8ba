import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { decideCrawl, notFound } from '../../shared/billing/crawl-decision.ts';
import { type Crawler, crawlPermission, startCrawler } from '../../shared/billing/crawler.ts';
import { searchCrawlersPermission } from '../../shared/billing/crawler-search.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import { ownDatabase, ownTableName } from '../../shared/billing/own-table.ts';
import { planOwnTable } from '../../shared/billing/own-table-plan.ts';
import {
  applyOwnTable,
  type OwnTableChange,
  ownTablePermissions,
  readOwnTable,
  type SeenOwnTable,
} from '../../shared/billing/own-table-store.ts';
import type { BillingMonth } from '../../shared/billing/report-kind.ts';
import { reportTablePermissions } from '../../shared/billing/report-table.ts';
import { type DeliveredColumns, readColumns } from '../../shared/billing/table-columns.ts';
import { noTables, readTables, type SeenTables } from '../../shared/billing/table-observation.ts';
import { decideReadiness, wayOut } from '../../shared/billing/table-readiness.ts';
import { isAwsError } from '../../shared/errors/errors.ts';
import { isKnown, knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['crawler-table'];

interface Input {
  accountId: string;
  report: Outputs['cur-report'];
  stack: Outputs['crawler-stack'];
  /** True if we make the table, without a crawler. */
  isOwn: boolean;
  newest: BillingMonth;
  first: BillingMonth;
  manifestKey: string | null;
  /** When the step crawler-stack of this run started. A crawl since then counts as a crawl of this run. */
  stackSince: number;
}

interface Observation extends SeenTables {
  own?: { seen: SeenOwnTable; delivered: DeliveredColumns };
}

type Change = OwnTableChange | (StepChange & { action: 'start-crawler'; name: string });

const Notes = z.object({
  /** When this step last started the crawler, milliseconds since the epoch. */
  startedAt: z.number().optional(),
  /** Number of those starts. */
  starts: z.number().optional(),
  /** True if our role may not start the crawler. */
  isDenied: z.boolean().optional(),
});
type Notes = z.infer<typeof Notes>;

type TablePlan = Plan<Change, Output, Notes>;
type TableSituation = Situation<'onboarding', Notes>;

export const crawlerTable = defineStep<'crawler-table', Input, Observation, Change, Notes>({
  name: 'crawler-table',
  summary: 'Makes the report’s table or has its crawler add the newest month, and reads the table’s name',
  permissions: {
    payer: [
      reportTablePermissions.read,
      crawlPermission,
      searchCrawlersPermission,
      ownTablePermissions.write,
      ownTablePermissions.tags,
      curBucketPermissions.list,
      curBucketPermissions.readObjects,
    ],
  },
  notes: Notes,
  waits: { 'table-not-found': { seconds: 15, longestSeconds: 4 * 3600, closeLooks: 6 } },

  input({ run, now }) {
    const startedAt = run.steps['crawler-stack']?.startedAt;
    const report = outputOf(run, 'cur-report');
    const stack = outputOf(run, 'crawler-stack');
    const { newestPartition: newest, firstPartition, manifestKey } = outputOf(run, 'first-delivery');
    return {
      accountId: run.request.payerAccountId,
      report,
      stack,
      isOwn: stack.kind === 'none' || stack.athenaDatabase === ownDatabase(report.reportName),
      newest,
      first: firstPartition ?? newest,
      manifestKey,
      stackSince: startedAt ? Date.parse(startedAt) : now,
    };
  },

  async observe(cx, { accountId, report, stack, isOwn, newest, manifestKey }) {
    const glue = cx.payer.client(GlueClient, report.region);
    if (isOwn) {
      const seen = await readOwnTable(glue, { ...report, accountId }, cx.owner);
      const isDelivered = isKnown(newest.month);
      const none = { columns: [], warnings: [], from: undefined, firstKeys: [] };
      const delivered = isDelivered ? await readColumns(cx.payer, report, manifestKey) : none;
      return { ...noTables, own: { seen, delivered } };
    }
    return isKnown(stack.athenaDatabase) ? readTables(glue, report, stack, newest) : noTables;
  },

  plan(input, seen, situation): TablePlan {
    if (seen.own) return planOwn(input, seen.own, situation);
    const { stack, newest, report } = input;
    const expected: Output = {
      athenaDatabase: stack.athenaDatabase,
      athenaTable: seen.tables[0]?.name ?? knownAfter('crawler-table'),
      newestPartition: newest,
      lastYear: null,
    };
    if (!isKnown(stack.athenaDatabase) || !isKnown(newest.month))
      return planCrawl(
        input,
        seen.crawler,
        { what: 'the newest month is not delivered yet', lacksColumns: false },
        situation,
        expected,
      );
    const readiness = decideReadiness(seen, {
      report,
      database: stack.athenaDatabase,
      month: newest,
      now: situation.now,
    });
    if (readiness.is === 'refused') return { kind: 'refuse', code: readiness.code, detail: readiness.detail };
    if (readiness.is === 'incomplete') return planCrawl(input, seen.crawler, readiness, situation, expected);
    const { table, lastYear, warnings } = readiness;
    const isAlone = table.projection === undefined && stack.crawlerName === null && seen.crawler === undefined;
    const alone = `nobody is known who adds new months to table ${table.database}.${table.name}, so Kubecost will show no costs after ${newest.year}-${newest.month}; ${wayOut}`;
    return {
      kind: 'ready',
      output: { ...expected, athenaDatabase: table.database, athenaTable: table.name, lastYear },
      warnings: isAlone ? [...warnings, alone] : warnings,
    };
  },

  async apply(cx, change, { input: { report } }) {
    const glue = cx.payer.client(GlueClient, report.region);
    if (change.action !== 'start-crawler') return applyOwnTable(glue, report.reportName, change, cx.owner);
    try {
      return (await startCrawler(glue, change.name)) ? 'changed' : 'not-changed';
    } catch (error) {
      if (!isAwsError(error, 'AccessDeniedException')) throw error;
      return { outcome: 'not-changed', notes: { isDenied: true, startedAt: 0, starts: 0 } };
    }
  },
});

function planOwn(
  { accountId, report, first, newest }: Input,
  { seen, delivered }: NonNullable<Observation['own']>,
  { now, owner }: TableSituation,
): TablePlan {
  const thisYear = new Date(now).getUTCFullYear();
  const firstMonth = isKnown(first.year) ? first : { year: String(thisYear), month: '1' };
  const planned = planOwnTable(
    { place: { ...report, accountId }, report, delivered, firstMonth, thisYear, isDelivered: isKnown(newest.month) },
    seen,
    owner,
  );
  if ('problem' in planned) return { kind: 'refuse', ...planned.problem };
  const output: Output = {
    athenaDatabase: ownDatabase(report.reportName),
    athenaTable: ownTableName(report.reportName),
    newestPartition: newest,
    lastYear: planned.lastYear,
  };
  return changesOrReady(planned.changes, { output, warnings: planned.warnings });
}

function planCrawl(
  { accountId, report, stack, stackSince }: Input,
  crawler: Crawler | undefined,
  missing: { what: string; lacksColumns: boolean },
  { notes, now, run }: TableSituation,
  expected: Output,
): TablePlan {
  const name = crawler?.name ?? stack.crawlerName ?? '';
  const { startedAt = 0, starts = 0, isDenied = false } = notes;
  const nobody = stack.crawlerName === null ? `no crawler fills it; ${wayOut}` : `crawler ${name} does not exist`;
  const history = { startedAt, starts, isDenied, since: stackSince };
  const without = run.request.dryRun ? 'start' : notFound(`${missing.what}; ${nobody}`);
  const decision = crawler ? decideCrawl(crawler, missing, history, now) : without;
  if (decision === 'start') {
    const resource = `arn:aws:glue:${report.region}:${accountId}:crawler/${name}`;
    const change: Change = { action: 'start-crawler', resource, note: missing.what, name };
    return { kind: 'change', changes: [change], expected, notes: { startedAt: now, starts: starts + 1 } };
  }
  return 'wait' in decision ? waitFor(decision.wait, expected) : { kind: 'refuse', ...decision.problem };
}

export const handler = stepHandler(crawlerTable);
