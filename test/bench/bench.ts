import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { buildFunctions, bundleSizes } from '../../functions/deployment/bundles.ts';
import { type Bar, fleetBars, latencyBars, runBars } from './bars.ts';
import { bundleImports } from './cold-import.ts';
import { costOf } from './cost.ts';
import { type MeasuredFleet, measureFleet } from './fleet.ts';
import { failuresText, fleetTable } from './fleet-text.ts';
import { type Latencies, latenciesWhenIdle } from './latency.ts';
import { type MeasuredRun, measureRuns } from './measure.ts';
import { assumptions, prices } from './prices.ts';
import { type MeasuredPublication, measurePublication } from './publication.ts';
import { measureRepair } from './repair.ts';

const out = (line = '') => void process.stdout.write(`${line}\n`);
const figure = (value: number) => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
const usd = (value: number) => `$${value.toFixed(value < 1 ? 4 : 2)}`;
const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;
const file = 'bench.json';

const usage = `npm run bench [-- <part>... [--payers <n>]...]

Measures, prints, and writes the same to bench.json, where the other parts stay as they were measured before.
  runs         one run at a time: calls, cost, waiting
  publication  many runs for one cluster that come to publish
  fleet        a batch of payers on five clusters, one after the other with each --payers (default 10, 100 and 500)
  repair       a batch of 50 with three broken payers, and its retry after the repair
  api          latencies of the API while nothing else goes on
  bundles      sizes and cold imports

Ends with 1 if a bar is missed.`;

const bars: Bar[] = [];

const parts = {
  async runs() {
    const runs = await measureRuns();
    for (const run of runs) printRun(run);
    bars.push(...runBars(runs));
    return runs.map(summary);
  },
  async publication() {
    out('\npublication: runs for one target with Kubecost 3.x whose earlier steps are done, each runs publish');
    const publications: MeasuredPublication[] = [];
    for (const [count, spread] of publicationSizes) {
      const measured = await measurePublication(count, spread);
      publications.push(measured);
      printPublication(measured);
      if (isBearable(measured)) continue;
      out('      more than a cluster is to bear');
      process.exitCode = 1;
    }
    return publications;
  },
  async fleet(sizes: readonly number[]) {
    out('\nfleet: a batch of payers on five clusters, one in ten with a report, deliveries to the others over a day;');
    out('  every 20th call into any account is throttled, and others use the API meanwhile');
    const fleets: MeasuredFleet[] = [];
    for (const size of sizes) {
      const measured = await measureFleet(size);
      fleets.push(measured);
      const failures = failuresText(measured);
      out(`  ${size} payers took ${seconds(measured.wallMs)}${failures && `; did not succeed: ${failures}`}`);
    }
    out();
    fleetTable(fleets).forEach(out);
    for (const { payers, underLoad } of fleets) {
      out(`  API while ${payers} payers are onboarded in the same process, real milliseconds:`);
      printLatencies(underLoad);
    }
    bars.push(...fleetBars(fleets));
    return fleets;
  },
  async repair() {
    const measured = await measureRepair(50);
    const { payers, failures, before, afterRetry, wallMs } = measured;
    out(`\nrepair: a batch of ${payers} payers with a report, three of them broken`);
    out(`  ${before.succeeded} succeeded, ${before.failed} failed (${Object.values(failures).join(', ')})`);
    out(`  after the repair and a retry ${afterRetry.succeeded} succeeded, wall ${seconds(wallMs)}`);
    return measured;
  },
  async api() {
    const measured = await latenciesWhenIdle();
    out('\napi: real milliseconds while nothing else goes on');
    printLatencies(measured);
    bars.push(...latencyBars(measured));
    return measured;
  },
  async bundles() {
    await buildFunctions();
    const [sizes, imports] = [await bundleSizes(), bundleImports()];
    out('\nBundles: minified and gzipped bytes; cold import is the median of 3 fresh Node processes on this machine');
    const bundles = sizes.map((size) => ({ ...size, coldImportMs: imports[size.key] ?? Number.NaN }));
    for (const { key, minified, gzipped, coldImportMs } of bundles) {
      out(`  ${key.padEnd(20)} ${kilo(minified)} kB ${kilo(gzipped)} kB gz ${coldImportMs.toFixed(0).padStart(5)} ms`);
    }
    return bundles;
  },
};
type Part = keyof typeof parts;
const partNames = Object.keys(parts) as Part[];

