import { KubernetesError } from '../errors/kubernetes-error.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/merge.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type ConnectionLog, decideFromLog, failingQuery, readLog } from './connection-log.ts';
import { type ConnectionDecision, keysFromFile, readStatus, statusPath } from './connection-status.ts';

/** Where Kubecost or OpenCost ("the consumer") runs, and which entry we check. */
export interface ConnectionPlace {
  namespace: string;
  /** `http:<name>:<port>` */
  statusService: string | null;
  pod: string;
  container: string;
  entry: IntegrationEntry;
  /** Period of the log that we read, seconds. */
  sinceSeconds: number;
  /** Seconds until rows are expected; undefined if this is not known. */
  secondsToData: number | undefined;
  /** Seconds since the permissions were proven, if the pod is older: its earlier failures no longer count. */
  provenSecondsAgo: number | undefined;
}

/** The status that the consumer reports for the entry, its source, and our decision. */
export interface StatusReport {
  status: string | null;
  source: 'status' | 'log' | null;
  decision: ConnectionDecision;
}

const logLines = 2000;

export async function readConnection(kubernetes: KubernetesClient, place: ConnectionPlace): Promise<StatusReport> {
  const report = await readReport(kubernetes, place);
  return (await isStale(kubernetes, place, report)) ? { ...report, decision: nextQuery } : report;
}

/** Reads the status; if that is blocked, the log; if both are blocked, returns the reasons. */
async function readReport(kubernetes: KubernetesClient, place: ConnectionPlace): Promise<StatusReport> {
  const { entry, sinceSeconds } = place;
  const answer = await readStatusResponse(kubernetes, place);
  if ('disabled' in answer) return { status: null, source: 'status', decision: disabled };
  const reported = 'text' in answer ? readStatus(answer.text, entry) : undefined;
  if (reported && reported.decision.verdict !== 'failing') return { ...reported, source: 'status' };

  const log = await readPodLog(kubernetes, place, sinceSeconds);
  const findings = 'text' in log ? readLog(log.text, entryKey(entry)) : undefined;
  if (reported) return { ...reported, source: 'status', decision: withCause(reported.decision, findings, place) };
  if (findings) return { status: null, source: 'log', decision: decideFromLog(findings) };
  const [status, lines] = [answer, log].map((one) => ('blocked' in one ? one.blocked : 'unexpected response'));
  return {
    status: null,
    source: null,
    decision: {
      verdict: 'pending',
      pendingFor: `access to the status or the log of the consumer (status: ${status ?? ''}; log: ${lines ?? ''})`,
    },
  };
}

/** Keys of the entries that the consumer has loaded from the file. Undefined if its status cannot be read; empty if cloud costs are switched off. */
export async function loadedKeys(kubernetes: KubernetesClient, place: StatusPlace): Promise<string[] | undefined> {
  const answer = await readStatusResponse(kubernetes, place);
  if ('disabled' in answer) return [];
  return 'text' in answer ? keysFromFile(answer.text) : undefined;
}

type StatusPlace = Pick<ConnectionPlace, 'namespace' | 'statusService'>;
type ReadResult = { text: string } | { blocked: string } | { disabled: true };

async function readStatusResponse(
  kubernetes: KubernetesClient,
  { namespace, statusService }: StatusPlace,
): Promise<ReadResult> {
  if (statusService === null) return { blocked: 'the consumer has no status service' };
  return unlessBlocked(() => kubernetes.read(statusPath(namespace, statusService)));
}

function readPodLog(kubernetes: KubernetesClient, place: ConnectionPlace, sinceSeconds: number): Promise<ReadResult> {
  const { namespace, pod, container } = place;
  const query = `container=${container}&tailLines=${logLines}&sinceSeconds=${sinceSeconds}`;
  return unlessBlocked(() => kubernetes.read(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`));
}

/** True if the last failure is older than the proof of the permissions: the consumer repeats a query only every six hours (CLOUD_COST_REFRESH_RATE_HOURS). */
async function isStale(
  kubernetes: KubernetesClient,
  place: ConnectionPlace,
  { decision }: StatusReport,
): Promise<boolean> {
  const { provenSecondsAgo, entry } = place;
  if (provenSecondsAgo === undefined || decision.verdict !== 'failing' || !decision.query) return false;
  const log = await readPodLog(kubernetes, place, Math.max(1, Math.floor(provenSecondsAgo)));
  const latest = 'text' in log ? readLog(log.text, entryKey(entry)).latest : 'nothing';
  return latest !== 'failed' && latest !== 'built';
}

const nextQuery: ConnectionDecision = {
  verdict: 'pending',
  pendingFor:
    'the next query of the consumer, within 6 hours (its last query failed before the permissions were set; a restart of its pod starts the query immediately)',
};

const disabled: ConnectionDecision = {
  verdict: 'failing',
  pendingFor: 'cloud costs to be switched on',
  code: 'cloud-cost-disabled',
  cause: 'the consumer responds that cloud costs are switched off',
  lastsSeconds: 60,
  query: false,
};

/** Adds the cause from the log to a failing status. The age of the report decides whether rows are expected yet. */
function withCause(
  decision: ConnectionDecision,
  log: ConnectionLog | undefined,
  { secondsToData }: ConnectionPlace,
): ConnectionDecision {
  if (decision.verdict !== 'failing') return decision;
  const { code, pendingFor, lastsSeconds } = decision;
  if (code === 'connection-failed' && log?.failure !== undefined) return failingQuery(log.failure);
  if (code === 'consumer-not-reading' && log?.fileRejected) return decideFromLog(log);
  if (code !== 'connection-data-missing') return decision;
  if (secondsToData === undefined) return { verdict: 'pending', pendingFor };
  return { ...decision, lastsSeconds: Math.max(lastsSeconds, secondsToData) };
}

/**
 * Runs a read. The service proxy and the kubelet's port need open security groups and permissions that an owner may not grant, and a
 * front end may require a login: each such response means `blocked`. A retryable error is thrown.
 */
async function unlessBlocked(read: () => Promise<string>): Promise<ReadResult> {
  try {
    return { text: await read() };
  } catch (error) {
    const status = error instanceof KubernetesError ? error.$metadata.httpStatusCode : undefined;
    // "Ingestion Manager is nil" (opencost pkg/cloudcost/ingestionmanager.go).
    if (status === 501) return { disabled: true };
    if (status !== undefined && status !== 429) return { blocked: `HTTP ${status}` };
    if (error instanceof Error && error.name === 'TimeoutError') return { blocked: 'no response' };
    throw error;
  }
}
