import { GetCrawlersCommand, type GlueClient } from '@aws-sdk/client-glue';
import { isAwsError } from '../errors/errors.ts';
import type { Permission } from '../step/contract.ts';
import { type Crawler, findCrawler, toCrawler } from './crawler.ts';
import { crawlerName, dataLocation, type ReportPlace } from './report-location.ts';

/** Glue's list of crawlers has no resource. */
export const searchCrawlersPermission: Permission = { actions: ['glue:GetCrawlers'], resources: ['*'] };

/**
 * The crawler that fills tables of the database from the report's data: the one with AWS's name, or any other whose target holds the data.
 * Undefined if there is none, or if a role of an earlier release may not list crawlers.
 */
export async function findCrawlerOfReport(
  glue: GlueClient,
  report: ReportPlace,
  database: string,
): Promise<Crawler | undefined> {
  const usual = await findCrawler(glue, crawlerName(report.reportName));
  if (usual) return usual;
  const home = `${dataLocation(report)}/`;
  let token: string | undefined;
  do {
    const page = await listPage(glue, token);
    const found = page?.Crawlers?.find(
      ({ DatabaseName, Targets }) =>
        DatabaseName === database &&
        Targets?.S3Targets?.some(({ Path = '' }) => Path !== '' && home.startsWith(Path.replace(/\/*$/, '/'))),
    );
    if (found) return toCrawler(found);
    token = page?.NextToken;
  } while (token);
  return undefined;
}

async function listPage(glue: GlueClient, NextToken: string | undefined) {
  try {
    return await glue.send(new GetCrawlersCommand({ NextToken }));
  } catch (error) {
    if (isAwsError(error, 'AccessDeniedException')) return undefined;
    throw error;
  }
}
