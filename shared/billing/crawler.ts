import {
  type Crawler as GlueCrawler,
  GetCrawlerCommand,
  type GlueClient,
  StartCrawlerCommand,
} from '@aws-sdk/client-glue';
import { absentIf, isAwsError } from '../errors/errors.ts';
import type { Permission } from '../step/contract.ts';
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
}

export async function findCrawler(glue: GlueClient, Name: string): Promise<Crawler | undefined> {
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name })));
  return answer?.Crawler && toCrawler(answer.Crawler);
}

export function toCrawler({
  Name: name = '',
  State: state = 'READY',
  CrawlElapsedTime: elapsedMs = 0,
  LastCrawl: last,
}: GlueCrawler): Crawler {
  return {
    name,
    isReady: state === 'READY',
    elapsedMs,
    lastStart: last?.StartTime?.getTime() ?? 0,
    lastFailure: last?.Status === 'FAILED' ? (last.ErrorMessage ?? 'no reason given') : undefined,
  };
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
