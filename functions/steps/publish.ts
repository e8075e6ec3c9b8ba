import * as z from 'zod';
import { unlessHidden } from '../../shared/cluster/connection.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { entryKey, entryOf } from '../../shared/integration-file/merge.ts';
import { listPods, type Pod } from '../../shared/kubernetes/pods.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import type { OnboardingRequest } from '../../shared/model/run-requests.ts';
import type { Outputs } from '../../shared/model/steps-and-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { mostAtOnce, type OwnEntry } from '../../shared/publication/desired-file.ts';
import { readSecret } from '../../shared/publication/integration-secret.ts';
import { type DiscoveredReader, discoveredReader } from '../../shared/publication/mounting-workloads.ts';
import {
  describePublication,
  type FileChange,
  isUpToDate,
  planPublication,
  type SecretObservation,
  wantedFile,
  withPrevious,
  writeFile,
} from '../../shared/publication/publication-plan.ts';
import {
  needsRestart,
  type PodRequirements,
  type Restartable,
  type RestartChange,
  restartWait,
  restartWorkload,
  roleRequirements,
} from '../../shared/publication/workload-restart.ts';
import { defineStep, type Plan, type Situation, type StepContext } from '../../shared/step/contract.ts';
import { firstOf, queueWait, type Rule } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { isPublished, listTargetPayers, markProven, markPublished } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Input extends OwnEntry {
  target: Target;
  format: OnboardingRequest['kubecost']['format'];
  mode: OnboardingRequest['kubecost']['publish'];
  reader: DiscoveredReader | undefined;
  required: Pick<PodRequirements, 'role' | 'boundAt'>;
}

interface Observation extends SecretObservation {
  /** The cluster denies us access, which happens only in a dry run. */
  hidden?: boolean;
  workload?: Restartable | undefined;
  pods: Pod[];
}

type Change = (FileChange | RestartChange | { action: 'mark-published'; resource: string }) & { note?: string };
type PublishPlan = Plan<Change, Outputs['publish']>;

/** `gathered`: this run has waited for other payers to join. */
const Notes = z.object({ gathered: z.boolean().optional() });

/** Runs that end together join one publication; short compared with everything before it. */
const gatheringSeconds = 15;

async function read(cx: StepContext, input: Input): Promise<Observation> {
  const kubernetes = cx.kubernetes;
  const { reader, target } = input;
  const { namespace, secretName } = target;
  const [payers, settings, secret, workload, pods] = await Promise.all([
    listTargetPayers(target),
    readTargetSettings(target),
    readSecret(kubernetes, namespace, secretName),
    reader && kubernetes.get<Restartable>(reader.path),
    reader ? listPods(kubernetes, namespace, reader.podSelector) : [],
  ]);
  const mustWait = workload !== undefined && reader?.mount === 'subPath' && restartWait([workload], cx.now);
  const own = payers.filter(({ payerAccountId }) => payerAccountId === input.entry.payerAccountId);
  // In a file that its owner writes, other payers' entries are not ours to complete.
  const items = input.mode === 'artifacts' ? own : payers;
  // Nothing is written before the interval is over. One entry shows that the file has to change, and a waiting fleet must not merge
  // hundreds in each invocation.
  const options = { own: input, format: settings?.format ?? input.format, most: mustWait ? 1 : mostAtOnce };
  const wanted = wantedFile(secret, items, options);
  return withPrevious(cx, target, { payers, secret, wanted, workload, pods });
}

interface Facts {
  input: Input;
  seen: Observation;
  situation: Situation;
  output: Outputs['publish'];
}

const planUnseen: Rule<Facts, PublishPlan> = ({ input, seen, output }) => {
  if (!seen.hidden) return undefined;
  const why = `Secret ${output.secret} cannot be read before we have our rights in the cluster`;
  const create: Change = { action: 'create-secret', resource: output.secret, note: 'or updated, if it exists' };
  const expected = { ...output, sha256: knownAfter('publish') };
  return { kind: 'not-visible', why, changes: input.mode === 'secret' ? [create] : [], expected };
};

