/**
 * A strict copy of the consumer's parser: which entries it loads, which it reports as invalid, and which errors make it reject the
 * whole file with every cloud. It reads a file as `configurations` first and, on any error, as `legacy`.
 * Source: opencost/opencost pkg/cloud/config/configurations.go; compared with its compiled parser.
 */
import { type JsonMember, type JsonNode, type JsonPath } from '../text/json-text-editing.ts';
import { readAuthorizer, readConfiguration, RejectedFile } from './authorizers.ts';
import { type Authorizer, configurationLists, type EntryKind, legacyLists, type Values } from './schema.ts';

export interface Integration {
  key: string;
  provider: string;
  kind: string;
  valid: boolean;
  problem?: string;
  /** Path of the entry, with the keys as the file spells them. */
  path: JsonPath;
  values: Values;
  authorizer: Authorizer | null;
}

export type IntegrationFormat = 'legacy' | 'configurations';

export interface ParsedFile {
  format: IntegrationFormat | 'empty';
  integrations: Integration[];
}

/** @throws {RejectedFile} with the path of the first value that makes the consumer reject the file */
export function parseAsConsumer(text: string, root: JsonNode): ParsedFile {
  refuseHugeNumbers(root, []);
  if (root.kind === 'scalar' && root.value === null) return { format: 'empty', integrations: [] };
  if (root.kind !== 'object') throw new RejectedFile([], 'must be an object');
  const known = root.children.filter(({ key }) => Object.hasOwn(configurationLists, fold(key)));
  const read = readConfigurations(text, known);
  if (read.error === undefined) {
    const any = known.some(({ value }) => !isNull(value));
    return { format: any ? 'configurations' : 'empty', integrations: inLoadingOrder(read.integrations) };
  }
  // A crash is not a parse error: the consumer does not catch it.
  if (read.error.crash) throw read.error;
  try {
    const legacy = readLegacy(text, known);
    // `oci` has no legacy format: the entries of the first attempt stay. No other mix of the formats works.
    const oci = read.integrations.filter(({ provider }) => provider === 'Oracle');
    return { format: 'legacy', integrations: inLoadingOrder([...legacy, ...oci]) };
  } catch (error) {
    throw error instanceof RejectedFile ? moreTelling(known, read.error, error) : error;
  }
}

/** A number beyond float64 makes the consumer reject the file, at any place. */
function refuseHugeNumbers(node: JsonNode, path: JsonPath): void {
  if (node.kind === 'scalar') {
    if (typeof node.value === 'number' && !Number.isFinite(node.value))
      throw new RejectedFile(path, 'is too large a number');
    return;
  }
  for (const [index, child] of node.children.entries()) {
    if (child.kind === 'member') refuseHugeNumbers(child.value, [...path, child.key]);
    else refuseHugeNumbers(child, [...path, index]);
  }
}

/** Go matches the names of struct fields in any case. It also folds the long s, which lower case does not. */
export function fold(key: string): string {
  return key.replaceAll('ſ', 's').toLowerCase();
}

/** Like Go's decoder, continues after a wrong type and stops at a bad entry; the first error counts. */
function readConfigurations(
  text: string,
  members: JsonMember[],
): { integrations: Integration[]; error: RejectedFile | undefined } {
  const found = new Map<EntryKind, Integration[]>();
  let error: RejectedFile | undefined;
  const wrongType = (path: JsonPath, wanted: string) => {
    error ??= new RejectedFile(path, `must be ${wanted}`);
  };
  try {
    for (const { key, value } of members) {
      const lists = configurationLists[fold(key)] ?? {};
      if (isNull(value)) for (const kind of Object.values(lists)) found.delete(kind);
      else if (value.kind !== 'object') wrongType([key], 'an object');
      else {
        for (const list of value.children) {
          const kind = Object.values(lists).find((candidate) => fold(candidate.kind) === fold(list.key));
          if (kind === undefined) continue;
          const path = [key, list.key];
          if (isNull(list.value)) found.delete(kind);
          else if (list.value.kind !== 'array') wrongType(path, 'a list');
          else {
            const integrations: Integration[] = [];
            found.set(kind, integrations);
            for (const [index, item] of list.value.children.entries())
              readEntry(text, kind, item, [...path, index], integrations);
          }
        }
      }
    }
  } catch (caught) {
    if (!(caught instanceof RejectedFile)) throw caught;
    if (caught.crash) return { integrations: [], error: caught };
    error ??= caught;
  }
  return { integrations: [...found.values()].flat(), error };
}

