/** The plan of a load proof: from file, rollout, credentials and the report of the workload to the end of the run. */
import * as z from 'zod';
import type { ErrorCode } from '../errors/catalogue.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/merge.ts';
import type { StatusReport } from '../kubecost/read-connection.ts';
import type { Rollout } from '../kubernetes/rollout.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Target } from '../model/target.ts';
import type { Plan, Situation } from '../step/contract.ts';
import { firstOf, type Rule, waitFor } from '../step/plan-builders.ts';
import type { Problem } from '../step/problem-list.ts';
import type { DiscoveredReader } from './mounting-workloads.ts';
import { watchedInVain, watchWait } from './watch-intervals.ts';

export interface LoadInput {
  target: Target;
  entry: IntegrationEntry;
  mode: Outputs['publish']['mode'];
  reader: DiscoveredReader | undefined;
  role: { mode: 'irsa' | 'pod-identity'; arn: string };
  /** The level that chain-proof has proven. */
  chain: Outputs['load-proof']['chain'];
  /** When the first rows are expected, milliseconds since the epoch; undefined if that is unknown. */
  dataDueAt: number | undefined;
  /** When the payer's data was read with the pod's rights, milliseconds since the epoch. */
  provenAt: number | undefined;
}

export interface LoadObservation {
  file: 'held' | 'missing' | Problem;
  rollout?: Rollout;
  /** Pods that are ready and lack the role's credentials. */
  podsWithoutCredentials: string[];
  report?: StatusReport;
  /** The status or the rollout failure whose duration counts. */
  state?: string;
  /** How long `state` has lasted, seconds. */
  lastedSeconds: number;
  /** Only where the chain was walked again. */
  chain?: { proven: boolean; refused?: Problem };
}

export const LoadNotes = z.object({
  /** The latest `state`. */
  said: z.string().optional().catch(undefined),
  /** Since when it has been the latest, milliseconds since the epoch. */
  saidSince: z.number().optional().catch(undefined),
});
export type LoadNotes = z.infer<typeof LoadNotes>;

type Output = Outputs['load-proof'];
type LoadPlan = Plan<never, Output, LoadNotes>;
type LoadRule = Rule<Facts, LoadPlan>;

interface Facts {
  input: LoadInput;
  seen: LoadObservation;
  situation: Situation<'onboarding', LoadNotes>;
  output: Output;
}

const refuse = (code: ErrorCode, detail: string): LoadPlan => ({ kind: 'refuse', code, detail });

/** Waits. Once the watch is over the run ends with what is known: the workload loads the entry without us. */
function pending({ seen, situation, output }: Facts, pendingFor: string): LoadPlan {
  const { now, since, notes } = situation;
  const expected = { ...output, pendingFor };
  const wait = watchWait(pendingFor, now - since, 'consumer-not-reading');
  if (!wait) return { kind: 'ready', output: expected, warnings: [watchedInVain(pendingFor)] };
  const { state } = seen;
  return waitFor(
    wait,
    expected,
    state === undefined || state === notes.said ? undefined : { said: state, saidSince: now },
  );
}

const refuseBadFile: LoadRule = ({ seen: { file } }) =>
  typeof file === 'object' ? refuse(file.code, file.detail) : undefined;

const refuseLostEntry: LoadRule = ({ input: { mode, entry, target }, seen }) =>
  seen.file === 'missing' && mode === 'secret'
    ? refuse('entry-lost', `${entryKey(entry)} is not in ${target.namespace}/${target.secretName}`)
    : undefined;

const endWithoutWorkload: LoadRule = ({ input: { reader, target }, output }) => {
  if (reader) return undefined;
  const warning = `nothing in namespace ${target.namespace} reads the secret ${target.secretName} yet: GET /v1/runs/{runId}/artifacts has the values to install Kubecost or OpenCost with`;
  return { kind: 'ready', output: { ...output, verdict: 'not-installed' }, warnings: [warning] };
};

const waitForOwner: LoadRule = (facts) =>
  facts.seen.file === 'missing' ? pending(facts, 'the secret’s owner to add the entry') : undefined;

const followRollout: LoadRule = (facts) => {
  const { rollout, lastedSeconds } = facts.seen;
  if (rollout?.state === 'ready') return undefined;
  if (rollout?.state === 'failed' && lastedSeconds >= rollout.lastsSeconds) return refuse(rollout.code, rollout.detail);
  return pending(facts, `the workload to roll out, normally within 5 minutes (${rollout?.detail ?? ''})`);
};

const refusePodsWithoutCredentials: LoadRule = (facts) => {
  const { mode, reader, role } = facts.input;
  if (facts.seen.podsWithoutCredentials.length === 0) return undefined;
  const pods = facts.seen.podsWithoutCredentials.join(', ');
  return mode === 'artifacts'
    ? pending(facts, `the workload’s owner to restart it: ${pods} run without credentials`)
    : refuse('pod-without-credentials', `${pods} of ${reader?.workload ?? ''} for ${role.arn}`);
};

const onlyLogged = 'the log shows that the consumer’s query succeeded, but not how many rows it read';

function followReport(facts: Facts): LoadPlan {
  const { input, seen, output } = facts;
  const { report, chain, lastedSeconds } = seen;
  if (!report) return pending(facts, 'the consumer to report its status');
  const { decision, source } = report;
  if (decision.verdict === 'proven') return { kind: 'ready', output, warnings: source === 'log' ? [onlyLogged] : [] };
  if (decision.verdict === 'pending' || lastedSeconds < decision.lastsSeconds)
    return pending(facts, decision.pendingFor);
  const workload = input.reader?.workload ?? '';
  return chain?.refused
    ? refuse(chain.refused.code, `${chain.refused.detail}; ${workload} reports: ${decision.cause}`)
    : refuse(decision.code, `${workload} about ${entryKey(input.entry)}: ${decision.cause}`);
}

function outputOf({ chain }: LoadInput, { report, chain: walked }: LoadObservation): Output {
  const { status = null, source = null, decision } = report ?? {};
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

/** The first that applies decides; then the report does. */
const loadRules: readonly LoadRule[] = [
  refuseBadFile,
  refuseLostEntry,
  endWithoutWorkload,
  waitForOwner,
  followRollout,
  refusePodsWithoutCredentials,
];

export function planLoad(input: LoadInput, seen: LoadObservation, situation: Facts['situation']): LoadPlan {
  const facts = { input, seen, situation, output: outputOf(input, seen) };
  return firstOf(loadRules, facts) ?? followReport(facts);
}
