import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleFolder } from '../../functions/deployment/bundles.ts';
import { deployedFunctions } from '../../functions/deployment/registry.ts';

const runs = 3;

/** Milliseconds to import each bundle in a fresh Node process; the median of three. */
export function bundleImports(): Record<string, number> {
  const times: Record<string, number> = {};
  for (const { key } of deployedFunctions) {
    const url = pathToFileURL(resolve(bundleFolder, key, 'index.mjs')).href;
    const script = `const t = performance.now(); await import(${JSON.stringify(url)}); process.stdout.write(String(performance.now() - t)); process.exit(0);`;
    const measured = Array.from({ length: runs }, () =>
      Number(spawnSync('node', ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout),
    );
    times[key] = measured.sort((a, b) => a - b)[Math.floor(runs / 2)] ?? Number.NaN;
  }
  return times;
}
