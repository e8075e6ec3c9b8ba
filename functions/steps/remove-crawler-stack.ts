import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { type Notifications, SavedNotifications } from '../../shared/aws/bucket-notifications.ts';
import { isInProgress } from '../../shared/aws/stack.ts';
import { findCrawler } from '../../shared/billing/crawler.ts';
import { readStackPermissions, removeStackPermissions } from '../../shared/billing/crawler-permissions.ts';
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
  readPresentNotifications,
  restoration,
  type RestoreNotifications,
  restoreNotifications,
  snapshot,
} from '../../shared/billing/notification-snapshot.ts';
import {
  decideTableRemoval,
  type OwnTableRemoval,
  readRemovableTable,
  type RemovableTable,
  removeOwnTable,
} from '../../shared/billing/own-table-removal.ts';
import { ownTablePermissions } from '../../shared/billing/own-table-store.ts';
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
import { removalOf, removalPlan } from '../../shared/offboarding/removal-output.ts';
import { defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
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
  /** The table that runs made without a crawler. */
  own: RemovableTable;
}

type Change = (StepChange & { action: 'delete-crawler-stack' }) | RestoreNotifications | OwnTableRemoval;

const Notes = z.object({
  /** The attempt that asked CloudFormation to delete the stack; an earlier failure belongs to an earlier attempt. */
  deletingIn: z.number().optional(),
  saved: SavedNotifications.optional(),
});
type Notes = z.infer<typeof Notes>;

type RemovalPlan = Plan<Change, Output, Notes>;
type RemovalSituation = Situation<'offboarding', Notes>;

const noTable: RemovableTable = { database: undefined, table: undefined, others: [] };
const nothing = { isCrawling: false, foreignTables: [], adoptedTables: [], notifications: {}, own: noTable };

export const removeCrawlerStack = defineStep<'remove-crawler-stack', Input, Observation, Change, Notes>({
  name: 'remove-crawler-stack',
  summary:
    'Deletes the crawler’s stack or our own table with the payer’s last target, and restores the notifications that the deletion erases',
  permissions: {
    table: ['Query'],
    payer: [
      ...readStackPermissions,
      ...removeStackPermissions,
      ownTablePermissions.remove,
      ownTablePermissions.tags,
      curBucketPermissions.locate,
      payerUsersPermission,
    ],
  },
  lease: 'payer',
  notes: Notes,
  keeps: ['saved'],
  waits: { 'crawler-stack-not-removed': { seconds: 15, longestSeconds: 8 * 3600, closeLooks: 8 } },

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
    const [found, own] = await Promise.all([
      findCrawlerStack(cx.payer, place),
      readRemovableTable(glue, { ...report, accountId: cx.payer.accountId }, cx.owner),
    ]);
    const { saved } = cx.notes;
    const notifications = found || saved ? await readPresentNotifications(cx.payer, report, saved) : {};
    const seen = { users, ...nothing, notifications, own };
    if (!found) {
      const tables = await tablesOfReport(glue, usualNames(report.reportName).athenaDatabase, report);
      return { ...seen, adoptedTables: tables.map(({ database, name }) => `${database}.${name}`) };
    }
    if (isInProgress(found.stack)) return { ...seen, notifications: {}, found };
    const [foreign, crawler] = await Promise.all([
      foreignTables(glue, found.names.athenaDatabase, report),
      findCrawler(glue, found.names.crawlerName),
    ]);
    return { ...seen, isCrawling: crawler?.isReady === false, foreignTables: foreign, found };
  },

  plan(input, seen, situation): RemovalPlan {
    const { report, departure } = input;
    const { notes, changes, owner } = situation;
    if (!report) return { kind: 'ready', output: removalOf(changes, []) };
    const shared = decideToKeep(departure, seen.users);
    const ownTable = decideTableRemoval(seen.own, { ...report, accountId: departure.payerAccountId }, shared);
    const why = 'adopted: it is in no stack that runs created';
    const adopted = seen.adoptedTables.map((resource) => ({ resource, why }));
    if (!seen.found) {
      const restore = restoration(report.bucket, seen.notifications, notes.saved);
      if (restore) return { kind: 'change', changes: [restore], expected: removalOf(changes, adopted) };
      return removalPlan(changes, [{ changes: [], kept: adopted }, ownTable]);
    }
    const { stack } = seen.found;
    const { purge } = input;
    const reasons = reasonsToKeepStack(stack, { owner, purge, shared, foreignTables: seen.foreignTables });
    if (reasons.length === 0 || stack.status === 'DELETE_IN_PROGRESS')
      return planDeletion(input, seen, seen.found, situation);
    return removalPlan(changes, [{ changes: [], kept: reasons.map((why) => ({ resource: stack.id, why })) }, ownTable]);
  },

  async apply(cx, change, { input: { report, place } }) {
    if (!report) return 'not-changed';
    if (change.action === 'restore-notifications') await restoreNotifications(cx.payer, report, change);
    else if (change.action === 'delete-crawler-stack') await deleteCrawlerStack(cx.payer, place);
    else {
      const glue = cx.payer.client(GlueClient, report.region);
      await removeOwnTable(glue, { ...report, accountId: cx.payer.accountId }, change);
    }
    return 'changed';
  },
});

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

export const handler = stepHandler(removeCrawlerStack);
