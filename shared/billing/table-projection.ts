import type { BillingMonth, ReportPlace } from './report-kind.ts';
import { reportKindOf } from './report-kinds.ts';
import { dataLocation } from './report-location.ts';
import { locationTemplate, partitionValues, type ReportTable } from './report-table.ts';

/**
 * What Athena's partition projection makes of a month. Source: Athena User Guide, "Supported types for partition projection". Glue holds no
 * partitions of such a table, so only its parameters and a query say which months it has.
 */

type ProjectedTable = Pick<ReportTable, 'partitionKeys'> & { projection: Record<string, string>; location: string };

/** Why a query for the month finds nothing, each with the parameter that has to change; empty if Athena reads the month's folder. */
export function projectionProblems(
  table: ProjectedTable,
  report: ReportPlace,
  month: BillingMonth,
  now: number,
): string[] {
  const values = partitionValues(report, month);
  const ofKeys = table.partitionKeys.flatMap(({ name, type }) => {
    const value = values[name];
    if (value === undefined) return unasked(table, name);
    const wrong = keyTypeProblems([{ name, type }]);
    return wrong.length > 0 ? wrong : (columnProblem(table, name, value, now) ?? []);
  });
  return [...ofKeys, ...templateProblem(table, report, month, values)];
}

/** The consumer compares partition columns with text, and Athena refuses that for other types. */
export function keyTypeProblems(keys: ReportTable['partitionKeys']): string[] {
  return keys.flatMap(({ name, type }) =>
    /^(string|varchar|char)/.test(type)
      ? []
      : [`its partition column ${name} has the type ${type}, and Kubecost compares it with text`],
  );
}

/** The first of the next twelve months that the projection does not cover, with the reason. */
export function firstUncoveredMonth(
  table: ProjectedTable,
  report: ReportPlace,
  { year, month }: BillingMonth,
  now: number,
): { month: BillingMonth; problem: string } | undefined {
  for (let ahead = 1; ahead <= 12; ahead++) {
    const date = new Date(Date.UTC(Number(year), Number(month) - 1 + ahead, 1));
    const later = { year: String(date.getUTCFullYear()), month: String(date.getUTCMonth() + 1) };
    const [problem] = projectionProblems(table, report, later, Math.max(now, date.getTime()));
    if (problem !== undefined) return { month: later, problem };
  }
  return undefined;
}

/** A partition column that the consumer's query does not name. */
function unasked({ projection }: ProjectedTable, name: string): string[] {
  const parameter = `projection.${name}.type`;
  return projection[parameter]?.trim().toLowerCase() === 'injected'
    ? [`${parameter} is injected, and Kubecost’s query has no condition on ${name}`]
    : [];
}

function columnProblem({ projection }: ProjectedTable, name: string, value: string, now: number): string | undefined {
  const setting = (key: string) => projection[`projection.${name}.${key}`]?.trim();
  const type = setting('type')?.toLowerCase();
  const says = (key: string) =>
    `projection.${name}.${key} is ${setting(key) ?? 'missing'}, which leaves out ${name} ${value}`;
  switch (type) {
    case 'integer': {
      const [first = NaN, last = NaN] = (setting('range') ?? '').split(',').map(Number);
      const number = Number(value);
      if (!(number >= first && number <= last)) return says('range');
      const interval = Number(setting('interval') ?? 1);
      if ((number - first) % interval !== 0) return says('interval');
      return String(number).padStart(Number(setting('digits') ?? 0), '0') === value ? undefined : says('digits');
    }
    case 'enum':
      return projection[`projection.${name}.values`]?.split(',').includes(value) ? undefined : says('values');
    case 'date':
      return isDateCovered(setting('format') ?? '', setting('range') ?? '', value, now);
    case 'injected':
      return undefined;
    default:
      return `projection.${name}.type is ${type ?? 'missing'}`;
  }

  function isDateCovered(format: string, range: string, text: string, at: number): string | undefined {
    const date = dateIn(format, text);
    if (date === undefined) return says('format');
    const [first, last] = range.split(',').map((end) => endOf(end.trim(), format, at));
    return first !== undefined && last !== undefined && date >= first && date <= last ? undefined : says('range');
  }
}

/** Compared as `202611`, because a month is the smallest part. Undefined if the text does not have this format. */
function dateIn(format: string, text: string): number | undefined {
  const order: string[] = [];
  const pattern = format.replace(/'([^']*)'|y+|M+|d+|[^yMd']+/g, (found, quoted?: string) => {
    if (quoted !== undefined || !/^[yMd]/.test(found)) return literally(quoted ?? found);
    order.push(found.charAt(0));
    return found.length === 1 ? '([1-9]\\d?)' : `(\\d{${found.length}})`;
  });
  const [match, ...parts] = new RegExp(`^${pattern}$`).exec(text) ?? [];
  if (match === undefined) return undefined;
  const part = (letter: string) => Number(parts[order.indexOf(letter)] ?? 0);
  return part('y') * 100 + part('M');
}

function literally(text: string): string {
  return text.replace(/[^\w\s]/g, '\\$&');
}

const monthsOf = { YEAR: 12, MONTH: 1, WEEK: 0, DAY: 0, HOUR: 0 };

function endOf(text: string, format: string, now: number): number | undefined {
  const [relative, count = '0', unit = 'DAY'] =
    /^NOW(?:([+-]\d+)(YEAR|MONTH|WEEK|DAY|HOUR)S?)?$/.exec(text.toUpperCase()) ?? [];
  if (relative === undefined) return dateIn(format, text);
  const months = Object.entries(monthsOf).find(([name]) => name === unit)?.[1] ?? 0;
  const date = new Date(now);
  const end = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + Number(count) * months, 1));
  const hasMonths = /M/.test(format.replace(/'[^']*'/g, ''));
  const hasYears = /y/.test(format.replace(/'[^']*'/g, ''));
  return (hasYears ? end.getUTCFullYear() * 100 : 0) + (hasMonths ? end.getUTCMonth() + 1 : 0);
}

/** Where Athena would look, if that is not where AWS writes the month. */
function templateProblem(
  { projection, location, partitionKeys }: ProjectedTable,
  report: ReportPlace,
  month: BillingMonth,
  values: Record<string, string>,
): string[] {
  const usual = `${location}/${partitionKeys.map(({ name }) => `${name}=\${${name}}`).join('/')}`;
  const template = projection[locationTemplate] ?? usual;
  if (partitionKeys.some(({ name }) => values[name] === undefined)) return [];
  const wanted = reportKindOf(report).partitions.projection(report, {
    first: Number(month.year),
    last: Number(month.year),
  });
  const looked = resolved(template, values);
  const written = resolved(wanted[locationTemplate] ?? dataLocation(report), values);
  return looked === written ? [] : [`${locationTemplate} leads to ${looked}, and AWS writes to ${written}`];
}

function resolved(template: string, values: Record<string, string>): string {
  return `${template.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '').replace(/\/+$/, '')}/`;
}
