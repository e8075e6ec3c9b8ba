import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { readNotifications, SavedNotifications } from '../../shared/aws/bucket-notifications.ts';
import { isComplete, isInProgress } from '../../shared/aws/stack.ts';
import { findCrawler } from '../../shared/billing/crawler.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import {
  type CrawlerKind,
  type CrawlerStack,
  type CrawlerStackPlace,
  crawlerStackPlace,
  createCrawlerStack,
  deleteCrawlerStack,
  findCrawlerStack,
  isTemplateFailure,
  kindOf,
  stackFailure,
  stackOwnerProblem,
  stackWait,
  usualNames,
} from '../../shared/billing/crawler-stack.ts';
import {
  chooseTemplate,
  readTemplateConditions,
  type TemplateConditions,
} from '../../shared/billing/crawler-template-choice.ts';
import {
  restoration,
  type RestoreNotifications,
  restoreNotifications,
  snapshot,
} from '../../shared/billing/notification-snapshot.ts';
import { findReportTables, type ReportTable } from '../../shared/billing/report-table.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import {
  defineStep,
  type Plan,
  type Situation,
  type StepChange,
  type StepContext,
} from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['crawler-stack'];

interface Input {
  accountId: string;
  report: Outputs['cur-report'];
  place: CrawlerStackPlace;
  templateKey: string | null;
  mode: OnboardingRequest['crawler'];
  kmsKeyArn: string | null;
}

interface Observation extends TemplateConditions {
  found?: CrawlerStack;
  /** Tables on the report's data, also those that no run made; read only if there is no stack. */
  tables: ReportTable[];
  /** Name of their crawler, if it has the usual name. */
  crawler: string | null;
}

type Change =
  | (StepChange & { action: 'create-stack'; kind: CrawlerKind; body: string })
  | (StepChange & { action: 'delete-stack-remnant' })
  | RestoreNotifications;

const Notes = z.object({
  /** True if this attempt has created the stack. A failure of the stack then belongs to this attempt. */
  creating: z.boolean().optional(),
  deleting: z.boolean().optional(),
  /** Why the run uses our own template instead of AWS's. */
  native: z.string().optional(),
  saved: SavedNotifications.optional(),
});
type Notes = z.infer<typeof Notes>;

type StackPlan = Plan<Change, Output, Notes>;
type StackSituation = Situation<'onboarding', Notes>;

const nothing = { tables: [], crawler: null, reservable: 0, notifications: {} };

export const crawlerStack = defineStep<'crawler-stack', Input, Observation, Change, Notes>({
  name: 'crawler-stack',
  summary: 'Deploys the crawler that makes a table of the report, from AWS’s inspected template or from our own',
  permissions: { payer: crawlerStackPermissions },
  lease: 'payer',
  notes: Notes,
  keeps: ['native', 'saved'],
  waits: { 'crawler-stack-failed': { seconds: 15, longestSeconds: 2 * 3600, closeLooks: 8 } },

  input({ run }) {
    const report = outputOf(run, 'cur-report');
    return {
      accountId: run.request.payerAccountId,
      report,
      place: crawlerStackPlace(report),
      templateKey: outputOf(run, 'first-delivery').templateKey,
      mode: run.request.crawler,
      kmsKeyArn: outputOf(run, 'cur-bucket').kmsKeyArn,
    };
  },

  async observe(cx, input) {
    const found = await findCrawlerStack(cx.payer, input.place);
    if (!found) return { ...nothing, ...(await observeWithoutStack(cx, input)) };
    const { stack } = found;
    if (isInProgress(stack) || (isComplete(stack) && !cx.notes.saved)) return { ...nothing, found };
    return { ...nothing, found, notifications: await readNotifications(cx.payer, input.report) };
  },

  plan(input, seen, situation): StackPlan {
    if (seen.found) return planWithStack(input, seen, seen.found, situation);
    if (seen.tables.length > 0) return planWithTable(seen);
    return planCreation(input, seen, situation);
  },

  async apply(cx, change, { input: { report, place } }) {
    switch (change.action) {
      case 'restore-notifications':
        await restoreNotifications(cx.payer, report, change);
        break;
      case 'delete-stack-remnant':
        await deleteCrawlerStack(cx.payer, place);
        break;
      case 'create-stack': {
        const token = `${cx.run.runId}-${cx.run.attempt}-${change.kind}`;
        await createCrawlerStack(cx.payer, place, { ...change, token }, cx.owner);
      }
    }
    return 'changed';
  },
});

