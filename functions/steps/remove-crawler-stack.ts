import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { AccountBucket } from '../../shared/aws/bucket.ts';
import { type Notifications, readNotifications, SavedNotifications } from '../../shared/aws/bucket-notifications.ts';
import { isInProgress } from '../../shared/aws/stack.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { findCrawler } from '../../shared/billing/crawler.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import {
  type CrawlerStack,
  type CrawlerStackPlace,
  crawlerStackPlace,
  deleteCrawlerStack,
  findCrawlerStack,
  kindOf,
  usualNames,
} from '../../shared/billing/crawler-stack.ts';
import { curBucketPermissions } from '../../shared/billing/cur-bucket.ts';
import {
  restoration,
  type RestoreNotifications,
  restoreNotifications,
  snapshot,
} from '../../shared/billing/notification-snapshot.ts';
import { foreignTables, tablesOfReport } from '../../shared/billing/report-table.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import {
  type Leaving,
  leavingOf,
  type PayerUsers,
  payerUsersPermission,
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
  place: CrawlerStackPlace;
  purge: boolean;
}

interface Observation {
  users: PayerUsers;
  found?: CrawlerStack;
  /** True during a crawl: Glue does not delete a crawler then. */
  isCrawling: boolean;
  /** Tables in the stack's database that do not belong to the report. */
  foreignTables: string[];
  /** Tables that hold the report although there is no stack. */
  adoptedTables: string[];
  notifications: Notifications;
}

type Change = (StepChange & { action: 'delete-crawler-stack' }) | RestoreNotifications;

const Notes = z.object({
  /** The attempt that asked CloudFormation to delete the stack; an earlier failure belongs to an earlier attempt. */
  deletingIn: z.number().optional(),
  saved: SavedNotifications.optional(),
});
type Notes = z.infer<typeof Notes>;

type RemovalPlan = Plan<Change, Output, Notes>;
type RemovalSituation = Situation<'offboarding', Notes>;

const nothing = { isCrawling: false, foreignTables: [], adoptedTables: [], notifications: {} };

export const removeCrawlerStack = defineStep<'remove-crawler-stack', Input, Observation, Change, Notes>({
  name: 'remove-crawler-stack',
  summary:
    'Deletes the crawler’s stack with the payer’s last target, and puts back the notifications that its end erases',
  permissions: {
    table: ['Query'],
    payer: [...crawlerStackPermissions, curBucketPermissions.locate, payerUsersPermission],
  },
  lease: 'payer',
  notes: Notes,
  keeps: ['saved'],

  input({ run }) {
    const { report } = outputOf(run, 'inventory');
    return {
      leaving: leavingOf(run),
      report,
      place: crawlerStackPlace(report ?? { reportName: '', region: '' }),
      purge: run.request.purge.includes('crawler-stack'),
    };
  },

  async observe(cx, { report, place }) {
    const users = await readPayerUsers(cx);
    if (!report) return { users, ...nothing };
    const glue = cx.payer.client(GlueClient, report.region);
    const found = await findCrawlerStack(cx.payer, place);
    const notifications = found || cx.notes.saved ? await notificationsOf(cx, report) : {};
    if (!found) {
      const tables = await tablesOfReport(glue, usualNames(report.reportName).athenaDatabase, report);
      const adoptedTables = tables.map(({ database, name }) => `${database}.${name}`);
      return { users, ...nothing, notifications, adoptedTables };
    }
    if (isInProgress(found.stack)) return { users, ...nothing, found };
    const [foreign, crawler] = await Promise.all([
      foreignTables(glue, found.names.athenaDatabase, report),
      findCrawler(glue, found.names.crawlerName),
    ]);
    const isCrawling = crawler?.isReady === false;
    return { users, ...nothing, notifications, isCrawling, foreignTables: foreign, found };
  },

  plan(input, seen, situation): RemovalPlan {
    const { report } = input;
    if (!report) return { kind: 'ready', output: removalOf(situation.changes, []) };
    if (!seen.found) return planWithoutStack(report, seen, situation);
    const { stack } = seen.found;
    const reasons = stack.status === 'DELETE_IN_PROGRESS' ? [] : reasonsToKeep(input, seen, seen.found, situation);
    if (reasons.length === 0) return planDeletion(input, seen, seen.found, situation);
    const kept = reasons.map((why) => ({ resource: stack.id, why }));
    return { kind: 'ready', output: removalOf(situation.changes, kept) };
  },

  async apply(cx, change, { input: { report, place } }) {
    if (!report) return 'not-changed';
    if (change.action === 'restore-notifications') await restoreNotifications(cx.payer, report, change);
    else await deleteCrawlerStack(cx.payer, place);
    return 'changed';
  },
});

