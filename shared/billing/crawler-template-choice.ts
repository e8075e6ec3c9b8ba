import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Notifications, othersAmong, overlapping, readNotifications } from '../aws/bucket-notifications.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import { knownAfter } from '../model/dry-run-placeholder.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import type { Quota } from '../model/run-schemas.ts';
import type { Problem } from '../step/problem-list.ts';
import type { CrawlerKind } from './crawler-stack.ts';
import { inspectCrawlerTemplate, type Inspection, isRetiredRuntime } from './crawler-template.ts';
import { nativeCrawlerTemplate } from './own-crawler-template.ts';
import { crawlerDatabase, dataPath, type ReportPlace } from './report-location.ts';

type Place = ReportPlace & { region: string };

/** What decides whether AWS's template can be deployed in this account. */
export interface TemplateConditions {
  /** Undefined if AWS's template is not needed or not there. */
  template?: { body: string; inspection: Inspection } | undefined;
  /** How many more executions could be reserved in this account and region. */
  reservable: number;
  notifications: Notifications;
}

export async function readTemplateConditions(
  payer: TargetAccount,
  report: Place,
  templateKey: string | null,
): Promise<TemplateConditions> {
  const [body, reservable, notifications] = await Promise.all([
    templateKey === null ? undefined : readTemplate(payer, report, templateKey),
    readReservable(payer, report.region),
    readNotifications(payer, report),
  ]);
  const template = body === undefined ? undefined : { body, inspection: inspectCrawlerTemplate(body, report) };
  return { template, reservable, notifications };
}

async function readTemplate(payer: TargetAccount, { bucket, region }: Place, Key: string): Promise<string | undefined> {
  const get = new GetObjectCommand({ Bucket: bucket, ExpectedBucketOwner: payer.accountId, Key });
  const answer = await absentIf(['NoSuchKey', 'NoSuchBucket'], () => payer.client(S3Client, region).send(get));
  return answer?.Body?.transformToString();
}

/** Lambda keeps 100 executions unreserved; 10 were seen in accounts whose whole limit is below 100. */
async function readReservable(payer: TargetAccount, region: string): Promise<number> {
  const { AccountLimit: limit } = await payer.client(LambdaClient, region).send(new GetAccountSettingsCommand({}));
  const floor = (limit?.ConcurrentExecutions ?? 0) < 100 ? 10 : 100;
  return (limit?.UnreservedConcurrentExecutions ?? 0) - floor;
}

/** The stack to create. */
export interface TemplateChoice {
  kind: CrawlerKind;
  body: string;
  athenaDatabase: string;
  /** Why it is not AWS's template. */
  note?: string;
  quotas?: readonly Quota[];
}

interface Wanted {
  mode: OnboardingRequest['crawler'];
  accountId: string;
  report: Place;
  templateKey: string | null;
  kmsKeyArn: string | null;
  /** Why an earlier attempt used our own template instead of AWS's. */
  givenUp: string | undefined;
  /** True in a dry run: the template is assumed to be deployable if AWS has not delivered it yet. */
  isDryRun: boolean;
}

export function chooseTemplate(wanted: Wanted, seen: TemplateConditions): TemplateChoice | Problem {
  const { mode, report, givenUp } = wanted;
  const inspection = seen.template?.inspection;
  if (inspection?.trusted === false)
    return {
      code: 'crawler-template-not-trusted',
      detail: `s3://${report.bucket}/${wanted.templateKey ?? ''}: ${inspection.reason}`,
    };
  const obstacle = mode === 'native' ? 'as requested' : (givenUp ?? obstacleTo(seen, report));
  const isAssumed = wanted.isDryRun && !seen.template && mode !== 'native';
  if (obstacle === undefined || isAssumed)
    return {
      kind: 'template',
      body: seen.template?.body ?? '',
      athenaDatabase: inspection ? inspection.database : knownAfter('crawler-stack'),
      quotas: [reservationQuota(seen.reservable, inspection?.reservedConcurrency)],
    };
  if (mode === 'template') return { code: 'crawler-template-unusable', detail: obstacle };
  return {
    kind: 'native',
    body: nativeCrawlerTemplate({ ...report, accountId: wanted.accountId, kmsKeyArn: wanted.kmsKeyArn }),
    athenaDatabase: crawlerDatabase(report.reportName),
    note: `without Lambda: ${obstacle}`,
  };
}

/** @param adds 2 if unknown: AWS's template reserves one execution for each of its two functions */
function reservationQuota(reservable: number, adds = 2): Quota {
  const quota = 'Lambda executions that the payer account can reserve';
  return { quota, used: 0, adds, limit: Math.max(0, reservable) };
}

/** Why AWS's template cannot be deployed in this account. */
function obstacleTo({ template, reservable, notifications }: TemplateConditions, report: Place): string | undefined {
  if (!template?.inspection.trusted) return 'AWS’s template does not exist in the bucket';
  const { runtimes, reservedConcurrency } = template.inspection;
  const retired = runtimes.find(isRetiredRuntime);
  if (retired) return `Lambda creates no functions on ${retired} any more`;
  if (reservedConcurrency > reservable)
    return `AWS’s template reserves ${reservedConcurrency} Lambda executions, but the account can reserve only ${Math.max(0, reservable)}`;
  const blocked = overlapping(othersAmong(notifications), dataPath(report));
  if (blocked.length === 0) return undefined;
  return `S3 would refuse the bucket’s notification ${blocked.join(', ')} beside the one of AWS’s template`;
}
