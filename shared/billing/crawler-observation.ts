/** What is read before the table's way is chosen. */
import { GlueClient } from '@aws-sdk/client-glue';
import { readNotifications } from '../aws/bucket-notifications.ts';
import { isComplete, isInProgress } from '../aws/stack.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Problem } from '../step/problem-list.ts';
import { type Crawler, findCrawler } from './crawler.ts';
import type { ChoiceObservation } from './crawler-choice.ts';
import { type CrawlerStack, type CrawlerStackPlace, findCrawlerStack } from './crawler-stack.ts';
import { readTemplateConditions } from './crawler-template-choice.ts';
import type { requestedWay } from './crawler-way.ts';
import { ownDatabase } from './own-table.ts';
import { findReportTables, type ReportTable } from './report-table.ts';
import { findClash } from './template-clash.ts';

export interface CrawlerInput {
  accountId: string;
  report: Outputs['cur-report'];
  place: CrawlerStackPlace;
  templateKey: string | null;
  way: ReturnType<typeof requestedWay>;
  /** What our role may do with crawlers. */
  grant: 'none' | 'remove' | 'full';
  /** The problem if the access template is too old for a table of our own. */
  tooOld: Problem | undefined;
}

export interface CrawlerObservation extends ChoiceObservation {
  found?: CrawlerStack;
  /** Of the stack. */
  crawler?: Crawler | undefined;
}

const nothing: CrawlerObservation = { ownTable: false, tables: [], reservable: 0, notifications: {} };

/** @param notes of the step: what is saved of the notifications, and why AWS's template is given up */
export async function readCrawlerFacts(
  payer: TargetAccount,
  input: CrawlerInput,
  notes: { saved?: unknown; native?: string | undefined },
): Promise<CrawlerObservation> {
  const { report, place, way } = input;
  const found = await findCrawlerStack(payer, place);
  if (way.mode === 'none') return { ...nothing, ...(found && { found }) };
  if (!found) return readWithoutStack(payer, input, notes);
  const { stack } = found;
  if (isInProgress(stack)) return { ...nothing, found };
  const glue = payer.client(GlueClient, report.region);
  const [crawler, tables, notifications] = await Promise.all([
    isComplete(stack) ? findCrawler(glue, found.names.crawlerName) : undefined,
    way.mode === 'auto' ? findReportTables(glue, { ...report, adopted: false }) : [],
    !isComplete(stack) || notes.saved ? readNotifications(payer, report) : {},
  ]);
  return { ...nothing, found, crawler, notifications, ownTable: tables.some(isOurs(report)) };
}

async function readWithoutStack(
  payer: TargetAccount,
  { report, templateKey, grant, way }: CrawlerInput,
  { saved, native }: Parameters<typeof readCrawlerFacts>[2],
): Promise<CrawlerObservation> {
  const glue = payer.client(GlueClient, report.region);
  const [all, clash] = await Promise.all([findReportTables(glue, report), findClash(payer, report)]);
  const ownTable = all.some(isOurs(report));
  const tables = all.filter((table) => !isOurs(report)(table));
  const needsTemplate = tables.length === 0 && !clash && !(ownTable && way.mode === 'auto');
  if (needsTemplate && grant === 'full' && native === undefined)
    return { ownTable, tables, ...(await readTemplateConditions(payer, report, templateKey)) };
  const notifications = saved ? await readNotifications(payer, report) : {};
  return { ...nothing, ownTable, tables, clash, notifications };
}

const isOurs =
  ({ reportName }: { reportName: string }) =>
  ({ database }: ReportTable) =>
    database === ownDatabase(reportName);
