import { createHash } from 'node:crypto';
import * as z from 'zod';
import { unlessHidden } from '../../shared/cluster/connection.ts';
import { rules } from '../../shared/cluster/provisioner-role.ts';
import {
  entryKey,
  entryOf,
  foreignKeys,
  type IntegrationEntry,
  parseIntegrationFile,
  renderEntry,
} from '../../shared/integration-file/merge.ts';
import { listPods, type Pod } from '../../shared/kubernetes/pods.ts';
import { knownAfter } from '../../shared/model/dry-run-placeholder.ts';
import type { OnboardingRequest } from '../../shared/model/onboarding-request.ts';
import { outputOf, podRoleOf, type RunRecord } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import { type Target, targetOf } from '../../shared/model/target.ts';
import { iso, now } from '../../shared/platform/clock.ts';
import { mostAtOnce, type OwnEntry, publicationOf } from '../../shared/publication/desired-file.ts';
import { readSecret, type Secret, withFile } from '../../shared/publication/integration-secret.ts';
import {
  needsRestart,
  type Reader,
  type Restartable,
  restartPatch,
  restsUntil,
  restWait,
} from '../../shared/publication/workload-restart.ts';
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
import { defineStep, type Plan, type StepContext } from '../../shared/step/contract.ts';
import { changesOrReady, queueWait, waitFor } from '../../shared/step/plan-builders.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';
import {
  listTargetPayers,
  markProven,
  markPublished,
  type TargetPayer,
} from '../../shared/targets/payers-of-target.ts';
import { readTargetSettings } from '../../shared/targets/target-settings.ts';

interface Input extends OwnEntry {
  target: Target;
  format: OnboardingRequest['kubecost']['format'];
  mode: OnboardingRequest['kubecost']['publish'];
  /** What reads the file; undefined if nothing is installed, or what is does not mount the secret. */
  reader: (Omit<Reader, 'since'> & { workload: string; path: string; podSelector: string }) | undefined;
}

interface Observation extends SecretObservation {
  /** The cluster does not let us read yet: only in a dry run. */
  hidden?: boolean;
  workload?: Restartable | undefined;
  pods: Pod[];
}

type Change = (FileChange | { action: 'mark-published' | 'restart-workload'; resource: string }) & { note?: string };

/** `gathered`: this run has waited for other payers to join. */
const Notes = z.object({ gathered: z.boolean().optional() });

/** Long enough for runs that end together to meet, short beside everything before it. */
const gatheringSeconds = 15;

function readerOf(run: RunRecord): Input['reader'] {
  const { workload, container, podSelector, mount } = outputOf(run, 'discovery');
  if (workload === null || container === null || podSelector === null || mount === null) return undefined;
  const { mode } = run.request.identity;
  const [kind = '', name = ''] = workload.split('/');
  const bound = run.steps[mode === 'irsa' ? 'pod-role' : 'pod-identity']?.changes ?? [];
  return {
    workload,
    path: `/apis/apps/v1/namespaces/${run.request.kubecost.namespace}/${kind}s/${name}`,
    podSelector,
    mount,
    container,
    role: { mode, arn: podRoleOf(run).podRoleArn },
    boundAt: Math.max(0, ...bound.map(({ at }) => (at ? Date.parse(at) : 0))),
  };
}

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
  const resting = workload !== undefined && reader?.mount === 'subPath' && restsUntil(workload) > cx.now;
  const own = payers.filter(({ payerAccountId }) => payerAccountId === input.entry.payerAccountId);
  // In a file that its owner writes, other payers' entries are not ours to complete.
  const items = input.mode === 'artifacts' ? own : payers;
  // Nothing is written before the interval is over. One entry shows that the file has to change, and a waiting fleet must not merge
  // hundreds in each invocation.
  const wanted = wantedOf(input, secret, items, settings?.format, resting ? 1 : mostAtOnce);
  return withPrevious(cx, target, { payers, secret, wanted, workload, pods });
}

/** @param format as the target's first run asked for */
function wantedOf(
  input: Input,
  secret: Secret | undefined,
  payers: readonly TargetPayer[],
  format = input.format,
  most = mostAtOnce,
): SecretObservation['wanted'] {
  return wantedFile(secret, (text) => publicationOf(text, payers, { own: input, format, most }));
}

function describe({ target, entry, mode }: Input, file: WantedFile, version = knownAfter('publish')) {
  const parsed = parseIntegrationFile(file.text);
  const format = parsed.accepted && parsed.format === 'configurations' ? 'configurations' : 'legacy';
  const key = entryKey(entry);
  const held = mode === 'secret' ? file.text : (file.current ?? '');
  return {
    secret: `${target.namespace}/${target.secretName}`,
    resourceVersion: version,
    sha256: createHash('sha256').update(held).digest('hex'),
    key,
    entry: z.record(z.string(), z.unknown()).parse(JSON.parse(renderEntry(entry, format))),
    otherKeys: foreignKeys(held, new Set([key])),
    mode,
  };
}