async function observeWithoutStack(
  cx: StepContext<'onboarding', Notes>,
  { report, templateKey, mode }: Input,
): Promise<Partial<Observation>> {
  const glue = cx.payer.client(GlueClient, report.region);
  const { crawlerName } = usualNames(report.reportName);
  const tables = await findReportTables(glue, report);
  if (tables.length > 0) return { tables, crawler: (await findCrawler(glue, crawlerName)) ? crawlerName : null };
  if (mode === 'native' || cx.notes.native) return {};
  return readTemplateConditions(cx.payer, report, templateKey);
}

function planWithStack(
  { report, mode, place }: Input,
  { notifications }: Observation,
  { stack, names, failure = '' }: CrawlerStack,
  { owner, now, notes }: StackSituation,
): StackPlan {
  const problem = stackOwnerProblem(stack, place.stackName, owner);
  if (problem) return { kind: 'refuse', ...problem };
  const output: Output = { kind: kindOf(stack), stackId: stack.id, ...names };
  if (isInProgress(stack)) return waitFor(stackWait(place, stack, now), output);
  const restore = restoration(report.bucket, notifications, notes.saved);
  if (restore) return { kind: 'change', changes: [restore], expected: output };
  if (isComplete(stack)) return { kind: 'ready', output };

  const fallsBack = notes.creating === true && mode === 'auto' && isTemplateFailure(failure);
  if ((notes.creating && !fallsBack) || (notes.deleting && stack.status === 'DELETE_FAILED'))
    return { kind: 'refuse', ...stackFailure(place, failure) };
  const reason = fallsBack ? { native: failure } : {};
  return {
    kind: 'change',
    changes: [{ action: 'delete-stack-remnant', resource: stack.id }],
    expected: output,
    notes: { creating: false, deleting: true, ...reason, ...snapshot(notifications, notes.saved) },
  };
}

/** The report has a table already, so it needs no stack. */
function planWithTable({ tables, crawler }: Observation): StackPlan {
  const [table, ...others] = tables;
  const detail = tables.map(({ database, name }) => `${database}.${name}`).join(', ');
  if (!table || others.length > 0) return { kind: 'refuse', code: 'table-ambiguous', detail };
  const names = { crawlerName: crawler, athenaDatabase: table.database };
  return { kind: 'ready', output: { kind: 'adopted-table', stackId: null, ...names } };
}

function planCreation(input: Input, seen: Observation, { notes, run }: StackSituation): StackPlan {
  const { region, reportName, stackName } = input.place;
  const choice = chooseTemplate({ ...input, givenUp: notes.native, isDryRun: run.request.dryRun }, seen);
  if ('code' in choice) return { kind: 'refuse', ...choice };
  const { kind, body, note, athenaDatabase, quotas } = choice;
  const resource = `arn:aws:cloudformation:${region}:${input.accountId}:stack/${stackName}`;
  return {
    kind: 'change',
    changes: [{ action: 'create-stack', resource, kind, body, ...(note && { note }) }],
    expected: { kind, stackId: knownAfter('crawler-stack'), ...usualNames(reportName), athenaDatabase },
    notes: { creating: true, ...(kind === 'template' && snapshot(seen.notifications, notes.saved)) },
    ...(quotas && { quotas }),
  };
}

export const handler = stepHandler(crawlerStack);
