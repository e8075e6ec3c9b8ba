import {
  type Crawler as GlueCrawler,
  GetCrawlerCommand,
  type GlueClient,
  StartCrawlerCommand,
} from '@aws-sdk/client-glue';
import * as z from 'zod';
import { absentIf, isAwsError } from '../errors/errors.ts';
import type { Permission } from '../step/contract.ts';
import { isGlueName } from './report-location.ts';
import { glueArn } from './report-table.ts';

export const crawlersArn = `${glueArn}:crawler/AWSCURCrawler-*`;

/** The crawler is started again if its last crawl came before the newest delivery. */
export const crawlPermission: Permission = {
  actions: ['glue:GetCrawler', 'glue:StartCrawler'],
  resources: [crawlersArn],
};

/** The Glue crawler that makes the report a table. */
export interface Crawler {
  name: string;
  isReady: boolean;
  /** Of the current crawl, milliseconds. */
  elapsedMs: number;
  /** Milliseconds since the epoch; 0 if there was no crawl. */
  lastStart: number;
  /** Glue's message, if the last crawl failed. */
  lastFailure: string | undefined;
  database: string;
  /** Folders that it reads, `s3://bucket/path`. */
  paths: string[];
  /** True if it keeps one table when the columns of the report's months differ. */
  combinesSchemas: boolean;
}

export async function findCrawler(glue: GlueClient, Name: string): Promise<Crawler | undefined> {
  if (!isGlueName(Name)) return undefined;
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name })));
  return answer?.Crawler && toCrawler(answer.Crawler);
}

export function toCrawler({
  Name: name = '',
  State: state = 'READY',
  CrawlElapsedTime: elapsedMs = 0,
  LastCrawl: last,
  DatabaseName: database = '',
  Targets: targets,
  Configuration: configuration,
}: GlueCrawler): Crawler {
  return {
    name,
    isReady: state === 'READY',
    elapsedMs,
    lastStart: last?.StartTime?.getTime() ?? 0,
    lastFailure: last?.Status === 'FAILED' ? (last.ErrorMessage ?? 'no reason given') : undefined,
    database,
    paths: (targets?.S3Targets ?? []).map(({ Path = '' }) => Path),
    combinesSchemas: combinesSchemas(configuration),
  };
}

/** Of a crawler's configuration, in Glue's own JSON. Source: Glue Developer Guide, "Setting crawler configuration options". */
const Configuration = z.looseObject({
  Grouping: z.looseObject({ TableGroupingPolicy: z.literal('CombineCompatibleSchemas') }),
  CrawlerOutput: z.looseObject({ Tables: z.looseObject({ AddOrUpdateBehavior: z.literal('MergeNewColumns') }) }),
});

function combinesSchemas(configuration = '{}'): boolean {
  try {
    return Configuration.safeParse(JSON.parse(configuration)).success;
  } catch {
    return false;
  }
}

/** Without these settings, a crawler makes a table for each month whose columns differ (seen: CID-framework#507). */
export function splitWarning({ name, combinesSchemas }: Crawler): string[] {
  if (combinesSchemas) return [];
  return [
    `crawler ${name} may split the table when the report’s columns change: its Configuration lacks TableGroupingPolicy CombineCompatibleSchemas and AddOrUpdateBehavior MergeNewColumns. A table made with crawler: none cannot be split`,
  ];
}

/** @returns false if the crawler runs already: a delivery's notification starts it too */
export async function startCrawler(glue: GlueClient, Name: string): Promise<boolean> {
  try {
    await glue.send(new StartCrawlerCommand({ Name }));
    return true;
  } catch (error) {
    if (isAwsError(error, 'CrawlerRunningException')) return false;
    throw error;
  }
}
