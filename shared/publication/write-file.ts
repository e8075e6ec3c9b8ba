/** Brings the file in a target's secret to what the target's payers want, for onboardings and offboardings alike. */
import { objectOwnership, ownerLabels } from '../kubernetes/ownership-labels.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Target } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import type { Outcome, StepContext } from '../step/contract.ts';
import { markPublished, type TargetPayer } from '../targets/payers-of-target.ts';
import type { Publication } from './desired-file.ts';
import {
  fileName,
  fileOf,
  hasMarks,
  previousName,
  readSecret,
  type Refusal,
  saveSecret,
  type Secret,
  unwritable,
  withFile,
  withoutMarks,
} from './integration-secret.ts';

/** Never stored: the secret's content is in no change and no note. */
export interface SecretObservation {
  payers: readonly TargetPayer[];
  secret: Secret | undefined;
  wanted: WantedFile | { refused: Refusal };
  /** No payer stays in the file: our marks on the secret are removed too. */
  isLast?: boolean;
  /** Only read where the file has to change. */
  previous?: Secret | undefined;
}

/** The file as it is to be, beside what it is. */
export type WantedFile = Publication & { current: string | undefined };

export interface FileChange {
  action: 'keep-previous' | 'create-secret' | 'update-secret';
  resource: string;
}

/** Marks written at once: far below what a table takes at rest. */
const marksAtOnce = 20;

/** The secret's file as `want` has it from the file as it is, or why it cannot be. */
export function wantedFile(
  secret: Secret | undefined,
  want: (text: string | undefined) => Publication | { refused: Refusal },
): SecretObservation['wanted'] {
  const file = fileOf(secret);
  if (file?.kind === 'refused') return { refused: { code: file.code, detail: file.detail } };
  const wanted = want(file?.text);
  return 'refused' in wanted ? wanted : { ...wanted, current: file?.text };
}

/** True if the secret is as it is to be. */
export function isHeld({ wanted, secret, isLast = false }: SecretObservation): boolean {
  return 'text' in wanted && wanted.text === (wanted.current ?? '') && !(isLast && secret && hasMarks(secret));
}

/** Adds what is needed to keep the file's previous version, if the file has to change. */
export async function withPrevious<Observation extends SecretObservation>(
  cx: StepContext<RunKind>,
  target: Target,
  seen: Observation,
): Promise<Observation> {
  if ('refused' in seen.wanted || isHeld(seen)) return seen;
  return { ...seen, previous: await readSecret(cx.kubernetes, target.namespace, previousName(target)) };
}

/** The writes that bring the secret to what it is to be, or why it must not be written to. */
export function fileChanges(
  target: Target,
  seen: SecretObservation,
  owner: StepContext['owner'],
): { refused: Refusal } | { changes: FileChange[] } {
  if (isHeld(seen)) return { changes: [] };
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

/** Fenced by the version that was seen: `not-changed` where another writer was first. */
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
