import type { Condition, Operand, Path } from './expressions.ts';
import { compare, invalid, isEqual, type Item, typeOf, type Value } from './values.ts';

/** The values of an expression's placeholders. */
export interface Placeholders {
  names: Record<string, string>;
  values: Record<string, Value>;
}

export function resolvePath(path: Path, { names }: Placeholders): Path {
  return path.map((part) => (typeof part === 'string' && part.startsWith('#') ? (names[part] ?? part) : part));
}

/** The value at a resolved path; undefined if there is none. */
export function valueAt(item: Item, path: Path): Value | undefined {
  let value: Value | undefined = { M: item };
  for (const part of path) {
    if (typeof part === 'number') value = value.L?.[part];
    else value = value.M && Object.hasOwn(value.M, part) ? value.M[part] : undefined;
    if (!value) return undefined;
  }
  return value;
}

export function isMet(condition: Condition, item: Item, placeholders: Placeholders): boolean {
  const read = (operand: Operand) => readOperand(operand, item, placeholders);
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => isMet(part, item, placeholders));
    case 'or':
      return condition.parts.some((part) => isMet(part, item, placeholders));
    case 'not':
      return !isMet(condition.part, item, placeholders);
    case 'compare':
      return compares(condition.operator, read(condition.left), read(condition.right));
    case 'between':
      return (
        compares('>=', read(condition.operand), read(condition.from)) &&
        compares('<=', read(condition.operand), read(condition.to))
      );
    case 'in':
      return condition.list.some((member) => compares('=', read(condition.operand), read(member)));
    case 'call': {
      const [first, second] = condition.args.map(read);
      return applies(condition.name, first, second);
    }
  }
}

function readOperand(operand: Operand, item: Item, placeholders: Placeholders): Value | undefined {
  switch (operand.kind) {
    case 'value':
      return placeholders.values[operand.name];
    case 'path':
      return valueAt(item, resolvePath(operand.path, placeholders));
    case 'call': {
      const [measured] = operand.args;
      const value = operand.name === 'size' && measured && readOperand(measured, item, placeholders);
      return value ? { N: String(lengthOf(value)) } : undefined;
    }
  }
}

/** The result of `size`: the number of characters, bytes or members. */
function lengthOf(value: Value): number {
  if (value.S !== undefined) return value.S.length;
  if (value.B !== undefined) return Buffer.byteLength(value.B, 'base64');
  if (value.M) return Object.keys(value.M).length;
  return (value.L ?? value.SS ?? value.NS ?? value.BS ?? []).length;
}

/** A comparison with a missing value is false, except that it is unequal. */
function compares(operator: string, left: Value | undefined, right: Value | undefined): boolean {
  if (operator === '<>') return !left || !right || !isEqual(left, right);
  if (!left || !right) return false;
  if (operator === '=') return isEqual(left, right);
  const order = compare(left, right);
  if (order === undefined) return false;
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    default:
      return order >= 0;
  }
}

function applies(name: string, first: Value | undefined, second: Value | undefined): boolean {
  switch (name) {
    case 'attribute_exists':
      return first !== undefined;
    case 'attribute_not_exists':
      return first === undefined;
    case 'attribute_type':
      return first !== undefined && typeOf(first) === second?.S;
    case 'begins_with':
      return first?.S !== undefined && second?.S !== undefined && first.S.startsWith(second.S);
    case 'contains':
      return first !== undefined && second !== undefined && contains(first, second);
    default:
      throw invalid(`The function is not allowed to be used this way in an expression; function: ${name}`);
  }
}

function contains(whole: Value, part: Value): boolean {
  if (whole.L) return whole.L.some((member) => isEqual(member, part));
  if (part.S !== undefined) return whole.S?.includes(part.S) ?? whole.SS?.includes(part.S) ?? false;
  if (part.N !== undefined) return whole.NS?.some((member) => Number(member) === Number(part.N)) ?? false;
  return part.B !== undefined && (whole.BS?.includes(part.B) ?? false);
}

/** The part of an item that the paths name. */
export function project(item: Item, paths: readonly Path[]): Item {
  const found: Item = {};
  for (const path of paths) {
    const value = valueAt(item, path);
    if (value) place({ M: found }, path, value);
  }
  return found;
}

/** List members keep their order, not their index. */
function place(target: Value, path: Path, value: Value): void {
  const [part, ...rest] = path;
  if (part === undefined) return;
  const isLast = rest.length === 0;
  const next = (): Value => (isLast ? value : typeof rest[0] === 'number' ? { L: [] } : { M: {} });
  if (typeof part === 'number') {
    const made = next();
    (target.L ??= []).push(made);
    if (!isLast) place(made, rest, value);
    return;
  }
  const members = (target.M ??= {});
  const made = isLast ? value : (members[part] ?? next());
  members[part] = made;
  if (!isLast) place(made, rest, value);
}
