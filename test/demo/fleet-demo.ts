import type { Batch } from '../../shared/batches/api-view.ts';
import { parseIntegrationFile } from '../../shared/integration-file/merge.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { connectionStatuses } from '../sandbox/index.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { fleetClusters, fleetRequests, seedFleet } from '../support/fleet.ts';
import { runsOfBatch, untilBatchRests } from '../support/fleet-run.ts';
import { clusterArn, readSecret } from '../support/scenario.ts';
import { elapsed } from './text.ts';

const startMs = Date.parse('2026-11-23T08:00:00Z');
const barWidth = 20;
/** Percent of progress between two lines when the output is piped. */
const linePercent = 10;

/** Runs this number of payers as one batch on five clusters. @returns true if all succeeded */
export async function fleetDemo(payers: number, json: boolean): Promise<boolean> {
  const say = json ? () => undefined : (line = '') => void process.stdout.write(`${line}\n`);
  const sandbox = await startDeployedSandbox({ startMs });
  try {
    await seedFleet(sandbox.world, payers);
    const api = new ApiClient(sandbox.apiUrl);
    say(`${payers} payer accounts, ${fleetClusters.length} clusters, one POST. Times are simulated; AWS is a sandbox`);
    say('in this process. One payer in ten has a report; AWS delivers to the others over a day.');
    const wallStart = performance.now();
    const { batchId } = await api.startBatch({ onboardings: fleetRequests(payers) });
    say(`POST /v1/batches -> ${batchId}\n`);
    const show = json ? undefined : progress();
    const batch = await untilBatchRests(api, batchId, (state) => {
      show?.(state, sandbox.world.clock.now());
    });
    const wallSeconds = Math.round((performance.now() - wallStart) / 1000);
    const summary = summaryOf(sandbox, batch, await runsOfBatch(api, batch), wallSeconds);
    if (json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
    else report(summary, say);
    return batch.counts.succeeded === payers;
  } finally {
    await sandbox.close();
  }
}

/** Overwrites one line on a terminal; writes separate lines elsewhere. */
function progress(): (batch: Batch, at: number) => void {
  const isTerminal = process.stdout.isTTY;
  let shown = -linePercent;
  return (batch, at) => {
    const line = progressLine(batch, at);
    const rests = batch.status !== 'running';
    if (isTerminal) process.stdout.write(`\r${line.padEnd(79)}${rests ? '\n' : ''}`);
    else if (rests || batch.percent >= shown + linePercent) {
      shown = batch.percent - (batch.percent % linePercent);
      process.stdout.write(`${line}\n`);
    }
  };
}

/** A line of at most 80 columns. */
function progressLine({ percent, counts }: Pick<Batch, 'percent' | 'counts'>, at: number): string {
  const filled = Math.floor((percent * barWidth) / 100);
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}]`;
  const { succeeded, failed, running, queued, notStarted } = counts;
  const figures = `ok ${succeeded} failed ${failed} running ${running + queued} to start ${notStarted}`;
  return `${elapsed(startMs, at)} ${bar} ${`${percent}%`.padStart(4)} ${figures}`;
}

interface Summary {
  batch: Batch;
  /** Runs by level of evidence. */
  evidence: Record<string, number>;
  /** Failed runs by error code. */
  failures: { code: string; actor: string; remedy: string; payerAccountIds: string[] }[];
  clusters: {
    arn: string;
    kubecost: string;
    identity: string;
    /** Entries of cloud-integration.json. */
    entries: number;
    /** Entries that Kubecost reports as connected. */
    connected: number;
  }[];
  simulatedSeconds: number;
  wallSeconds: number;
  /** Calls to other accounts and STS, including repeats of waiting steps. */
  callsPerPayer: number;
}

/** The meaning of a level of evidence, as the end of a sentence. */
const proofs: Record<string, string> = {
  connection: 'by the word of Kubecost itself: Connection Successful',
  query: 'by our own queries with the pod’s rights',
  table: 'by their table alone',
};

function summaryOf({ world }: DeployedSandbox, batch: Batch, runs: readonly Run[], wallSeconds: number): Summary {
  const evidence: Record<string, number> = {};
  const failures = new Map<string, Summary['failures'][number]>();
  for (const run of runs) {
    if (run.evidence) evidence[run.evidence.level] = (evidence[run.evidence.level] ?? 0) + 1;
    if (!run.error) continue;
    const { code, actor, remedy } = run.error;
    const failure = failures.get(code) ?? { code, actor, remedy, payerAccountIds: [] };
    failure.payerAccountIds.push(run.request.payerAccountId);
    failures.set(code, failure);
  }
  const calls = world.calls.filter(
    ({ invocation, service }) => invocation !== undefined && !['states', 'events'].includes(service),
  );
  return {
    batch,
    evidence,
    failures: [...failures.values()],
    clusters: fleetClusters.map((cluster) => {
      const file = parseIntegrationFile(readSecret(world, cluster) ?? '{}');
      const connections = connectionStatuses(world, clusterArn(cluster));
      return {
        arn: clusterArn(cluster),
        kubecost: cluster.generation,
        identity: cluster.mode,
        entries: file.accepted ? file.integrations.length : 0,
        connected: Object.values(connections).filter((status) => status === 'Connection Successful').length,
      };
    }),
    simulatedSeconds: (world.clock.now() - startMs) / 1000,
    wallSeconds,
    callsPerPayer: Math.round(calls.length / batch.size),
  };
}

function report(
  { batch, evidence, failures, clusters, simulatedSeconds, wallSeconds, callsPerPayer }: Summary,
  say: (line?: string) => void,
): void {
  const { succeeded, failed, notStarted } = batch.counts;
  say(`\n${succeeded} of ${batch.size} payers succeeded, ${failed} failed, ${notStarted} were not started.`);
  if (batch.heldBecause) say(`The batch is held: ${batch.heldBecause}`);
  for (const [level, count] of Object.entries(evidence)) say(`  ${String(count).padStart(4)} ${proofs[level]}`);
  for (const { code, actor, remedy, payerAccountIds } of failures) {
    const more = payerAccountIds.length > 3 ? ', ...' : '';
    say(`  failed with ${code}: ${payerAccountIds.length} (${payerAccountIds.slice(0, 3).join(', ')}${more})`);
    say(`    ${actor}: ${remedy}`);
  }
  say('\ncloud-integration.json of each cluster, and what Kubecost says of its entries:');
  for (const { arn, kubecost, identity, entries, connected } of clusters)
    say(
      `  ${arn.split('/').at(-1)?.padEnd(9)} Kubecost ${kubecost}, ${identity.padEnd(13)} entries ${entries}, Connection Successful ${connected}`,
    );
  say(
    `\n${elapsed(0, simulatedSeconds * 1000)} of simulated time in ${wallSeconds} s; ${callsPerPayer} calls into other accounts per payer.`,
  );
}
