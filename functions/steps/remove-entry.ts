import { payerRoleName } from '../../shared/aws/names.ts';
import { roleArnOf } from '../../shared/aws/role.ts';
import { connectKubernetes } from '../../shared/cluster/connection.ts';
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
  completeLook,
  type FileChange,
  fileChanges,
  isHeld,
  type SecretLook,
  type WantedFile,
  wantedFile,
  writeFile,
} from '../../shared/publication/write-file.ts';
import { defineStep, type Plan, type Situation } from '../../shared/step/contract.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import { listTargetPayers, markRemoving, type TargetPayer } from '../../shared/targets/target-payers.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Seen extends SecretLook {
  /** `gone`: there is no cluster any more; `hidden`: it does not let us look. */
  cluster: 'seen' | 'gone' | 'hidden';
  /** The table knew the payer before this run marked it. */
  isKnown: boolean;
  readers: SecretReader[];
}

type Change = FileChange | { do: 'restart-workload'; resource: string; path: string };

type RemovalPlan = Plan<Change, Outputs['remove-entry']>;

const emptyHanded: Outputs['remove-entry'] = { removed: [], kept: [], otherKeys: [] };
const noFile: WantedFile = { text: '', current: undefined, keys: new Map() };

/** As `enlist` has it, also in a dry run, which writes nothing down. */
function leaving({ payerAccountId, publishedKey }: Leaver, payers: TargetPayer[]): TargetPayer[] {
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

/** Those that would go on reading the file as it was before; of one still to be written, the next look tells, which a dry run has not. */
function outdated({ target }: Leaver, seen: Seen, { run, owner, now: at }: Situation<'offboarding'>): SecretReader[] {
  const { secret, wanted, readers } = seen;
  const isDone = isHeld(seen);
  if (!secret || 'refused' in wanted || !(isDone || run.request.dryRun)) return [];
  const file = isDone ? secret : withFile(secret, target, wanted.text, owner, iso(at));
  return readers.filter(({ mount, object, pods }) => keepsOldFile(mount, object, pods, file));
}

/** What of the payer stays in the file because we did not write it, or why the run must not go on with it there. */
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

/** Takes the payer's entry out of the file, and leaves every byte that is not its own. */
export const removeEntry = defineStep<'remove-entry', Leaver, Seen, Change>({
  name: 'remove-entry',
  summary: 'Takes the payer’s entry out of cloud-integration.json, and restarts what would go on reading it.',
  lease: 'target',
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

  async enlist(cx, { target, payerAccountId, publishedKey }) {
    if (cx.memo.isKnown === undefined) await cx.remember({ isKnown: await isKnown(target, payerAccountId) });
    await markRemoving(target, payerAccountId, publishedKey ?? undefined);
    return undefined;
  },

  async observe(cx, input): Promise<Seen> {
    const { target } = input;
    const [listed, settings] = await Promise.all([listTargetPayers(target), readTargetSettings(target)]);
    const payers = leaving(input, listed);
    const isKnown = cx.memo.isKnown ?? payers.length === listed.length;
    const seen = { payers, isKnown: isKnown === true, secret: undefined, wanted: noFile, readers: [] };
    if (!input.clusterExists) return { ...seen, cluster: 'gone' };
    if (!(await mayReadSecret(cx, target))) return { ...seen, cluster: 'hidden' };
    const kubernetes = connectKubernetes(cx);
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
    return completeLook(cx, target, { ...seen, cluster: 'seen', secret, wanted, readers, isLast: isLast === true });
  },

  plan(input, seen, situation): RemovalPlan {
    const { run, owner, now: at, changes: made } = situation;
    const { target, publishedKey } = input;
    const { cluster, wanted, readers } = seen;
    if (cluster === 'gone') return { kind: 'ready', output: emptyHanded };
    if (cluster === 'hidden') return planBlind(input, seen);
    if ('refused' in wanted)
      return publishedKey === null
        ? { kind: 'ready', output: emptyHanded, warnings: [`the file is left as it is: ${wanted.refused.detail}`] }
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
    const restarts = outdated(input, seen, situation);
    const changes: Change[] = [
      ...writes.changes,
      ...restarts.map(({ workload, path }) => ({
        do: 'restart-workload' as const,
        resource: `${target.namespace}/${workload}`,
        path,
      })),
    ];
    const resting = isHeld(seen) ? restarts : readers.filter(({ mount }) => mount === 'subPath');
    const restMs = Math.max(0, ...resting.map(({ object }) => restsUntil(object) - at));
    if (restMs > 0 && !run.request.dryRun) return { kind: 'wait', ...restWait(restMs), expected: output };
    const [first, ...more] = changes;
    return first ? { kind: 'change', changes: [first, ...more], expected: output } : { kind: 'ready', output };
  },

  async apply(cx, change, { target }) {
    return change.do === 'restart-workload'
      ? connectKubernetes(cx).patch(change.path, restartPatch(iso(now())))
      : writeFile(cx, target, change.do);
  },
});

async function isKnown(target: Target, payerAccountId: string): Promise<boolean> {
  return (await listTargetPayers(target)).some((payer) => payer.payerAccountId === payerAccountId);
}

/**
 * Where an earlier attempt or run has already taken our own rights away, the entry was proven gone before. Else it may still be there,
 * and must not outlive what it works through.
 */
function planBlind({ target, payerAccountId, publishedKey }: Leaver, { payers, isKnown }: Seen): RemovalPlan {
  const self = payers.find((payer) => payer.payerAccountId === payerAccountId);
  const resource = `${target.namespace}/${target.secretName}`;
  if (isKnown && publishedKey !== null && !self?.unloaded)
    return {
      kind: 'refuse',
      code: 'cluster-rights-missing',
      detail: `Secret ${resource} may still hold the entry ${publishedKey}, and we may not look`,
    };
  const warning = `we have no rights in namespace ${target.namespace} any more: whether secret ${resource} still has an entry of ${payerAccountId} was not looked for`;
  return { kind: 'ready', output: emptyHanded, warnings: [warning] };
}

export const handler = stepHandler(removeEntry);
