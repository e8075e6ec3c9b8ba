import { GetCrawlerCommand, GlueClient, StartCrawlerCommand } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { dataLocation } from '../../shared/billing/report-location.ts';
import { hasPartition, type ReportTable, tablesOfReport } from '../../shared/billing/report-table.ts';
import { absentIf, isAwsError } from '../../shared/errors/errors.ts';
import { isKnown, knownAfter } from '../../shared/model/known-after.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Partition } from '../../shared/model/step-outputs.ts';
import { defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
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

interface Crawler {
  isReady: boolean;
  /** Of the crawl under way, milliseconds. */
  elapsedMs: number;
  /** Milliseconds since the epoch; 0 if there was no crawl. */
  lastStart: number;
  /** Glue's message, if the last crawl failed. */
  lastFailure: string | undefined;
}

interface Observation {
  tables: ReportTable[];
  /** Does the only table know the newest delivered month? */
  fresh: boolean;
  /** Only read while the table is not ready; undefined if there is none. */
  crawler: Crawler | undefined;
}

type Change = StepChange & { action: 'start-crawler' };

const Notes = z.object({
  /** When this step last started the crawler, milliseconds since the epoch. */
  startedAt: z.number().optional(),
  /** How often it did. */
  starts: z.number().optional(),
});
type Notes = z.infer<typeof Notes>;

type TablePlan = Plan<Change, Output, Notes>;

const maxCrawls = 2;

export const crawlerTable = defineStep<'crawler-table', Input, Observation, Change, Notes>({
  name: 'crawler-table',
  summary: 'Waits for the crawler until the report’s table has its newest month, and reads the table’s name',
  permissions: {
    payer: [
      {
        actions: ['glue:GetPartition', 'glue:GetTables'],
        resources: [
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:catalog',
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:database/*',
          'arn:${AWS::Partition}:glue:*:${AWS::AccountId}:table/*/*',
        ],
      },
      {
        actions: ['glue:GetCrawler', 'glue:StartCrawler'],
        resources: ['arn:${AWS::Partition}:glue:*:${AWS::AccountId}:crawler/AWSCURCrawler-*'],
      },
    ],
  },

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
    const [table] = tables;
    const fresh =
      table !== undefined && tables.length === 1 && isKnown(newest.month) && (await hasPartition(glue, table, newest));
    const { crawlerName: Name } = stack;
    if (tables.length > 1 || (fresh && table.missingColumns.length === 0) || Name === null)
      return { tables, fresh, crawler: undefined };
    return { tables, fresh, crawler: await readCrawler(glue, Name) };
  },

  plan(input, { tables, fresh, crawler }, situation): TablePlan {
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
    return waitFor(
      {
        reason: `the table owner’s crawler: ${missing}`,
        seconds: 300,
        deadlineSeconds: 26 * 3600,
        expectedSeconds: 24 * 3600,
        overdue: 'table-not-found',
      },
      expected,
    );
  },

  async apply(cx, _, { input: { report, stack } }) {
    try {
      await cx.payer
        .client(GlueClient, report.region)
        .send(new StartCrawlerCommand({ Name: stack.crawlerName ?? undefined }));
    } catch (error) {
      // The delivery's notification has started it just now.
      if (!isAwsError(error, 'CrawlerRunningException')) throw error;
      return 'not-changed';
    }
    return 'changed';
  },
});

async function readCrawler(glue: GlueClient, Name: string): Promise<Crawler | undefined> {
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name })));
  if (!answer?.Crawler) return undefined;
  const { State: state = 'READY', CrawlElapsedTime: elapsedMs = 0, LastCrawl: last } = answer.Crawler;
  return {
    isReady: state === 'READY',
    elapsedMs,
    lastStart: last?.StartTime?.getTime() ?? 0,
    lastFailure: last?.Status === 'FAILED' ? (last.ErrorMessage ?? 'no reason given') : undefined,
  };
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
  const beginning = startedAt > 0 && lastStart < startedAt && now - startedAt < 60_000;
  if (beginning || !isReady)
    return waitFor(
      {
        reason: `crawler ${name} to finish its crawl`,
        // A crawl takes minutes; frequent observations pay only towards the end.
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
    return { kind: 'refuse', code: 'table-not-found', detail: `after ${starts} crawls by ${name}: ${missing}` };
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
  if (!isKnown(newest.month)) return `table ${name} will lack the month that is delivered next`;
  if (!fresh) return `table ${name} lacks the month ${newest.year}-${newest.month}`;
  return `table ${name} lacks ${table.missingColumns.join(', ')}`;
}

export const handler = stepHandler(crawlerTable);
