import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Notifications, othersAmong, overlapping, readNotifications } from '../aws/bucket-notifications.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf, isAwsError } from '../errors/errors.ts';
import type { Quota } from '../model/run-schemas.ts';
import type { Problem } from '../step/problem-list.ts';
import { deployableTemplate, inspectCrawlerTemplate, type Inspection, isRetiredRuntime } from './crawler-template.ts';
import { catalogKeyObstacle, customerKeys, keyOfCatalog } from './keys-in-play.ts';
import { dataPath, type ReportPlace } from './report-location.ts';

type Place = ReportPlace & { region: string };

/** What decides whether AWS's template can be deployed in this account. */
export interface TemplateConditions {
  /** Undefined if AWS's template is not needed or not there. `body` is what would be deployed. */
  template?: { body: string; inspection: Inspection } | undefined;
  /** How many more executions could be reserved in this account and region. */
  reservable: number;
  notifications: Notifications;
  /** ARN of the customer's key that every writer of the Glue catalog needs. */
  catalogKey?: string | undefined;
  /** AWS's message if our role may not read these. */
  denied?: string;
}

export async function readTemplateConditions(
  payer: TargetAccount,
  report: Place,
  templateKey: string | null,
): Promise<TemplateConditions> {
  try {
    const [body, reservable, notifications, catalogKey] = await Promise.all([
      templateKey === null ? undefined : readTemplate(payer, report, templateKey),
      readReservable(payer, report.region),
      readNotifications(payer, report),
      readCatalogKey(payer, report.region),
    ]);
    const template = body === undefined ? undefined : inspected(payer, report, body);
    return { template, reservable, notifications, catalogKey };
  } catch (error) {
    if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException')) throw error;
    return { reservable: 0, notifications: {}, denied: error.message };
  }
}

function inspected({ accountId }: TargetAccount, report: Place, body: string): TemplateConditions['template'] {
  const place = { ...report, accountId };
  const inspection = inspectCrawlerTemplate(body, place);
  return { body: inspection.trusted ? deployableTemplate(body, place) : '', inspection };
}

async function readTemplate(payer: TargetAccount, { bucket, region }: Place, Key: string): Promise<string | undefined> {
  const get = new GetObjectCommand({ Bucket: bucket, ExpectedBucketOwner: payer.accountId, Key });
  const answer = await absentIf(['NoSuchKey', 'NoSuchBucket'], () => payer.client(S3Client, region).send(get));
  return answer?.Body?.transformToString();
}

/** A key that AWS manages admits the crawler too. */
async function readCatalogKey(payer: TargetAccount, region: string): Promise<string | undefined> {
  const key = await keyOfCatalog(payer, region);
  return (await customerKeys(payer, region, key === null ? [] : [key]))[0];
}

/** Lambda keeps 100 executions unreserved; 10 were seen in accounts whose whole limit is below 100. */
async function readReservable(payer: TargetAccount, region: string): Promise<number> {
  const { AccountLimit: limit } = await payer.client(LambdaClient, region).send(new GetAccountSettingsCommand({}));
  const floor = (limit?.ConcurrentExecutions ?? 0) < 100 ? 10 : 100;
  return (limit?.UnreservedConcurrentExecutions ?? 0) - floor;
}

/** @param adds 2 if unknown: AWS's template reserves one execution for each of its two functions */
export function reservationQuota(reservable: number, adds = 2): Quota {
  const quota = 'Lambda executions that the payer account can reserve';
  return { quota, used: 0, adds, limit: Math.max(0, reservable) };
}

/** Why AWS's template cannot be deployed in this account. */
export function templateObstacle(
  { template, reservable, notifications, catalogKey, denied }: TemplateConditions,
  report: Place,
  templateKey: string | null,
): Problem | undefined {
  const unusable = (detail: string): Problem => ({ code: 'crawler-template-unusable', detail });
  if (denied !== undefined) return { code: 'access-denied', detail: denied };
  if (!template) return unusable('AWS’s template does not exist in the bucket');
  const { inspection } = template;
  if (!inspection.trusted)
    return {
      code: 'crawler-template-not-trusted',
      detail: `AWS’s template s3://${report.bucket}/${templateKey ?? ''} is not trusted: ${inspection.reason}`,
    };
  const { runtimes, reservedConcurrency } = inspection;
  const retired = runtimes.find(isRetiredRuntime);
  if (retired) return unusable(`Lambda creates no functions on ${retired} any more`);
  if (catalogKey !== undefined) return unusable(catalogKeyObstacle(catalogKey));
  if (reservedConcurrency > reservable)
    return unusable(
      `AWS’s template reserves ${reservedConcurrency} Lambda executions, but the account can reserve only ${Math.max(0, reservable)}`,
    );
  const blocked = overlapping(othersAmong(notifications), dataPath(report));
  if (blocked.length === 0) return undefined;
  return unusable(`S3 would refuse the bucket’s notification ${blocked.join(', ')} beside the one of AWS’s template`);
}
