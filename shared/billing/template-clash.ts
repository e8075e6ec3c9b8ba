/** What others have where AWS's template makes its resources. */
import { GetDatabaseCommand, GetTagsCommand, GlueClient } from '@aws-sdk/client-glue';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { Permission } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { type Crawler, crawlersArn, findCrawler } from './crawler.ts';
import { crawlerStackPlace, findCrawlerStack, stackOwnerProblem } from './crawler-stack.ts';
import type { CrawlerMode } from './crawler-way.ts';
import { crawlerDatabase, crawlerName, dataLocation, isGlueName, type ReportPlace } from './report-location.ts';
import { findReportTables, reportTablePermissions } from './report-table.ts';

type Place = ReportPlace & { region: string };

export const clashPermissions: readonly Permission[] = [
  reportTablePermissions.search,
  { actions: ['glue:GetCrawler', 'glue:GetTags'], resources: [crawlersArn] },
];

export interface TemplateClash {
  crawler?: Crawler;
  /** The stack that made the crawler, by CloudFormation's own tag. */
  stackName?: string | undefined;
  /** True if there is a database with the name of the template's. */
  database: boolean;
  /** True if the crawler's own database exists. */
  crawlerDatabase: boolean;
}

/** Undefined if the template's names are free. */
export async function findClash(payer: TargetAccount, report: Place): Promise<TemplateClash | undefined> {
  const glue = payer.client(GlueClient, report.region);
  const hasDatabase = async (Name: string) =>
    isGlueName(Name) &&
    (await absentIf(['EntityNotFoundException'], () => glue.send(new GetDatabaseCommand({ Name })))) !== undefined;
  const usual = crawlerDatabase(report.reportName);
  const [crawler, database] = await Promise.all([
    findCrawler(glue, crawlerName(report.reportName)),
    hasDatabase(usual),
  ]);
  if (!crawler) return database ? { database, crawlerDatabase: false } : undefined;
  const ResourceArn = `arn:aws:glue:${report.region}:${payer.accountId}:crawler/${crawler.name}`;
  const tags = await absentIf(['EntityNotFoundException', 'AccessDeniedException'], () =>
    glue.send(new GetTagsCommand({ ResourceArn })),
  );
  return {
    crawler,
    stackName: tags?.Tags?.['aws:cloudformation:stack-name'],
    database,
    crawlerDatabase: crawler.database === usual ? database : await hasDatabase(crawler.database),
  };
}

/** For a person: what is there, and who made it if known. */
export function describeClash(
  { crawler, stackName }: TemplateClash,
  { reportName }: Pick<Place, 'reportName'>,
): string {
  if (!crawler) return `database ${crawlerDatabase(reportName)} exists, and no stack of ours made it`;
  return `crawler ${crawler.name} exists${stackName === undefined ? '' : `, made by stack ${stackName}`}, and no stack of ours made it`;
}

/** Why the crawler that exists cannot fill the report's table; undefined if it can. */
export function whyUnusable({ crawler, crawlerDatabase }: TemplateClash, report: Place): string | undefined {
  if (!crawler) return undefined;
  const home = dataLocation(report);
  const [path, ...others] = crawler.paths;
  if (path?.replace(/\/+$/, '') !== home || others.length > 0)
    return `it reads ${crawler.paths.join(', ') || 'no bucket'} instead of ${home}`;
  if (!crawlerDatabase) return `its database ${crawler.database} does not exist`;
  return crawler.lastFailure === undefined ? undefined : `its last crawl failed: ${crawler.lastFailure}`;
}

/** The refusal of a run that may only use AWS's template. */
export function clashProblem(clash: TemplateClash, report: Place): Problem {
  return { code: 'template-names-taken', detail: describeClash(clash, report) };
}

/** Before anything is made: the refusals of a run that may only use AWS's template, by name of the report. */
export async function clashesOf(
  cx: { payer: TargetAccount; owner: Owner },
  mode: CrawlerMode,
  reports: readonly Place[],
): Promise<Record<string, Problem>> {
  if (mode !== 'template') return {};
  const found = await Promise.all(
    reports.map(async (report) => [report.reportName, await clashProblemOf(cx, report)] as const),
  );
  return Object.fromEntries(found.flatMap(([name, problem]) => (problem ? [[name, problem]] : [])));
}

async function clashProblemOf(
  { payer, owner }: { payer: TargetAccount; owner: Owner },
  report: Place,
): Promise<Problem | undefined> {
  const place = crawlerStackPlace(report);
  const found = await findCrawlerStack(payer, place);
  if (found) return stackOwnerProblem(found.stack, place.stackName, owner);
  const glue = payer.client(GlueClient, report.region);
  if ((await findReportTables(glue, { ...report, adopted: true })).length > 0) return undefined;
  const clash = await findClash(payer, report);
  return clash && clashProblem(clash, report);
}
