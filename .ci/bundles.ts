import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleFolder, bundleSizes } from '../functions/deployment/bundles.ts';

/** @throws if the bundle does not load by itself or exports no handler */
async function load(key: string): Promise<void> {
  const bundle: unknown = await import(pathToFileURL(resolve(bundleFolder, key, 'index.mjs')).href);
  if (typeof bundle !== 'object' || !bundle || !('handler' in bundle) || typeof bundle.handler !== 'function')
    throw new Error(`The bundle of ${key} exports no handler.`);
}

const kilobytes = (bytes: number) => String(Math.round(bytes / 1000)).padStart(4);

for (const { key, minified, gzipped, tooBig } of await bundleSizes()) {
  if (tooBig) process.exitCode = 1;
  await load(key);
  console.log(`${key.padEnd(18)} ${kilobytes(minified)} kB  ${kilobytes(gzipped)} kB gz  ${tooBig ? 'TOO BIG' : ''}`);
}
