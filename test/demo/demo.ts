import { parseArgs } from 'node:util';
import { maskForeign } from '../../shared/integration-file/merge.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { connectionStatuses } from '../sandbox/index.ts';
import { ApiClient } from '../support/api-client.ts';
import { startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { quietly } from '../support/mute-logs.ts';
import {
  clusterArn,
  clusters,
  exampleRequest,
  examples,
  generations,
  readSecret,
  seedScenario,
} from '../support/scenario.ts';
import { fleetDemo } from './fleet-demo.ts';
import { elapsed, progressLines, timelineOf, timelineText } from './text.ts';

const startMs = Date.parse('2026-11-23T08:00:00Z');

/** Onboards the four payers of examples/ at two clusters through the deployed API, state machine and handlers. */
async function demo(json: boolean): Promise<boolean> {
  const say = json ? () => undefined : (line = '') => void process.stdout.write(`${line}\n`);
  const sandbox = await startDeployedSandbox({ startMs });
  try {
    await seedScenario(sandbox.world);
    const api = new ApiClient(sandbox.apiUrl);
    say('Four payer accounts, two clusters, one POST each. Times are simulated; AWS is a sandbox in this process.');
    for (const { name } of clusters) say(`Cluster ${name} runs Kubecost ${generations[name]}.`);
    say();
    const runs = await Promise.all(
      examples.map(async (example) => {
        const started = await api.start(exampleRequest(example));
        say(`POST /v1/onboardings  examples/${example}.json  -> ${started.runId}`);
        let last: Run | undefined;
        return api.untilEnded(started.runId, (run) => {
          progressLines(last, run, startMs).forEach(say);
          last = run;
        });
      }),
    );
    const files = clusters.map((cluster) => ({
      cluster,
      text: readSecret(sandbox.world, cluster) ?? '{}',
      connections: connectionStatuses(sandbox.world, clusterArn(cluster)),
    }));
    const timeline = runs.flatMap(timelineOf);
    if (json) {
      const secrets = files.map(({ cluster, text, connections }) => ({
        arn: clusterArn(cluster),
        kubecost: generations[cluster.name],
        secret: JSON.parse(text) as unknown,
        connections,
      }));
      process.stdout.write(`${JSON.stringify({ runs, clusters: secrets, timeline }, null, 2)}\n`);
    } else {
      for (const run of runs) reportRun(run, say);
      for (const { cluster, text, connections } of files) {
        say(`\ncloud-integration.json of ${clusterArn(cluster)} (foreign values masked)\n`);
        say(JSON.stringify(maskForeign(text, ownKeys(runs)), null, 2));
        say(`\nConnection status, as Kubecost ${generations[cluster.name]} on ${cluster.name} tells it:`);
        for (const key of ownKeys(runs)) if (connections[key]) say(`  ${connections[key].padEnd(22)} ${key}`);
      }
      const succeeded = runs.filter(({ status }) => status === 'succeeded').length;
      say(`\n${succeeded} of ${runs.length} runs succeeded.`);
    }
    return runs.every(({ status }) => status === 'succeeded');
  } finally {
    await sandbox.close();
  }
}

function reportRun(run: Run, say: (line?: string) => void): void {
  const { payerAccountId, cluster } = run.request;
  const mode = 'identity' in run.request ? ` (${run.request.identity.mode})` : '';
  const title = `${payerAccountId} on ${cluster.name}${mode}`;
  say(
    `\n${title}: ${run.status}, ${run.changes} changes, ${elapsed(Date.parse(run.createdAt), Date.parse(run.endedAt ?? run.createdAt))}`,
  );
  if (run.error)
    say(
      `  ${run.error.code} in ${run.error.step ?? 'the run'}: ${run.error.message}\n  ${run.error.actor}: ${run.error.remedy}`,
    );
  if (run.evidence) {
    const { connection, query, secret } = run.evidence;
    say(
      `  evidence: ${run.evidence.level} (${query.level}), ${query.columns} columns, ${query.rowCount} rows on ${query.day}:`,
    );
    for (const row of query.rows.slice(0, 3)) say(`    ${Object.values(row).slice(0, 7).join('  ')}`);
    if (connection?.connectionStatus)
      say(`  Kubecost says: ${connection.connectionStatus}; data since ${connection.dataSince ?? 'an unknown day'}`);
    say(
      `  secret ${secret.name} at resourceVersion ${secret.resourceVersion}, beside ${secret.otherKeys.length} other entries`,
    );
  }
  say('  timeline (==== the wait for AWS, || at the same time):');
  timelineText(timelineOf(run), startMs).forEach(say);
}

function ownKeys(runs: readonly Run[]): Set<string> {
  return new Set(runs.flatMap((run) => (run.evidence ? [run.evidence.secret.key] : [])));
}

const usage = `npm run demo [-- --json] [--fleet <payers>]

  --json             one JSON document instead of text
  --fleet <payers>   so many payers as one batch on five clusters, instead of the requests in examples/`;

function readArguments(): { json: boolean; payers: number | undefined } {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, fleet: { type: 'string' } } });
  const payers = values.fleet === undefined ? undefined : Number(values.fleet);
  if (payers !== undefined && !(Number.isInteger(payers) && payers >= 1 && payers <= 1000))
    throw new Error('--fleet takes a number of payers from 1 to 1000');
  return { json: values.json, payers };
}

async function main(): Promise<void> {
  const { json, payers } = readArguments();
  const succeeded = await quietly(() => (payers === undefined ? demo(json) : fleetDemo(payers, json)));
  if (!succeeded) process.exitCode = 1;
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}\n`);
  process.exitCode = 1;
});