/** @throws if the part or size is unknown */
function chosen(): { names: readonly Part[]; sizes: readonly number[] } {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { payers: { type: 'string', multiple: true, default: ['10', '100', '500'] } },
  });
  const unknown = positionals.find((name) => !(partNames as string[]).includes(name));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}`);
  const sizes = values.payers.map(Number).sort((a, b) => a - b);
  if (!sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 1000))
    throw new Error('--payers takes a number of payers from 1 to 1000');
  return { names: partNames.filter((name) => positionals.length === 0 || positionals.includes(name)), sizes };
}

async function bench(): Promise<void> {
  const { names, sizes } = chosen();
  const start = performance.now();
  const measured: Record<string, unknown> = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>)
    : {};
  for (const name of names) {
    const partStart = performance.now();
    const result = await parts[name](sizes);
    out(`  (${name} took ${seconds(performance.now() - partStart)})`);
    measured[name] = { measuredAt: new Date().toISOString(), result };
    writeFileSync(file, `${JSON.stringify(measured, null, 2)}\n`);
  }
  if (bars.length > 0) out('\nbars');
  for (const { what, measured, limit, holds } of bars)
    out(`  ${holds ? 'holds ' : 'MISSED'}  ${what.padEnd(56)} ${figure(measured)} (at most ${limit})`);
  if (bars.some(({ holds }) => !holds)) process.exitCode = 1;
  out(`\nPrices of ${prices.asOf}, ${JSON.stringify(assumptions)}`);
  out(`Wrote ${file} after ${seconds(performance.now() - start)}`);
}

/** The number of runs, and the simulated seconds over which they arrive. */
const publicationSizes = [
  [1, 0],
  [10, 0],
  [50, 0],
  [200, 0],
  [200, 3600],
] as const;

/** At most 40 writes and 10 restarts for runs that end at once; over hours, a pod restarts at most every five minutes. */
function isBearable({ spreadSeconds, secretWrites, previousWrites, ...measured }: MeasuredPublication): boolean {
  const mostRolls = Math.max(10, 2 + spreadSeconds / 300);
  return secretWrites + previousWrites <= 40 && measured.rolls <= mostRolls && measured.lost + measured.failed === 0;
}

function printPublication(measured: MeasuredPublication): void {
  const { runs, spreadSeconds, secretWrites, previousWrites, rolls, calls, lost, failed } = measured;
  const when = spreadSeconds === 0 ? 'at once' : `within ${spreadSeconds / 60} minutes`;
  out(
    `  ${String(runs).padStart(3)} ${when.padEnd(17)} secret writes ${secretWrites} (and ${previousWrites} of the previous file), rolls ${rolls}, ` +
      `calls ${calls}, entries lost ${lost}, runs failed ${failed}, ` +
      `simulated ${measured.simulatedSeconds.toFixed(0)} s, wall ${(measured.wallMs / 1000).toFixed(1)} s`,
  );
}

function printLatencies(latencies: { post: Latencies; get: Latencies }): void {
  for (const [name, { requests, p50, p95, p99 }] of Object.entries(latencies)) {
    const [half, most, nearlyAll] = [p50, p95, p99].map((value) => value.toFixed(1));
    out(`    ${name.toUpperCase().padEnd(5)} p50 ${half}, p95 ${most}, p99 ${nearlyAll} (${requests} requests)`);
  }
}

const kilo = (bytes: number) => String(Math.round(bytes / 1000)).padStart(4);

function summary(run: MeasuredRun) {
  return { ...run, usd: costOf(run) };
}

function printRun(run: MeasuredRun): void {
  const { once, monthly } = costOf(run);
  out(`\n${run.title}: ${run.status}`);
  out('  Calls, counted by the sandbox; without repeats of a waiting step, throttled calls, own table and event bus');
  for (const [place, count] of Object.entries(run.calls.byPlace).sort())
    out(`    ${place.padEnd(34)} ${String(count).padStart(5)}`);
  out(`    ${'all of these'.padEnd(34)} ${String(run.calls.total).padStart(5)}`);
  out(`    ${'waiting repeats'.padEnd(34)} ${String(run.calls.waitingRepeats).padStart(5)}`);
  out(`    ${'throttle repeats'.padEnd(34)} ${String(run.calls.throttleRepeats).padStart(5)}`);
  out(`    ${'own table'.padEnd(34)} ${String(run.tableWrites + run.tableReads).padStart(5)}`);
  out(`    ${'event bus'.padEnd(34)} ${String(run.busCalls).padStart(5)} (${run.events} events)`);
  out(
    `  State transitions ${run.transitions}, function invocations ${run.invocations}, wall time ${(run.wallMs / 1000).toFixed(2)} s`,
  );
  out(
    `  Cost once ${usd(once.total)} (transitions ${usd(once.transitions)}, Lambda ${usd(once.lambda)}, table ${usd(once.table)}, events ${usd(once.events)})`,
  );
  out(
    `  Cost left behind ${usd(monthly.total)} a month (crawls ${usd(monthly.crawls)}, storage ${usd(monthly.storage)}, scans ${usd(monthly.scans)})`,
  );
  if (run.secretAfterMinutes !== undefined)
    out(`  Request to the write of the secret ${run.secretAfterMinutes.toFixed(1)} simulated minutes`);
  if (run.waiting) {
    const { lagMinutes, toSecretSeconds, criticalPathSeconds, ratio } = run.waiting;
    out(`  First delivery to its detection ${lagMinutes.toFixed(1)} simulated minutes`);
    out(
      `  Detection to published secret ${toSecretSeconds.toFixed(0)} s; AWS's own delays on that path ${criticalPathSeconds.toFixed(0)} s; ratio ${ratio.toFixed(2)}`,
    );
  }
}

await bench().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
  process.exitCode = 1;
});
