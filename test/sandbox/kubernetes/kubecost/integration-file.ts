import { isRecord } from '../objects.ts';
import { type Authorizer, authorizers, problemOf, readAuthorizer, redacted } from './authorizers.ts';

/** One configuration of the file, as the ingestor stores it. */
export interface Integration {
  key: string;
  provider: string;
  kind: Kind;
  values: Readonly<Record<string, string>>;
  authorizer: Authorizer | null;
  valid: boolean;
  /** The reason why it is invalid. */
  reason?: string;
}

type Kind = keyof typeof kinds;

export type Reading =
  /** `log`: the messages about ignored entries. */
  | { kind: 'accepted'; integrations: Map<string, Integration>; log: string[] }
  | { kind: 'rejected'; error: string }
  | { kind: 'panic'; error: string };

interface KindRules {
  provider: string;
  goName: string;
  /** Required keys; their values are strings. */
  fields: readonly string[];
  optional?: readonly string[];
  mayBeEmpty?: readonly string[];
  key: (values: Readonly<Record<string, string>>) => string;
}

/** Source: OpenCost, pkg/cloud/{aws,azure,gcp,alibaba,oracle}, UnmarshalJSON, Validate and Key of each configuration. */
const kinds = {
  athena: {
    provider: 'AWS',
    goName: 'AthenaConfiguration',
    fields: ['bucket', 'region', 'database', 'table', 'workgroup', 'account'],
    optional: ['catalog'],
    mayBeEmpty: ['workgroup', 'catalog'],
    key: ({ account = '', bucket = '' }) => `${account}/${bucket}`,
  },
  s3: {
    provider: 'AWS',
    goName: 'S3Configuration',
    fields: ['bucket', 'region', 'account'],
    key: ({ account = '', bucket = '' }) => `${account}/${bucket}`,
  },
  storage: {
    provider: 'Azure',
    goName: 'StorageConfiguration',
    fields: ['subscriptionID', 'account', 'container', 'path', 'cloud'],
    mayBeEmpty: ['path', 'cloud'],
    key: ({ subscriptionID = '', container = '', path = '' }) =>
      [subscriptionID, container, ...(path === '' ? [] : [path])].join('/'),
  },
  bigQuery: {
    provider: 'GCP',
    goName: 'BigQueryConfig',
    fields: ['projectID', 'dataset', 'table'],
    key: ({ projectID = '', dataset = '', table = '' }) => `${projectID}/${dataset}.${table}`,
  },
  boa: {
    provider: 'Alibaba',
    goName: 'BOAConfiguration',
    fields: ['account', 'region'],
    key: ({ account = '', region = '' }) => `${account}/${region}`,
  },
  usageApi: {
    provider: 'Oracle',
    goName: 'UsageApiConfiguration',
    fields: ['tenancyID', 'region'],
    key: ({ tenancyID = '' }) => tenancyID,
  },
} satisfies Record<string, KindRules>;

const lists: Record<string, readonly Kind[]> = {
  aws: ['athena', 's3'],
  azure: ['storage'],
  gcp: ['bigQuery'],
  alibaba: ['boa'],
  oci: ['usageApi'],
};

class Panic extends Error {}

/**
 * Reads cloud-integration.json like OpenCost: the whole file in the new format, else the whole file in the legacy format, else not
 * at all; then it logs the error of the legacy format. Source: OpenCost, pkg/cloud/config/configurations.go.
 */
export function readFile(text: string): Reading {
  try {
    const { found, log } = readEither(text);
    const integrations = new Map<string, Integration>();
    // A later entry silently replaces an earlier one with the same key.
    for (const integration of found) integrations.set(integration.key, integration);
    return { kind: 'accepted', integrations, log };
  } catch (error) {
    if (error instanceof Panic) return { kind: 'panic', error: error.message };
    return { kind: 'rejected', error: `${(error as Error).message}${surroundings(text)}` };
  }
}

interface Found {
  found: Integration[];
  log: string[];
}

function readEither(text: string): Found {
  const root = parseJson(text);
  try {
    return { found: readConfigurations(root), log: [] };
  } catch (error) {
    if (error instanceof Panic) throw error;
    return readLegacy(root);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('readObjectStart: expect { or n, but found something else');
  }
}

/** The reader's error messages end with a part of the document, even if that is secret. */
function surroundings(text: string): string {
  const piece = (length: number) => text.slice(-length).replaceAll('\n', '\\n');
  return `, error found in #10 byte of ...|${piece(10)}|..., bigger context ...|${piece(50)}|...`;
}

