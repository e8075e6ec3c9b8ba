import { type JsonNode, type JsonPath, pointer } from '../text/json-text-editing.ts';
import { type Authorizer, authorizerFields, type EntryKind, type Values } from './schema.ts';

/** The consumer rejects the whole file, or crashes. The message has keys and paths, never values. */
export class RejectedFile extends Error {
  override readonly name = 'RejectedFile';
  readonly path: JsonPath;
  readonly crash: boolean;

  constructor(path: JsonPath, problem: string, crash = false) {
    super(problem);
    this.path = path;
    this.crash = crash;
  }

  get pointer(): string {
    return pointer(this.path);
  }
}

type Fields = Record<string, unknown>;

/** Fills `values` in the order of the consumer, up to its first error. Inner keys are case-sensitive. */
export function readConfiguration(
  text: string,
  kind: EntryKind,
  item: JsonNode,
  path: JsonPath,
  values: Values,
): Fields {
  // Go dereferences a nil pointer for its key; a type assertion without a second result panics.
  if (item.kind !== 'object') throw new RejectedFile(path, 'must be an object: the consumer crashes', true);
  const entry: unknown = JSON.parse(text.slice(item.start, item.end));
  if (!isFields(entry)) throw new RejectedFile(path, 'must be an object');
  for (const field of kind.required) values[field] = stringAt(entry, field, path);
  for (const field of kind.optional ?? [])
    if (Object.hasOwn(entry, field)) values[field] = stringAt(entry, field, path);
  if (!Object.hasOwn(entry, 'authorizer')) throw new RejectedFile(path, 'has no authorizer');
  return entry;
}

/** The consumer reads null and reports the entry as invalid later. */
export function readAuthorizer(value: unknown, allowed: readonly string[], path: JsonPath): Authorizer | null {
  if (value === null) return null;
  if (!isFields(value)) throw new RejectedFile(path, 'must be an object');
  const type = stringAt(value, 'authorizerType', path);
  if (!allowed.includes(type)) {
    throw new RejectedFile([...path, 'authorizerType'], `must be one of ${allowed.join(', ')}`);
  }
  if (type === 'AWSAssumeRole') return readAssumeRole(value, allowed, path);
  if (type === 'AWSWebIdentity') return readWebIdentity(value, path);
  if (type === 'GCPServiceAccountKey') return readServiceAccountKey(value, path);
  // The consumer checks all types before it reports an invalid value.
  const missing = (authorizerFields[type] ?? []).filter((field) => lenientString(value, field, path) === '')[0];
  const emptyPassphrase = type === 'OCIRawConfigProvider' && hasEmptyPassphrase(value, path);
  if (missing !== undefined) return { type, problem: `${type} without ${missing}` };
  return emptyPassphrase ? { type, problem: `${type} with an empty privateKeyPassphrase` } : { type };
}

function readAssumeRole(fields: Fields, allowed: readonly string[], path: JsonPath): Authorizer {
  const roleArn = stringAt(fields, 'roleARN', path);
  if (!Object.hasOwn(fields, 'authorizer')) throw new RejectedFile(path, 'has no authorizer');
  const base = readAuthorizer(fields['authorizer'], allowed, [...path, 'authorizer']);
  if (base === null) return { type: 'AWSAssumeRole', roleArn, problem: 'AWSAssumeRole without authorizer' };
  const problem = base.problem ?? (roleArn === '' ? 'AWSAssumeRole without roleARN' : undefined);
  return { type: 'AWSAssumeRole', roleArn, base, ...(problem === undefined ? {} : { problem }) };
}

function readWebIdentity(fields: Fields, path: JsonPath): Authorizer {
  const roleArn = stringAt(fields, 'roleARN', path);
  const identityProvider = stringAt(fields, 'identityProvider', path);
  const retriever = fields['tokenRetriever'];
  if (identityProvider !== 'Google') throw new RejectedFile([...path, 'identityProvider'], 'must be Google');
  if (!isFields(retriever)) throw new RejectedFile([...path, 'tokenRetriever'], 'must be an object');
  const audience = lenientString(retriever, 'aud', [...path, 'tokenRetriever']);
  const problem = roleArn === '' ? 'without roleARN' : audience === '' ? 'without aud' : undefined;
  return {
    type: 'AWSWebIdentity',
    roleArn,
    ...(problem === undefined ? {} : { problem: `AWSWebIdentity ${problem}` }),
  };
}

function readServiceAccountKey(fields: Fields, path: JsonPath): Authorizer {
  const type = 'GCPServiceAccountKey';
  let count = 0;
  for (const key of lenient(fields, 'key')) {
    if (key !== null && !isFields(key)) throw new RejectedFile([...path, 'key'], 'must be an object');
    const bad = Object.entries(key ?? {}).find(([, value]) => value !== null && typeof value !== 'string');
    if (bad) throw new RejectedFile([...path, 'key', bad[0]], 'must be a string');
    count = Object.keys(key ?? {}).length;
  }
  return count > 0 ? { type } : { type, problem: `${type} without key` };
}

function hasEmptyPassphrase(fields: Fields, path: JsonPath): boolean {
  const values = lenient(fields, 'privateKeyPassphrase');
  if (values.some((value) => value !== null && typeof value !== 'string'))
    throw new RejectedFile([...path, 'privateKeyPassphrase'], 'must be a string or null');
  return values.at(-1) === '';
}

function stringAt(fields: Fields, field: string, path: JsonPath): string {
  if (!Object.hasOwn(fields, field)) throw new RejectedFile(path, `has no ${field}`);
  const value = fields[field];
  if (typeof value !== 'string') throw new RejectedFile([...path, field], 'must be a string');
  return value;
}

/** Plain Go structs: keys in any case; missing and null values are empty. */
function lenientString(fields: Fields, field: string, path: JsonPath): string {
  const values = lenient(fields, field).map((value) => value ?? '');
  if (!values.every((value) => typeof value === 'string')) throw new RejectedFile([...path, field], 'must be a string');
  return values.at(-1) ?? '';
}

/** The consumer sorts the keys before it reads them a second time: it reads all of them, and the last one counts. */
function lenient(fields: Fields, field: string): unknown[] {
  const names = Object.keys(fields).filter((key) => key.toLowerCase() === field.toLowerCase());
  return names.sort().map((name) => fields[name]);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
