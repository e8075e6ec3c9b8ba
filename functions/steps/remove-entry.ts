import * as z from 'zod';
import { payerRoleName } from '../../shared/aws/names.ts';
import { roleArnOf } from '../../shared/aws/role.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { findPayer, foreignKeys } from '../../shared/integration-file/merge.ts';
import type { Outputs, Removal } from '../../shared/model/step-outputs.ts';
import type { Target } from '../../shared/model/target.ts';
import { type Leaver, leaverOf } from '../../shared/offboarding/departing-payer.ts';
import { iso, now } from '../../shared/platform/clock.ts';
import { mostAtOnce, publicationOf } from '../../shared/publication/desired-file.ts';
import { readSecret, unwritable, withFile } from '../../shared/publication/integration-secret.ts';
import { listSecretReaders, mayReadSecret, type SecretReader } from '../../shared/publication/secret-readers.ts';
import { keepsOldFile, restartPatch, restsUntil, restWait } from '../../shared/publication/workload-restart.ts';
import {
  type FileChange,
  fileChanges,
  isHeld,
  type SecretObservation,
  type WantedFile,
  wantedFile,
  withPrevious,
  writeFile,
} from '../../shared/publication/write-file.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import { changesOrReady, waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, markRemoving, type TargetPayer } from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Observation extends SecretObservation {
  /** `gone`: the cluster no longer exists; `hidden`: it does not let us read. */
  cluster: 'seen' | 'gone' | 'hidden';
  /** The table had the payer before this run marked it. */
  isKnown: boolean;
  readers: SecretReader[];
}

type Change = FileChange | { action: 'restart-workload'; resource: string; path: string };

/** `isKnown`: the table had the payer before this run marked it. */
const Notes = z.object({ isKnown: z.boolean().optional() });
type Notes = z.infer<typeof Notes>;

type RemovalPlan = Plan<Change, Outputs['remove-entry']>;

const nothingRemoved: Outputs['remove-entry'] = { removed: [], kept: [], otherKeys: [] };
const noFile: WantedFile = { text: '', current: undefined, keys: {} };

/** The payers as `register` leaves them, also in a dry run, which registers nothing. */
function withDeparting({ payerAccountId, publishedKey }: Leaver, payers: TargetPayer[]): TargetPayer[] {
  const known = payers.find((payer) => payer.payerAccountId === payerAccountId);
  const self: TargetPayer = {
    payerAccountId,
    payerRoleArn: roleArnOf(payerAccountId, payerRoleName),
    ...known,
    state: 'removing',
    ...(publishedKey !== null && { publishedKey }),
  };
  return [...payers.filter((payer) => payer !== known), self];
}

/** The workloads that would keep the old file. For a file still to be written the next observation decides; a dry run has none. */
function readersOfOldFile(
  { target }: Leaver,
  seen: Observation,
  { run, owner, now: at }: Situation<'offboarding', Notes>,
): SecretReader[] {
  const { secret, wanted, readers } = seen;
  const isDone = isHeld(seen);
  if (!secret || 'refused' in wanted || !(isDone || run.request.dryRun)) return [];
  const file = isDone ? secret : withFile(secret, target, wanted.text, owner, iso(at));
  return readers.filter(({ mount, object, pods }) => keepsOldFile(mount, object, pods, file));
}

/** The payer's entries that stay in the file because we did not write them, or why the run must not go on with them there. */
function leftBehind({ target, payerAccountId, publishedKey }: Leaver, { text }: WantedFile) {
  const resource = `${target.namespace}/${target.secretName}`;
  const kept: Removal['kept'] = [];
  for (const { key, roleArn } of findPayer(text, payerAccountId)) {
    if (key === publishedKey)
      return { still: `${resource} has the entry ${key} more than once; which of them is ours is unknown` };
    if (roleArn === roleArnOf(payerAccountId, payerRoleName))
      return { still: `${resource} has the entry ${key}, which we did not write and which works through ${roleArn}` };
    kept.push({ resource: `entry ${key} of secret ${resource}`, why: 'we did not write it' });
  }
  return { kept };
}

