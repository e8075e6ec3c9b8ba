import { knownAfter } from '../model/dry-run-placeholder.ts';
import type { Quota } from '../model/run-schemas.ts';
import type { Problem } from '../step/problem-list.ts';
import type { Crawler } from './crawler.ts';
import { reservationQuota, type TemplateConditions, templateObstacle } from './crawler-template-choice.ts';
import type { CrawlerMode } from './crawler-way.ts';
import type { ReportPlace } from './report-location.ts';
import type { ReportTable } from './report-table.ts';
import { clashProblem, describeClash, type TemplateClash, whyUnusable } from './template-clash.ts';

/** How the report gets its table where no stack of ours is. */
export type CrawlerChoice =
  | { way: 'table'; table: ReportTable; crawlerName: string | null }
  | { way: 'crawler'; crawler: Crawler }
  /** A table that we make. `why`: why it is not AWS's template. */
  | { way: 'own'; why?: string }
  | { way: 'template'; body: string; database: string; quotas: readonly Quota[] }
  | { way: 'refuse'; problem: Problem };

interface Wanted {
  mode: CrawlerMode;
  report: ReportPlace & { region: string };
  templateKey: string | null;
  /** The problem if our role may not deploy crawlers. */
  notGranted: Problem | undefined;
  /** Why an earlier attempt could not use AWS's template. */
  givenUp: string | undefined;
  /** True in a dry run: the template is assumed to be deployable if AWS has not delivered it yet. */
  isDryRun: boolean;
}

export interface ChoiceObservation extends TemplateConditions {
  /** True if an earlier run has made the table. */
  ownTable: boolean;
  /** Tables on the report's data that we did not make. */
  tables: ReportTable[];
  clash?: TemplateClash | undefined;
}

export function chooseCrawler(wanted: Wanted, seen: ChoiceObservation): CrawlerChoice {
  const { mode, report, givenUp, notGranted } = wanted;
  if (mode === 'none' || (mode === 'auto' && seen.ownTable)) return { way: 'own' };
  const obstacle = (problem: Problem): CrawlerChoice =>
    mode === 'template' ? { way: 'refuse', problem } : { way: 'own', why: problem.detail };
  const [table, ...others] = seen.tables;
  if (others.length > 0) {
    const names = seen.tables.map(({ database, name }) => `${database}.${name}`).join(', ');
    return obstacle({ code: 'table-ambiguous', detail: `more than one table holds the report: ${names}` });
  }
  const { clash } = seen;
  if (table) return { way: 'table', table, crawlerName: clash?.crawler?.name ?? null };
  if (clash) return chooseBesideOthers(clash, wanted, obstacle);
  if (notGranted) return obstacle(notGranted);
  if (givenUp !== undefined) return obstacle({ code: 'crawler-stack-failed', detail: givenUp });
  const { template, reservable } = seen;
  const isAssumed = wanted.isDryRun && !template && seen.denied === undefined;
  const problem = isAssumed ? undefined : templateObstacle(seen, report, wanted.templateKey);
  if (problem) return obstacle(problem);
  const inspection = template?.inspection.trusted ? template.inspection : undefined;
  return {
    way: 'template',
    body: template?.body ?? '',
    database: inspection?.database ?? knownAfter('crawler-stack'),
    quotas: [reservationQuota(reservable, inspection?.reservedConcurrency)],
  };
}

/** Others have a crawler or a database where AWS's template would make its own. */
function chooseBesideOthers(
  clash: TemplateClash,
  { mode, report }: Wanted,
  obstacle: (problem: Problem) => CrawlerChoice,
): CrawlerChoice {
  const { crawler } = clash;
  const unusable = whyUnusable(clash, report);
  if (mode === 'auto' && crawler && unusable === undefined) return { way: 'crawler', crawler };
  const problem = clashProblem(clash, report);
  return obstacle(
    unusable === undefined ? problem : { ...problem, detail: `${describeClash(clash, report)}; ${unusable}` },
  );
}
