/**
 * cloud-integration.json: the one file from which Kubecost and OpenCost learn every cloud's bill. Entries are added,
 * replaced and removed in its text; what is not ours keeps every byte. A file the consumer would not load is never
 * touched, and never made: one bad entry takes down every cloud in it.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  applySplice,
  type JsonArray,
  type JsonNode,
  nodeAt,
  type Path,
  removeItem,
  type Splice,
} from '../text/json-text.ts';
import {
  appendItem,
  appendMember,
  type Draft,
  newDocument,
  replaceNode,
  writeDraft,
} from '../text/json-text-layout.ts';
import { entryDraft, entryKey, hasContent, type IntegrationEntry, replacementDraft } from './entry.ts';
import { membersLike, payerEntries, type ReadFile, readFile, type Refused, refused } from './file.ts';
import type { Integration, IntegrationFormat } from './parser.ts';

export { entryKey, entryOf, type IntegrationEntry, renderEntry } from './entry.ts';
export { decodeIntegrationFile, findPayer, foreignKeys, maskForeign, parseIntegrationFile } from './file.ts';

interface Unchanged {
  kind: 'unchanged';
  text: string;
}
interface Changed<Do extends string> {
  kind: 'changed';
  text: string;
  changes: { do: Do; key: string }[];
}

export type MergeResult = Unchanged | Changed<'create-file' | 'add-entry' | 'replace-entry'> | Refused;
export type RemoveResult = Unchanged | Changed<'remove-entry'> | Refused;

export interface MergeOptions {
  /** `auto` keeps the file's own; a new file gets the tutorial's, `legacy`. A file is never converted. */
  format: 'auto' | IntegrationFormat;
  /** Replace the payer's entry even if we did not write it. */
  takeOver: boolean;
  /** Keys of entries we wrote before. */
  ownedKeys: ReadonlySet<string>;
}

/** Adds or replaces one entry per payer; refuses all or none. */
export function mergeEntries(
  text: string | undefined,
  entries: readonly IntegrationEntry[],
  options: MergeOptions,
): MergeResult {
  let current = text;
  const changes: Changed<'create-file' | 'add-entry' | 'replace-entry'>['changes'] = [];
  for (const entry of entries) {
    const result = current === undefined ? createFile(entry, options) : mergeEntry(current, entry, options);
    if (result.kind === 'refused') return result;
    if (result.kind === 'changed') changes.push(...result.changes);
    current = result.text;
  }
  if (current === undefined) throw new TypeError('there is nothing to merge into no file');
  return changes.length === 0 ? { kind: 'unchanged', text: current } : { kind: 'changed', text: current, changes };
}

/** Of these entries, those that do not stand in the file, alone and as they are to: in one reading, for files of many payers. */
export function entriesToMerge(text: string | undefined, entries: readonly IntegrationEntry[]): IntegrationEntry[] {
  const file = text === undefined ? undefined : readFile(text);
  if (file?.kind !== 'read') return [...entries];
  return entries.filter((entry) => {
    const [match, another] = payerEntries(file.integrations, entry.payerAccountId);
    return another !== undefined || match?.key !== entryKey(entry) || !hasContent(match, entry);
  });
}

/** Takes out the entries with these keys; their list stays, if need be empty. */
export function removeEntries(text: string, keys: ReadonlySet<string>): RemoveResult {
  let current = text;
  const changes: Changed<'remove-entry'>['changes'] = [];
  for (const key of keys) {
    const file = readFile(current);
    if (file.kind === 'refused') return file;
    const [match, another] = file.integrations.filter((found) => isReplaceable(found) && found.key === key);
    if (match === undefined) continue;
    if (another) return refused('entry-not-ours', `two entries have the key ${key}; which of them is ours is unknown`);
    const list = nodeAt(file.root, match.path.slice(0, -1));
    if (list?.kind !== 'array') throw new Error('an entry stands outside a list');
    const next = applySplice(current, removeItem(list, Number(match.path.at(-1))));
    assertOnlyChanged(without(current, match.path), JSON.parse(next));
    assertAccepted(next);
    current = next;
    changes.push({ do: 'remove-entry', key });
  }
  return changes.length === 0 ? { kind: 'unchanged', text } : { kind: 'changed', text: current, changes };
}

function createFile(entry: IntegrationEntry, { format }: MergeOptions): MergeResult {
  const text = `${writeDraft({ members: [['aws', listDraft(entry, format)]] }, newDocument)}\n`;
  assertHolds(text, entry);
  return { kind: 'changed', text, changes: [{ do: 'create-file', key: entryKey(entry) }] };
}

