import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, type InvocationRecord, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetClusters, fleetRequests, seedFleet } from '../support/fleet.ts';
import { runsOfBatch, untilBatchRests } from '../support/fleet-run.ts';
import { quietly } from '../support/mute-logs.ts';
import { type Tally, tallyPublications } from '../support/publication-tally.ts';
import { clusterArn, readSecret } from '../support/scenario.ts';
import { costOf } from './cost.ts';
import { delaysAfterDelivery } from './critical-path.ts';
import { type Latencies, latenciesUnderLoad } from './latency.ts';
import { countTableCalls } from './table-calls.ts';

export interface MeasuredFleet extends Tally {
  payers: number;
  /** By status, failed ones by code. */
  ends: Record<string, number>;
  /** By evidence level. */
  evidence: Record<string, number>;
  simulatedHours: number;
  wallMs: number;
  perPayer: {
    /** Calls to other accounts and STS, without throttled calls. */
    calls: number;
    /** The calls among them by invocations whose step kept waiting. */
    waitingRepeats: number;
    tableWrites: number;
    tableReads: number;
    /** Calls of PutEvents. */
    busCalls: number;
    events: number;
    transitions: number;
    invocations: number;
    /** Cost of orchestration: transitions, functions, table, events. */
    usd: number;
    /** The same cost for runs that waited 23 to 25 hours for AWS's delivery, if any. */
    usdAfterADay?: number;
    transitionsAfterADay?: number;
  };
  /** From AWS's first delivery to its detection, over the payers whose report is new. Deliveries come at any phase of the watcher. */
  lagMinutes: { mean: number; longest: number };
  throttles: Throttles;
  /** Entries that a run published but that are missing from the cluster's file at the end. */
  lost: number;
  underLoad: { post: Latencies; get: Latencies };
}

interface Throttles {
  /** Throttled calls. */
  met: number;
  /** Throttled calls after which the state machine repeated the step: those to the Kubernetes API. The SDK retried all others at once. */
  takenAgain: number;
  /** Runs that did not succeed. */
  runsLost: number;
}

const startMs = Date.parse('2026-11-23T08:00:00Z');
const hour = 3_600_000;
const secretName = 'cloud-integration';

const throttled = 'injected:throttle';

/** Routes of the API that only read. */
const readingRoutes = ['getBatch', 'getRun', 'listRuns'];

/** Runs this number of payers as one batch while every 20th call to an account is throttled and while others use the API. */
export async function measureFleet(payers: number): Promise<MeasuredFleet> {
  const sandbox = await startDeployedSandbox({ startMs });
  try {
    await seedFleet(sandbox.world, payers);
    return await quietly(() => measure(sandbox, payers));
  } finally {
    await sandbox.close();
  }
}

async function measure(sandbox: DeployedSandbox, payers: number): Promise<MeasuredFleet> {
  const { world } = sandbox;
  const tallies = fleetClusters.map((cluster) =>
    tallyPublications(world.eks.cluster(clusterArn(cluster)).kubernetes.store, secretName),
  );
  world.faults.push({ nth: 'every-20', kind: 'throttle' });
  const api = new ApiClient(sandbox.apiUrl);
  const wallStart = performance.now();
  const load = latenciesUnderLoad(api);
  const { batchId } = await api.startBatch({ onboardings: fleetRequests(payers) });
  const batch = await untilBatchRests(api, batchId);
  const wallMs = performance.now() - wallStart;
  const underLoad = await load.stop();
  const runs = await runsOfBatch(api, batch);
  return {
    payers,
    ends: countBy(runs, ({ status, error }) => (error ? `${status} (${error.code})` : status)),
    evidence: countBy(runs, ({ evidence }) => evidence?.level ?? 'none'),
    simulatedHours: (Math.max(...runs.map(({ endedAt }) => Date.parse(endedAt ?? ''))) - startMs) / hour,
    wallMs,
    perPayer: perPayer(sandbox, runs),
    lagMinutes: lagOf(sandbox, runs),
    throttles: throttlesOf(sandbox, runs),
    secretWrites: sum(tallies, ({ secretWrites }) => secretWrites),
    previousWrites: sum(tallies, ({ previousWrites }) => previousWrites),
    rolls: sum(tallies, ({ rolls }) => rolls),
    lost: lostEntries(sandbox, runs),
    underLoad,
  };
}

function throttlesOf({ world, invocations }: DeployedSandbox, runs: readonly Run[]): Throttles {
  const struck = world.calls.filter(({ error }) => error === throttled);
  const gaveUp = (index = -1) => invocations[index]?.error === 'RetryableError';
  return {
    met: struck.length,
    takenAgain: struck.filter(({ invocation }) => gaveUp(invocation)).length,
    runsLost: runs.filter(({ status }) => status !== 'succeeded').length,
  };
}

