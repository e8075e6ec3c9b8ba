import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { ApiClient } from '../support/api-client.ts';
import { type DeployedSandbox, startDeployedSandbox } from '../support/deployed-sandbox.ts';
import { quietly } from '../support/mute-logs.ts';
import { exampleRequest, seedScenario } from '../support/scenario.ts';
import { delaysAfterDelivery, outputOf } from './critical-path.ts';
import { assumptions } from './prices.ts';
import { countTableCalls } from './table-calls.ts';

export interface MeasuredRun {
  title: string;
  status: string;
  calls: {
    /** `payer s3`, `cluster iam`, `hub sts`, …: how many calls were answered. */
    byPlace: Record<string, number>;
    total: number;
    /** Calls by invocations whose step kept waiting. */
    waitingRepeats: number;
    throttleRepeats: number;
  };
  /** Calls to the hub's own table and event bus. */
  tableWrites: number;
  tableReads: number;
  busCalls: number;
  events: number;
  transitions: number;
  invocations: number;
  /** Crawls a month that the new resources cause. */
  scheduledCrawls: number;
  /** Reports that the run created. */
  reports: number;
  /** Minutes from the request to the write of the secret; absent if no write was needed. */
  secretAfterMinutes?: number;
  waiting?: { lagMinutes: number; toSecretSeconds: number; criticalPathSeconds: number; ratio: number };
  wallMs: number;
}

/** Only for the run whose report has data already. */
export const adoption = 'existing report adopted';
/** Only for the run whose table is made without a crawler. */
export const ownTable = 'new payer, new cluster, IRSA, table of our own';

const startMs = Date.parse('2026-11-23T08:00:00Z');

/** Each new payer and the adopted payer of the demo alone; the first payer again; then once with five percent throttling. */
export async function measureRuns(): Promise<MeasuredRun[]> {
  const fresh = exampleRequest('new-irsa');
  return [
    await inSandbox((sandbox) => measure(sandbox, 'new payer, new cluster, IRSA, template crawler', fresh)),
    await inSandbox((sandbox) =>
      measure(sandbox, 'new payer, new cluster, Pod Identity, no crawler', exampleRequest('new-pod-identity')),
    ),
    await inSandbox((sandbox) => measure(sandbox, ownTable, { ...fresh, crawler: 'none' })),
    await inSandbox((sandbox) => measure(sandbox, adoption, exampleRequest('adopt-report'))),
    await inSandbox(async (sandbox) => {
      await measure(sandbox, 'first time', fresh);
      return measure(sandbox, 'the same payer again: bucket, report, table and roles exist', fresh);
    }),
    await inSandbox((sandbox) => {
      sandbox.world.faults.push({ nth: 'every-20', kind: 'throttle' });
      return measure(sandbox, 'new payer with every 20th call throttled', fresh);
    }),
  ];
}

async function inSandbox<T>(work: (sandbox: DeployedSandbox) => Promise<T>): Promise<T> {
  const sandbox = await startDeployedSandbox({ startMs });
  try {
    await seedScenario(sandbox.world);
    return await quietly(() => work(sandbox));
  } finally {
    await sandbox.close();
  }
}

async function measure(sandbox: DeployedSandbox, title: string, request: OnboardingRequestInput): Promise<MeasuredRun> {
  const { world } = sandbox;
  const api = new ApiClient(sandbox.apiUrl);
  const before = {
    calls: world.calls.length,
    invocations: sandbox.invocations.length,
    executions: world.states.executions.size,
  };
  const wallStart = performance.now();
  const { runId } = await api.start(request);
  const run = await api.untilEnded(runId);
  const wallMs = performance.now() - wallStart;
  const invocations = sandbox.invocations.slice(before.invocations).filter(({ runId: id }) => id === runId);
  const execution = [...world.states.executions.values()].slice(before.executions)[0]?.execution;
  const waiting = delaysAfterDelivery(world, run);
  const written = run.steps.find(({ name }) => name === 'publish')?.changes[0]?.at;
  return {
    title,
    status: run.status,
    ...countCalls(sandbox, before.calls, request),
    ...countTableCalls(invocations.flatMap(({ tableCalls }) => tableCalls)),
    events: [...world.events.buses.values()]
      .flat()
      .filter(({ detail }) => (detail as { runId: string }).runId === runId).length,
    transitions: execution?.transitions() ?? 0,
    invocations: invocations.length,
    scheduledCrawls: crawlsPerMonth(run),
    reports: outputOf(run, 'report-choice')?.choice === 'create' ? 1 : 0,
    ...(written && { secretAfterMinutes: (Date.parse(written) - Date.parse(run.createdAt)) / 60_000 }),
    ...(waiting && { waiting }),
    wallMs,
  };
}

/** AWS's template crawls after each daily delivery; a table of our own needs no crawls, and others crawled an adopted one before the run. */
function crawlsPerMonth(run: Run): number {
  const kind = outputOf(run, 'crawler-stack')?.kind;
  return kind === 'template' || kind === 'native' ? assumptions.crawlsPerMonth : 0;
}

function countCalls(
  sandbox: DeployedSandbox,
  from: number,
  request: OnboardingRequestInput,
): Pick<MeasuredRun, 'calls' | 'busCalls'> {
  const byPlace: Record<string, number> = {};
  const counts = { total: 0, waitingRepeats: 0, throttleRepeats: 0 };
  let busCalls = 0;
  for (const call of sandbox.world.calls.slice(from)) {
    if (call.invocation === undefined) continue;
    const invocation = sandbox.invocations[call.invocation];
    if (call.error === 'injected:throttle') counts.throttleRepeats++;
    else if (call.service === 'events') busCalls++;
    else if (invocation?.repeatedWait) counts.waitingRepeats++;
    else {
      const place = `${placeOf(call.accountId, request)} ${call.service}`;
      byPlace[place] = (byPlace[place] ?? 0) + 1;
      counts.total++;
    }
  }
  return { calls: { byPlace, ...counts }, busCalls };
}

function placeOf(accountId: string, { payerAccountId, cluster }: OnboardingRequestInput): string {
  if (accountId === payerAccountId) return 'payer account';
  return accountId === cluster.accountId ? 'cluster account' : 'hub';
}
