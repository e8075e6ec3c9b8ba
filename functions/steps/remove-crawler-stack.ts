import { CloudFormationClient, DeleteStackCommand, type Stack } from '@aws-sdk/client-cloudformation';
import { GetCrawlerCommand, GlueClient } from '@aws-sdk/client-glue';
import { AccountBucket } from '../../shared/aws/bucket.ts';
import {
  isEmpty,
  lostAmong,
  type Notifications,
  othersAmong,
  putNotifications,
  readNotifications,
} from '../../shared/aws/bucket-notifications.ts';
import { crawlerStackName } from '../../shared/aws/names.ts';
import { describeStack, rootCause, stackResources } from '../../shared/aws/stack.ts';
import { fromTagList, ownership } from '../../shared/aws/tags.ts';
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
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['remove-crawler-stack'];

interface Input {
  leaving: Leaving;
  /** Null if no run ever chose a report: then there is no stack. */
  report: Outputs['inventory']['report'];
  stackName: string;
  purge: boolean;
}

interface Seen {
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
    | { do: 'snapshot-notifications'; saved: Notifications }
    | { do: 'delete-crawler-stack' }
    | { do: 'restore-notifications'; present: Notifications; lost: Notifications }
  );

/** The step's notes. `deletingIn`: the attempt that asked CloudFormation; a failure before it was another one's. */
interface Memo {
  deletingIn?: number;
  saved?: Notifications;
}

const nothing = { isCrawling: false, foreignTables: [], adoptedTables: [], notifications: {} };

export const removeCrawlerStack = defineStep<'remove-crawler-stack', Input, Seen, Change>({
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
    const notifications = found || memoOf(cx).saved ? await notificationsOf(cx, report) : {};
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
      found.StackStatus === 'DELETE_FAILED' ? rootCause(client, found) : undefined,
    ]);
    return { users, ...nothing, notifications, isCrawling, foreignTables: foreign, stack: { found, failure } };
  },

  plan(input, seen, situation): Plan<Change, Output> {
    const { report, stackName } = input;
    if (!report) return { kind: 'ready', output: removalOf(situation.changes, []) };
    const { saved } = memoOf(situation);
    if (!seen.stack) {
      const lost = saved ? lostAmong(saved, seen.notifications) : {};
      const kept = seen.adoptedTables.map((resource) => ({ resource, why: 'adopted: a stack we cannot name made it' }));
      const output = removalOf(situation.changes, kept);
      if (isEmpty(lost)) return { kind: 'ready', output };
      const restore: Change = {
        do: 'restore-notifications',
        resource: `arn:aws:s3:::${report.bucket}`,
        present: seen.notifications,
        lost,
      };
      return { kind: 'change', changes: [restore], expected: output };
    }

    const { found, failure } = seen.stack;
    const resource = found.StackId ?? stackName;
    const why = found.StackStatus === 'DELETE_IN_PROGRESS' ? [] : whyKept(input, seen, found, situation);
    if (why.length > 0) return { kind: 'ready', output: removalOf(situation.changes, why.map(of(resource))) };
    const remove: Change = { do: 'delete-crawler-stack', resource };
    if (isMoving(found))
      return {
        kind: 'wait',
        reason: `stack ${stackName} to be gone`,
        seconds: 15,
        deadlineSeconds: 3600,
        expectedSeconds: 60,
        overdue: 'crawler-stack-not-removed',
        expected: removalOf(situation.changes, [], [remove]),
      };
    if (seen.isCrawling)
      return {
        kind: 'wait',
        reason: 'the crawler to end its crawl',
        seconds: 30,
        deadlineSeconds: 4 * 3600,
        expectedSeconds: 300,
        overdue: 'crawler-stack-not-removed',
        expected: removalOf(situation.changes, [], [remove]),
      };
    const isFinal = failure !== undefined && !failure.includes('CrawlerRunningException');
    if (isFinal && memoOf(situation).deletingIn === situation.run.attempt)
      return { kind: 'refuse', code: 'crawler-stack-not-removed', detail: `stack ${stackName}: ${failure}` };
    const others = othersAmong(seen.notifications);
    const snapshot: Change[] =
      saved || isEmpty(others) || fromTagList(found.Tags).crawler === 'native'
        ? []
        : [{ do: 'snapshot-notifications', resource: `arn:aws:s3:::${report.bucket}`, saved: others }];
    const expected = removalOf(situation.changes, [], [remove]);
    const [first] = snapshot;
    return { kind: 'change', changes: first ? [first, remove] : [remove], expected };
  },

  async apply(cx, change, { report, stackName }) {
    if (!report) return;
    switch (change.do) {
      case 'snapshot-notifications':
        return cx.remember({ saved: change.saved });
      case 'restore-notifications':
        return putNotifications(cx.payer, report, change.present, change.lost);
      case 'delete-crawler-stack':
        await cx.remember({ deletingIn: cx.run.attempt });
        return deleteStack(cx.payer.client(CloudFormationClient, report.region), stackName);
    }
  },
});

/** Why the stack has to stay, or may not go; whoever names it in `purge` also answers for what else its database holds. */
function whyKept(
  { leaving, purge }: Input,
  { users, foreignTables: tables }: Seen,
  found: Stack,
  { owner }: Situation<'offboarding'>,
): string[] {
  const owned = ownership(fromTagList(found.Tags), owner);
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
async function notificationsOf(cx: StepContext<'offboarding'>, { bucket, region }: { bucket: string; region: string }) {
  const location = await new AccountBucket(cx.payer, bucket).locate();
  if (location === undefined || location === 'taken') return memoOf(cx).saved ?? {};
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

function memoOf({ memo }: { memo: Record<string, unknown> }): Memo {
  return memo;
}

function isMoving({ StackStatus: status }: Stack): boolean {
  return status?.endsWith('_IN_PROGRESS') ?? false;
}

export const handler = stepHandler(removeCrawlerStack);
