import type { Json, JsonObject } from './definition.ts';
import { runtimeError, StatesError } from './errors.ts';

type Segment = { kind: 'name'; name: string } | { kind: 'index'; index: number } | { kind: 'all' };

const SEGMENT =
  /\.(?<plain>[^.[\]()'"*?@,:\s]+)|\.?\[(?:'(?<single>[^']*)'|"(?<double>[^"]*)"|(?<index>-?\d+)|\*)\]|\.\*/y;
const parsed = new Map<string, readonly Segment[]>();

/** Names, indexes and `*`. Filters, slices and `..`, which AWS supports, throw. */
function parse(path: string): readonly Segment[] {
  const known = parsed.get(path);
  if (known) return known;
  const segments: Segment[] = [];
  if (!path.startsWith('$')) throw runtimeError(`Invalid path '${path}': a path starts with $`);
  for (let at = 1; at < path.length; at = SEGMENT.lastIndex) {
    SEGMENT.lastIndex = at;
    const groups = SEGMENT.exec(path)?.groups;
    if (!groups) throw runtimeError(`Invalid path '${path}': nothing the interpreter understands at character ${at}`);
    const name = groups['plain'] ?? groups['single'] ?? groups['double'];
    if (name !== undefined) segments.push({ kind: 'name', name });
    else if (groups['index'] !== undefined) segments.push({ kind: 'index', index: Number(groups['index']) });
    else segments.push({ kind: 'all' });
  }
  parsed.set(path, segments);
  return segments;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at `path`, or undefined if there is none. A path with `*` gives an array, possibly empty. */
function find(path: string, root: Json): Json | undefined {
  const segments = parse(path);
  const found = segments.reduce<Json[]>((values, segment) => values.flatMap((value) => select(segment, value)), [root]);
  return segments.some((segment) => segment.kind === 'all') ? found : found[0];
}

function select(segment: Segment, value: Json): Json[] {
  if (segment.kind === 'all') return isObject(value) ? Object.values(value) : Array.isArray(value) ? value : [];
  if (segment.kind === 'name') {
    const member = isObject(value) && Object.hasOwn(value, segment.name) ? value[segment.name] : undefined;
    return member === undefined ? [] : [member];
  }
  const item = Array.isArray(value) ? value.at(segment.index) : undefined;
  return item === undefined ? [] : [item];
}

/** The values a path may start from: `$` is the state's data, `$$` the context object. */
export interface Roots {
  data: Json;
  context: () => Json;
}

export function lookUp(path: string, { data, context }: Roots): Json | undefined {
  return path.startsWith('$$') ? find(path.slice(1), context()) : find(path, data);
}

/** The value at `path`; a missing value fails the execution. */
export function require(path: string, roots: Roots): Json {
  const value = lookUp(path, roots);
  if (value === undefined)
    throw runtimeError(`Invalid path '${path}': no results in the input '${JSON.stringify(roots.data)}'`);
  return value;
}

/** `ResultPath`: the input with `value` put at `path`; missing objects on the way are made. */
export function place(path: string, input: Json, value: Json): Json {
  return placeAt(parse(path), 0, input, value, path);
}

function placeAt(
  segments: readonly Segment[],
  depth: number,
  target: Json | undefined,
  value: Json,
  path: string,
): Json {
  const segment = segments[depth];
  if (!segment) return value;
  if (segment.kind === 'name' && (target === undefined || isObject(target))) {
    const old = target !== undefined && Object.hasOwn(target, segment.name) ? target[segment.name] : undefined;
    return { ...target, [segment.name]: placeAt(segments, depth + 1, old, value, path) };
  }
  if (segment.kind === 'index' && Array.isArray(target) && segment.index >= 0 && segment.index < target.length) {
    return target.with(segment.index, placeAt(segments, depth + 1, target[segment.index], value, path));
  }
  throw new StatesError('States.ResultPathMatchFailure', `Unable to apply ResultPath '${path}' to the input`);
}
