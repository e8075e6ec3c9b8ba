import * as z from 'zod';
import { podChainPermission, walkPodChain } from '../../shared/access/credential-chain.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import type { ErrorCode } from '../../shared/errors/catalogue.ts';
import { entryKey, entryOf, findPayer, type IntegrationEntry } from '../../shared/integration-file/merge.ts';
import { askConsumer, type StatusReport } from '../../shared/kubecost/connection-check.ts';
import { hasCredentials, listPods } from '../../shared/kubernetes/pods.ts';
import { type RollingWorkload, type Rollout, rolloutOf } from '../../shared/kubernetes/rollout.ts';
import { outputOf, podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import {
  fileOf,
  readSecret,
  type Refusal,
  type Secret,
  unreadable,
} from '../../shared/publication/integration-secret.ts';
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['load-proof'];
type LoadPlan = Plan<never, Output, Notes>;

interface Input {
  target: Target;
  entry: IntegrationEntry;
  mode: Outputs['publish']['mode'];
  /** The workload that reads the file; undefined if none does yet. */
  reader: Reader | undefined;
  role: { mode: 'irsa' | 'pod-identity'; arn: string };
  /** The level that chain-proof has proven. */
  chain: Output['chain'];
  /** When rows are to be expected, milliseconds since the epoch; undefined if that is unknown. */
  dataDueAt: number | undefined;
  /** When the payer's data was read with the pod's rights, milliseconds since the epoch. */
  provenAt: number | undefined;
}

interface Reader {
  /** `deployment/<name>` or `statefulset/<name>` */
  name: string;
  container: string;
  podSelector: string;
  statusService: string | null;
}

interface Observation {
  file: 'held' | 'missing' | Refusal;
  rollout?: Rollout;
  /** Pods that are ready and lack the role's credentials. */
  podsWithoutCredentials: string[];
  word?: StatusReport;
  /** The status or the rollout failure whose duration counts. */
  saying?: string;
  /** How long it has lasted, seconds. */
  lasted: number;
  /** Only where the chain was walked again. */
  chain?: { proven: boolean; refused?: Refusal };
}

const Notes = z.object({
  /** The latest status or rollout failure. */
  said: z.string().optional().catch(undefined),
  /** Since when it has been the latest, milliseconds since the epoch. */
  saidSince: z.number().optional().catch(undefined),
});
type Notes = z.infer<typeof Notes>;

/** Then the run ends with what is known; the consumer goes on by itself. */
const watchMs = 30 * 60_000;
/** Most statuses change within the first minutes. */
const closelyMs = 5 * 60_000;
const [closeSeconds, calmSeconds] = [15, 60];
/** A report's first delivery takes up to 24 hours, the day's last hours as much again (Kubecost's AWS guide). */
const dataMs = 48 * 3_600_000;
/** The consumer tries again every six hours; a try before this step began may matter. */
const logHistorySeconds = 3600;

const onlyLogged = 'the log shows that the consumer’s query succeeded, but not how many rows it read';

/** Ends the run with the consumer's own report: the connection status of exactly this payer's entry. */
export const loadProof = defineStep<'load-proof', Input, Observation, never, Notes>({
  name: 'load-proof',
  summary: 'Watches the workload load the file until it reports that the connection works.',
  proof: true,
  notes: Notes,
  permissions: {
    cluster: [podChainPermission],
    kubernetes: [rules.secret, rules.workload, rules.pods, rules.podLog, rules.statusProxy, rules.token],
  },

  input({ run }): Input {
    return {
      target: targetOf(run.request),
      entry: entryOf(run),
      mode: outputOf(run, 'publish').mode,
      reader: readerOf(outputOf(run, 'discovery')),
      role: { mode: run.request.identity.mode, arn: podRoleOf(run).podRoleArn },
      chain: outputOf(run, 'chain-proof').level,
      dataDueAt: dataDueAt(run),
      provenAt: provenAt(run),
    };
  },

  async observe(cx, input): Promise<Observation> {
    const { reader, target } = input;
    const { namespace, secretName } = target;
    const kubernetes = cx.kubernetes;
    const file = judgeFile(await readSecret(kubernetes, namespace, secretName), input.entry);
    const nothing: Observation = { file, podsWithoutCredentials: [], lasted: 0 };
    if (file !== 'held' || !reader) return nothing;
    const [workload, pods] = await Promise.all([
      kubernetes.get<RollingWorkload>(workloadPath(namespace, reader.name)),
      listPods(kubernetes, namespace, reader.podSelector),
    ]);
    const rollout = rolloutOf(reader, workload, pods);
    if (rollout.state === 'failed') {
      const saying = `rollout ${rollout.code}`;
      return { ...nothing, rollout, saying, lasted: lastedSeconds(cx, saying) };
    }
    if (rollout.state === 'rolling') return { ...nothing, rollout };
    const bare = rollout.pods.filter((pod) => !hasCredentials(pod, reader.container, input.role));
    const podsWithoutCredentials = bare.map(({ metadata }) => metadata.name);
    if (podsWithoutCredentials.length > 0) return { ...nothing, rollout, podsWithoutCredentials };
    const [{ metadata: pod }] = rollout.pods;
    const { provenAt } = input;
    const older = provenAt !== undefined && Date.parse(pod.creationTimestamp ?? '') < provenAt;
    const word = await askConsumer(kubernetes, {
      ...reader,
      namespace,
      pod: pod.name,
      entry: input.entry,
      sinceSeconds: logHistorySeconds + Math.round((cx.now - cx.since) / 1000),
      secondsToData: input.dataDueAt === undefined ? undefined : Math.max(0, (input.dataDueAt - cx.now) / 1000),
      provenSecondsAgo: older ? (cx.now - provenAt) / 1000 : undefined,
    });
    const saying = `${word.decision.verdict} ${word.status ?? ''}`;
    const lasted = lastedSeconds(cx, saying);
    const chain = await walkAgain(cx, input, word, lasted);
    return { file, rollout, podsWithoutCredentials, word, saying, lasted, ...(chain && { chain }) };
  },

  plan(input, seen, { now, since, notes }): LoadPlan {
    const { reader, target, mode } = input;
    const { file, rollout, podsWithoutCredentials, word, saying, lasted } = seen;
    const output = outputFrom(input, seen);
    const late = now - since >= watchMs;
    const pending = (pendingFor: string): LoadPlan => {
      const expected = { ...output, pendingFor };
      if (late)
        return { kind: 'ready', output: expected, warnings: [`after 30 minutes still waiting for ${pendingFor}`] };
      return waitFor(
        {
          reason: pendingFor,
          seconds: now - since < closelyMs ? closeSeconds : calmSeconds,
          // A backstop: `late` comes first.
          deadlineSeconds: (2 * watchMs) / 1000,
          overdue: 'consumer-not-reading',
        },
        expected,
        saying === undefined || saying === notes.said ? undefined : { said: saying, saidSince: now },
      );
    };
    const refuse = (code: ErrorCode, detail: string): LoadPlan => ({ kind: 'refuse', code, detail });

    if (typeof file === 'object') return refuse(file.code, file.detail);
    if (file === 'missing' && mode === 'secret')
      return refuse('entry-lost', `${entryKey(input.entry)} is not in ${target.namespace}/${target.secretName}`);
    if (!reader)
      return {
        kind: 'ready',
        output: { ...output, verdict: 'not-installed' },
        warnings: [
          `nothing in namespace ${target.namespace} reads the secret ${target.secretName} yet: GET /v1/runs/{runId}/artifacts has the values to install Kubecost or OpenCost with`,
        ],
      };
    if (file === 'missing') return pending('the secret’s owner to add the entry');
    if (rollout?.state === 'failed' && lasted >= rollout.lastsSeconds) return refuse(rollout.code, rollout.detail);
    if (rollout?.state !== 'ready')
      return pending(`the workload to roll out, normally within 5 minutes (${rollout?.detail ?? ''})`);
    if (podsWithoutCredentials.length > 0)
      return mode === 'artifacts'
        ? pending(`the workload’s owner to restart it: ${podsWithoutCredentials.join(', ')} run without credentials`)
        : refuse(
            'pod-without-credentials',
            `${podsWithoutCredentials.join(', ')} of ${reader.name} for ${input.role.arn}`,
          );

    if (!word) return pending('the consumer to report its status');
    const { decision } = word;
    switch (decision.verdict) {
      case 'proven':
        return { kind: 'ready', output, warnings: word.source === 'log' ? [onlyLogged] : [] };
      case 'pending':
        return pending(decision.pendingFor);
      case 'failing': {
        const { chain } = seen;
        if (lasted < decision.lastsSeconds) return pending(decision.pendingFor);
        return chain?.refused
          ? refuse(chain.refused.code, `${chain.refused.detail}; ${reader.name} reports: ${decision.cause}`)
          : refuse(decision.code, `${reader.name} about ${entryKey(input.entry)}: ${decision.cause}`);
      }
    }
  },
});

function readerOf({
  workload,
  container,
  mount,
  podSelector,
  statusService,
}: Outputs['discovery']): Reader | undefined {
  if (workload === null || container === null || podSelector === null || mount === null) return undefined;
  return { name: workload, container, podSelector, statusService };
}

/** The age of an adopted report is unknown: rows are due if we have read some. */
function dataDueAt(run: RunRecord): number | undefined {
  if (!outputOf(run, 'cur-report').adopted) return Date.parse(run.createdAt) + dataMs;
  return outputOf(run, 'smoke-query').rowCount > 0 ? 0 : undefined;
}

function provenAt({ steps }: RunRecord): number | undefined {
  const endedAt = steps['smoke-query']?.endedAt;
  return endedAt === undefined ? undefined : Date.parse(endedAt);
}

/** Reads the file by the consumer's own rules. */
function judgeFile(secret: Secret | undefined, entry: IntegrationEntry): Observation['file'] {
  const refused = unreadable(secret);
  if (refused) return refused;
  const file = fileOf(secret);
  const entries = file?.kind === 'decoded' ? findPayer(file.text, entry.payerAccountId) : [];
  return entries.some(({ key, valid }) => key === entryKey(entry) && valid) ? 'held' : 'missing';
}

function workloadPath(namespace: string, name: string): string {
  const [kind = '', object = ''] = name.split('/');
  return `/apis/apps/v1/namespaces/${namespace}/${kind}s/${object}`;
}

function lastedSeconds({ notes, now }: StepContext<'onboarding', Notes>, saying: string): number {
  return notes.said === saying && notes.saidSince !== undefined ? (now - notes.saidSince) / 1000 : 0;
}

/** Walks the chain again where it could not be walked before, and where it may be the reason why the consumer fails. */
async function walkAgain(
  cx: StepContext,
  { chain }: Input,
  { decision }: StatusReport,
  lasted: number,
): Promise<Observation['chain']> {
  const { verdict } = decision;
  const worthIt =
    verdict === 'proven'
      ? chain === 'documents'
      : verdict === 'failing' && decision.code === 'connection-failed' && lasted >= decision.lastsSeconds;
  if (!worthIt) return undefined;
  const walked = await walkPodChain(cx);
  if ('refused' in walked) return { proven: false, refused: { code: walked.refused, detail: walked.detail } };
  return { proven: 'credentials' in walked };
}

function outputFrom({ chain }: Input, { word, chain: walked }: Observation): Output {
  const { status = null, source = null, decision } = word ?? {};
  const proven = decision?.verdict === 'proven';
  return {
    verdict: proven ? 'proven' : 'pending',
    connectionStatus: status,
    source,
    pendingFor: null,
    dataSince: proven ? decision.dataSince : null,
    chain: walked?.proven ? 'pod-chain' : chain,
  };
}

export const handler = stepHandler(loadProof);
