/**
 * Edits JSON as text, so that every other byte stays: spacing, key order, escapes, numbers too long for a double, the final
 * newline. We do not use jsonc-parser 3, because it breaks the text when it removes the last array element, edits text that
 * is not JSON, and edits the first of several equal keys, whereas every reader uses the last.
 */
export type JsonNode = JsonObject | JsonArray | JsonScalar;
export interface JsonObject extends Range {
  kind: 'object';
  children: JsonMember[];
}
export interface JsonArray extends Range {
  kind: 'array';
  children: JsonNode[];
}
interface JsonScalar extends Range {
  kind: 'scalar';
  value: unknown;
}
/** From the start of the key to the end of the value. */
export interface JsonMember extends Range {
  kind: 'member';
  key: string;
  keyEnd: number;
  value: JsonNode;
}
/** Offsets into the text; `end` is the first character after. */
interface Range {
  start: number;
  end: number;
}

export interface Splice extends Range {
  text: string;
}

/** The message has a position, never the text at it: the file may hold credentials of others. */
export class NotJsonError extends Error {
  override readonly name = 'NotJsonError';
}

/** Far above any real file, far below what would exhaust the stack. */
const maxDepth = 100;

/** Offsets of every value. JSON.parse refuses comments, a byte order mark, trailing commas and trailing text. */
export function scanJson(text: string): JsonNode {
  try {
    JSON.parse(text);
  } catch (error) {
    throw new NotJsonError(describePosition(text, error));
  }
  let at = 0;
  const skipSpace = () => {
    while (isSpace(text[at])) at++;
  };
  const scanString = (): string => {
    const start = at++;
    while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
    return String(JSON.parse(text.slice(start, ++at)));
  };
  const scanMember = (depth: number): JsonMember => {
    const start = at;
    const key = scanString();
    const keyEnd = at;
    skipSpace();
    at++;
    const value = scanValue(depth);
    return { kind: 'member', start, end: value.end, key, keyEnd, value };
  };
  const scanChildren = <T>(scanChild: () => T): T[] => {
    const children: T[] = [];
    for (;;) {
      at++;
      skipSpace();
      if (text[at] !== ']' && text[at] !== '}') children.push(scanChild());
      skipSpace();
      if (text[at] !== ',') break;
    }
    at++;
    return children;
  };
  const scanValue = (depth: number): JsonNode => {
    if (depth > maxDepth) throw new NotJsonError(`nested more than ${maxDepth} levels deep`);
    skipSpace();
    const start = at;
    if (text[at] === '{') {
      const children = scanChildren(() => scanMember(depth + 1));
      return { kind: 'object', start, end: at, children };
    }
    if (text[at] === '[') {
      const children = scanChildren(() => scanValue(depth + 1));
      return { kind: 'array', start, end: at, children };
    }
    if (text[at] === '"') return { kind: 'scalar', value: scanString(), start, end: at };
    while (at < text.length && !/[\s,\]}]/.test(text[at] ?? '')) at++;
    return { kind: 'scalar', value: JSON.parse(text.slice(start, at)), start, end: at };
  };
  return scanValue(0);
}

export function applySplice(text: string, splice: Splice): string {
  return text.slice(0, splice.start) + splice.text + text.slice(splice.end);
}

/** The first duplicate key of an object, as a JSON pointer. Readers differ in which of the two they use. */
export function findDuplicateKey(node: JsonNode, path: JsonPath = []): string | undefined {
  if (node.kind === 'scalar') return undefined;
  const seen = new Set<string>();
  for (const [index, child] of node.children.entries()) {
    const step = child.kind === 'member' ? child.key : index;
    if (typeof step === 'string' && seen.has(step)) return pointer([...path, step]);
    if (typeof step === 'string') seen.add(step);
    const found = findDuplicateKey(child.kind === 'member' ? child.value : child, [...path, step]);
    if (found !== undefined) return found;
  }
  return undefined;
}

export type JsonPath = readonly (string | number)[];

/** RFC 6901. */
export function pointer(path: JsonPath): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The value at `path`; undefined if there is none. Of several equal keys the last one counts, as for every reader. */
export function nodeAt(node: JsonNode, path: JsonPath): JsonNode | undefined {
  const [step, ...rest] = path;
  if (step === undefined) return node;
  const child =
    node.kind === 'array' && typeof step === 'number'
      ? node.children[step]
      : node.kind === 'object'
        ? node.children.findLast(({ key }) => key === step)?.value
        : undefined;
  return child && nodeAt(child, rest);
}

export function isSpace(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t';
}

/** Removes the element and one comma. Removing an appended element restores the previous text exactly. */
export function removeItem(array: JsonArray, index: number): Splice {
  const item = array.children[index];
  if (item === undefined) throw new RangeError(`no element ${index}`);
  const previous = array.children[index - 1];
  const next = array.children[index + 1];
  if (previous) return { start: previous.end, end: item.end, text: '' };
  if (next) return { start: item.start, end: next.start, text: '' };
  return { start: array.start + 1, end: array.end - 1, text: '' };
}

function describePosition(text: string, error: unknown): string {
  if (text.startsWith('\uFEFF')) return 'starts with a byte order mark';
  if (text.trim() === '') return 'is empty';
  const offset = /at position (\d+)/.exec(String(error))?.[1];
  if (offset === undefined) return 'is not JSON';
  const before = text.slice(0, Number(offset)).split(/\r\n|\r|\n/);
  return `is not JSON at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}
