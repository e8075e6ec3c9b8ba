import { ownership, ownerTags } from '../aws/tags.ts';
import type { Owner } from '../model/ownership.ts';
import type { Problem } from '../step/problem-list.ts';
import { ownDatabase, ownTableName } from './own-table.ts';
import {
  databaseArn,
  type OwnTableChange,
  type OwnTableInput,
  type OwnTablePlace,
  type SeenOwnTable,
  type SeenTable,
} from './own-table-store.ts';
import type { BillingMonth, Column, ReportPlace, Years } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';
import { dataLocation } from './report-location.ts';
import type { DeliveredColumns } from './table-columns.ts';

/** What decides the definition of our table. */
export interface OwnTableWanted {
  place: OwnTablePlace;
  report: ReportPlace;
  delivered: DeliveredColumns;
  firstMonth: BillingMonth;
  /** Year of today. */
  thisYear: number;
  /** False in a dry run before the first delivery. */
  isDelivered: boolean;
}

/** A new table has months for so many years; with fewer than half of them left, a later run extends it. */
const yearsAhead = 10;

export type OwnTablePlan = { changes: OwnTableChange[]; lastYear: number; warnings: string[] } | { problem: Problem };

/** Adds columns and corrects types; never removes a column, because earlier months may have it. */
export function planOwnTable(wanted: OwnTableWanted, { database, table }: SeenOwnTable, owner: Owner): OwnTablePlan {
  const { place, report, delivered } = wanted;
  const problem = ownerProblem(place, { database, table }, owner) ?? sourceProblem(wanted, table);
  if (problem) return { problem };
  const years = yearsOf(wanted, table);
  const input = definition(wanted, table, years, owner);
  const resource = `arn:aws:glue:${place.region}:${place.accountId}:table/${ownDatabase(place.reportName)}/${ownTableName(place.reportName)}`;
  const changes: OwnTableChange[] = [];
  if (!database)
    changes.push({
      action: 'create-database',
      resource: databaseArn(place.accountId, place.region, place.reportName),
    });
  if (!table)
    changes.push({
      action: 'create-table',
      resource,
      note: `${delivered.from ? `columns from ${delivered.from}` : 'columns of the first delivery'}, months up to the year ${years.last}`,
      table: input,
    });
  else if (!isSame(table, input))
    changes.push({ action: 'update-table', resource, note: differences(table, input), table: input });
  return {
    changes,
    lastYear: years.last,
    warnings: delivered.warnings.map((text) => `report ${report.reportName}: ${text}`),
  };
}

function ownerProblem(
  { reportName }: OwnTablePlace,
  { database, table }: SeenOwnTable,
  owner: Owner,
): Problem | undefined {
  const [home, name] = [ownDatabase(reportName), ownTableName(reportName)];
  const owned = [database, table && ownership(table.parameters, owner)];
  if (owned.includes('other-deployment'))
    return { code: 'owned-by-another-deployment', detail: `Glue database ${home}` };
  if (database === 'foreign') return { code: 'table-not-ours', detail: `Glue database ${home}` };
  if (owned.includes('foreign')) return { code: 'table-not-ours', detail: `table ${home}.${name}` };
  const other = table?.parameters[reportParameter];
  return table && other !== reportName
    ? { code: 'table-not-ours', detail: `table ${home}.${name} holds report ${other ?? 'without a name'}` }
    : undefined;
}

function sourceProblem(
  { report, delivered, isDelivered }: OwnTableWanted,
  table: SeenTable | undefined,
): Problem | undefined {
  if (table || !isDelivered || delivered.columns.length > 0) return undefined;
  const keys = delivered.firstKeys.join(', ') || 'none';
  const detail = `report ${report.reportName} in s3://${report.bucket}: neither a manifest nor create-table.sql lists columns; the first keys are ${keys}`;
  return { code: 'columns-unknown', detail };
}

/** Never shorter than what the table has. */
function yearsOf({ report, firstMonth, thisYear }: OwnTableWanted, table: SeenTable | undefined): Years {
  const before = table && reportKindOf(report).partitions.yearsOf(table.parameters);
  const isFarAhead = before !== undefined && before.last - thisYear >= yearsAhead / 2;
  return {
    first: Math.min(Number(firstMonth.year), before?.first ?? Infinity),
    last: isFarAhead ? before.last : thisYear + yearsAhead,
  };
}

const reportParameter = 'report-name';

function definition(
  { report, delivered }: OwnTableWanted,
  table: SeenTable | undefined,
  years: Years,
  owner: Owner,
): OwnTableInput {
  const { partitions, table: needs } = reportKindOf(report);
  return {
    // AWS writes a column only for what the account uses. Parquet is read by name, so a column without data is empty.
    columns: merged(table?.columns ?? [], [...delivered.columns, ...needs.required]),
    location: `${dataLocation(report)}/`,
    partitionKeys: partitions.keys,
    parameters: {
      EXTERNAL: 'TRUE',
      classification: 'parquet',
      ...ownerTags(owner),
      ...table?.parameters,
      [reportParameter]: report.reportName,
      'projection.enabled': 'true',
      ...partitions.projection(report, years),
    },
  };
}

/** The columns there are, with the types of the delivery, then the new ones. Of two wanted columns with one name, the first counts. */
function merged(before: readonly Column[], wanted: readonly Column[]): Column[] {
  const types = new Map<string, string>();
  for (const { name, type } of wanted) if (!types.has(name)) types.set(name, type);
  return [
    ...before.map(({ name, type }) => ({ name, type: types.get(name) ?? type })),
    ...[...types]
      .filter(([name]) => !before.some((column) => column.name === name))
      .map(([name, type]) => ({ name, type })),
  ];
}

function isSame(seen: SeenTable, wanted: OwnTableInput): boolean {
  const has = ([name, value]: [string, string]) => seen.parameters[name] === value;
  return (
    seen.location === wanted.location &&
    JSON.stringify(seen.columns) === JSON.stringify(wanted.columns) &&
    Object.entries(wanted.parameters).every(has)
  );
}

function differences(seen: SeenTable, wanted: OwnTableInput): string {
  const before = new Map(seen.columns.map(({ name, type }) => [name, type]));
  const added = wanted.columns.filter(({ name }) => !before.has(name)).map(({ name }) => name);
  const corrected = wanted.columns
    .filter(({ name, type }) => before.has(name) && before.get(name) !== type)
    .map(({ name, type }) => `${name} (${before.get(name) ?? ''} to ${type})`);
  return [
    ...(added.length > 0 ? [`adds ${added.join(', ')}`] : []),
    ...(corrected.length > 0 ? [`corrects ${corrected.join(', ')}`] : []),
    ...(added.length + corrected.length === 0 ? ['changes its location or its years'] : []),
  ].join('; ');
}
