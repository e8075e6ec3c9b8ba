import type { Json, Rule } from './definition.ts';
import { runtimeError } from './errors.ts';
import type { Roots } from './jsonpath.ts';
import { lookUp } from './jsonpath.ts';

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** Milliseconds since the epoch, or undefined if this is no timestamp with an offset in upper case. */
export function timestamp(value: Json): number | undefined {
  if (typeof value !== 'string' || !RFC_3339.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : at;
}

export function matches(rule: Rule, roots: Roots): boolean {
  if (rule.And) return rule.And.every((part) => matches(part, roots));
  if (rule.Or) return rule.Or.some((part) => matches(part, roots));
  if (rule.Not) return !matches(rule.Not, roots);
  const variable = rule.Variable;
  const [operator, operand] =
    Object.entries(rule).find(([key]) => !['Variable', 'Next', 'Comment'].includes(key)) ?? [];
  if (variable === undefined || operator === undefined)
    throw runtimeError('A choice rule needs a Variable and one comparison');
  const value = lookUp(variable, roots);
  if (operator === 'IsPresent') return (value !== undefined) === operand;
  if (value === undefined) {
    throw runtimeError(`Invalid path '${variable}': The choice state's condition path references an invalid value.`);
  }
  const test = Object.hasOwn(TYPE_TESTS, operator) ? TYPE_TESTS[operator] : undefined;
  if (test) return test(value) === operand;
  return compare(operator, value, comparand(operator, operand as Json, roots));
}

const TYPE_TESTS: Record<string, (value: Json) => boolean> = {
  IsNull: (value) => value === null,
  IsBoolean: (value) => typeof value === 'boolean',
  IsNumeric: (value) => typeof value === 'number',
  IsString: (value) => typeof value === 'string',
  IsTimestamp: (value) => timestamp(value) !== undefined,
};

function comparand(operator: string, operand: Json, roots: Roots): Json {
  if (!operator.endsWith('Path')) return operand;
  const value = typeof operand === 'string' ? lookUp(operand, roots) : undefined;
  if (value === undefined) throw runtimeError(`Invalid path ${JSON.stringify(operand)} in ${operator}`);
  return value;
}

const COMPARISON =
  /^(String|Numeric|Boolean|Timestamp)(Equals|LessThan|GreaterThan|LessThanEquals|GreaterThanEquals|Matches)(Path)?$/;

/** A value of another type than the operator's does not match; it is no error. */
function compare(operator: string, left: Json, right: Json): boolean {
  const [, type, relation] = COMPARISON.exec(operator) ?? [];
  if (type === undefined || relation === undefined) throw runtimeError(`Unknown comparison ${operator}`);
  if (type === 'Timestamp') return ordered(relation, timestamp(left), timestamp(right));
  if (type === 'Boolean') return typeof left === 'boolean' && left === right;
  if (type === 'Numeric')
    return typeof left === 'number' && typeof right === 'number' && ordered(relation, left, right);
  if (typeof left !== 'string' || typeof right !== 'string') return false;
  return relation === 'Matches' ? pattern(right).test(left) : ordered(relation, left, right);
}

function ordered<T extends number | string>(relation: string, left: T | undefined, right: T | undefined): boolean {
  if (left === undefined || right === undefined) return false;
  if (relation === 'Equals') return left === right;
  if (relation === 'LessThan') return left < right;
  if (relation === 'GreaterThan') return left > right;
  return relation === 'LessThanEquals' ? left <= right : left >= right;
}

/** `*` stands for any characters; a backslash makes `*` and itself literal. */
function pattern(wildcard: string): RegExp {
  const source = wildcard.replace(/\\([*\\])|\*|[\\^$.+?()[\]{}|]/g, (part, literal: string | undefined) => {
    if (literal !== undefined) return `\\${literal}`;
    return part === '*' ? '.*' : `\\${part}`;
  });
  return new RegExp(`^${source}$`, 's');
}
