import { writeFileSync } from 'node:fs';
import { buildFunctions } from '../../.ci/build.ts';
import { bundleSizes } from '../../.ci/bundles.ts';
import { bundleImports } from './cold-import.ts';
import { costOf } from './cost.ts';
import { assumptions, prices } from './prices.ts';
import { measureRuns, type MeasuredRun } from './measure.ts';
import { measurePublication, type MeasuredPublication } from './publication.ts';

const out = (line = '') => void process.stdout.write(`${line}\n`);
const usd = (value: number) => `$${value.toFixed(value < 1 ? 4 : 2)}`;

/** Prints what was measured and how, and writes the same to bench.json. */
async function bench(): Promise<void> {
  const runs = await measureRuns();
  for (const run of runs) printRun(run);
  out('\npublication: runs for one target with Kubecost 3.x whose earlier steps are done, each taken through publish');
  const publications: MeasuredPublication[] = [];
  for (const [count, spread] of publicationSizes) {
    const measured = await measurePublication(count, spread);
    publications.push(measured);
    printPublication(measured);
  }
  out(`\nPrices of ${prices.asOf}, ${JSON.stringify(assumptions)}`);

  await buildFunctions();
  const [sizes, imports] = [await bundleSizes(), bundleImports()];
  out('\nBundles: minified and gzipped bytes; cold import is the median of 3 fresh Node processes on this machine');
  const bundles = sizes.map((size) => ({ ...size, coldImportMs: imports[size.key] ?? Number.NaN }));
  for (const { key, minified, gzipped, coldImportMs } of bundles) {
    out(`  ${key.padEnd(18)} ${kilo(minified)} kB ${kilo(gzipped)} kB gz ${coldImportMs.toFixed(0).padStart(5)} ms`);
  }
  writeFileSync(
    'bench.json',
    `${JSON.stringify({ measuredAt: new Date().toISOString(), runs: runs.map(summary), publications, bundles }, null, 2)}\n`,
  );
  out('\nwrote bench.json');
}

/** Runs, and over how many simulated seconds they come. */
const publicationSizes = [
  [1, 0],
  [10, 0],
  [50, 0],
  [200, 0],
  [200, 3600],
] as const;

function printPublication(measured: MeasuredPublication): void {
  const { runs, spreadSeconds, secretWrites, previousWrites, rolls, calls, lost, failed } = measured;
  const when = spreadSeconds === 0 ? 'at once' : `within ${spreadSeconds / 60} minutes`;
  out(
    `  ${String(runs).padStart(3)} ${when.padEnd(17)} secret writes ${secretWrites} (and ${previousWrites} of the previous file), rolls ${rolls}, ` +
      `calls ${calls}, entries lost ${lost}, runs failed ${failed}, ` +
      `simulated ${measured.simulatedSeconds.toFixed(0)} s, wall ${(measured.wallMs / 1000).toFixed(1)} s`,
  );
}

const kilo = (bytes: number) => String(Math.round(bytes / 1000)).padStart(4);

function summary(run: MeasuredRun) {
  return { ...run, usd: costOf(run) };
}

function printRun(run: MeasuredRun): void {
  const { once, monthly } = costOf(run);
  out(`\n${run.title}: ${run.status}`);
  out(
    '  Calls, counted where the sandbox answers them; repeats of a waiting step, throttled calls and own table apart',
  );
  for (const [place, count] of Object.entries(run.calls.byPlace).sort())
    out(`    ${place.padEnd(34)} ${String(count).padStart(5)}`);
  out(`    ${'all of these'.padEnd(34)} ${String(run.calls.total).padStart(5)}`);
  out(`    ${'waiting repeats'.padEnd(34)} ${String(run.calls.waitingRepeats).padStart(5)}`);
  out(`    ${'throttle repeats'.padEnd(34)} ${String(run.calls.throttleRepeats).padStart(5)}`);
  out(`    ${'own table'.padEnd(34)} ${String(run.calls.ownTable).padStart(5)}`);
  out(
    `  State transitions ${run.transitions}, function invocations ${run.invocations}, wall time ${(run.wallMs / 1000).toFixed(2)} s`,
  );
  out(
    `  Cost once ${usd(once.total)} (transitions ${usd(once.transitions)}, Lambda ${usd(once.lambda)}, table ${usd(once.table)})`,
  );
  out(
    `  Cost left behind ${usd(monthly.total)} a month (crawls ${usd(monthly.crawls)}, storage ${usd(monthly.storage)}, scans ${usd(monthly.scans)})`,
  );
  if (run.waiting) {
    const { lagMinutes, toSecretSeconds, criticalPathSeconds, ratio } = run.waiting;
    out(`  First delivery to its detection ${lagMinutes.toFixed(1)} simulated minutes`);
    out(
      `  Detection to published secret ${toSecretSeconds.toFixed(0)} s; AWS's own delays on that path ${criticalPathSeconds.toFixed(0)} s; ratio ${ratio.toFixed(2)}`,
    );
  }
}

await bench();
