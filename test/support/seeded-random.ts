import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { vi } from 'vitest';

/** The seed of this run of the suite: `TEST_SEED=<seed> npx vitest run <file>` repeats the random values of a file. */
export const testSeed = Number(process.env.TEST_SEED ?? crypto.randomInt(2 ** 31));

let draw = mulberry32(testSeed);

/** Makes a file's random values depend on the seed and the file's name, not on the files before it. */
export function seedFile(path: string): void {
  const digest = crypto.createHash('sha256').update(`${testSeed} ${path}`).digest();
  draw = mulberry32(digest.readInt32LE());
}

/** Makes `Math.random` and the random functions of `node:crypto` draw from the seed. Keys and signatures stay truly random. */
export function seedProcess(): void {
  Math.random = () => draw();
  const randomBytes = (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(draw() * 256)));
  const randomUUID = () => {
    const bytes = randomBytes(16);
    bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
    bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
    return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
  const randomInt = (a: number, b?: number) => {
    const [from, to] = b === undefined ? [0, a] : [a, b];
    return from + Math.floor(draw() * (to - from));
  };
  Object.assign(crypto, { randomBytes, randomUUID, randomInt });
  Object.assign(globalThis.crypto, { randomUUID });
  syncBuiltinESMExports();
}

/** Makes `Math.random` return the same numbers for the same seed until mocks are restored. */
export function seedRandom(seed: number): void {
  vi.spyOn(Math, 'random').mockImplementation(mulberry32(seed));
}

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