function readConfigurations(root: unknown): Integration[] {
  const found: Integration[] = [];
  for (const [provider, names] of Object.entries(lists)) {
    const members = last(structOf(root, 'config.Configurations'), provider, (value) => structOf(value, provider));
    for (const kind of names) {
      const list = members && last(members, kind, (value) => arrayOf(value, kind).map((item) => readNew(kind, item)));
      found.push(...(list ?? []));
    }
  }
  return found;
}

function readNew(kind: Kind, item: unknown): Integration {
  // Go: a nil pointer in the list is asked for its key; anything else but an object fails a type assertion.
  if (!isRecord(item)) throw new Panic('runtime error: invalid memory address or nil pointer dereference');
  const { fields, optional = [], provider }: KindRules = kinds[kind];
  const values: Record<string, string> = {};
  for (const field of [...fields, ...optional]) {
    const value = item[field];
    if (value === undefined && optional.includes(field)) continue;
    if (typeof value !== 'string') throw new Error(`UnmarshalJSON: could not retrieve ${field}`);
    values[field] = value;
  }
  if (!('authorizer' in item)) throw new Error('UnmarshalJSON: missing Authorizer');
  return integrationOf(kind, values, readAuthorizer(item.authorizer, authorizers[provider] ?? []));
}

function integrationOf(kind: Kind, values: Record<string, string>, authorizer: Authorizer | null): Integration {
  const { provider, goName, fields, mayBeEmpty = [], key }: KindRules = kinds[kind];
  const empty = fields.find((field) => !mayBeEmpty.includes(field) && !values[field]);
  const reason =
    authorizer === null
      ? `${goName}: missing Authorizer`
      : (problemOf(authorizer) ??
        (empty === undefined ? undefined : `${goName}: missing ${kind === 'bigQuery' ? capitalised(empty) : empty}`));
  const integration = { key: key(values), provider, kind, values, authorizer };
  return reason === undefined ? { ...integration, valid: true } : { ...integration, valid: false, reason };
}

function capitalised(field: string): string {
  return field.charAt(0).toUpperCase() + field.slice(1);
}

/** Legacy lists: the names of their fields, and the conversion of an entry. All fields are strings except `key`. */
interface LegacyList {
  goField: string;
  goType: string;
  name: string;
  fields: readonly string[];
  convert: (entry: Record<string, string>, key: Record<string, string>) => Integration;
}

const legacyLists: Record<string, LegacyList> = {
  gcp: {
    goField: 'BigQueryConfig.gcp',
    goType: '[]gcp.BigQueryConfig',
    name: 'GCP',
    fields: ['projectID', 'billingDataDataset'],
    convert({ projectID = '', billingDataDataset = '' }, key) {
      const [dataset = '', table = ''] = billingDataDataset.split('.');
      const authorizer =
        Object.keys(key).length > 0
          ? { type: 'GCPServiceAccountKey', fields: {}, key }
          : { type: 'GCPWorkloadIdentity', fields: {} };
      return integrationOf('bigQuery', { projectID, dataset, table }, authorizer);
    },
  },
  azure: {
    goField: 'AzureStorageConfig.azure',
    goType: '[]azure.AzureStorageConfig',
    name: 'Azure',
    fields: [
      'azureSubscriptionID',
      'azureStorageAccount',
      'azureStorageAccessKey',
      'azureStorageContainer',
      'azureContainerPath',
      'azureCloud',
    ],
    convert(entry) {
      const { azureStorageAccount: account = '', azureStorageAccessKey: accessKey = '' } = entry;
      const values = {
        subscriptionID: entry.azureSubscriptionID ?? '',
        account,
        container: entry.azureStorageContainer ?? '',
        path: entry.azureContainerPath ?? '',
        cloud: entry.azureCloud ?? '',
      };
      return integrationOf('storage', values, { type: 'AzureAccessKey', fields: { accessKey, account } });
    },
  },
  aws: {
    goField: 'AwsAthenaInfo.aws',
    goType: '[]aws.AwsAthenaInfo',
    name: 'AWS',
    fields: [
      'athenaBucketName',
      'athenaRegion',
      'athenaDatabase',
      'athenaCatalog',
      'athenaTable',
      'athenaWorkgroup',
      'serviceKeyName',
      'serviceKeySecret',
      'projectID',
      'masterPayerARN',
    ],
    convert: convertAthenaInfo,
  },
  alibaba: {
    goField: 'AlibabaInfo.alibaba',
    goType: '[]alibaba.AlibabaInfo',
    name: 'Alibaba',
    fields: ['ClusterRegion', 'serviceKeyName', 'serviceKeySecret', 'accountID'],
    convert({ ClusterRegion: region = '', accountID: account = '', serviceKeyName = '', serviceKeySecret = '' }) {
      const fields = { accessKeyID: serviceKeyName, accessKeySecret: serviceKeySecret };
      return integrationOf('boa', { account, region }, { type: 'AlibabaAccessKey', fields });
    },
  },
};