interface Usage {
  calls: number;
  waitingRepeats: number;
  tableWrites: number;
  tableReads: number;
  busCalls: number;
  events: number;
  transitions: number;
  invocations: number;
}

/** Excludes API calls by others; includes the sweeper and the start of the batch. */
function perPayer({ world, invocations }: DeployedSandbox, runs: readonly Run[]): MeasuredFleet['perPayer'] {
  const usages = new Map(runs.map(({ runId }) => [runId, nothing()]));
  const shared = nothing();
  const usageOf = ({ runId, functionKey }: Pick<InvocationRecord, 'runId' | 'functionKey'>) =>
    runId === undefined ? (readingRoutes.includes(functionKey) ? undefined : shared) : usages.get(runId);
  for (const invocation of invocations) {
    const usage = usageOf(invocation);
    if (!usage) continue;
    usage.invocations++;
    const { tableWrites, tableReads } = countTableCalls(invocation.tableCalls);
    usage.tableWrites += tableWrites;
    usage.tableReads += tableReads;
  }
  for (const { invocation: index, service, error } of world.calls) {
    const invocation = index === undefined ? undefined : invocations[index];
    const usage = invocation && usageOf(invocation);
    if (!usage || error === throttled || service === 'states') continue;
    if (service === 'events') {
      usage.busCalls++;
      continue;
    }
    usage.calls++;
    if (invocation.repeatedWait) usage.waitingRepeats++;
  }
  for (const { detail } of [...world.events.buses.values()].flat()) {
    const usage = usages.get((detail as { runId: string }).runId);
    if (usage) usage.events++;
  }
  for (const { name, execution } of world.states.executions.values()) {
    const usage = usages.get(name.replace(/-\d+$/, ''));
    if (usage) usage.transitions += execution.transitions();
  }
  const all = [...usages.values()];
  const fields = Object.keys(shared) as (keyof Usage)[];
  const mean = Object.fromEntries(
    fields.map((field) => [field, (sum(all, (usage) => usage[field]) + shared[field]) / all.length]),
  ) as unknown as Usage;
  const usdOf = (usage: Usage) => costOf({ ...usage, scheduledCrawls: 0, reports: 0 }).once.total;
  const ofADay = runs.filter((run) => Math.abs(waitOf(run) - 24) <= 1).flatMap(({ runId }) => usages.get(runId) ?? []);
  return {
    ...mean,
    usd: usdOf(mean),
    ...(ofADay.length > 0 && {
      usdAfterADay: sum(ofADay, usdOf) / ofADay.length + usdOf(shared) / all.length,
      transitionsAfterADay: sum(ofADay, ({ transitions }) => transitions) / ofADay.length,
    }),
  };
}

function nothing(): Usage {
  const table = { tableWrites: 0, tableReads: 0 };
  return { calls: 0, waitingRepeats: 0, ...table, busCalls: 0, events: 0, transitions: 0, invocations: 0 };
}

function lagOf({ world }: DeployedSandbox, runs: readonly Run[]): MeasuredFleet['lagMinutes'] {
  const lags = runs.flatMap((run) => delaysAfterDelivery(world, run)?.lagMinutes ?? []);
  return { mean: sum(lags, (lag) => lag) / lags.length, longest: Math.max(...lags) };
}

/** Hours. */
function waitOf({ steps }: Run): number {
  const { startedAt, endedAt } = steps.find(({ name }) => name === 'first-delivery') ?? {};
  return startedAt && endedAt ? (Date.parse(endedAt) - Date.parse(startedAt)) / hour : 0;
}

function lostEntries({ world }: DeployedSandbox, runs: readonly Run[]): number {
  const kept = new Set(fleetClusters.flatMap((cluster) => keysIn(readSecret(world, cluster)).map(of(cluster.name))));
  return runs.filter(({ evidence, request }) => evidence && !kept.has(of(request.cluster.name)(evidence.secret.key)))
    .length;
}

const of = (cluster: string) => (key: string) => `${cluster} ${key}`;

function keysIn(file: string | undefined): string[] {
  if (file === undefined) return [];
  const parsed = parseIntegrationFile(file);
  if (!parsed.accepted) throw new Error(`${parsed.path} ${parsed.problem}`);
  return parsed.integrations.map(({ key }) => key);
}

function countBy<T>(items: readonly T[], by: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[by(item)] = (counts[by(item)] ?? 0) + 1;
  return counts;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
