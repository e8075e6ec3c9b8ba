import { readFile } from '../integration-file/file.ts';
import {
  entriesToMerge,
  entryKey,
  type IntegrationEntry,
  mergeEntries,
  type MergeOptions,
  removeEntries,
} from '../integration-file/merge.ts';
import type { Problem } from '../step/problem-list.ts';
import type { TargetPayer } from '../targets/payers-of-target.ts';

/** The payer of the run. */
export interface OwnEntry {
  entry: IntegrationEntry;
  takeOver: boolean;
}

export interface DesiredFile {
  text: string;
  /** The keys of the entries in `text` that match what their runs want, by payer account. */
  keys: Readonly<Record<string, string>>;
}

interface WantedEntry extends OwnEntry {
  publishedKey: string | undefined;
}

export interface DesiredFileOptions {
  /** Absent where the payer departs. */
  own?: OwnEntry;
  format: MergeOptions['format'];
  /** Others' entries that are merged; one is enough to tell whether anything is due. */
  most: number;
}

/** Each entry is a parse of the whole file, and a function has a minute. The next write goes on. */
export const mostAtOnce = 200;

/**
 * The file as the target's payers want it: what is proven stands in it, what is removing does not, and all else keeps every byte.
 * A payer that has only just become ready does not trigger a write; the next write includes it.
 * Only what stands under a payer's published key is taken for ours. A payer that does not fit keeps nobody else out: its own run
 * reports it.
 * @param text the file as it is; undefined if there is none
 */
export function desiredFile(
  text: string | undefined,
  payers: readonly TargetPayer[],
  { own, format, most }: DesiredFileOptions,
): DesiredFile | { refused: Problem } {
  const file = text === undefined ? undefined : readFile(text);
  if (file?.kind === 'refused') return { refused: { code: file.code, detail: file.detail } };
  const payerAccountId = own?.entry.payerAccountId;
  const others = payers.filter((item) => item.payerAccountId !== payerAccountId);
  const self = payers.find((item) => item.payerAccountId === payerAccountId);
  const wanted: WantedEntry[] = [
    ...others.flatMap(({ state, entry, takeOver = false, publishedKey }) =>
      state === 'proven' && entry ? [{ entry, takeOver, publishedKey }] : [],
    ),
    ...(own ? [{ ...own, publishedKey: self?.publishedKey }] : []),
  ].sort((a, b) => (a.entry.payerAccountId < b.entry.payerAccountId ? -1 : 1));

  const kept = withoutDepartingPayers(text, others);
  const differing = new Set(
    entriesToMerge(
      kept,
      wanted.map(({ entry }) => entry),
    ),
  );
  const isLost = ({ entry, publishedKey }: WantedEntry) => differing.has(entry) && publishedKey === entryKey(entry);
  const isDue = (own && differing.has(own.entry)) || kept !== text || wanted.some(isLost);

  let current = kept;
  let merged = 0;
  const keys = new Map<string, string>();
  for (const { entry, takeOver, publishedKey } of wanted) {
    // Its own run has to learn of a format that it did not ask for, also where the entry stands.
    if (!differing.has(entry) && (entry !== own?.entry || format === 'auto')) {
      keys.set(entry.payerAccountId, entryKey(entry));
      continue;
    }
    if (!isDue || (entry !== own?.entry && merged === most)) continue;
    const ownedKeys = new Set(publishedKey === undefined ? [] : [publishedKey]);
    const result = mergeEntries(current, [entry], { format, takeOver, ownedKeys });
    if (result.kind !== 'refused') {
      merged++;
      current = result.text;
      keys.set(entry.payerAccountId, entryKey(entry));
    } else if (entry === own?.entry) return { refused: { code: result.code, detail: result.detail } };
  }
  return { text: current ?? '', keys: Object.fromEntries(keys) };
}

function withoutDepartingPayers(text: string | undefined, payers: readonly TargetPayer[]): string | undefined {
  return payers.reduce((current, { state, publishedKey }) => {
    if (current === undefined || state !== 'removing' || publishedKey === undefined) return current;
    const result = removeEntries(current, new Set([publishedKey]));
    return result.kind === 'refused' ? current : result.text;
  }, text);
}
