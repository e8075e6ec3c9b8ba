import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { bundleFolder } from './build.ts';
import { deployedFunctions } from './functions.ts';

/** Cold starts grow with the bundle: at most so many bytes, and less where a person waits for the answer. */
const limits = { minified: 900_000, gzipped: 260_000, apiRead: 550_000 };
const apiReads = new Set(['getRun', 'getArtifacts', 'listRuns', 'getBatch', 'openapi', 'docs', 'health']);

export interface BundleSize {
  key: string;
  minified: number;
  gzipped: number;
}

/** Bytes of every bundle in dist/. */
export async function bundleSizes(): Promise<BundleSize[]> {
  const files = deployedFunctions.map(async ({ key }) => ({
    key,
    code: await readFile(`${bundleFolder}/${key}/index.mjs`),
  }));
  return (await Promise.all(files)).map(({ key, code }) => ({
    key,
    minified: code.length,
    gzipped: gzipSync(code).length,
  }));
}

/** @throws if the bundle does not load by itself or exports no handler */
async function load(key: string): Promise<void> {
  const { handler } = (await import(pathToFileURL(resolve(bundleFolder, key, 'index.mjs')).href)) as {
    handler?: unknown;
  };
  if (typeof handler !== 'function') throw new Error(`${key} exports no handler`);
}

if (import.meta.main) {
  let tooBig = 0;
  for (const { key, minified, gzipped } of await bundleSizes()) {
    const limit = apiReads.has(key) ? limits.apiRead : limits.minified;
    const verdict = minified > limit || gzipped > limits.gzipped ? 'TOO BIG' : '';
    if (verdict) tooBig++;
    await load(key);
    console.log(
      `${key.padEnd(18)} ${String(Math.round(minified / 1000)).padStart(4)} kB  ${String(Math.round(gzipped / 1000)).padStart(4)} kB gz  ${verdict}`,
    );
  }
  if (tooBig > 0) process.exitCode = 1;
}
