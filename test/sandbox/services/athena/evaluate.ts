import type { Value } from '../cur/report-data.ts';
import { type Expression, type Select, SqlError } from './sql.ts';

export type Row = Record<string, Value>;
type Result = Value | boolean;

export interface Source {
  /** Name to Athena's type. */
  columns: Map<string, string>;
  rows: Row[];
}

export interface ResultTable {
  columns: { name: string; type: string }[];
  rows: (string | undefined)[][];
}

export function checkColumns(select: Select, columns: Map<string, string>): void {
  const parts = [...select.items.map(({ expression }) => expression), select.where, ...select.groupBy];
  for (const part of parts)
    for (const { name, at } of part ? columnsIn(part) : [])
      if (!columns.has(name))
        throw new SqlError(`SYNTAX_ERROR: line ${at.line}:${at.column}: Column '${name}' cannot be resolved`);
}

/** Names of the columns whose data the query reads. */
export function columnsRead(select: Select, columns: Map<string, string>): Set<string> {
  if (select.items.length === 0) return new Set(columns.keys());
  const parts = [
    ...select.items.map(({ expression }) => expression),
    ...select.groupBy,
    ...(select.where ? [select.where] : []),
  ];
  return new Set(parts.flatMap(columnsIn).map(({ name }) => name));
}

export function evaluate(select: Select, source: Source): ResultTable {
  const { where, groupBy, limit } = select;
  const items =
    select.items.length > 0
      ? select.items
      : [...source.columns.keys()].map((name) => ({
          expression: { kind: 'column' as const, name, at: { line: 1, column: 1 } },
          label: name,
        }));
  const rows = source.rows.filter((row) => !where || valueOf(where, [row]) === true);
  const aggregated = items.some(({ expression }) => hasAggregate(expression));
  const groups = groupBy.length > 0 ? grouped(rows, groupBy) : aggregated ? [rows] : rows.map((row) => [row]);
  return {
    columns: items.map(({ expression, label }, index) => ({
      name: label === '_col' ? `_col${index}` : label,
      type: typeOf(expression, source.columns),
    })),
    rows: groups
      .slice(0, limit)
      .map((group) => items.map(({ expression }) => printed(valueOf(expression, group), expression, source.columns))),
  };
}

/** Whether rows of this partition could match. Conditions on other columns count as possible. */
export function mayMatch(where: Expression | undefined, partition: Row): boolean {
  if (!where) return true;
  if (where.kind === 'binary' && where.operator === 'AND')
    return mayMatch(where.left, partition) && mayMatch(where.right, partition);
  if (where.kind === 'binary' && where.operator === 'OR')
    return mayMatch(where.left, partition) || mayMatch(where.right, partition);
  return !columnsIn(where).every(({ name }) => name in partition) || valueOf(where, [partition]) === true;
}

function grouped(rows: Row[], by: Expression[]): Row[][] {
  const groups = Map.groupBy(rows, (row) => JSON.stringify(by.map((expression) => valueOf(expression, [row]))));
  return [...groups.values()];
}

/** The value of an expression over a group: a plain column has the value of the first row. */
function valueOf(expression: Expression, group: readonly Row[]): Result {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'column':
      return group[0]?.[expression.name] ?? null;
    case 'not': {
      const inner = valueOf(expression.of, group);
      return inner === null ? null : inner !== true;
    }
    case 'isNull':
      return valueOf(expression.of, group) === null;
    case 'case':
      return caseOf(expression, group);
    case 'call':
      return callOf(expression, group);
    case 'binary':
      return binaryOf(expression, group);
  }
}

function caseOf({ subject, branches, otherwise }: Extract<Expression, { kind: 'case' }>, group: readonly Row[]) {
  const wanted = subject ? valueOf(subject, group) : true;
  const branch = branches.find(([when]) => valueOf(when, group) === wanted);
  return valueOf(branch?.[1] ?? otherwise, group);
}

