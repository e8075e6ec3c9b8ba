/** The writes that bring the file in a target's secret to the desired file, for onboardings and offboardings alike. */
import { createHash } from 'node:crypto';
import * as z from 'zod';
import {
  entryKey,
  foreignKeys,
  type IntegrationEntry,
  parseIntegrationFile,
  renderEntry,
} from '../integration-file/merge.ts';
import { objectOwnership, ownerLabels } from '../kubernetes/ownership-labels.ts';
import { knownAfter } from '../model/dry-run-placeholder.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Target } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import type { Outcome, Plan, Situation, StepChange, StepContext } from '../step/contract.ts';
import { changesOrReady, waitFor } from '../step/plan-builders.ts';
import type { Problem } from '../step/problem-list.ts';
import { markPublished, type TargetPayer } from '../targets/payers-of-target.ts';
import { type DesiredFile, desiredFile, type DesiredFileOptions } from './desired-file.ts';
import {
  fileName,
  fileOf,
  hasMarks,
  previousName,
  readSecret,
  saveSecret,
  type Secret,
  unwritable,
  withFile,
  withoutMarks,
} from './integration-secret.ts';
import type { DiscoveredReader } from './mounting-workloads.ts';
import { type Restartable, type RestartChange, restartOf, restartWait } from './workload-restart.ts';

/** Never stored: the secret's content is in no change and no note. */
export interface SecretObservation {
  payers: readonly TargetPayer[];
  secret: Secret | undefined;
  wanted: WantedFile | { refused: Problem };
  /** No payer stays in the file: our marks on the secret are removed too. */
  isLast?: boolean;
  /** Only read where the file has to change. */
  previous?: Secret | undefined;
}

/** The desired file, and the file as it is. */
export type WantedFile = DesiredFile & { current: string | undefined };

export interface FileChange {
  action: 'keep-previous' | 'create-secret' | 'update-secret';
  resource: string;
}

const JsonObject = z.record(z.string(), z.unknown());

/** Marks written at once: far below the throughput of a table without load. */
const marksAtOnce = 20;

export const noFile: WantedFile = { text: '', current: undefined, keys: {} };

/** Without a payer's own entry, a file that does not exist is not created. */
export function wantedFile(
  secret: Secret | undefined,
  payers: readonly TargetPayer[],
  options: DesiredFileOptions,
): SecretObservation['wanted'] {
  const file = fileOf(secret);
  if (file?.kind === 'refused') return { refused: { code: file.code, detail: file.detail } };
  if (!file && !options.own) return noFile;
  const wanted = desiredFile(file?.text, payers, options);
  return 'refused' in wanted ? wanted : { ...wanted, current: file?.text };
}

/** The output of `publish`: names and digests of the file, and the payer's own entry. */
export function describePublication(
  { target, entry, mode }: { target: Target; entry: IntegrationEntry; mode: Outputs['publish']['mode'] },
  file: WantedFile,
  version = knownAfter('publish'),
): Outputs['publish'] {
  const parsed = parseIntegrationFile(file.text);
  const format = parsed.accepted && parsed.format === 'configurations' ? 'configurations' : 'legacy';
  const key = entryKey(entry);
  const held = mode === 'secret' ? file.text : (file.current ?? '');
  return {
    secret: `${target.namespace}/${target.secretName}`,
    resourceVersion: version,
    sha256: createHash('sha256').update(held).digest('hex'),
    key,
    entry: JsonObject.parse(JSON.parse(renderEntry(entry, format))),
    otherKeys: foreignKeys(held, new Set([key])),
    mode,
  };
}

/** True if the secret needs no write. */
export function isUpToDate({ wanted, secret, isLast = false }: SecretObservation): boolean {
  return 'text' in wanted && wanted.text === (wanted.current ?? '') && !(isLast && secret && hasMarks(secret));
}

/** Adds what is needed to keep the file's previous version, if the file has to change. */
export async function withPrevious<Observation extends SecretObservation>(
  cx: StepContext<RunKind>,
  target: Target,
  seen: Observation,
): Promise<Observation> {
  if ('refused' in seen.wanted || isUpToDate(seen)) return seen;
  return { ...seen, previous: await readSecret(cx.kubernetes, target.namespace, previousName(target)) };
}

/** The writes that the secret needs; `refused` if we must not write to it. */
function fileChanges(
  target: Target,
  seen: SecretObservation,
  owner: StepContext['owner'],
): { refused: Problem } | { changes: FileChange[] } {
  if (isUpToDate(seen)) return { changes: [] };
  const { secret, previous } = seen;
  const resource = `${target.namespace}/${target.secretName}`;
  const locked = secret && unwritable(secret, owner);
  if (locked) return { refused: locked };
  if (previous && objectOwnership(previous, owner) !== 'ours')
    return { refused: { code: 'secret-owned-elsewhere', detail: `Secret ${resource}-previous is not ours` } };
  const content = secret?.data?.[fileName];
  const keeps = content !== undefined && previous?.data?.[fileName] !== content;
  return {
    changes: [
      ...(keeps ? [{ action: 'keep-previous' as const, resource: `${target.namespace}/${previousName(target)}` }] : []),
      { action: secret ? 'update-secret' : 'create-secret', resource },
    ],
  };
}