function mergeEntry(text: string, entry: IntegrationEntry, options: MergeOptions): MergeResult {
  const file = readFile(text);
  if (file.kind === 'refused') return file;
  const format = options.format === 'auto' ? formatOf(file) : options.format;
  if (file.format !== 'empty' && file.format !== format)
    return refused('secret-format-differs', `the file has the format ${file.format}, asked for was ${format}`);

  const key = entryKey(entry);
  const matches = payerEntries(file.integrations, entry.payerAccountId);
  const [match] = matches;
  if (match === undefined) {
    const { splice, path } = addition(text, file.root, entry, format);
    return changed(text, splice, path, { do: 'add-entry', key }, entry);
  }
  if (matches.length > 1) {
    const keys = matches.map((found) => found.key).join(', ');
    return refused('payer-already-integrated', `${entry.payerAccountId} has ${matches.length} entries: ${keys}`);
  }
  if (match.key === key && hasContent(match, entry)) return { kind: 'unchanged', text };
  if (!options.takeOver && !options.ownedKeys.has(match.key)) {
    return match.key === key
      ? refused('entry-not-ours', `the entry ${key} was not written by us and says something else`)
      : refused('payer-already-integrated', `${entry.payerAccountId} already has the entry ${match.key}`);
  }
  const existing = nodeAt(file.root, match.path);
  if (!isReplaceable(match) || existing?.kind !== 'object') {
    return refused(
      'payer-already-integrated',
      `the ${match.kind} entry ${match.key} has no place among the athena ones`,
    );
  }
  const splice = replaceNode(text, file.root, existing, replacementDraft(text, existing, entry, format));
  return changed(text, splice, match.path, { do: 'replace-entry', key }, entry);
}

/** Not said by any provider we know, an object hints at newer ones (ibm), which exist in one format only. */
function formatOf(file: ReadFile): IntegrationFormat {
  if (file.format !== 'empty') return file.format;
  const hint = file.root.kind === 'object' && file.root.children.some(({ value }) => value.kind === 'object');
  return hint ? 'configurations' : 'legacy';
}

/** Where a new entry goes: into the list; else a new list; a null on the way is replaced. */
function addition(text: string, root: JsonNode, entry: IntegrationEntry, format: IntegrationFormat) {
  const list = listDraft(entry, format);
  if (root.kind !== 'object') return { splice: replaceNode(text, root, root, { members: [['aws', list]] }), path: [] };
  const aws = membersLike(root, 'aws')[0];
  if (aws === undefined) return { splice: appendMember(text, root, root, 'aws', list), path: ['aws'] };
  if (aws.value.kind === 'scalar') return { splice: replaceNode(text, root, aws.value, list), path: [aws.key] };
  if (aws.value.kind === 'array') return itemAddition(text, root, aws.value, [aws.key], entryDraft(entry, format));
  const athena = membersLike(aws.value, 'athena')[0];
  const items: Draft = { items: [entryDraft(entry, format)] };
  const path = [aws.key, athena?.key ?? 'athena'];
  if (athena === undefined) return { splice: appendMember(text, root, aws.value, 'athena', items), path };
  if (athena.value.kind === 'array') return itemAddition(text, root, athena.value, path, entryDraft(entry, format));
  return { splice: replaceNode(text, root, athena.value, items), path };
}

function itemAddition(text: string, root: JsonNode, list: JsonArray, path: Path, item: Draft) {
  return { splice: appendItem(text, root, list, item), path: [...path, list.children.length] };
}

function listDraft(entry: IntegrationEntry, format: MergeOptions['format']): Draft {
  return format === 'configurations'
    ? { members: [['athena', { items: [entryDraft(entry, format)] }]] }
    : { items: [entryDraft(entry, 'legacy')] };
}

/** Of the `configurations`, only the athena list holds entries of our kind. */
function isReplaceable({ provider, kind, path }: Integration): boolean {
  return provider === 'AWS' && (kind === 'athena' || path.length === 2);
}

function changed(
  text: string,
  splice: Splice,
  path: Path,
  change: { do: 'add-entry' | 'replace-entry'; key: string },
  entry: IntegrationEntry,
): MergeResult {
  const next = applySplice(text, splice);
  assertOnlyChanged(without(text, path), without(next, path));
  assertHolds(next, entry);
  return { kind: 'changed', text: next, changes: [change] };
}

function assertHolds(text: string, entry: IntegrationEntry): void {
  const written = assertAccepted(text).filter(({ key }) => key === entryKey(entry));
  const [integration] = written;
  if (written.length !== 1 || !integration?.valid || !hasContent(integration, entry))
    throw new Error(`the consumer would not load the entry ${entryKey(entry)}`);
}

function assertAccepted(text: string): Integration[] {
  const file = readFile(text);
  if (file.kind === 'refused') throw new Error(`the edited file would be rejected: ${file.detail}`);
  return file.integrations;
}

function assertOnlyChanged(before: unknown, after: unknown): void {
  if (!isDeepStrictEqual(before, after)) throw new Error('the edit would change more than its entry');
}

/** The document less what stands at `path`. */
function without(text: string, path: Path): unknown {
  const document: unknown = JSON.parse(text);
  const last = path.at(-1);
  if (last === undefined) return undefined;
  let holder = document as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else Reflect.deleteProperty(holder, last);
  return document;
}