const leaveToOwner: Rule<Facts, PublishPlan> = ({ input, seen, situation, output }) => {
  if (input.mode !== 'artifacts') return undefined;
  const runId = situation.run.runId;
  const warning = `Secret ${output.secret} is left to its owner: the entry to add is in GET /v1/runs/${runId}/artifacts`;
  return { kind: 'ready', output, warnings: isUpToDate(seen) ? [] : [warning] };
};

function writeAndRestart({ input, seen, situation, output }: Facts): PublishPlan {
  const { target, entry, reader, required } = input;
  const { payers, workload, pods } = seen;
  const own = payers.find(({ payerAccountId }) => payerAccountId === entry.payerAccountId);
  const mark = { action: 'mark-published', resource: entryKey(entry) } as const;
  return planPublication(
    {
      target,
      seen,
      readers: reader && workload ? [{ ...reader, object: workload }] : [],
      needsRestart: ({ mount, container, object }, secret) =>
        needsRestart({ ...required, mount, container, since: situation.since }, object, pods, secret),
      marks: isUpToDate(seen) && !isPublished(own, entry) ? [mark] : [],
    },
    situation,
    output,
  );
}

/** Adds what all proven payers of the target need to the file, and leaves every other byte as it is. */
export const publish = defineStep({
  name: 'publish',
  summary:
    'Adds the payer’s entry to cloud-integration.json in the cluster’s secret, and restarts a workload that would not see it.',
  lease: 'target',
  waits: { 'run-queue-overdue': { seconds: 5, longestSeconds: 2 * 3600 } },
  notes: Notes,
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    kubernetes: [rules.createSecret, rules.secret, rules.workload, rules.pods],
  },

  input({ run }): Input {
    const { request } = run;
    return {
      target: targetOf(request),
      entry: entryOf(run),
      takeOver: request.existing === 'take-over',
      format: request.kubecost.format,
      mode: request.kubecost.publish,
      reader: discoveredReader(run),
      required: roleRequirements(run),
    };
  },

  async register(cx, { target, entry, takeOver, mode }) {
    // The secret's owner writes it: no other run of the target may do so either.
    if (mode === 'artifacts') return undefined;
    await markProven(target, entry, { takeOver });
    if (cx.notes.gathered) return undefined;
    const payers = await listTargetPayers(target);
    if (!payers.some(({ state }) => state === 'granted')) return undefined;
    const times = { seconds: gatheringSeconds, deadlineSeconds: 4 * gatheringSeconds };
    return { notes: { gathered: true }, wait: queueWait('other payers to join the publication', times) };
  },

  async observe(cx, input): Promise<Observation> {
    const seen = await unlessHidden(cx, () => read(cx, input));
    if (seen !== 'hidden') return seen;
    const payers = await listTargetPayers(input.target);
    const wanted = wantedFile(undefined, payers, { own: input, format: input.format, most: mostAtOnce });
    return { payers, hidden: true, secret: undefined, wanted, pods: [] };
  },

  plan(input, seen, situation): PublishPlan {
    const { wanted: file, secret } = seen;
    if ('refused' in file) return { kind: 'refuse', ...file.refused };
    const facts = {
      input,
      seen,
      situation,
      output: describePublication(input, file, secret?.metadata.resourceVersion),
    };
    return firstOf([planUnseen, leaveToOwner], facts) ?? writeAndRestart(facts);
  },

  async apply(cx, change, { input, seen }) {
    const { target, entry } = input;
    if (change.action === 'restart-workload') return restartWorkload(cx.kubernetes, change);
    if (change.action !== 'mark-published') return writeFile(cx, target, change.action, seen);
    // A writer died before it marked the entry, or the table was restored.
    await markProven(target, entry, input);
    await markPublished(target, entry.payerAccountId, entryKey(entry));
    return 'bookkeeping';
  },
});

export const handler = stepHandler(publish);
