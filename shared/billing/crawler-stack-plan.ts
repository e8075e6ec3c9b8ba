import * as z from 'zod';
import { SavedNotifications } from '../aws/bucket-notifications.ts';
import { knownAfter } from '../model/dry-run-placeholder.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Plan, Situation, StepChange } from '../step/contract.ts';
import { waitFor } from '../step/plan-builders.ts';
import { splitWarning } from './crawler.ts';
import { chooseCrawler } from './crawler-choice.ts';
import type { CrawlerInput, CrawlerObservation } from './crawler-observation.ts';
import { type CrawlerStack, kindOf, usualNames } from './crawler-stack.ts';
import { decideStack, type StackDecision } from './crawler-stack-decision.ts';
import { restoration, type RestoreNotifications, snapshot } from './notification-snapshot.ts';
import { ownDatabase } from './own-table.ts';

type Output = Outputs['crawler-stack'];

export type CrawlerChange =
  | (StepChange & { action: 'create-stack'; body: string })
  | (StepChange & { action: 'delete-stack-remnant' })
  | RestoreNotifications;

/** The notes of the step crawler-stack, as StackHistory describes them, and the notifications that AWS's template erases. */
export const CrawlerNotes = z.object({
  creating: z.boolean().optional(),
  deleting: z.boolean().optional(),
  deletingSince: z.number().optional(),
  notDeleted: z.string().optional(),
  native: z.string().optional(),
  saved: SavedNotifications.optional(),
});
export type CrawlerNotes = z.infer<typeof CrawlerNotes>;

type StackPlan = Plan<CrawlerChange, Output, CrawlerNotes>;
type StackSituation = Situation<'onboarding', CrawlerNotes>;

export function planCrawler(input: CrawlerInput, seen: CrawlerObservation, situation: StackSituation): StackPlan {
  const { report, place, way } = input;
  const { found, ownTable, crawler } = seen;
  const facts = { mode: way.mode, place, hasCrawler: crawler !== undefined, ownTable };
  const decision = found && decideStack(found, facts, situation.notes, situation);
  if (decision?.is === 'refused') return { kind: 'refuse', ...decision.problem };
  const expected = found ? stackOutput(found) : ownOutput(report);
  if (decision?.is === 'waiting') return waitFor(decision.wait, expected);
  const restore = restoration(report.bucket, seen.notifications, situation.notes.saved);
  if (restore) return { kind: 'change', changes: [restore], expected };
  return found && decision
    ? planWithStack(input, seen, found, decision, situation)
    : planWithoutStack(input, seen, situation);
}

function planWithStack(
  input: CrawlerInput,
  { notifications, crawler }: CrawlerObservation,
  found: CrawlerStack,
  decision: Extract<StackDecision, { is: 'used' | 'remnant' | 'left' }>,
  { notes, now }: StackSituation,
): StackPlan {
  if (decision.is === 'left') return own(input, decision.why, decision.warnings);
  const output = stackOutput(found);
  if (decision.is === 'used') return { kind: 'ready', output, warnings: crawler ? splitWarning(crawler) : [] };
  const { why } = decision;
  return {
    kind: 'change',
    changes: [{ action: 'delete-stack-remnant', resource: found.stack.id, ...(why !== undefined && { note: why }) }],
    expected: why === undefined ? output : ownOutput(input.report),
    notes: {
      creating: false,
      deleting: true,
      deletingSince: now,
      ...(why !== undefined && { native: why }),
      ...snapshot(notifications, notes.saved),
    },
  };
}

const crawlerNotGranted = {
  code: 'access-parameter-differs',
  detail: 'our role may not deploy AWS’s template: set parameter Crawler of its access template to full',
} as const;

function planWithoutStack(input: CrawlerInput, seen: CrawlerObservation, { notes, run }: StackSituation): StackPlan {
  const { accountId, report, place, templateKey, grant, way } = input;
  const notGranted = grant === 'full' ? undefined : crawlerNotGranted;
  const wanted = { ...way, report, templateKey, notGranted, givenUp: notes.native, isDryRun: run.request.dryRun };
  const choice = chooseCrawler(wanted, seen);
  switch (choice.way) {
    case 'refuse':
      return { kind: 'refuse', ...choice.problem };
    case 'own':
      return own(input, choice.why);
    case 'table': {
      const { crawlerName, table } = choice;
      return {
        kind: 'ready',
        output: { kind: 'adopted-table', stackId: null, crawlerName, athenaDatabase: table.database },
      };
    }
    case 'crawler': {
      const { name: crawlerName, database: athenaDatabase } = choice.crawler;
      const output = { kind: 'existing-crawler', stackId: null, crawlerName, athenaDatabase } as const;
      return { kind: 'ready', output, warnings: splitWarning(choice.crawler) };
    }
    case 'template': {
      const { body, database: athenaDatabase, quotas } = choice;
      const resource = `arn:aws:cloudformation:${place.region}:${accountId}:stack/${place.stackName}`;
      const stackId = knownAfter('crawler-stack');
      return {
        kind: 'change',
        changes: [{ action: 'create-stack', resource, body }],
        expected: { kind: 'template', stackId, ...usualNames(report.reportName), athenaDatabase },
        notes: { creating: true, ...snapshot(seen.notifications, notes.saved) },
        quotas,
      };
    }
  }
}

function own({ report, tooOld, way }: CrawlerInput, why?: string, more: string[] = []): StackPlan {
  const reason = why === undefined ? [] : [`the table is ours, without a crawler, because ${why}`];
  if (tooOld) return { kind: 'refuse', code: tooOld.code, detail: [tooOld.detail, ...reason].join('; ') };
  return { kind: 'ready', output: ownOutput(report), warnings: [...way.warnings, ...reason, ...more] };
}

function ownOutput({ reportName }: Pick<CrawlerInput['report'], 'reportName'>): Output {
  return { kind: 'none', stackId: null, crawlerName: null, athenaDatabase: ownDatabase(reportName) };
}

function stackOutput({ stack, names }: CrawlerStack): Output {
  return { kind: kindOf(stack), stackId: stack.id, ...names };
}