/** Brings the file to what all proven payers of the target need, and leaves every other byte as it is. */
export const publish = defineStep({
  name: 'publish',
  summary:
    'Adds the payer’s entry to cloud-integration.json in the cluster’s secret, and restarts a workload that would not see it.',
  lease: 'target',
  notes: Notes,
  permissions: {
    table: ['GetItem', 'Query', 'UpdateItem'],
    kubernetes: [rules.createSecret, rules.secret, rules.workload, rules.pods],
  },

  input(cx): Input {
    const { request } = cx.run;
    return {
      target: targetOf(request),
      entry: entryOf(cx.run),
      takeOver: request.existing === 'take-over',
      format: request.kubecost.format,
      mode: request.kubecost.publish,
      reader: readerOf(cx.run),
    };
  },

  async register(cx, { target, entry, takeOver, mode }) {
    // The secret's owner writes it: no other run of the target may do so either.
    if (mode === 'artifacts') return undefined;
    await markProven(target, entry, { takeOver });
    if (cx.notes.gathered) return undefined;
    const payers = await listTargetPayers(target);
    if (!payers.some(({ state }) => state === 'granted')) return undefined;
    return {
      notes: { gathered: true },
      wait: queueWait('other payers to join the publication', {
        seconds: gatheringSeconds,
        deadlineSeconds: 4 * gatheringSeconds,
      }),
    };
  },

  async observe(cx, input): Promise<Observation> {
    const seen = await unlessHidden(cx, () => read(cx, input));
    if (seen !== 'hidden') return seen;
    const payers = await listTargetPayers(input.target);
    return { payers, hidden: true, secret: undefined, wanted: wantedOf(input, undefined, payers), pods: [] };
  },

  plan(input, seen, { run, owner, since, now: at }): Plan<Change, Outputs['publish']> {
    const { target, entry, mode, reader } = input;
    const { hidden, secret, wanted, payers, workload, pods } = seen;
    if ('refused' in wanted) return { kind: 'refuse', ...wanted.refused };
    const resource = `${target.namespace}/${target.secretName}`;
    const output = describe(input, wanted, secret?.metadata.resourceVersion);
    if (hidden)
      return {
        kind: 'not-visible',
        why: `Secret ${resource} cannot be read before we have our rights in the cluster`,
        changes: mode === 'secret' ? [{ action: 'create-secret', resource, note: 'or updated, if it exists' }] : [],
        expected: { ...output, sha256: knownAfter('publish') },
      };
    const isWritten = isHeld(seen);
    if (mode === 'artifacts') {
      const warning = `Secret ${resource} is left to its owner: the entry to add is in GET /v1/runs/${run.runId}/artifacts`;
      return { kind: 'ready', output, warnings: isWritten ? [] : [warning] };
    }
    const changes: Change[] = [];
    if (!isWritten) {
      const writes = fileChanges(target, seen, owner);
      if ('refused' in writes) return { kind: 'refuse', ...writes.refused };
      changes.push(...writes.changes);
    } else {
      const own = payers.find(({ payerAccountId }) => payerAccountId === entry.payerAccountId);
      if (!isMarked(own, entry)) changes.push({ action: 'mark-published', resource: entryKey(entry) });
    }
    // For a file that is still to be written, the next observation decides; a dry run has none.
    if (reader && workload && secret && (isWritten || run.request.dryRun)) {
      const file = isWritten ? secret : withFile(secret, target, wanted.text, owner, iso(at));
      if (needsRestart({ ...reader, since }, workload, pods, file))
        changes.push({ action: 'restart-workload', resource: `${target.namespace}/${reader.workload}` });
    }
    const restarts =
      changes.some((change) => change.action === 'restart-workload') || (!isWritten && reader?.mount === 'subPath');
    const restMs = workload && restarts && !run.request.dryRun ? restsUntil(workload) - at : 0;
    return restMs > 0 ? waitFor(restWait(restMs), output) : changesOrReady(changes, { output });
  },

  async apply(cx, change, { input, seen }) {
    switch (change.action) {
      case 'mark-published':
        // A writer died before it marked the entry, or the table was restored.
        await markProven(input.target, input.entry, input);
        await markPublished(input.target, input.entry.payerAccountId, entryKey(input.entry));
        return 'bookkeeping';
      case 'restart-workload':
        await cx.kubernetes.patch(input.reader?.path ?? '', restartPatch(iso(now())));
        return 'changed';
      case 'keep-previous':
      case 'create-secret':
      case 'update-secret':
        return writeFile(cx, input.target, change.action, seen);
    }
  },
});

function isMarked(item: TargetPayer | undefined, entry: IntegrationEntry): boolean {
  const marked: Record<string, unknown> = { ...item?.entry };
  return (
    item?.state === 'proven' &&
    item.publishedKey === entryKey(entry) &&
    Object.entries(entry).every(([field, value]) => marked[field] === value)
  );
}

export const handler = stepHandler(publish);
