import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { AccountBucket } from '../../shared/aws/bucket.ts';
import { type Notifications, readNotifications, SavedNotifications } from '../../shared/aws/bucket-notifications.ts';
import { isInProgress } from '../../shared/aws/stack.ts';
import { findCrawler } from '../../shared/billing/crawler.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import {
  type CrawlerStack,
  type CrawlerStackPlace,
  crawlerStackPlace,
  deleteCrawlerStack,
  deletionProblem,
  deletionWait,
  findCrawlerStack,
  kindOf,
  reasonsToKeepStack,
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
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import {
  decideToKeep,
  type PayerDeparture,
  payerDepartureOf,
  type PayerUsers,
  payerUsersPermission,
  readPayerUsers,
} from '../../shared/offboarding/payer-usage.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import {
  defineStep,
  type Plan,
  type Situation,
  type StepChange,
  type StepContext,
} from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['remove-crawler-stack'];

interface Input {
  departure: PayerDeparture;
  /** Null if no run has chosen a report, so that there is no stack. */
  report: Outputs['inventory']['report'];
  place: CrawlerStackPlace;
  purge: boolean;
}

interface Observation {
  users: PayerUsers;
  found?: CrawlerStack;
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
    'Deletes the crawler’s stack with the payer’s last target, and restores the notifications that its deletion erases',
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
      departure: payerDepartureOf(run),
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
    const reasons = reasonsToKeepStack(stack, {
      owner: situation.owner,
      purge: input.purge,
      shared: decideToKeep(input.departure, seen.users),
      foreignTables: seen.foreignTables,
    });
    if (reasons.length === 0 || stack.status === 'DELETE_IN_PROGRESS')
      return planDeletion(input, seen, seen.found, situation);
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
  const why = 'adopted: it is in no stack that runs created';
  const output = removalOf(
    changes,
    adoptedTables.map((resource) => ({ resource, why })),
  );
  const restore = restoration(bucket, notifications, notes.saved);
  return restore ? { kind: 'change', changes: [restore], expected: output } : { kind: 'ready', output };
}

function planDeletion(
  { place }: Input,
  { isCrawling, notifications }: Observation,
  found: CrawlerStack,
  { notes, run, changes }: RemovalSituation,
): RemovalPlan {
  const { stack } = found;
  const remove: Change = { action: 'delete-crawler-stack', resource: stack.id };
  const expected = removalOf(changes, [], [remove]);
  const wait = deletionWait(place, stack, isCrawling);
  if (wait) return waitFor(wait, expected);
  const problem = notes.deletingIn === run.attempt ? deletionProblem(place, found) : undefined;
  if (problem) return { kind: 'refuse', ...problem };
  const saved = kindOf(stack) === 'native' ? {} : snapshot(notifications, notes.saved);
  return { kind: 'change', changes: [remove], expected, notes: { deletingIn: run.attempt, ...saved } };
}

/** A bucket that does not exist any more cannot get its notifications back. */
async function notificationsOf(
  cx: StepContext<'offboarding', Notes>,
  place: { bucket: string; region: string },
): Promise<Notifications> {
  const location = await new AccountBucket(cx.payer, place.bucket).locate();
  return typeof location === 'object' ? readNotifications(cx.payer, place) : (cx.notes.saved ?? {});
}

export const handler = stepHandler(removeCrawlerStack);
