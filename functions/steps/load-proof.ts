import { podChainPermission, walkPodChain } from '../../shared/access/credential-chain.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { entryOf } from '../../shared/integration-file/merge.ts';
import { readConnection, type StatusReport } from '../../shared/kubecost/read-connection.ts';
import { hasCredentials, listPods, type Pod } from '../../shared/kubernetes/pods.ts';
import { type RollingWorkload, rolloutOf } from '../../shared/kubernetes/rollout.ts';
import { outputOf, podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import { targetOf } from '../../shared/model/target.ts';
import { entryState, readSecret } from '../../shared/publication/integration-secret.ts';
import { type LoadInput, LoadNotes, type LoadObservation, planLoad } from '../../shared/publication/load-plan.ts';
import { type DiscoveredReader, discoveredReader } from '../../shared/publication/mounting-workloads.ts';
import { watchWaits } from '../../shared/publication/watch-intervals.ts';
import { defineStep, type StepContext } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Context = StepContext<'onboarding', LoadNotes>;

/** A report's first delivery takes up to 24 hours, the day's last hours as much again (Kubecost's AWS guide). */
const dataMs = 48 * 3_600_000;
/** Kubecost and OpenCost query again every six hours; a query before this step began may matter. */
const logHistorySeconds = 3600;

/** The age of an adopted report is unknown: rows are due if we have read some. */
function dataDueAt(run: RunRecord): number | undefined {
  if (!outputOf(run, 'cur-report').adopted) return Date.parse(run.createdAt) + dataMs;
  return outputOf(run, 'smoke-query').rowCount > 0 ? 0 : undefined;
}

function provenAt({ steps }: RunRecord): number | undefined {
  const endedAt = steps['smoke-query']?.endedAt;
  return endedAt === undefined ? undefined : Date.parse(endedAt);
}

function lastedSeconds({ notes, now }: Context, state: string): number {
  return notes.said === state && notes.saidSince !== undefined ? (now - notes.saidSince) / 1000 : 0;
}

/** What the workload reports about the entry, as its ready pod's status or log shows it. */
function readReport(
  cx: Context,
  { target, entry, dataDueAt, provenAt }: LoadInput,
  { statusService, container }: DiscoveredReader,
  { metadata: pod }: Pod,
): Promise<StatusReport> {
  const isOlder = provenAt !== undefined && Date.parse(pod.creationTimestamp ?? '') < provenAt;
  return readConnection(cx.kubernetes, {
    namespace: target.namespace,
    statusService,
    container,
    pod: pod.name,
    entry,
    sinceSeconds: logHistorySeconds + Math.round((cx.now - cx.since) / 1000),
    secondsToData: dataDueAt === undefined ? undefined : Math.max(0, (dataDueAt - cx.now) / 1000),
    provenSecondsAgo: isOlder ? (cx.now - provenAt) / 1000 : undefined,
  });
}

/** Assumes the roles of the chain again if that was not possible before, or if the chain may be the reason why the connection fails. */
async function walkAgain(
  cx: Context,
  { chain }: LoadInput,
  { decision }: StatusReport,
  lasted: number,
): Promise<LoadObservation['chain']> {
  const isUseful =
    decision.verdict === 'proven'
      ? chain === 'documents'
      : decision.verdict === 'failing' && decision.code === 'connection-failed' && lasted >= decision.lastsSeconds;
  if (!isUseful) return undefined;
  const walked = await walkPodChain(cx);
  if ('refused' in walked) return { proven: false, refused: { code: walked.refused, detail: walked.detail } };
  return { proven: 'credentials' in walked };
}

/** Ends the run with what Kubecost or OpenCost itself reports: the connection status of exactly this payer's entry. */
export const loadProof = defineStep<'load-proof', LoadInput, LoadObservation, never, LoadNotes>({
  name: 'load-proof',
  summary: 'Watches the workload load the file until it reports that the connection works.',
  proof: true,
  notes: LoadNotes,
  permissions: {
    cluster: [podChainPermission],
    kubernetes: [rules.secret, rules.workload, rules.pods, rules.podLog, rules.statusProxy, rules.token],
  },
  waits: { 'consumer-not-reading': watchWaits },

  input: ({ run }) => ({
    target: targetOf(run.request),
    entry: entryOf(run),
    mode: outputOf(run, 'publish').mode,
    reader: discoveredReader(run),
    role: { mode: run.request.identity.mode, arn: podRoleOf(run).podRoleArn },
    chain: outputOf(run, 'chain-proof').level,
    dataDueAt: dataDueAt(run),
    provenAt: provenAt(run),
  }),

  async observe(cx, input) {
    const { reader, target, entry, role } = input;
    const { namespace, secretName } = target;
    const kubernetes = cx.kubernetes;
    const file = entryState(await readSecret(kubernetes, namespace, secretName), entry);
    const nothing: LoadObservation = { file, podsWithoutCredentials: [], lastedSeconds: 0 };
    if (file !== 'held' || !reader) return nothing;
    const [workload, pods] = await Promise.all([
      kubernetes.get<RollingWorkload>(reader.path),
      listPods(kubernetes, namespace, reader.podSelector),
    ]);
    const rollout = rolloutOf({ name: reader.workload, container: reader.container }, workload, pods);
    if (rollout.state === 'failed') {
      const state = `rollout ${rollout.code}`;
      return { ...nothing, rollout, state, lastedSeconds: lastedSeconds(cx, state) };
    }
    if (rollout.state === 'rolling') return { ...nothing, rollout };
    const lacking = rollout.pods.filter((pod) => !hasCredentials(pod, reader.container, role));
    const podsWithoutCredentials = lacking.map(({ metadata }) => metadata.name);
    if (podsWithoutCredentials.length > 0) return { ...nothing, rollout, podsWithoutCredentials };
    const report = await readReport(cx, input, reader, rollout.pods[0]);
    const state = `${report.decision.verdict} ${report.status ?? ''}`;
    const lasted = lastedSeconds(cx, state);
    const chain = await walkAgain(cx, input, report, lasted);
    return { ...nothing, rollout, report, state, lastedSeconds: lasted, ...(chain && { chain }) };
  },

  plan: planLoad,
});

export const handler = stepHandler(loadProof);