/** Removes the payer's entry from the file, and leaves every other byte as it is. */
export const removeEntry = defineStep<'remove-entry', Leaver, Observation, Change, Notes>({
  name: 'remove-entry',
  summary:
    'Removes the payer’s entry from cloud-integration.json, and restarts a workload that would go on reading it.',
  lease: 'target',
  notes: Notes,
  keeps: ['isKnown'],
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    cluster: [
      {
        actions: ['eks:DescribeAccessEntry'],
        resources: [
          'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*',
        ],
      },
    ],
    kubernetes: [rules.secret, rules.createSecret, rules.workloads, rules.workload, rules.services, rules.pods],
  },

  input: ({ run }) => leaverOf(run),

  async register(cx, { target, payerAccountId, publishedKey }) {
    // Noted before the payer is marked, for the mark puts it into the table.
    if (cx.notes.isKnown === undefined) return { notes: { isKnown: await isKnown(target, payerAccountId) } };
    await markRemoving(target, payerAccountId, publishedKey ?? undefined);
    return undefined;
  },

  async observe(cx, input): Promise<Observation> {
    const { target } = input;
    const [listed, settings] = await Promise.all([listTargetPayers(target), readTargetSettings(target)]);
    const payers = withDeparting(input, listed);
    const isKnown = cx.notes.isKnown ?? payers.length === listed.length;
    const seen = { payers, isKnown, secret: undefined, wanted: noFile, readers: [] };
    if (!input.clusterExists) return { ...seen, cluster: 'gone' };
    if (!(await mayReadSecret(cx, target))) return { ...seen, cluster: 'hidden' };
    const kubernetes = cx.kubernetes;
    const [secret, readers] = await Promise.all([
      readSecret(kubernetes, target.namespace, target.secretName),
      listSecretReaders(kubernetes, target),
    ]);
    const format = settings?.format ?? 'auto';
    const wanted = wantedFile(secret, (text) =>
      text === undefined ? noFile : publicationOf(text, payers, { format, most: mostAtOnce }),
    );
    const isOurs = secret && !unwritable(secret, cx.owner);
    const isLast = isOurs && payers.every(({ state }) => state === 'removing');
    return withPrevious(cx, target, { ...seen, cluster: 'seen', secret, wanted, readers, isLast: isLast === true });
  },

  plan(input, seen, situation): RemovalPlan {
    const { run, owner, now: at, changes: made } = situation;
    const { target, publishedKey } = input;
    const { cluster, wanted, readers } = seen;
    if (cluster === 'gone') return { kind: 'ready', output: nothingRemoved };
    if (cluster === 'hidden') return planBlind(input, seen);
    if ('refused' in wanted)
      return publishedKey === null
        ? { kind: 'ready', output: nothingRemoved, warnings: [`the file is left as it is: ${wanted.refused.detail}`] }
        : { kind: 'refuse', ...wanted.refused };
    const left = leftBehind(input, wanted);
    if (left.kept === undefined) return { kind: 'refuse', code: 'entry-still-there', detail: left.still };
    const wasThere = seen.isKnown || !isHeld(seen) || made.some(({ do: what }) => what === 'update-secret');
    const output = {
      removed: publishedKey !== null && wasThere ? [publishedKey] : [],
      kept: left.kept,
      otherKeys: foreignKeys(wanted.text, new Set()),
    };
    const writes = fileChanges(target, seen, owner);
    if ('refused' in writes) {
      const { code, detail } = writes.refused;
      const isDifferent = code === 'owned-by-another-deployment';
      return {
        kind: 'refuse',
        code: isDifferent ? code : 'entry-still-there',
        detail: `${detail}: ${publishedKey ?? ''}`,
      };
    }
    const restarts = readersOfOldFile(input, seen, situation);
    const changes: Change[] = [
      ...writes.changes,
      ...restarts.map(({ workload, path }) => ({
        action: 'restart-workload' as const,
        resource: `${target.namespace}/${workload}`,
        path,
      })),
    ];
    const resting = isHeld(seen) ? restarts : readers.filter(({ mount }) => mount === 'subPath');
    const restMs = Math.max(0, ...resting.map(({ object }) => restsUntil(object) - at));
    if (restMs > 0 && !run.request.dryRun) return waitFor(restWait(restMs), output);
    return changesOrReady(changes, { output });
  },

  async apply(cx, change, { input: { target }, seen }) {
    if (change.action !== 'restart-workload') return writeFile(cx, target, change.action, seen);
    await cx.kubernetes.patch(change.path, restartPatch(iso(now())));
    return 'changed';
  },
});

async function isKnown(target: Target, payerAccountId: string): Promise<boolean> {
  return (await listTargetPayers(target)).some((payer) => payer.payerAccountId === payerAccountId);
}

/**
 * Where an earlier attempt or run has already removed our own rights, the entry was proven gone before. Otherwise it may still be there,
 * and the roles it uses must not be removed before it.
 */
function planBlind({ target, payerAccountId, publishedKey }: Leaver, { payers, isKnown }: Observation): RemovalPlan {
  const self = payers.find((payer) => payer.payerAccountId === payerAccountId);
  const resource = `${target.namespace}/${target.secretName}`;
  if (isKnown && publishedKey !== null && !self?.unloaded)
    return {
      kind: 'refuse',
      code: 'cluster-rights-missing',
      detail: `Secret ${resource} may still hold the entry ${publishedKey}, and we may not read it`,
    };
  const warning = `we no longer have rights in namespace ${target.namespace}, so secret ${resource} was not checked for an entry of ${payerAccountId}`;
  return { kind: 'ready', output: nothingRemoved, warnings: [warning] };
}

export const handler = stepHandler(removeEntry);
