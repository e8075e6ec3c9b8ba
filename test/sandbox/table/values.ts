import { AwsError } from '../service.ts';

/** An attribute's value as it is transmitted: one member. */
export interface Value {
  S?: string;
  N?: string;
  /** Base64. */
  B?: string;
  BOOL?: boolean;
  NULL?: boolean;
  M?: Record<string, Value>;
  L?: Value[];
  SS?: string[];
  NS?: string[];
  BS?: string[];
}

export type Type = keyof Value;
export type Item = Record<string, Value>;

const types: readonly Type[] = ['S', 'N', 'B', 'BOOL', 'NULL', 'M', 'L', 'SS', 'NS', 'BS'];

export function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message, 400);
}

export function typeOf(value: Value): Type {
  for (const type of types) if (value[type] !== undefined) return type;
  throw invalid(
    'Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for ExpressionAttributeValues',
  );
}

export function isEqual(a: Value, b: Value): boolean {
  const type = typeOf(a);
  if (type !== typeOf(b)) return false;
  switch (type) {
    case 'N':
      return Number(a.N) === Number(b.N);
    case 'L':
      return lists(a, b).every(([left, right]) => left !== undefined && right !== undefined && isEqual(left, right));
    case 'M': {
      const [left, right] = [a.M ?? {}, b.M ?? {}];
      const names = Object.keys(left);
      if (names.length !== Object.keys(right).length) return false;
      return names.every((name) => {
        const [one, other] = [left[name], right[name]];
        return one !== undefined && other !== undefined && isEqual(one, other);
      });
    }
    case 'SS':
    case 'NS':
    case 'BS': {
      const [left = [], right = []] = [a[type], b[type]];
      return left.length === right.length && left.every((member) => right.includes(member));
    }
    case 'S':
    case 'B':
    case 'BOOL':
    case 'NULL':
      return a[type] === b[type];
  }
}

function lists(a: Value, b: Value): [Value | undefined, Value | undefined][] {
  const [left = [], right = []] = [a.L, b.L];
  return Array.from({ length: Math.max(left.length, right.length) }, (_, index) => [left[index], right[index]]);
}

/** Below 0, 0 or above 0; undefined for values without an order. Strings are ordered by their UTF-8 bytes. */
export function compare(a: Value, b: Value): number | undefined {
  if (a.S !== undefined && b.S !== undefined) return compareText(a.S, b.S);
  if (a.N !== undefined && b.N !== undefined) return Number(a.N) - Number(b.N);
  if (a.B !== undefined && b.B !== undefined)
    return Buffer.compare(Buffer.from(a.B, 'base64'), Buffer.from(b.B, 'base64'));
  return undefined;
}

// eslint-disable-next-line no-control-regex
const isAscii = /^[\x00-\x7f]*$/;

function compareText(a: string, b: string): number {
  if (isAscii.test(a) && isAscii.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Bytes, as AWS counts them towards the 400 kB of an item: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function sizeOfItem(item: Item): number {
  let size = 0;
  for (const name in item) {
    const value = item[name];
    if (value) size += Buffer.byteLength(name) + sizeOf(value);
  }
  return size;
}

function sizeOf(value: Value): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.N !== undefined) return sizeOfNumber(value.N);
  if (value.M !== undefined) return 3 + Object.keys(value.M).length + sizeOfItem(value.M);
  if (value.L !== undefined) return 3 + value.L.reduce((sum, member) => sum + 1 + sizeOf(member), 0);
  if (value.B !== undefined) return Buffer.byteLength(value.B, 'base64');
  if (value.SS) return value.SS.reduce((sum, member) => sum + Buffer.byteLength(member), 0);
  if (value.NS) return value.NS.reduce((sum, member) => sum + sizeOfNumber(member), 0);
  if (value.BS) return value.BS.reduce((sum, member) => sum + Buffer.byteLength(member, 'base64'), 0);
  return 1;
}

/** One byte for two significant digits, and one more. */
function sizeOfNumber(number: string): number {
  const digits = number
    .replace(/e.*$/i, '')
    .replace(/[-+.]/g, '')
    .replace(/^0+|0+$/g, '').length;
  return 1 + Math.ceil(digits / 2) + (number.startsWith('-') ? 1 : 0);
}