interface Publication<Reader, Mark extends StepChange> {
  target: Target;
  seen: SecretObservation;
  /** The workloads that mount the secret. */
  readers: readonly Reader[];
  /** True if the workload must restart once the secret holds the desired file. */
  needsRestart: (reader: Reader, secret: Secret) => boolean;
  /** Changes of our own table, before the restarts. */
  marks?: readonly Mark[];
}

type SecretReader = Pick<DiscoveredReader, 'workload' | 'path' | 'mount'> & { object: Restartable };

/** Writes the desired file, then restarts the workloads that would not see it, with the minimum interval between restarts. */
export function planPublication<Reader extends SecretReader, Output, Mark extends StepChange = never>(
  { target, seen, readers, needsRestart, marks = [] }: Publication<Reader, Mark>,
  { run, owner, now: at }: Pick<Situation<RunKind>, 'run' | 'owner' | 'now'>,
  output: Output,
): Plan<FileChange | RestartChange | Mark, Output> {
  const writes = fileChanges(target, seen, owner);
  if ('refused' in writes) return { kind: 'refuse', ...writes.refused };
  const isWritten = isUpToDate(seen);
  const { dryRun } = run.request;
  // A file still to be written is observed again before a restart; a dry run cannot do that.
  const secret = isWritten ? seen.secret : dryRun ? writtenSecret(target, seen, owner, at) : undefined;
  const restarting = secret ? readers.filter((reader) => needsRestart(reader, secret)) : [];
  const restartsSoon = isWritten ? restarting : readers.filter(({ mount }) => mount === 'subPath');
  const wait = dryRun
    ? undefined
    : restartWait(
        restartsSoon.map(({ object }) => object),
        at,
      );
  if (wait) return waitFor(wait, output);
  const restarts = restarting.map((reader) => restartOf(target.namespace, reader));
  return changesOrReady<FileChange | RestartChange | Mark, Output>([...writes.changes, ...marks, ...restarts], {
    output,
  });
}

/** The secret once the desired file is written; undefined if the secret does not exist yet. */
function writtenSecret(
  target: Target,
  { secret, wanted }: SecretObservation,
  owner: StepContext['owner'],
  at: number,
): Secret | undefined {
  return secret && 'text' in wanted ? withFile(secret, target, wanted.text, owner, iso(at)) : undefined;
}

/** Writes only over the version that was observed: `not-changed` if another writer was first. */
export function writeFile(
  cx: StepContext<RunKind>,
  target: Target,
  action: FileChange['action'],
  seen: SecretObservation,
): Promise<Outcome> {
  return action === 'keep-previous' ? keepPrevious(cx, target, seen) : replaceFile(cx, target, seen);
}

async function keepPrevious(
  cx: StepContext<RunKind>,
  target: Target,
  { secret, previous }: SecretObservation,
): Promise<Outcome> {
  const { namespace } = target;
  const fresh = { metadata: { name: previousName(target), namespace, labels: ownerLabels(cx.owner) } };
  const data = { ...previous?.data, [fileName]: secret?.data?.[fileName] ?? '' };
  const kind = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque' };
  return (await saveSecret(cx.kubernetes, { ...kind, ...(previous ?? fresh), data })) ? 'changed' : 'not-changed';
}

async function replaceFile(
  cx: StepContext<RunKind>,
  target: Target,
  { payers, secret, wanted, isLast }: SecretObservation,
): Promise<Outcome> {
  if ('refused' in wanted) return 'not-changed';
  const written = withFile(secret, target, wanted.text, cx.owner, iso(now()));
  if (!(await saveSecret(cx.kubernetes, isLast ? withoutMarks(written) : written))) return 'not-changed';
  // Marked only once the file is written: an earlier mark would claim an entry that another writer put there.
  const unmarked = payers.flatMap(({ payerAccountId, publishedKey }) => {
    const key = wanted.keys[payerAccountId];
    return key === undefined || key === publishedKey ? [] : [{ payerAccountId, key }];
  });
  for (let from = 0; from < unmarked.length; from += marksAtOnce)
    await Promise.all(
      unmarked
        .slice(from, from + marksAtOnce)
        .map(({ payerAccountId, key }) => markPublished(target, payerAccountId, key)),
    );
  return 'changed';
}
