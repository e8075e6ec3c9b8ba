import type { Json } from './definition.ts';
import { StatesError } from './errors.ts';
import type { Roots } from './jsonpath.ts';
import { place, require } from './jsonpath.ts';

/** UTF-8 bytes of a task's, state's or execution's input or output. */
export const MAX_PAYLOAD_BYTES = 262_144;

/** InputPath and OutputPath: null stands for an empty object. */
export function applyPath(path: string | null | undefined, roots: Roots): Json {
  if (path === null) return {};
  return path === undefined ? roots.data : require(path, roots);
}

/** ResultPath: null discards the result, the default replaces the input. */
export function applyResultPath(path: string | null | undefined, input: Json, result: Json): Json {
  return path === null ? input : place(path ?? '$', input, result);
}

/** Converts a function's input or output through JSON text: no objects are shared, and values without JSON form are lost. */
export function clone(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}

export function assertSize(value: Json, subject: string): void {
  const text = JSON.stringify(value);
  // A UTF-16 unit takes three bytes at most: small values need no counting.
  if (text.length * 3 <= MAX_PAYLOAD_BYTES || Buffer.byteLength(text) <= MAX_PAYLOAD_BYTES) return;
  const problem = `returned a result with a size exceeding the maximum number of bytes service limit.`;
  throw new StatesError('States.DataLimitExceeded', `${subject} ${problem}`);
}
