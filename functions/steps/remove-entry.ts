import * as z from 'zod';
import { payerRoleName } from '../../shared/aws/names.ts';
import { roleArnOf } from '../../shared/aws/role.ts';
import { accessEntryPermissions } from '../../shared/cluster/access-entry.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import { findPayer, foreignKeys } from '../../shared/integration-file/merge.ts';
import type { Outputs, Removal } from '../../shared/model/steps-and-outputs.ts';
import type { Target } from '../../shared/model/target.ts';
import { type DepartingPayer, departingPayerOf } from '../../shared/offboarding/departing-payer-of-run.ts';
import { mostAtOnce } from '../../shared/publication/desired-file.ts';
import { readSecret, unwritable } from '../../shared/publication/integration-secret.ts';
import { listSecretReaders, mayReadSecret, type SecretReader } from '../../shared/publication/mounting-workloads.ts';
import {
  type FileChange,
  isUpToDate,
  noFile,
  planPublication,
  type SecretObservation,
  type WantedFile,
  wantedFile,
  withPrevious,
  writeFile,
} from '../../shared/publication/publication-plan.ts';
import { keepsOldFile, type RestartChange, restartWorkload } from '../../shared/publication/workload-restart.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import type { Problem } from '../../shared/step/problem-list.ts';
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

type Change = FileChange | RestartChange;

/** `isKnown`: the table had the payer before this run marked it. */
const Notes = z.object({ isKnown: z.boolean().optional() });
type Notes = z.infer<typeof Notes>;

type RemovalPlan = Plan<Change, Outputs['remove-entry']>;

const nothingRemoved: Outputs['remove-entry'] = { removed: [], kept: [], otherKeys: [] };

/** The payers as `register` leaves them, also in a dry run, which registers nothing. */
function withDeparting({ payerAccountId, publishedKey }: DepartingPayer, payers: TargetPayer[]): TargetPayer[] {
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

/** The payer's entries that stay in the file because we did not write them, or why the run must not go on with them there. */
function leftBehind({ target, payerAccountId, publishedKey }: DepartingPayer, { text }: WantedFile) {
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
export const removeEntry = defineStep<'remove-entry', DepartingPayer, Observation, Change, Notes>({
  name: 'remove-entry',
  summary:
    'Removes the payer’s entry from cloud-integration.json, and restarts a workload that would go on reading it.',
  lease: 'target',
  notes: Notes,
  keeps: ['isKnown'],
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    cluster: [accessEntryPermissions.read],
    kubernetes: [rules.secret, rules.createSecret, rules.workloads, rules.workload, rules.services, rules.pods],
  },
  waits: { 'run-queue-overdue': { seconds: 5, longestSeconds: 2 * 3600 } },

  input: ({ run }) => departingPayerOf(run),

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
    const wanted = wantedFile(secret, payers, { format, most: mostAtOnce });
    const isOurs = secret && !unwritable(secret, cx.owner);
    const isLast = isOurs && payers.every(({ state }) => state === 'removing');
    return withPrevious(cx, target, { ...seen, cluster: 'seen', secret, wanted, readers, isLast: isLast === true });
  },

  plan(input, seen, situation) {
    const { wanted: file } = seen;
    const unseen = planUnseen(input, seen);
    if (unseen) return unseen;
    if ('refused' in file) return planUnreadable(input, file.refused);
    return planRemoval(input, seen, situation, file);
  },

  async apply(cx, change, { input: { target }, seen }) {
    if (change.action === 'restart-workload') return restartWorkload(cx.kubernetes, change);
    return writeFile(cx, target, change.action, seen);
  },
});

function planRemoval(
  input: DepartingPayer,
  seen: Observation,
  situation: Situation<'offboarding', Notes>,
  file: WantedFile,
): RemovalPlan {
  const { target, publishedKey } = input;
  const { readers } = seen;
  const left = leftBehind(input, file);
  if (left.kept === undefined) return { kind: 'refuse', code: 'entry-still-there', detail: left.still };
  const isWritten = situation.changes.some((change) => change.do === 'update-secret');
  const wasThere = seen.isKnown || !isUpToDate(seen) || isWritten;
  const output = {
    removed: publishedKey !== null && wasThere ? [publishedKey] : [],
    kept: left.kept,
    otherKeys: foreignKeys(file.text, new Set()),
  };
  const plan = planPublication(
    {
      target,
      seen,
      readers,
      needsRestart: ({ mount, object, pods }, secret) => keepsOldFile(mount, object, pods, secret),
    },
    situation,
    output,
  );
  if (plan.kind !== 'refuse' || plan.code === 'owned-by-another-deployment') return plan;
  return { kind: 'refuse', code: 'entry-still-there', detail: `${plan.detail}: ${publishedKey ?? ''}` };
}

/** A file that we cannot edit keeps the run from going on only if it may have our entry. */
function planUnreadable({ publishedKey }: DepartingPayer, refused: Problem): RemovalPlan {
  if (publishedKey !== null) return { kind: 'refuse', ...refused };
  return { kind: 'ready', output: nothingRemoved, warnings: [`the file is left as it is: ${refused.detail}`] };
}

async function isKnown(target: Target, payerAccountId: string): Promise<boolean> {
  return (await listTargetPayers(target)).some((payer) => payer.payerAccountId === payerAccountId);
}

/**
 * Without rights in the namespace: an earlier attempt or run that removed them had proven the entry gone. Otherwise the entry may still
 * be there, and the roles it uses must not be removed before it.
 */
function planUnseen(
  { target, payerAccountId, publishedKey }: DepartingPayer,
  { cluster, payers, isKnown }: Observation,
): RemovalPlan | undefined {
  if (cluster === 'gone') return { kind: 'ready', output: nothingRemoved };
  if (cluster === 'seen') return undefined;
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
