/**
 * cloud-integration.json: the file from which Kubecost and OpenCost read the bills of all clouds. We add, replace and remove
 * entries in its text; everything else keeps every byte. We never edit a file that the consumer cannot load, and never write
 * one: one bad entry stops the consumer from reading every cloud in it.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  applySplice,
  type JsonArray,
  type JsonNode,
  type JsonPath,
  nodeAt,
  removeItem,
  type Splice,
} from '../text/json-text-editing.ts';
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
  /** `auto` keeps the format of the file; a new file gets `legacy`, the format of the tutorial. A file is never converted. */
  format: 'auto' | IntegrationFormat;
  /** True to replace the payer's entry even if we did not write it. */
  takeOver: boolean;
  /** Keys of the entries that we wrote before. */
  ownedKeys: ReadonlySet<string>;
}

/** Adds or replaces one entry per payer. Refuses all entries if one is refused. */
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
  if (current === undefined) throw new TypeError('neither a file nor an entry was given');
  return changes.length === 0 ? { kind: 'unchanged', text: current } : { kind: 'changed', text: current, changes };
}

/** The entries that are missing in the file, differ from it or are there twice. Parses the file once, for files with many payers. */
export function entriesToMerge(text: string | undefined, entries: readonly IntegrationEntry[]): IntegrationEntry[] {
  const file = text === undefined ? undefined : readFile(text);
  if (file?.kind !== 'read') return [...entries];
  return entries.filter((entry) => {
    const [match, another] = payerEntries(file.integrations, entry.payerAccountId);
    return another !== undefined || match?.key !== entryKey(entry) || !hasContent(match, entry);
  });
}

/** Removes the entries with these keys; an empty list stays in the file. */
export function removeEntries(text: string, keys: ReadonlySet<string>): RemoveResult {
  let current = text;
  const changes: Changed<'remove-entry'>['changes'] = [];
  for (const key of keys) {
    const file = readFile(current);
    if (file.kind === 'refused') return file;
    const [match, another] = file.integrations.filter((found) => isReplaceable(found) && found.key === key);
    if (match === undefined) continue;
    if (another)
      return refused('entry-not-ours', `two entries have the key ${key}, so we cannot see which one is ours`);
    const list = nodeAt(file.root, match.path.slice(0, -1));
    if (list?.kind !== 'array') throw new Error('an entry is not in a list');
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
    return refused(
      'secret-format-differs',
      `the file has the format ${file.format}; the request has the format ${format}`,
    );

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
      ? refused('entry-not-ours', `the entry ${key} is not ours and has other values`)
      : refused('payer-already-integrated', `${entry.payerAccountId} already has the entry ${match.key}`);
  }
  const existing = nodeAt(file.root, match.path);
  if (!isReplaceable(match) || existing?.kind !== 'object') {
    return refused(
      'payer-already-integrated',
      `the entry ${match.key} is of the kind ${match.kind} and cannot be replaced by an athena entry`,
    );
  }
  const splice = replaceNode(text, file.root, existing, replacementDraft(text, existing, entry, format));
  return changed(text, splice, match.path, { do: 'replace-entry', key }, entry);
}

/** If no known provider shows the format: an object under another key means `configurations`, the only format of newer providers (ibm). */
function formatOf(file: ReadFile): IntegrationFormat {
  if (file.format !== 'empty') return file.format;
  const hint = file.root.kind === 'object' && file.root.children.some(({ value }) => value.kind === 'object');
  return hint ? 'configurations' : 'legacy';
}

/** The place of a new entry: in the existing list, otherwise in a new one; a null is replaced. */
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

function itemAddition(text: string, root: JsonNode, list: JsonArray, path: JsonPath, item: Draft) {
  return { splice: appendItem(text, root, list, item), path: [...path, list.children.length] };
}

function listDraft(entry: IntegrationEntry, format: MergeOptions['format']): Draft {
  return format === 'configurations'
    ? { members: [['athena', { items: [entryDraft(entry, format)] }]] }
    : { items: [entryDraft(entry, 'legacy')] };
}

/** In `configurations`, only the athena list holds entries like ours. */
function isReplaceable({ provider, kind, path }: Integration): boolean {
  return provider === 'AWS' && (kind === 'athena' || path.length === 2);
}

function changed(
  text: string,
  splice: Splice,
  path: JsonPath,
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
  if (!isDeepStrictEqual(before, after)) throw new Error('the edit would change more than one entry');
}

/** The document without the value at `path`. */
function without(text: string, path: JsonPath): unknown {
  const document: unknown = JSON.parse(text);
  const last = path.at(-1);
  if (last === undefined) return undefined;
  let holder = document;
  for (const step of path.slice(0, -1)) holder = isHolder(holder) ? holder[step] : undefined;
  if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else if (isHolder(holder)) Reflect.deleteProperty(holder, last);
  return document;
}

/** True for an object or an array. */
function isHolder(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null;
}
