import { crawlerGrant, tooOldFor } from '../../shared/access/access-template.ts';
import {
  type CrawlerInput,
  type CrawlerObservation,
  readCrawlerFacts,
} from '../../shared/billing/crawler-observation.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import {
  crawlerStackPlace,
  createCrawlerStack,
  deleteCrawlerStack,
  refusalOfStack,
} from '../../shared/billing/crawler-stack.ts';
import { type CrawlerChange, CrawlerNotes, planCrawler } from '../../shared/billing/crawler-stack-plan.ts';
import { requestedWay } from '../../shared/billing/crawler-way.ts';
import { restoreNotifications } from '../../shared/billing/notification-snapshot.ts';
import { outputOf } from '../../shared/model/run.ts';
import { parseOutput } from '../../shared/model/steps-and-outputs.ts';
import { type Applied, defineStep } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

export const crawlerStack = defineStep<'crawler-stack', CrawlerInput, CrawlerObservation, CrawlerChange, CrawlerNotes>({
  name: 'crawler-stack',
  summary:
    'Chooses how the report gets its table, and deploys AWS’s inspected template if it can be trusted and deployed',
  permissions: { payer: crawlerStackPermissions },
  lease: 'payer',
  notes: CrawlerNotes,
  keeps: ['native', 'saved'],
  waits: { 'crawler-stack-failed': { seconds: 15, longestSeconds: 2 * 3600, closeLooks: 8 } },

  input({ run }) {
    const report = outputOf(run, 'cur-report');
    const access = parseOutput('preflight', run.steps.preflight?.output)?.access ?? null;
    return {
      accountId: run.request.payerAccountId,
      report,
      place: crawlerStackPlace(report),
      templateKey: outputOf(run, 'first-delivery').templateKey,
      way: requestedWay(run.request.crawler),
      grant: crawlerGrant(access),
      tooOld: access ? tooOldFor(access, 'a table of our own', 1) : undefined,
    };
  },

  observe: (cx, input) => readCrawlerFacts(cx.payer, input, cx.notes),

  plan: planCrawler,

  async apply(cx, change, { input: { report, place, way } }): Promise<Applied<CrawlerNotes>> {
    if (change.action === 'restore-notifications') {
      await restoreNotifications(cx.payer, report, change);
      return 'changed';
    }
    const token = `${cx.run.runId}-${cx.run.attempt}-template`;
    try {
      if (change.action === 'create-stack') await createCrawlerStack(cx.payer, place, { ...change, token }, cx.owner);
      else await deleteCrawlerStack(cx.payer, place);
      return 'changed';
    } catch (error) {
      const refusal = way.mode === 'auto' ? refusalOfStack(error) : undefined;
      if (refusal === undefined) throw error;
      const why = `CloudFormation refuses stack ${place.stackName}: ${refusal}`;
      const notes = change.action === 'create-stack' ? { native: why, creating: false } : { notDeleted: refusal };
      return { outcome: 'not-changed', notes };
    }
  },
});

export const handler = stepHandler(crawlerStack);