/** Adds the entry even if it stops the reading: the consumer keeps the part that it has read. */
function readEntry(text: string, kind: EntryKind, item: JsonNode, path: JsonPath, into: Integration[]): void {
  const values: Values = {};
  let authorizer: Authorizer | null = null;
  try {
    const entry = readConfiguration(text, kind, item, path, values);
    authorizer = readAuthorizer(entry['authorizer'], kind.authorizers, [...path, 'authorizer']);
  } finally {
    into.push(integrationOf(kind, values, authorizer, path));
  }
}

function readLegacy(text: string, members: JsonMember[]): Integration[] {
  const found = new Map<string, Integration[]>();
  for (const { key, value } of members) {
    const provider = fold(key);
    const legacy = legacyLists[provider];
    if (legacy === undefined) continue;
    if (isNull(value)) {
      found.delete(provider);
      continue;
    }
    if (value.kind !== 'array') throw new RejectedFile([key], 'must be a list');
    const integrations: Integration[] = [];
    for (const [index, item] of value.children.entries()) {
      const path = [key, index];
      const entry = readLegacyEntry(text, item, legacy.fields, provider === 'gcp', path);
      // The consumer skips an entry without any value and logs a line.
      if (Object.values(entry.values).every((field) => field === '') && !entry.hasKeyMap) continue;
      const { kind, values, authorizer } = legacy.convert(entry.values, entry.hasKeyMap);
      integrations.push(integrationOf(kind, values, authorizer, path));
    }
    found.set(provider, integrations);
  }
  return [...found.values()].flat();
}

function readLegacyEntry(text: string, item: JsonNode, fields: readonly string[], withKeyMap: boolean, path: JsonPath) {
  const values: Values = {};
  let hasKeyMap = false;
  if (isNull(item)) return { values, hasKeyMap };
  if (item.kind !== 'object') throw new RejectedFile(path, 'must be an object');
  for (const { key, value } of item.children) {
    if (withKeyMap && fold(key) === 'key') {
      hasKeyMap = readKeyMap(value, [...path, key]);
      continue;
    }
    const field = fields.find((candidate) => fold(candidate) === fold(key));
    if (field === undefined || isNull(value)) continue;
    if (value.kind !== 'scalar' || typeof value.value !== 'string')
      throw new RejectedFile([...path, key], 'must be a string');
    values[field] = value.value;
  }
  return { values, hasKeyMap };
}

function readKeyMap(value: JsonNode, path: JsonPath): boolean {
  if (isNull(value)) return false;
  if (value.kind !== 'object') throw new RejectedFile(path, 'must be an object');
  for (const { key, value: item } of value.children)
    if (!isNull(item) && !(item.kind === 'scalar' && typeof item.value === 'string'))
      throw new RejectedFile([...path, key], 'must be a string');
  return value.children.length > 0;
}

function integrationOf(kind: EntryKind, values: Values, authorizer: Authorizer | null, path: JsonPath): Integration {
  const empty = kind.filled.find((field) => !values[field]);
  const problem =
    authorizer === null ? 'no authorizer' : (authorizer.problem ?? (empty === undefined ? undefined : `no ${empty}`));
  return {
    key: kind.key(values),
    provider: kind.provider,
    kind: kind.kind,
    valid: problem === undefined,
    ...(problem === undefined ? {} : { problem }),
    path,
    values,
    authorizer,
  };
}

const loadingOrder = Object.values(configurationLists).flatMap((lists) => Object.values(lists));

function inLoadingOrder(integrations: Integration[]): Integration[] {
  const rank = ({ provider, kind }: Integration) =>
    loadingOrder.findIndex((known) => known.provider === provider && known.kind === kind);
  return integrations.sort((a, b) => rank(a) - rank(b));
}

/** The error of the attempt in the format that the file has; a mix of both formats is reported as a mix. */
function moreTelling(known: JsonMember[], asConfigurations: RejectedFile, asLegacy: RejectedFile): RejectedFile {
  const lists = known.filter(({ value }) => value.kind === 'array');
  const objects = known.filter(({ key, value }) => value.kind === 'object' && Object.hasOwn(legacyLists, fold(key)));
  const [list, object] = [lists[0], objects[0]];
  if (list && object)
    return new RejectedFile([list.key], `is a list while ${object.key} is an object: the two formats cannot be mixed`);
  return list ? asLegacy : asConfigurations;
}

function isNull(node: JsonNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}
