import { isRecord } from '../objects.ts';

export interface Authorizer {
  type: string;
  fields: Record<string, string>;
  /** Key of a GCP service account. */
  key?: Record<string, string>;
  /** For an assumed role: the authorizer of the credentials that assume it. */
  inner?: Authorizer | null;
}

/** Types by cloud. Any other type makes the whole file invalid. */
export const authorizers: Record<string, readonly string[]> = {
  AWS: ['AWSAccessKey', 'AWSServiceAccount', 'AWSAssumeRole', 'AWSWebIdentity'],
  Azure: ['AzureAccessKey', 'AzureDefaultCredential'],
  GCP: ['GCPServiceAccountKey', 'GCPWorkloadIdentity'],
  Alibaba: ['AlibabaAccessKey'],
  Oracle: ['OCIRawConfigProvider'],
};

/** Fields that must not be empty, with the message for an empty one. Source: OpenCost, each cloud's authorizer.go. */
const required: Record<string, Record<string, string>> = {
  AWSAccessKey: { id: 'AccessKey: missing ID', secret: 'AccessKey: missing Secret' },
  AWSAssumeRole: { roleARN: 'AssumeRole: missing RoleARN configuration' },
  AWSWebIdentity: { roleARN: 'WebIdentity: missing RoleARN', aud: 'WebIdentity: missing aud' },
  AzureAccessKey: {
    accessKey: 'SharedKeyCredential: missing access key',
    account: 'SharedKeyCredential: missing account',
  },
  AlibabaAccessKey: {
    accessKeyID: 'AccessKey: missing Access key ID',
    accessKeySecret: 'AccessKey: missing Access Key secret',
  },
  OCIRawConfigProvider: {
    tenancyID: 'OCIRawConfigProvider: missing tenancyID',
    userID: 'OCIRawConfigProvider: missing userID',
    region: 'OCIRawConfigProvider: missing region',
    fingerprint: 'OCIRawConfigProvider: missing fingerprint',
    privateKey: 'OCIRawConfigProvider: missing privateKey',
  },
};

const secrets = ['secret', 'accessKey', 'accessKeySecret', 'fingerprint', 'privateKey', 'privateKeyPassphrase'];

/** Accepts null, which validation reports later. @throws Error if the file must be rejected */
export function readAuthorizer(value: unknown, allowed: readonly string[]): Authorizer | null {
  if (value === null) return null;
  if (!isRecord(value)) throw new Error('authorizer is no object');
  const type = value.authorizerType;
  if (typeof type !== 'string' || !allowed.includes(type)) throw new Error('no such authorizer type');
  switch (type) {
    case 'AWSAssumeRole':
      if (typeof value.roleARN !== 'string' || !('authorizer' in value)) throw new Error('incomplete AWSAssumeRole');
      return { type, fields: { roleARN: value.roleARN }, inner: readAuthorizer(value.authorizer, allowed) };
    case 'AWSWebIdentity': {
      const { roleARN, identityProvider, tokenRetriever } = value;
      if (typeof roleARN !== 'string' || identityProvider !== 'Google' || !isRecord(tokenRetriever))
        throw new Error('incomplete AWSWebIdentity');
      return { type, fields: { roleARN, identityProvider, aud: stringOf(tokenRetriever, 'aud') } };
    }
    case 'GCPServiceAccountKey':
      return { type, fields: {}, key: keyOf(value.key) };
    case 'OCIRawConfigProvider':
      return {
        type,
        fields: { ...stringsOf(value, type), privateKeyPassphrase: stringOf(value, 'privateKeyPassphrase') },
      };
    default:
      return { type, fields: stringsOf(value, type) };
  }
}

function stringsOf(value: Record<string, unknown>, type: string): Record<string, string> {
  const names = Object.keys(required[type] ?? {});
  return Object.fromEntries(names.map((name) => [name, stringOf(value, name)]));
}

/** A field of a plain Go struct: its name in any case; missing and null are empty. */
function stringOf(fields: Record<string, unknown>, name: string): string {
  const [, value = ''] = Object.entries(fields).findLast(([key]) => key.toLowerCase() === name.toLowerCase()) ?? [];
  if (value !== null && typeof value !== 'string') throw new Error(`${name} is no string`);
  return value ?? '';
}

function keyOf(key: unknown): Record<string, string> {
  if (key !== undefined && key !== null && !isRecord(key)) throw new Error('key is no object');
  const values = Object.entries(key ?? {}).map(([name, value]) => {
    if (value !== null && typeof value !== 'string') throw new Error(`key.${name} is no string`);
    return [name, value ?? ''] as const;
  });
  return Object.fromEntries(values);
}

/** The reason why the ingestor reports it as invalid. */
export function problemOf({ type, fields, key, inner }: Authorizer): string | undefined {
  if (type === 'AWSAssumeRole') {
    if (!inner) return 'AssumeRole: missing base authorizer';
    const problem = problemOf(inner);
    if (problem !== undefined) return problem;
  }
  if (type === 'GCPServiceAccountKey' && Object.keys(key ?? {}).length === 0) return 'ServiceAccountKey: missing Key';
  return Object.entries(required[type] ?? {}).find(([field]) => !fields[field])?.[1];
}

/** The form of the status endpoint: with role ARNs and ids, without secrets. */
export function redacted({ type, fields, key, inner }: Authorizer): object {
  const shown = Object.entries(fields).map(
    ([name, value]) => [name, secrets.includes(name) ? 'REDACTED' : value] as const,
  );
  return {
    authorizerType: type,
    ...Object.fromEntries(shown),
    ...(key && { key: Object.fromEntries(Object.keys(key).map((name) => [name, 'REDACTED'])) }),
    ...(inner !== undefined && { authorizer: inner && redacted(inner) }),
  };
}
