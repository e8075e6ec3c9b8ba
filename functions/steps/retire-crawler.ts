import { GlueClient } from '@aws-sdk/client-glue';
import * as z from 'zod';
import { crawlerGrant } from '../../shared/access/access-template.ts';
import { type DatabaseUsers, readDatabaseUsers, readersOf } from '../../shared/access/database-readers.ts';
import { payerRolePermissions } from '../../shared/access/payer-role.ts';
import { isInProgress } from '../../shared/aws/stack.ts';
import { ownership } from '../../shared/aws/tags.ts';
import { findCrawler } from '../../shared/billing/crawler.ts';
import { readStackPermissions, removeStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import {
  type CrawlerStack,
  type CrawlerStackPlace,
  crawlerStackPlace,
  deleteCrawlerStack,
  deletionWait,
  findCrawlerStack,
  kindOf,
  refusalOfStack,
} from '../../shared/billing/crawler-stack.ts';
import { requestedWay } from '../../shared/billing/crawler-way.ts';
import { foreignTables } from '../../shared/billing/report-table.ts';
import { outputOf, podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import { type Outputs, parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { removalOf } from '../../shared/offboarding/removal-output.ts';
import { type Applied, defineStep, type Plan, type Situation, type StepChange } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['retire-crawler'];

interface Input {
  /** False if the run does not ask for a table without a crawler. */
  isAsked: boolean;
  target: Target;
  report: Outputs['cur-report'];
  place: CrawlerStackPlace;
  podRoles: string[];
  /** Why this run has not shown that nothing reads the stack's table any more. */
  unproven: string[];
}

interface Observation {
  /** The native stack of this deployment. */
  found?: CrawlerStack;
  users: DatabaseUsers;
  foreignTables: string[];
  isCrawling: boolean;
}

type Change = StepChange & { action: 'delete-crawler-stack' };

const Notes = z.object({
  /** True if this attempt has asked CloudFormation to delete the stack. */
  deleting: z.boolean().optional(),
  /** AWS's message if it refuses to delete the stack. */
  notDeleted: z.string().optional(),
});
type Notes = z.infer<typeof Notes>;

const nothing: Observation = { users: { targets: [], role: undefined }, foreignTables: [], isCrawling: false };
/** The entry is published already, so the run does not wait for long. */
const patienceMs = 20 * 60_000;

export const retireCrawler = defineStep<'retire-crawler', Input, Observation, Change, Notes>({
  name: 'retire-crawler',
  summary:
    'Deletes the native crawler stack of an earlier release once our own table has replaced its table everywhere',
  permissions: {
    table: ['GetItem', 'Query'],
    payer: [...readStackPermissions, ...removeStackPermissions, payerRolePermissions.find],
  },
  lease: 'payer',
  notes: Notes,
  waits: { 'crawler-stack-not-removed': { seconds: 15, longestSeconds: 4 * 3600 } },

  input({ run }) {
    const report = outputOf(run, 'cur-report');
    return {
      isAsked: requestedWay(run.request.crawler).mode === 'none',
      target: targetOf(run.request),
      report,
      place: crawlerStackPlace(report),
      podRoles: [podRoleOf(run).podRoleArn],
      unproven: whatIsUnproven(run),
    };
  },

  async observe(cx, { isAsked, target, report, place }) {
    const stack = isAsked ? await findCrawlerStack(cx.payer, place) : undefined;
    if (!stack || kindOf(stack.stack) !== 'native' || ownership(stack.stack.tags, cx.owner) !== 'ours') return nothing;
    const glue = cx.payer.client(GlueClient, report.region);
    const [users, foreign, crawler] = await Promise.all([
      readDatabaseUsers(cx, target),
      foreignTables(glue, stack.names.athenaDatabase, report),
      findCrawler(glue, stack.names.crawlerName),
    ]);
    return { found: stack, users, foreignTables: foreign, isCrawling: crawler?.isReady === false };
  },

  plan(input, seen, situation): Plan<Change, Output, Notes> {
    const { found } = seen;
    const { changes, notes, now, since } = situation;
    if (!found) return { kind: 'ready', output: removalOf(changes, []) };
    const { stack } = found;
    const remove: Change = { action: 'delete-crawler-stack', resource: stack.id };
    const reasons = reasonsToKeep(input, seen, found, situation);
    const wait = deletionWait(input.place, stack, seen.isCrawling);
    const isOver = now - since > patienceMs;
    if (wait && !isOver && (reasons.length === 0 || isInProgress(stack)))
      return waitFor(wait, removalOf(changes, [], [remove]));
    if (wait && reasons.length === 0) reasons.push(`the run does not wait longer for ${wait.reason}`);
    if (reasons.length === 0)
      return {
        kind: 'change',
        changes: [remove],
        expected: removalOf(changes, [], [remove]),
        notes: { ...notes, deleting: true },
      };
    const kept = reasons.map((why) => ({ resource: stack.id, why }));
    const warning = `stack ${input.place.stackName} of an earlier release stays: ${reasons.join('; ')}`;
    return { kind: 'ready', output: removalOf([], kept), warnings: [warning] };
  },

  async apply(cx, _, { input: { place } }): Promise<Applied<Notes>> {
    try {
      await deleteCrawlerStack(cx.payer, place);
      return 'changed';
    } catch (error) {
      const notDeleted = refusalOfStack(error);
      if (notDeleted === undefined) throw error;
      return { outcome: 'not-changed', notes: { notDeleted } };
    }
  },
});

function reasonsToKeep(
  { podRoles, unproven }: Input,
  { users, foreignTables: foreign }: Observation,
  { stack, names, failure = '' }: CrawlerStack,
  { notes, run }: Situation<'onboarding', Notes>,
): string[] {
  const access = parseOutput('preflight', run.steps.preflight?.output)?.access ?? null;
  const isFailed = notes.deleting === true && stack.status === 'DELETE_FAILED';
  return [
    ...unproven,
    ...readersOf(names.athenaDatabase, users, podRoles),
    ...foreign.map((name) => `its database holds ${name}, which does not belong to the report`),
    ...(crawlerGrant(access) === 'none' ? ['set parameter Crawler of the access template to remove'] : []),
    ...(notes.notDeleted === undefined ? [] : [notes.notDeleted]),
    ...(isFailed ? [`CloudFormation cannot delete it: ${failure}`] : []),
  ];
}

/** A dry run takes its proofs for granted. */
function whatIsUnproven(run: RunRecord): string[] {
  const { dryRun, kubecost } = run.request;
  const loaded = parseOutput('load-proof', run.steps['load-proof']?.output);
  const isPending = !dryRun && loaded?.verdict !== 'proven' && loaded?.verdict !== 'not-installed';
  return [
    ...(dryRun || run.steps['smoke-query']?.status === 'succeeded'
      ? []
      : ['our own table has not answered the smoke query']),
    ...(kubecost.publish === 'artifacts'
      ? ['the owner of the secret publishes the entry, so the old one may still be there']
      : []),
    ...(isPending ? ['the consumer has not loaded the new entry yet'] : []),
  ];
}

export const handler = stepHandler(retireCrawler);
