import { CloudFormationClient, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { GetCrawlerCommand, GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { AccountBucket } from '../../shared/aws/bucket.ts';
import {
  isEmpty,
  lostAmong,
  type Notifications,
  othersAmong,
  putNotifications,
  readNotifications,
  SavedNotifications,
} from '../../shared/aws/bucket-notifications.ts';
import { crawlerStackName } from '../../shared/aws/names.ts';
import { describeStack, isMoving, rootCause, type Stack, stackResources } from '../../shared/aws/stack.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import { crawlerDatabase, crawlerName } from '../../shared/billing/report-location.ts';
import { foreignTables, tablesOfReport } from '../../shared/billing/report-table.ts';
import { absentIf, isAwsError, UserError } from '../../shared/errors/errors.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import {
  type Leaving,
  leavingOf,
  type PayerUsers,
  readPayerUsers,
  reasonsToStay,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import {
  defineStep,
  type Plan,
  type Situation,
  type StepChange,
  type StepContext,
} from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['remove-crawler-stack'];

interface Input {
  leaving: Leaving;
  /** Null if no run ever chose a report: then there is no stack. */
  report: Outputs['inventory']['report'];
  stackName: string;
  purge: boolean;
}

interface Observation {
  users: PayerUsers;
  stack?: { found: Stack; failure: string | undefined };
  /** Its crawler is at work: Glue deletes none that is. */
  isCrawling: boolean;
  /** In the stack's database, and not the report's. */
  foreignTables: string[];
  /** Tables that hold the report and that no stack of ours made. */
  adoptedTables: string[];
  notifications: Notifications;
}

type Change = StepChange &
  (
    | { action: 'delete-crawler-stack' }
    | { action: 'restore-notifications'; present: Notifications; lost: Notifications }
  );

const Notes = z.object({
  /** The attempt that asked CloudFormation to delete the stack; an earlier failure belongs to an earlier attempt. */
  deletingIn: z.number().optional(),
  /** The bucket's other notifications, which the deletion of the stack erases. */
  saved: SavedNotifications.optional(),
});
type Notes = z.infer<typeof Notes>;

const nothing = { isCrawling: false, foreignTables: [], adoptedTables: [], notifications: {} };

export const removeCrawlerStack = defineStep<'remove-crawler-stack', Input, Observation, Change, Notes>({
  name: 'remove-crawler-stack',
  summary:
    'Deletes the crawler’s stack with the payer’s last target, and puts back the notifications that its end erases',
  permissions: {
    table: ['Query'],
    payer: [
      ...crawlerStackPermissions.payer,
      { actions: ['s3:GetBucketLocation'], resources: ['arn:${AWS::Partition}:s3:::${CurBucket}'] },
      { actions: ['iam:GetRole'], resources: ['arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}'] },
    ],
  },
  lease: 'payer',
  notes: Notes,
  keeps: ['saved'],

  input({ run }) {
    const { report } = outputOf(run, 'inventory');
    return {
      leaving: leavingOf(run),
      report,
      stackName: crawlerStackName(report?.reportName ?? ''),
      purge: run.request.purge.includes('crawler-stack'),
    };
  },

  async observe(cx, { report, stackName }) {
    const users = await readPayerUsers(cx);
    if (!report) return { users, ...nothing };
    const client = cx.payer.client(CloudFormationClient, report.region);
    const glue = cx.payer.client(GlueClient, report.region);
    const found = await describeStack(client, stackName);
    const notifications = found || cx.notes.saved ? await notificationsOf(cx, report) : {};
    if (!found) {
      const tables = await tablesOfReport(glue, crawlerDatabase(report.reportName), report);
      return {
        users,
        ...nothing,
        notifications,
        adoptedTables: tables.map(({ database, name }) => `${database}.${name}`),
      };
    }
    if (isMoving(found)) return { users, ...nothing, stack: { found, failure: undefined } };
    const resources = await stackResources(client, stackName);
    const database = resources.AWSCURDatabase ?? crawlerDatabase(report.reportName);
    const [foreign, isCrawling, failure] = await Promise.all([
      foreignTables(glue, database, report),
      isAtWork(glue, resources.AWSCURCrawler ?? crawlerName(report.reportName)),
      found.status === 'DELETE_FAILED' ? rootCause(client, found) : undefined,
    ]);
    return { users, ...nothing, notifications, isCrawling, foreignTables: foreign, stack: { found, failure } };
  },

  plan(input, seen, situation): Plan<Change, Output, Notes> {
    const { report, stackName } = input;
    if (!report) return { kind: 'ready', output: removalOf(situation.changes, []) };
    const { saved, deletingIn } = situation.notes;
    if (!seen.stack) {
      const lost = saved ? lostAmong(saved, seen.notifications) : {};
      const kept = seen.adoptedTables.map((resource) => ({ resource, why: 'adopted: a stack we cannot name made it' }));
      const output = removalOf(situation.changes, kept);
      if (isEmpty(lost)) return { kind: 'ready', output };
      const restore: Change = {
        action: 'restore-notifications',
        resource: `arn:aws:s3:::${report.bucket}`,
        present: seen.notifications,
        lost,
      };
      return { kind: 'change', changes: [restore], expected: output };
    }

    const { found, failure } = seen.stack;
    const resource = found.id;
    const why = found.status === 'DELETE_IN_PROGRESS' ? [] : whyKept(input, seen, found, situation);
    if (why.length > 0) return { kind: 'ready', output: removalOf(situation.changes, why.map(of(resource))) };
    const remove: Change = { action: 'delete-crawler-stack', resource };
    const expected = removalOf(situation.changes, [], [remove]);
    if (isMoving(found))
      return waitFor(
        {
          reason: `CloudFormation to delete stack ${stackName}`,
          seconds: 15,
          deadlineSeconds: 3600,
          expectedSeconds: 60,
          overdue: 'crawler-stack-not-removed',
        },
        expected,
      );
    if (seen.isCrawling)
      return waitFor(
        {
          reason: 'the crawler to finish its crawl',
          seconds: 30,
          deadlineSeconds: 4 * 3600,
          expectedSeconds: 300,
          overdue: 'crawler-stack-not-removed',
        },
        expected,
      );
    const isFinal = failure !== undefined && !failure.includes('CrawlerRunningException');
    if (isFinal && deletingIn === situation.run.attempt)
      return { kind: 'refuse', code: 'crawler-stack-not-removed', detail: `stack ${stackName}: ${failure}` };
    const others = othersAmong(seen.notifications);
    const saves = !saved && !isEmpty(others) && found.tags.crawler !== 'native';
    const notes = { deletingIn: situation.run.attempt, ...(saves && { saved: others }) };
    return { kind: 'change', changes: [remove], expected, notes };
  },

  async apply(cx, change, { input: { report, stackName } }) {
    if (!report) return 'not-changed';
    switch (change.action) {
      case 'restore-notifications':
        await putNotifications(cx.payer, report, change.present, change.lost);
        break;
      case 'delete-crawler-stack':
        await deleteStack(cx.payer.client(CloudFormationClient, report.region), stackName);
    }
    return 'changed';
  },
});

/** Why the stack has to stay, or may not go; whoever names it in `purge` also answers for what else its database holds. */
function whyKept(
  { leaving, purge }: Input,
  { users, foreignTables: tables }: Observation,
  found: Stack,
  { owner }: Situation<'offboarding', Notes>,
): string[] {
  const owned = ownership(found.tags, owner);
  if (owned === 'other-deployment') return ['it belongs to another deployment'];
  const reasons = reasonsToStay(leaving, users);
  if (reasons.length > 0) return reasons;
  if (purge) return [];
  if (owned === 'foreign') return ['adopted: kept unless purge names crawler-stack'];
  return tables.map((name) => `its database holds ${name}, which is not the report’s`);
}

const of =
  (resource: string) =>
  (why: string): Removal['kept'][number] => ({ resource, why });

/** A bucket that is gone has no notifications to put back. */
async function notificationsOf(
  cx: StepContext<'offboarding', Notes>,
  { bucket, region }: { bucket: string; region: string },
) {
  const location = await new AccountBucket(cx.payer, bucket).locate();
  if (location === undefined || location === 'taken') return cx.notes.saved ?? {};
  return readNotifications(cx.payer, { bucket, region });
}

async function deleteStack(client: CloudFormationClient, StackName: string): Promise<void> {
  try {
    await client.send(new DeleteStackCommand({ StackName }));
  } catch (error) {
    if (!isAwsError(error, 'ValidationError') || !error.message.includes('TerminationProtection')) throw error;
    throw new UserError('crawler-stack-not-removed', error.message, { cause: error });
  }
}

async function isAtWork(glue: GlueClient, Name: string): Promise<boolean> {
  const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name })));
  return answer?.Crawler !== undefined && answer.Crawler.State !== 'READY';
}

export const handler = stepHandler(removeCrawlerStack);
