import { type Crawler, GetCrawlerCommand, GlueClient, StartCrawlerCommand } from '@aws-sdk/client-glue';
import { dataLocation } from '../../shared/billing/report-location.ts';
import { hasPartition, type ReportTable, tablesOfReport } from '../../shared/billing/report-table.ts';
import { absentIf, isAwsError } from '../../shared/errors/errors.ts';
import { isKnown, knownAfter } from '../../shared/model/known-after.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Partition } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, rejected, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['crawler-table'];

interface Input {
  accountId: string;
  report: Outputs['cur-report'];
  stack: Outputs['crawler-stack'];
  newest: Partition;
  /** When this run's stack step began: a crawl since then counts as this run's. */
  stackSince: number;
}

interface Seen {
  tables: ReportTable[];
  /** Does the only table know the newest delivered month? */
  fresh: boolean;
  /** Only read while the table is not ready; undefined if there is none. */
  crawler: Crawler | undefined;
}

type Change = StepChange & { do: 'start-crawler' };

interface Memo {
  startedAt?: number;
  starts?: number;
}

const maxCrawls = 2;

export const crawlerTable = defineStep<'crawler-table', Input, Seen, Change>({
  name: 'crawler-table',
  summary: 'Waits for the crawler until the report’s table has its newest month, and reads the table’s name',
  permissions: {
    payer: [
      {
        actions: ['glue:GetPartition', 'glue:GetTables'],
        resources: ['catalog', 'database/*', 'table/*/*'].map(
          (path) => `arn:\${AWS::Partition}:glue:*:\${AWS::AccountId}:${path}`,
        ) as [string, ...string[]],
      },
      {
        actions: ['glue:GetCrawler', 'glue:StartCrawler'],
        resources: ['arn:${AWS::Partition}:glue:*:${AWS::AccountId}:crawler/AWSCURCrawler-*'],
      },
    ],
  },

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
    const [table] = tables;
    const fresh =
      table !== undefined && tables.length === 1 && isKnown(newest.month) && (await hasPartition(glue, table, newest));
    const { crawlerName: Name } = stack;
    if (tables.length > 1 || (fresh && table.missingColumns.length === 0) || Name === null)
      return { tables, fresh, crawler: undefined };
    const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name })));
    return { tables, fresh, crawler: answer?.Crawler };
  },

  plan(input, { tables, fresh, crawler }, situation): Plan<Change, Output> {
    const { stack, newest } = input;
    const [table, ...others] = tables;
    if (others.length > 0)
      return {
        kind: 'refuse',
        code: 'table-ambiguous',
        detail: `${stack.athenaDatabase}: ${tables.map(({ name }) => name).join(', ')}`,
      };
    if (table && fresh && table.missingColumns.length === 0)
      return {
        kind: 'ready',
        output: { athenaDatabase: table.database, athenaTable: table.name, newestPartition: newest },
      };

    const expected: Output = {
      athenaDatabase: stack.athenaDatabase,
      athenaTable: table?.name ?? knownAfter('crawler-table'),
      newestPartition: newest,
    };
    const missing = whatIsMissing(input, table, fresh);
    if (situation.run.request.dryRun || crawler) return planCrawl(input, crawler, missing, situation, expected);
    if (stack.crawlerName !== null)
      return {
        kind: 'refuse',
        code: 'table-not-found',
        detail: `${missing}; crawler ${stack.crawlerName} does not exist`,
      };
    return {
      kind: 'wait',
      reason: `somebody’s crawler: ${missing}`,
      seconds: 300,
      deadlineSeconds: 26 * 3600,
      expectedSeconds: 24 * 3600,
      overdue: 'table-not-found',
      expected,
    };
  },

  async apply(cx, _, { report, stack }) {
    const { starts = 0 } = cx.memo as Memo;
    await cx.remember({ startedAt: cx.now, starts: starts + 1 });
    try {
      await cx.payer
        .client(GlueClient, report.region)
        .send(new StartCrawlerCommand({ Name: stack.crawlerName ?? undefined }));
    } catch (error) {
      // Started a moment ago by the delivery's notification: as good.
      if (!isAwsError(error, 'CrawlerRunningException')) throw error;
      return rejected;
    }
  },
});

function planCrawl(
  { accountId, report, stack, stackSince }: Input,
  crawler: Crawler | undefined,
  missing: string,
  { memo, now }: Situation,
  expected: Output,
): Plan<Change, Output> {
  const name = stack.crawlerName ?? '';
  const { startedAt = 0, starts = 0 } = memo as Memo;
  const last = crawler?.LastCrawl;
  const lastStart = last?.StartTime?.getTime() ?? 0;
  // GetCrawler may show the state before our start for some seconds.
  const beginning = startedAt > 0 && lastStart < startedAt && now - startedAt < 60_000;
  if (beginning || (crawler?.State ?? 'READY') !== 'READY')
    return {
      kind: 'wait',
      reason: `crawler ${name}`,
      // A crawl takes minutes; looking often pays only towards the end.
      seconds: Math.max(15, Math.ceil(150 - (crawler?.CrawlElapsedTime ?? 0) / 1000)),
      deadlineSeconds: 2 * 3600,
      expectedSeconds: 180,
      overdue: 'table-not-found',
      expected,
    };
  if (last?.Status === 'FAILED' && lastStart >= stackSince) {
    const message = last.ErrorMessage ?? 'no reason given';
    return {
      kind: 'refuse',
      code: message.includes('Lake Formation') ? 'lake-formation-locked' : 'crawl-failed',
      detail: `crawler ${name}: ${message}`,
    };
  }
  if (starts >= maxCrawls)
    return { kind: 'refuse', code: 'table-not-found', detail: `after ${starts} crawls by ${name}: ${missing}` };
  const resource = `arn:aws:glue:${report.region}:${accountId}:crawler/${name}`;
  return { kind: 'change', changes: [{ do: 'start-crawler', resource, note: missing }], expected };
}

function whatIsMissing({ stack, report, newest }: Input, table: ReportTable | undefined, fresh: boolean): string {
  if (!table)
    return isKnown(stack.athenaDatabase)
      ? `database ${stack.athenaDatabase} has no partitioned table on ${dataLocation(report)}`
      : 'the report has no table yet';
  const name = `${table.database}.${table.name}`;
  if (!isKnown(newest.month)) return `table ${name} will lack the month that is delivered next`;
  if (!fresh) return `table ${name} lacks the month ${newest.year}-${newest.month}`;
  return `table ${name} lacks ${table.missingColumns.join(', ')}`;
}

export const handler = stepHandler(crawlerTable);
