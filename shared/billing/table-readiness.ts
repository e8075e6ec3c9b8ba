import type { Problem } from '../step/problem-list.ts';
import type { BillingMonth } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';
import { dataLocation, type ReportPlace } from './report-location.ts';
import type { ReportTable } from './report-table.ts';
import type { SeenTables } from './table-observation.ts';
import { firstUncoveredMonth, keyTypeProblems, projectionProblems } from './table-projection.ts';

export type Readiness =
  | { is: 'ready'; table: ReportTable; lastYear: number | null; warnings: string[] }
  | ({ is: 'refused' } & Problem)
  /** A crawl may add what is missing. */
  | { is: 'incomplete'; what: string; lacksColumns: boolean };

export const wayOut = 'crawler: none makes a table of our own, without a crawler';

/** Whether the report's table answers for the newest month. */
export function decideReadiness(
  { tables, parts, fresh }: SeenTables,
  { report, database, month, now }: { report: ReportPlace; database: string; month: BillingMonth; now: number },
): Readiness {
  const [table, ...others] = tables;
  const list = (names: readonly string[]) => `${database}: ${names.join(', ')}`;
  if (others.length > 0)
    return { is: 'refused', code: 'table-ambiguous', detail: list(tables.map(({ name }) => name)) };
  if (!table && parts.length > 0) return { is: 'refused', code: 'table-split', detail: `${list(parts)}; ${wayOut}` };
  if (!table) {
    const what = `database ${database} has no partitioned table on ${dataLocation(report)}`;
    return { is: 'incomplete', what, lacksColumns: false };
  }
  const name = `table ${table.database}.${table.name}`;
  if (table.projection) {
    const projected = { ...table, projection: table.projection };
    const problems = projectionProblems(projected, report, month, now);
    if (problems.length > 0)
      return { is: 'refused', code: 'table-projection-wrong', detail: `${name}: ${problems.join('; ')}` };
  } else {
    const [wrong] = keyTypeProblems(table.partitionKeys);
    if (wrong !== undefined) return { is: 'refused', code: 'table-not-found', detail: `${name}: ${wrong}; ${wayOut}` };
  }
  if (!table.projection && !fresh)
    return { is: 'incomplete', what: `${name} lacks the month ${month.year}-${month.month}`, lacksColumns: false };
  if (table.missingColumns.length > 0)
    return { is: 'incomplete', what: `${name} lacks ${table.missingColumns.join(', ')}`, lacksColumns: true };
  const years = table.projection && reportKindOf(report).partitions.yearsOf(table.projection);
  return { is: 'ready', table, lastYear: years?.last ?? null, warnings: warningsOf(table, parts, report, month, now) };
}

function warningsOf(
  table: ReportTable,
  parts: string[],
  report: ReportPlace,
  month: BillingMonth,
  now: number,
): string[] {
  const name = `table ${table.database}.${table.name}`;
  const gap = table.projection && firstUncoveredMonth({ ...table, projection: table.projection }, report, month, now);
  return [
    ...(gap
      ? [
          `${name} has no month ${gap.month.year}-${gap.month.month}: ${gap.problem}; Kubecost shows no costs from then on`,
        ]
      : []),
    ...(parts.length > 0 ? [`${name} may lack months: ${parts.join(', ')} hold single folders of the report`] : []),
  ];
}
