import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Json, JsonObject } from './definition.ts';
import { StatesError } from './errors.ts';
import { isObject } from './jsonpath.ts';

const MAX_TEXT = 10_000;
const MAX_RANGE = 1_000;
const ALGORITHMS = ['MD5', 'SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'];

function failure(message: string): StatesError {
  return new StatesError('States.IntrinsicFailure', message);
}

function text(value: Json | undefined): string {
  if (typeof value !== 'string') throw failure(`expected a string, got ${JSON.stringify(value)}`);
  return value;
}

function shortText(value: Json | undefined): string {
  const short = text(value);
  if (short.length > MAX_TEXT) throw failure(`a string is longer than ${MAX_TEXT} characters`);
  return short;
}

/** Fractions are rounded where an integer is required. */
function integer(value: Json | undefined): number {
  if (typeof value !== 'number') throw failure(`expected a number, got ${JSON.stringify(value)}`);
  return Math.round(value);
}

function array(value: Json | undefined): Json[] {
  if (!Array.isArray(value)) throw failure(`expected an array, got ${JSON.stringify(value)}`);
  return value;
}

function object(value: Json | undefined): JsonObject {
  if (!isObject(value)) throw failure(`expected an object, got ${JSON.stringify(value)}`);
  return value;
}

function format(template: string, values: readonly Json[]): string {
  let used = 0;
  const result = template.replace(/\\([{}])|\{\}/g, (_, brace: string | undefined) => {
    if (brace !== undefined) return brace;
    const value = values[used++];
    if (value === undefined) throw failure('States.Format has fewer arguments than {}');
    if (typeof value === 'object' && value !== null) throw failure('States.Format takes no objects and arrays');
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
  if (used < values.length) throw failure('States.Format has more arguments than {}');
  return result;
}

function partition(items: readonly Json[], size: number): Json[][] {
  if (size <= 0) throw failure('States.ArrayPartition needs a positive chunk size');
  return Array.from({ length: Math.ceil(items.length / size) }, (_, chunk) =>
    items.slice(chunk * size, (chunk + 1) * size),
  );
}

function range(first: number, last: number, step: number): number[] {
  if (step === 0) throw failure('States.ArrayRange needs a step other than 0');
  const length = Math.max(0, Math.floor((last - first) / step) + 1);
  if (length > MAX_RANGE) throw failure(`States.ArrayRange makes at most ${MAX_RANGE} items`);
  return Array.from({ length }, (_, index) => first + index * step);
}

function itemAt(items: readonly Json[], index: number): Json {
  const item = index < 0 ? undefined : items[index];
  if (item === undefined) throw failure(`States.ArrayGetItem: there is no item ${index}`);
  return item;
}

function hash(data: Json | undefined, algorithm: string): string {
  if (!ALGORITHMS.includes(algorithm)) throw failure(`States.Hash does not know ${algorithm}`);
  const content = typeof data === 'string' ? shortText(data) : JSON.stringify(data);
  return createHash(algorithm.replace('SHA-', 'sha')).update(content).digest('hex');
}

function merge(first: JsonObject, second: JsonObject, deep: Json | undefined): JsonObject {
  if (deep !== false) throw failure('States.JsonMerge supports shallow merging only: its third argument must be false');
  return { ...first, ...second };
}

function parse(json: string): Json {
  if (json.trim() === '') return null;
  try {
    return JSON.parse(json) as Json;
  } catch {
    throw failure('States.StringToJson was given a string that is not JSON');
  }
}

/** The end is exclusive, contrary to the manual. */
function randomBetween(start: number, end: number, random: () => number): number {
  return start + Math.floor(random() * (end - start));
}

/** The separator is a set of characters, and empty pieces are dropped: recorded from AWS. */
function split(joined: string, separators: string): string[] {
  const pieces = [''];
  for (const character of joined) {
    if (separators.includes(character)) pieces.push('');
    else pieces.push((pieces.pop() ?? '') + character);
  }
  return pieces.filter((piece) => piece !== '');
}

type Intrinsic = (args: readonly Json[], random: () => number) => Json;

export const intrinsics: Record<string, Intrinsic> = {
  'States.Array': (args) => [...args],
  'States.ArrayContains': ([items, wanted]) => array(items).some((item) => isDeepStrictEqual(item, wanted)),
  'States.ArrayGetItem': ([items, index]) => itemAt(array(items), integer(index)),
  'States.ArrayLength': ([items]) => array(items).length,
  'States.ArrayPartition': ([items, size]) => partition(array(items), integer(size)),
  'States.ArrayRange': ([first, last, step]) => range(integer(first), integer(last), integer(step)),
  'States.ArrayUnique': ([items]) =>
    array(items).filter((item, index, all) => all.findIndex((other) => isDeepStrictEqual(other, item)) === index),
  'States.Base64Decode': ([encoded]) => Buffer.from(shortText(encoded), 'base64').toString(),
  'States.Base64Encode': ([plain]) => Buffer.from(shortText(plain)).toString('base64'),
  'States.Format': ([template, ...values]) => format(text(template), values),
  'States.Hash': ([data, algorithm]) => hash(data, text(algorithm)),
  'States.JsonMerge': ([first, second, deep]) => merge(object(first), object(second), deep),
  'States.JsonToString': ([value]) => JSON.stringify(value),
  'States.MathAdd': ([first, second]) => integer(first) + integer(second),
  'States.MathRandom': ([start, end], random) => randomBetween(integer(start), integer(end), random),
  'States.StringSplit': ([joined, separators]) => split(text(joined), text(separators)),
  'States.StringToJson': ([json]) => parse(text(json)),
  'States.UUID': () => randomUUID(),
};
