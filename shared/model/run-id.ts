import { randomBytes } from 'node:crypto';
import { now } from '../platform/clock.ts';

/** Crockford's base 32 in lower case: no two characters look alike, and digits sort before letters. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const runIdPattern = /^[0-9a-hjkmnp-tv-z]{26}$/;

/** 10 characters of time and 16 random characters. Ids sort by creation time and fit into URLs, execution names and session names. */
export function newRunId(at = now()): string {
  const time = Array.from({ length: 10 }, (_, index) => alphabet.charAt(Math.floor(at / 32 ** (9 - index)) % 32));
  const chance = Array.from(randomBytes(16), (byte) => alphabet.charAt(byte % 32));
  return [...time, ...chance].join('');
}

/** The id of the run at `index` (from 0) of a batch: the same at every start. Ids sort by index; three characters hold 32,768. */
export function runIdAt(batchId: string, index: number): string {
  const place = [2, 1, 0].map((digit) => alphabet.charAt(Math.floor(index / 32 ** digit) % 32));
  return [batchId.slice(0, -place.length), ...place].join('');
}

export function isRunId(text: string): boolean {
  return runIdPattern.test(text);
}
