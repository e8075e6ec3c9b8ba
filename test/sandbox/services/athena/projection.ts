import type { Table } from '../glue/state.ts';
import type { Row } from './evaluate.ts';
import { type Expression, SqlError } from './sql.ts';

/**
 * Partition projection: Athena computes partitions from the table's parameters and asks Glue for none.
 * Source: Athena User Guide, "Supported types for partition projection" and "Set up partition projection".
 */

export interface PartitionFolder {
  location: string;
  values: Row;
}

export function isProjected({ input }: Table): boolean {
  return input.Parameters?.['projection.enabled']?.trim().toLowerCase() === 'true';
}

export function projectedFolders(table: Table, where: Expression | undefined, now: number): PartitionFolder[] {
  const { Parameters: parameters = {}, PartitionKeys: keys = [], StorageDescriptor: storage } = table.input;
  const names = keys.map(({ Name = '' }) => Name);
  let combinations: Record<string, string>[] = [{}];
  for (const name of names) {
    const values = projectedValues(name, parameters, where, now);
    combinations = combinations.flatMap((before) => values.map((value) => ({ ...before, [name]: value })));
  }
  const root = withSlash(storage?.Location ?? '');
  const template =
    parameters['storage.location.template'] ?? `${root}${names.map((name) => `${name}=\${${name}}`).join('/')}/`;
  const missing = names.find((name) => !template.includes(`\${${name}}`));
  if (missing !== undefined)
    throw new SqlError(
      `HIVE_INVALID_METADATA: storage.location.template of table ${table.input.Name} lacks the partition column ${missing}`,
    );
  return combinations.map((values) => ({
    location: withSlash(template.replace(/\$\{(\w+)\}/g, (_, name: string) => values[name] ?? '')),
    values,
  }));
}

function projectedValues(
  name: string,
  parameters: Record<string, string>,
  where: Expression | undefined,
  now: number,
): string[] {
  const setting = (key: string): string => {
    const value = parameters[`projection.${name}.${key}`];
    if (value === undefined)
      throw new SqlError(`HIVE_INVALID_METADATA: Table property 'projection.${name}.${key}' is missing`);
    return value.trim();
  };
  switch (setting('type').toLowerCase()) {
    case 'integer':
      return integers(name, parameters, setting('range'));
    case 'enum':
      return (parameters[`projection.${name}.values`] ?? setting('values')).split(',');
    case 'date':
      return dates(setting('range'), setting('format'), now);
    case 'injected':
      return injected(name, where);
    default:
      throw new SqlError(`HIVE_INVALID_METADATA: Unknown projection type for column ${name}`);
  }
}

/** Leading zeros of a range do not count; only `digits` pads. */
function integers(name: string, parameters: Record<string, string>, range: string): string[] {
  const [first = NaN, last = NaN] = range.split(',').map(Number);
  const interval = Number(parameters[`projection.${name}.interval`] ?? 1);
  const digits = Number(parameters[`projection.${name}.digits`] ?? 0);
  if (!Number.isInteger(first) || !Number.isInteger(last) || !(interval > 0))
    throw new SqlError(`HIVE_INVALID_METADATA: Invalid projection range of column ${name}: ${range}`);
  const values: string[] = [];
  for (let value = first; value <= last; value += interval) values.push(String(value).padStart(digits, '0'));
  return values;
}

/** Days, months or years, by what the format shows. */
function dates(range: string, format: string, now: number): string[] {
  const [first = 0, last = 0] = range.split(',').map((end) => dateOf(end.trim(), format, now));
  const values = new Set<string>();
  const bare = format.replace(/'[^']*'/g, '');
  for (let at = new Date(first); at.getTime() <= last;) {
    values.add(formatted(at, format));
    if (/d/.test(bare)) at = new Date(at.getTime() + 86_400_000);
    else if (/M/.test(bare)) at = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1));
    else at = new Date(Date.UTC(at.getUTCFullYear() + 1, 0, 1));
  }
  return [...values];
}

const unitMs = { YEAR: 31_557_600_000, MONTH: 2_629_800_000, WEEK: 604_800_000, DAY: 86_400_000, HOUR: 3_600_000 };

/** `NOW`, `NOW-3YEARS`, or a date in the format of the column. */
function dateOf(text: string, format: string, now: number): number {
  const relative = /^NOW(?:([+-]\d+)(YEAR|MONTH|WEEK|DAY|HOUR)S?)?$/i.exec(text);
  if (relative) {
    const [, count = '0', unit = 'DAY'] = relative;
    return now + Number(count) * unitMs[unit.toUpperCase() as keyof typeof unitMs];
  }
  const order: string[] = [];
  const pattern = format.replace(/'([^']*)'|y+|M+|d+/g, (found, quoted?: string) => {
    if (quoted !== undefined) return quoted;
    order.push(found.charAt(0));
    return '(\\d+)';
  });
  const [, ...parts] = new RegExp(`^${pattern}$`).exec(text) ?? [];
  const part = (letter: string, absent: number) => Number(parts[order.indexOf(letter)] ?? absent);
  if (parts.length === 0) throw new SqlError(`HIVE_INVALID_METADATA: ${text} does not match the format ${format}`);
  return Date.UTC(part('y', 1970), part('M', 1) - 1, part('d', 1));
}

function formatted(at: Date, format: string): string {
  const numbers: Record<string, number> = { y: at.getUTCFullYear(), M: at.getUTCMonth() + 1, d: at.getUTCDate() };
  return format.replace(/'([^']*)'|y+|M+|d+/g, (found, quoted?: string) =>
    quoted === undefined ? String(numbers[found.charAt(0)]).padStart(found.length, '0') : quoted,
  );
}

/** The values that the query compares the column with. */
function injected(name: string, where: Expression | undefined): string[] {
  const values = where ? equalities(where, name) : [];
  if (values.length === 0)
    throw new SqlError(
      `CONSTRAINT_VIOLATION: For the injected projected partition column ${name}, the WHERE clause must contain only static equality conditions, and at least one such condition must be present.`,
    );
  return [...new Set(values)];
}

function equalities(where: Expression, name: string): string[] {
  if (where.kind !== 'binary') return [];
  if (where.operator === 'AND' || where.operator === 'OR')
    return [...equalities(where.left, name), ...equalities(where.right, name)];
  const { left, right, operator } = where;
  const isMatch = operator === '=' && left.kind === 'column' && left.name === name && right.kind === 'literal';
  return isMatch ? [String(right.value)] : [];
}

function withSlash(location: string): string {
  return location.replace(/\/?$/, '/');
}