function callOf({ name, arguments: given }: Extract<Expression, { kind: 'call' }>, group: readonly Row[]): Result {
  const [first, second] = given;
  switch (name) {
    case 'count':
      return group.filter((row) => !first || valueOf(first, [row]) !== null).length;
    case 'sum': {
      const values = group.map((row) => (first ? valueOf(first, [row]) : null)).filter((value) => value !== null);
      return values.length > 0 ? values.reduce((total: number, value) => total + Number(value), 0) : null;
    }
    case 'coalesce':
      return given.map((argument) => valueOf(argument, group)).find((value) => value !== null) ?? null;
    case 'date_trunc':
      return second ? `${String(valueOf(second, group)).slice(0, 10)} 00:00:00.000` : null;
    default:
      throw new SqlError(`FUNCTION_NOT_FOUND: Function '${name}' not registered`);
  }
}

function binaryOf(expression: Extract<Expression, { kind: 'binary' }>, group: readonly Row[]): Result {
  const { operator, at } = expression;
  const left = valueOf(expression.left, group);
  if (operator === 'AND') return left === true && valueOf(expression.right, group) === true;
  if (operator === 'OR') return left === true || valueOf(expression.right, group) === true;
  const right = valueOf(expression.right, group);
  if (left === null || right === null) return null;
  if (typeof left !== typeof right)
    throw new SqlError(
      `TYPE_MISMATCH: line ${at.line}:${at.column}: Cannot apply operator: ${sqlType(left)} ${operator} ${sqlType(right)}`,
    );
  switch (operator) {
    case '=':
      return left === right;
    case '<>':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    case '>=':
      return left >= right;
    default:
      return arithmetic(operator, Number(left), Number(right));
  }
}

function arithmetic(operator: string, left: number, right: number): number {
  if (operator === '+') return left + right;
  if (operator === '-') return left - right;
  return operator === '*' ? left * right : left / right;
}

function sqlType(value: Result): string {
  if (typeof value === 'string') return 'varchar';
  return typeof value === 'number' ? 'integer' : 'boolean';
}

const ofHive: Record<string, string> = { string: 'varchar', int: 'integer' };

export function athenaType(hiveType: string): string {
  return ofHive[hiveType] ?? hiveType;
}

function typeOf(expression: Expression, columns: Map<string, string>): string {
  switch (expression.kind) {
    case 'literal':
      return expression.type;
    case 'column':
      return columns.get(expression.name) ?? 'varchar';
    case 'not':
    case 'isNull':
      return 'boolean';
    case 'case':
      return typeOf(expression.otherwise, columns);
    case 'binary':
      return /[-+*/]/.test(expression.operator) ? 'double' : 'boolean';
    case 'call':
      if (expression.name === 'count') return 'bigint';
      if (expression.name === 'date_trunc') return 'timestamp';
      return expression.arguments[0] ? typeOf(expression.arguments[0], columns) : 'varchar';
  }
}

function printed(value: Result, expression: Expression, columns: Map<string, string>): string | undefined {
  if (value === null) return undefined;
  // Athena prints a whole double as `4.0`.
  if (typeof value === 'number' && Number.isInteger(value) && typeOf(expression, columns) === 'double')
    return `${value}.0`;
  return String(value);
}

function hasAggregate(expression: Expression): boolean {
  if (expression.kind === 'call' && (expression.name === 'sum' || expression.name === 'count')) return true;
  return partsOf(expression).some(hasAggregate);
}

function columnsIn(expression: Expression): Extract<Expression, { kind: 'column' }>[] {
  return expression.kind === 'column' ? [expression] : partsOf(expression).flatMap(columnsIn);
}

function partsOf(expression: Expression): Expression[] {
  switch (expression.kind) {
    case 'literal':
    case 'column':
      return [];
    case 'not':
    case 'isNull':
      return [expression.of];
    case 'call':
      return expression.arguments;
    case 'binary':
      return [expression.left, expression.right];
    case 'case':
      return [...(expression.subject ? [expression.subject] : []), ...expression.branches.flat(), expression.otherwise];
  }
}
