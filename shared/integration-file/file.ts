/** Reads cloud-integration.json: how the consumer parses it, which payers it has, and which values may be shown. */
import {
  findDuplicateKey,
  type JsonMember,
  type JsonNode,
  type JsonObject,
  type JsonPath,
  NotJsonError,
  pointer,
  scanJson,
} from '../text/json-text-editing.ts';
import { RejectedFile } from './authorizers.ts';
import { fold, type Integration, type IntegrationFormat, parseAsConsumer, type ParsedFile } from './parser.ts';

export interface Refused {
  kind: 'refused';
  code: 'secret-unparsable' | 'secret-format-differs' | 'payer-already-integrated' | 'entry-not-ours';
  /** Has keys and paths, never values of other entries. */
  detail: string;
}
export type ParseResult =
  | {
      accepted: true;
      format: IntegrationFormat | 'empty';
      integrations: { key: string; provider: string; kind: string; valid: boolean; problem?: string }[];
    }
  /** `path` is a JSON pointer. */
  | { accepted: false; problem: string; path: string };

/** The bytes of a secret as text. The consumer silently replaces invalid UTF-8 and rejects a byte order mark. */
export function decodeIntegrationFile(bytes: Uint8Array): { kind: 'decoded'; text: string } | Refused {
  try {
    return { kind: 'decoded', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return refused('secret-unparsable', 'the file is not valid UTF-8');
  }
}

/** How the consumer parses this text. */
export function parseIntegrationFile(text: string): ParseResult {
  try {
    const { format, integrations } = parseAsConsumer(text, scanJson(text));
    const report = ({ key, provider, kind, valid, problem }: Integration) =>
      problem === undefined ? { key, provider, kind, valid } : { key, provider, kind, valid, problem };
    return { accepted: true, format, integrations: integrations.map(report) };
  } catch (error) {
    if (error instanceof RejectedFile) return { accepted: false, problem: error.message, path: error.pointer };
    if (error instanceof NotJsonError) return { accepted: false, problem: error.message, path: '' };
    throw error;
  }
}

/** The entries of this payer, with any bucket; `roleArn` is set if the entry assumes a role. */
export function findPayer(
  text: string,
  payerAccountId: string,
): { key: string; kind: string; valid: boolean; roleArn: string | undefined }[] {
  return payerEntries(acceptedIntegrations(text), payerAccountId).map(({ key, kind, valid, authorizer }) => ({
    key,
    kind,
    valid,
    roleArn: authorizer?.roleArn,
  }));
}

/** Keys, never values, of the entries that are not ours. */
export function foreignKeys(text: string, ownKeys: ReadonlySet<string>): string[] {
  const keys = acceptedIntegrations(text).map(({ key }) => key);
  return keys.filter((key) => !ownKeys.has(key));
}

const mask = '***';

/** The fields of our own entries. None of them holds a credential. */
const shownFields = new Set([
  'athenaBucketName',
  'athenaRegion',
  'athenaDatabase',
  'athenaTable',
  'athenaWorkgroup',
  'projectID',
  'masterPayerARN',
  'bucket',
  'region',
  'database',
  'table',
  'workgroup',
  'account',
  'authorizerType',
  'roleARN',
]);

/** The file for display: its structure and keys, and the strings and numbers of our own entries only. */
export function maskForeign(text: string, ownKeys: ReadonlySet<string>): unknown {
  const own = new Set(
    acceptedIntegrations(text)
      .filter(({ provider, key }) => provider === 'AWS' && ownKeys.has(key))
      .map(({ path }) => pointer(path)),
  );
  const masked = (node: JsonNode, path: JsonPath, ours: boolean): unknown => {
    const inside = ours || own.has(pointer(path));
    if (node.kind === 'array') return node.children.map((item, index) => masked(item, [...path, index], inside));
    if (node.kind === 'object')
      return Object.fromEntries(node.children.map(({ key, value }) => [key, masked(value, [...path, key], inside)]));
    const shown =
      typeof node.value === 'boolean' || node.value === null || (inside && shownFields.has(String(path.at(-1))));
    return shown ? node.value : mask;
  };
  try {
    return masked(scanJson(text), [], false);
  } catch (error) {
    if (error instanceof NotJsonError) return mask;
    throw error;
  }
}

export interface ReadFile extends ParsedFile {
  kind: 'read';
  root: JsonNode;
}

export function readFile(text: string): ReadFile | Refused {
  const unparsable = (place: string, problem: string) =>
    refused('secret-unparsable', place === '' ? `the file ${problem}` : `${place} ${problem}`);
  try {
    const root = scanJson(text);
    const duplicate = findDuplicateKey(root);
    if (duplicate !== undefined) return unparsable(duplicate, 'is a duplicate key');
    const parsed = parseAsConsumer(text, root);
    const ambiguous = ambiguousKey(root);
    if (ambiguous !== undefined) return unparsable(ambiguous, 'is a duplicate key in different case');
    return { kind: 'read', root, ...parsed };
  } catch (error) {
    if (error instanceof NotJsonError) return unparsable('', error.message);
    if (error instanceof RejectedFile) return unparsable(error.pointer, error.message);
    throw error;
  }
}

/** A file with both `aws` and `AWS`: the consumer uses the later one, so neither is a safe place to write. */
function ambiguousKey(root: JsonNode): string | undefined {
  if (root.kind !== 'object') return undefined;
  const providers = membersLike(root, 'aws');
  if (providers.length > 1) return '/aws';
  const aws = providers[0]?.value;
  return aws?.kind === 'object' && membersLike(aws, 'athena').length > 1 ? '/aws/athena' : undefined;
}

/**
 * An entry belongs to the payer if its account or the account of its role is the payer's. The role counts because Athena runs in its
 * account, and because older instructions asked for the account of the cluster in the entry.
 */
export function payerEntries(integrations: Integration[], payerAccountId: string): Integration[] {
  return integrations.filter(
    ({ provider, values, authorizer }) =>
      provider === 'AWS' &&
      (values['account'] === payerAccountId || authorizer?.roleArn?.split(':')[4] === payerAccountId),
  );
}

function acceptedIntegrations(text: string): Integration[] {
  const file = readFile(text);
  return file.kind === 'read' ? file.integrations : [];
}

export function membersLike(object: JsonObject, name: string): JsonMember[] {
  return object.children.filter(({ key }) => fold(key) === name);
}

export function refused(code: Refused['code'], detail: string): Refused {
  return { kind: 'refused', code, detail };
}