function convertAthenaInfo(entry: Record<string, string>): Integration {
  const { serviceKeyName: id = '', serviceKeySecret: secret = '', masterPayerARN: roleARN = '' } = entry;
  const { athenaTable: table = '', athenaDatabase: database = '' } = entry;
  const own: Authorizer =
    id === '' && secret === ''
      ? { type: 'AWSServiceAccount', fields: {} }
      : { type: 'AWSAccessKey', fields: { id, secret } };
  const authorizer = roleARN === '' ? own : { type: 'AWSAssumeRole', fields: { roleARN }, inner: own };
  const { athenaBucketName: bucket = '', athenaRegion: region = '', projectID: account = '' } = entry;
  // An entry without a table counts as a CUR of CSV files, without a log line.
  if (table === '' && database === '') return integrationOf('s3', { bucket, region, account }, authorizer);
  const { athenaCatalog: catalog = '', athenaWorkgroup: workgroup = '' } = entry;
  return integrationOf('athena', { bucket, region, database, catalog, table, workgroup, account }, authorizer);
}

function readLegacy(root: unknown): Found {
  const members = structOf(root, 'config.MultiCloudConfig');
  const found: Integration[] = [];
  const log: string[] = [];
  for (const [provider, list] of Object.entries(legacyLists)) {
    const field = `MultiCloudConfig.${provider}`;
    const entries = last(members, provider, (value) => {
      if (value !== null && !Array.isArray(value)) throw mismatch(value, `struct field ${field}`, list.goType);
      return ((value ?? []) as unknown[]).map((item) => readLegacyEntry(list, item));
    });
    for (const { entry, key } of entries ?? []) {
      if (Object.values(entry).join('') === '' && Object.keys(key).length === 0)
        log.push(
          `MultiCloudConfig: error converting ${list.name} config Configurations: Insert: failed to insert config of type: <nil>`,
        );
      else found.push(list.convert(entry, key));
    }
  }
  // OCI has no legacy format.
  const oracle = last(members, 'oci', (value) => structOf(value, 'oracle.OCIConfigs'));
  const usages =
    oracle && last(oracle, 'usageApi', (value) => arrayOf(value, 'usageApi').map((item) => readNew('usageApi', item)));
  return { found: [...found, ...(usages ?? [])], log };
}

function readLegacyEntry({ fields, goField, goType }: LegacyList, item: unknown) {
  if (item !== null && !isRecord(item)) throw mismatch(item, `struct field ${goField}`, goType.slice(2));
  const entry: Record<string, string> = {};
  for (const field of fields)
    entry[field] =
      last(item ?? {}, field, (value) => {
        if (value !== null && typeof value !== 'string')
          throw mismatch(value, `struct field ${goField}.${field}`, 'string');
        return value ?? '';
      }) ?? '';
  const key = goType.includes('BigQuery') ? last(item ?? {}, 'key', (value) => stringsOf(value, `${goField}.key`)) : {};
  return { entry, key: key ?? {} };
}

function stringsOf(value: unknown, field: string): Record<string, string> {
  if (value !== null && !isRecord(value)) throw mismatch(value, `struct field ${field}`, 'map[string]string');
  return Object.fromEntries(
    Object.entries(value ?? {}).map(([name, one]) => {
      if (one !== null && typeof one !== 'string') throw mismatch(one, `struct field ${field}`, 'string');
      return [name, one ?? ''];
    }),
  );
}

/** Go accepts a field's name in any case; the last of several wins. */
function last<T>(members: Record<string, unknown>, name: string, read: (value: unknown) => T): T | undefined {
  return Object.entries(members)
    .filter(([key]) => key.toLowerCase() === name.toLowerCase())
    .map(([, value]) => read(value))
    .at(-1);
}

function structOf(value: unknown, type: string): Record<string, unknown> {
  if (value === null) return {};
  if (!isRecord(value)) throw mismatch(value, 'value', type);
  return value;
}

function arrayOf(value: unknown, field: string): unknown[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw mismatch(value, `struct field ${field}`, '[]');
  return value as unknown[];
}

function mismatch(value: unknown, place: string, type: string): Error {
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const where = place === 'value' ? 'Go value' : `Go ${place}`;
  return new Error(`unmarshalerDecoder: json: cannot unmarshal ${kind} into ${where} of type ${type}`);
}

/** A configuration in the form of the status endpoint. */
export function shownConfig({ kind, values, authorizer }: Integration): object {
  const order =
    kind === 'athena'
      ? ['bucket', 'region', 'database', 'catalog', 'table', 'workgroup', 'account']
      : kinds[kind].fields;
  return {
    ...Object.fromEntries(order.map((field) => [field, values[field] ?? ''])),
    authorizer: authorizer && redacted(authorizer),
  };
}
