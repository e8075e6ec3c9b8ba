/** Reading cloud-integration.json: what the consumer makes of it, whose entries it holds, what may be shown of it. */
import {
  findDuplicateKey,
  type JsonMember,
  type JsonNode,
  type JsonObject,
  NotJsonError,
  type Path,
  pointer,
  scanJson,
} from '../text/json-text.ts';
import { RejectedFile } from './authorizers.ts';
import { fold, type Integration, type IntegrationFormat, parseAsConsumer, type ParsedFile } from './parser.ts';

export interface Refused {
  kind: 'refused';
  code: 'secret-unparsable' | 'secret-format-differs' | 'payer-already-integrated' | 'entry-not-ours';
  /** Names keys and places, never values of other entries. */
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

/** A secret's bytes as text. The consumer would replace broken UTF-8 silently and reject a byte order mark. */
export function decodeIntegrationFile(bytes: Uint8Array): { kind: 'decoded'; text: string } | Refused {
  try {
    return { kind: 'decoded', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return refused('secret-unparsable', 'the file is not valid UTF-8');
  }
}

/** What the consumer does with this text. */
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

/** The entries over this payer's bill, whatever their bucket; `roleArn` of those that assume a role. */
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

/** What our own entries are made of; no credential stands in any of these. */
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

/** The file for display: structure and keys as they are; of all strings and numbers only our entries' own are shown. */
export function maskForeign(text: string, ownKeys: ReadonlySet<string>): unknown {
  const own = new Set(
    acceptedIntegrations(text)
      .filter(({ provider, key }) => provider === 'AWS' && ownKeys.has(key))
      .map(({ path }) => pointer(path)),
  );
  const masked = (node: JsonNode, path: Path, ours: boolean): unknown => {
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
    if (duplicate !== undefined) return unparsable(duplicate, 'stands there twice');
    const parsed = parseAsConsumer(text, root);
    const ambiguous = ambiguousKey(root);
    if (ambiguous !== undefined) return unparsable(ambiguous, 'stands there twice, in different case');
    return { kind: 'read', root, ...parsed };
  } catch (error) {
    if (error instanceof NotJsonError) return unparsable('', error.message);
    if (error instanceof RejectedFile) return unparsable(error.pointer, error.message);
    throw error;
  }
}

/** `aws` beside `AWS`: the consumer takes the later one, so neither is a safe place to write. */
function ambiguousKey(root: JsonNode): string | undefined {
  if (root.kind !== 'object') return undefined;
  const providers = membersLike(root, 'aws');
  if (providers.length > 1) return '/aws';
  const aws = providers[0]?.value;
  return aws?.kind === 'object' && membersLike(aws, 'athena').length > 1 ? '/aws/athena' : undefined;
}

/**
 * An entry is the payer's by its account, or by the account of its role: there Athena runs, whatever the entry calls
 * itself, and older instructions had people enter the cluster's account.
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