function planWithoutStack(
  { bucket }: NonNullable<Input['report']>,
  { adoptedTables, notifications }: Observation,
  { notes, changes }: RemovalSituation,
): RemovalPlan {
  const why = 'adopted: no stack that runs made contains it';
  const output = removalOf(
    changes,
    adoptedTables.map((resource) => ({ resource, why })),
  );
  const restore = restoration(bucket, notifications, notes.saved);
  return restore ? { kind: 'change', changes: [restore], expected: output } : { kind: 'ready', output };
}

/** By naming the stack in `purge`, the user also agrees to the loss of foreign tables in its database. */
function reasonsToKeep(
  { leaving, purge }: Input,
  { users, foreignTables: tables }: Observation,
  { stack }: CrawlerStack,
  { owner }: RemovalSituation,
): string[] {
  const owned = ownership(stack.tags, owner);
  if (owned === 'other-deployment') return ['it belongs to another deployment'];
  const reasons = reasonsToStay(leaving, users);
  if (reasons.length > 0) return reasons;
  if (purge) return [];
  if (owned === 'foreign') return ['adopted: kept unless purge names crawler-stack'];
  return tables.map((name) => `its database holds ${name}, which does not belong to the report`);
}

function planDeletion(
  { place: { stackName } }: Input,
  { isCrawling, notifications }: Observation,
  { stack, failure = '' }: CrawlerStack,
  { notes, run, changes }: RemovalSituation,
): RemovalPlan {
  const remove: Change = { action: 'delete-crawler-stack', resource: stack.id };
  const expected = removalOf(changes, [], [remove]);
  const overdue = 'crawler-stack-not-removed';
  if (isInProgress(stack)) {
    const reason = `CloudFormation to delete stack ${stackName}`;
    return waitFor({ reason, seconds: 15, deadlineSeconds: 3600, expectedSeconds: 60, overdue }, expected);
  }
  if (isCrawling) {
    const reason = 'the crawler to finish its crawl';
    return waitFor({ reason, seconds: 30, deadlineSeconds: 4 * 3600, expectedSeconds: 300, overdue }, expected);
  }
  const isFinal = stack.status === 'DELETE_FAILED' && !failure.includes('CrawlerRunningException');
  if (isFinal && notes.deletingIn === run.attempt)
    return { kind: 'refuse', code: overdue, detail: `stack ${stackName}: ${failure}` };
  const saved = kindOf(stack) === 'native' ? {} : snapshot(notifications, notes.saved);
  return { kind: 'change', changes: [remove], expected, notes: { deletingIn: run.attempt, ...saved } };
}

/** A bucket that does not exist any more cannot get its notifications back. */
async function notificationsOf(
  cx: StepContext<'offboarding', Notes>,
  place: { bucket: string; region: string },
): Promise<Notifications> {
  const location = await new AccountBucket(cx.payer, place.bucket).locate();
  return location === undefined || location === 'taken' ? (cx.notes.saved ?? {}) : readNotifications(cx.payer, place);
}

export const handler = stepHandler(removeCrawlerStack);
