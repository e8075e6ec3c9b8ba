import { KubernetesError } from '../errors/kubernetes-error.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/merge.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import { type Judgement, keysFromFile, readStatus, statusPath } from './connection-status.ts';
import { failingQuery, judgeLog, type LogFindings, readLog } from './consumer-log.ts';

/** Where the consumer runs, and what it is asked about. */
export interface Question {
  namespace: string;
  /** `http:<name>:<port>` */
  statusService: string | null;
  pod: string;
  container: string;
  entry: IntegrationEntry;
  /** How far back its log is read, seconds. */
  sinceSeconds: number;
  /** Until rows are to be expected; undefined if nobody can tell. */
  secondsToData: number | undefined;
  /** Seconds since the rights were proven, if the pod is older: what it failed at before says nothing about now. */
  provenSecondsAgo: number | undefined;
}

/** What the consumer says about the entry, and where. */
export interface Word {
  status: string | null;
  source: 'status' | 'log' | null;
  judgement: Judgement;
}

const logLines = 2000;

export async function askConsumer(kubernetes: KubernetesClient, question: Question): Promise<Word> {
  const word = await hear(kubernetes, question);
  return (await isStale(kubernetes, question, word)) ? { ...word, judgement: nextQuery } : word;
}

/** The consumer's status; where the way to it is blocked, its log; where that is, too, nothing but why. */
async function hear(kubernetes: KubernetesClient, question: Question): Promise<Word> {
  const { namespace, statusService, entry, sinceSeconds } = question;
  const path = statusService && statusPath(namespace, statusService);
  const answer = path ? await unlessBlocked(() => kubernetes.read(path)) : { blocked: 'it has no status service' };
  if ('disabled' in answer) return { status: null, source: 'status', judgement: disabled };
  const told = 'text' in answer ? readStatus(answer.text, entry) : undefined;
  if (told && told.judgement.verdict !== 'failing') return { ...told, source: 'status' };

  const log = await readPodLog(kubernetes, question, sinceSeconds);
  const findings = 'text' in log ? readLog(log.text, entryKey(entry)) : undefined;
  if (told) return { ...told, source: 'status', judgement: withCause(told.judgement, findings, question) };
  if (findings) return { status: null, source: 'log', judgement: judgeLog(findings) };
  const [status, lines] = [answer, log].map((one) => ('blocked' in one ? one.blocked : 'no answer we know'));
  return {
    status: null,
    source: null,
    judgement: {
      verdict: 'pending',
      pendingFor: `the consumer’s word, which cannot be asked for (its status: ${status ?? ''}; its log: ${lines ?? ''})`,
    },
  };
}

/** Keys of what the consumer has from the file, by its own word; undefined where it cannot be asked. One that is switched off has none. */
export async function loadedKeys(
  kubernetes: KubernetesClient,
  { namespace, statusService }: Pick<Question, 'namespace' | 'statusService'>,
): Promise<string[] | undefined> {
  const path = statusService && statusPath(namespace, statusService);
  const answer = path ? await unlessBlocked(() => kubernetes.read(path)) : undefined;
  if (answer && 'disabled' in answer) return [];
  return answer && 'text' in answer ? keysFromFile(answer.text) : undefined;
}

type Heard = { text: string } | { blocked: string } | { disabled: true };

function readPodLog(kubernetes: KubernetesClient, question: Question, sinceSeconds: number): Promise<Heard> {
  const { namespace, pod, container } = question;
  const query = `container=${container}&tailLines=${logLines}&sinceSeconds=${sinceSeconds}`;
  return unlessBlocked(() => kubernetes.read(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query}`));
}

/** A query that failed before the rights were proven is repeated every six hours only (CLOUD_COST_REFRESH_RATE_HOURS). */
async function isStale(kubernetes: KubernetesClient, question: Question, { judgement }: Word): Promise<boolean> {
  const { provenSecondsAgo, entry } = question;
  if (provenSecondsAgo === undefined || judgement.verdict !== 'failing' || !judgement.query) return false;
  const log = await readPodLog(kubernetes, question, Math.max(1, Math.floor(provenSecondsAgo)));
  const latest = 'text' in log ? readLog(log.text, entryKey(entry)).latest : 'nothing';
  return latest !== 'failed' && latest !== 'built';
}

const nextQuery: Judgement = {
  verdict: 'pending',
  pendingFor:
    'the consumer’s next query, within 6 hours: it last failed before the rights were proven (a restart of its pod gets there at once)',
};

const disabled: Judgement = {
  verdict: 'failing',
  pendingFor: 'cloud costs to be switched on',
  code: 'cloud-cost-disabled',
  cause: 'it answers that it ingests no cloud costs',
  lastsSeconds: 60,
  query: false,
};

/** Of a failing status the log may tell the cause, and the report's age whether rows can be expected. */
function withCause(judgement: Judgement, log: LogFindings | undefined, { secondsToData }: Question): Judgement {
  if (judgement.verdict !== 'failing') return judgement;
  const { code, pendingFor, lastsSeconds } = judgement;
  if (code === 'connection-failed' && log?.failure !== undefined) return failingQuery(log.failure);
  if (code === 'consumer-not-reading' && log?.fileRejected) return judgeLog(log);
  if (code !== 'connection-data-missing') return judgement;
  if (secondsToData === undefined) return { verdict: 'pending', pendingFor };
  return { ...judgement, lastsSeconds: Math.max(lastsSeconds, secondsToData) };
}

/**
 * The service proxy and the kubelet's port need open security groups and rights that an owner may not give, and a front end may ask for
 * a login: any such answer means that this way is closed. What may soon work is thrown.
 */
async function unlessBlocked(read: () => Promise<string>): Promise<Heard> {
  try {
    return { text: await read() };
  } catch (error) {
    const status = error instanceof KubernetesError ? error.$metadata.httpStatusCode : undefined;
    // "Ingestion Manager is nil" (opencost pkg/cloudcost/ingestionmanager.go).
    if (status === 501) return { disabled: true };
    if (status !== undefined && status !== 429) return { blocked: `HTTP ${status}` };
    if (error instanceof Error && error.name === 'TimeoutError') return { blocked: 'no answer' };
    throw error;
  }
}
