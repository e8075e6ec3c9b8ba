/** What onboardings and offboardings do alike to a target's secret: they bring its file to what the target's payers want. */
import { connectKubernetes } from '../cluster/connection.ts';
import { TerminalError } from '../errors/errors.ts';
import { objectOwnership, ownerLabels } from '../kubernetes/ownership-labels.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Target } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { rejected, type StepContext } from '../step/contract.ts';
import { markPublished, type TargetPayer } from '../targets/target-payers.ts';
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

/** Lives within one invocation: the secret's content is never put into a change. */
export interface SecretLook {
  payers: readonly TargetPayer[];
  secret: Secret | undefined;
  wanted: WantedFile | { refused: Refusal };
  /** Nobody is to stay in the file: our marks on the secret go, too. */
  isLast?: boolean;
  /** Only looked at where the file has to change. */
  previous?: Secret | undefined;
}

/** The file as it is to be, beside what it is. */
export type WantedFile = Publication & { current: string | undefined };

export interface FileChange {
  do: 'keep-previous' | 'create-secret' | 'update-secret';
  resource: string;
}

/** What the changes to be applied were planned from. */
const looks = new WeakMap<StepContext<RunKind>, SecretLook>();
/** Looks whose file another writer kept us from keeping: it must not be replaced before it is kept. */
const notKept = new WeakSet<SecretLook>();
/** Marks written at once: far below what a table takes at rest. */
const marksAtOnce = 20;

/** The secret's file as `want` has it from the file as it is, or why it cannot be. */
export function wantedFile(
  secret: Secret | undefined,
  want: (text: string | undefined) => Publication | { refused: Refusal },
): SecretLook['wanted'] {
  const file = fileOf(secret);
  if (file?.kind === 'refused') return { refused: { code: file.code, detail: file.detail } };
  const wanted = want(file?.text);
  return 'refused' in wanted ? wanted : { ...wanted, current: file?.text };
}

/** True if the secret is as it is to be. */
export function isHeld({ wanted, secret, isLast = false }: SecretLook): boolean {
  return 'text' in wanted && wanted.text === (wanted.current ?? '') && !(isLast && secret && hasMarks(secret));
}

/** Looks at what a write would take with it, and keeps the look for `writeFile`. */
export async function completeLook<Look extends SecretLook>(
  cx: StepContext<RunKind>,
  target: Target,
  look: Look,
): Promise<Look> {
  const isDone = 'refused' in look.wanted || isHeld(look);
  const complete = isDone
    ? look
    : { ...look, previous: await readSecret(connectKubernetes(cx), target.namespace, previousName(target)) };
  looks.set(cx, complete);
  return complete;
}

/** The writes that bring the secret to what it is to be, or why it must not be written to. */
export function fileChanges(
  target: Target,
  look: SecretLook,
  owner: StepContext['owner'],
): { refused: Refusal } | { changes: FileChange[] } {
  if (isHeld(look)) return { changes: [] };
  const { secret, previous } = look;
  const resource = `${target.namespace}/${target.secretName}`;
  const locked = secret && unwritable(secret, owner);
  if (locked) return { refused: locked };
  if (previous && objectOwnership(previous, owner) !== 'ours')
    return { refused: { code: 'secret-owned-elsewhere', detail: `Secret ${resource}-previous is not ours` } };
  const content = secret?.data?.[fileName];
  const keeps = content !== undefined && previous?.data?.[fileName] !== content;
  return {
    changes: [
      ...(keeps ? [{ do: 'keep-previous' as const, resource: `${target.namespace}/${previousName(target)}` }] : []),
      { do: secret ? 'update-secret' : 'create-secret', resource },
    ],
  };
}

/** Fenced by the version that was seen. Where another writer was first, the look after it plans anew. */
export async function writeFile(
  cx: StepContext<RunKind>,
  target: Target,
  what: FileChange['do'],
): Promise<typeof rejected | undefined> {
  const look = looks.get(cx);
  if (!look) throw new TerminalError('unexpected', 'nobody has looked at the secret');
  return what === 'keep-previous' ? keepPrevious(cx, target, look) : replaceFile(cx, target, look);
}

async function keepPrevious(cx: StepContext<RunKind>, target: Target, look: SecretLook) {
  const { secret, previous } = look;
  const { namespace } = target;
  const fresh = { metadata: { name: previousName(target), namespace, labels: ownerLabels(cx.owner) } };
  const data = { ...previous?.data, [fileName]: secret?.data?.[fileName] ?? '' };
  const kind = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque' };
  if (await saveSecret(connectKubernetes(cx), { ...kind, ...(previous ?? fresh), data })) return undefined;
  notKept.add(look);
  return rejected;
}

async function replaceFile(cx: StepContext<RunKind>, target: Target, look: SecretLook) {
  const { payers, secret, wanted, isLast } = look;
  if ('refused' in wanted || notKept.has(look)) return rejected;
  const written = withFile(secret, target, wanted.text, cx.owner, iso(now()));
  if (!(await saveSecret(connectKubernetes(cx), isLast ? withoutMarks(written) : written))) return rejected;
  // Only after it stands there: a mark that came first would make an entry that somebody else put there ours.
  const unmarked = payers.flatMap(({ payerAccountId, publishedKey }) => {
    const key = wanted.keys.get(payerAccountId);
    return key === undefined || key === publishedKey ? [] : [{ payerAccountId, key }];
  });
  for (let from = 0; from < unmarked.length; from += marksAtOnce)
    await Promise.all(
      unmarked
        .slice(from, from + marksAtOnce)
        .map(({ payerAccountId, key }) => markPublished(target, payerAccountId, key)),
    );
  return undefined;
}
