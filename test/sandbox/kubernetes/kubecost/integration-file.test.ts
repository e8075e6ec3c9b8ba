import { describe, expect, it } from 'vitest';
import { readFile, shownConfig } from './integration-file.ts';

const athena = {
  bucket: 's3://results-a',
  region: 'us-east-1',
  database: 'athenacurcfn_a',
  table: 'a',
  workgroup: 'primary',
  account: '111122223333',
  authorizer: {
    authorizerType: 'AWSAssumeRole',
    roleARN: 'arn:aws:iam::111122223333:role/kubecost-cur-access',
    authorizer: { authorizerType: 'AWSServiceAccount' },
  },
};
const legacy = {
  athenaBucketName: 's3://results-a',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'athenacurcfn_a',
  athenaTable: 'a',
  athenaWorkgroup: 'primary',
  projectID: '111122223333',
  masterPayerARN: 'arn:aws:iam::111122223333:role/kubecost-cur-access',
};
const storage = {
  subscriptionID: 'sub-1',
  account: 'acme',
  container: 'exports',
  path: '',
  cloud: 'public',
  authorizer: { authorizerType: 'AzureAccessKey', accessKey: 'the-azure-key', account: 'acme' },
};
const legacyAzure = {
  azureSubscriptionID: 'sub-1',
  azureStorageAccount: 'acme',
  azureStorageAccessKey: 'the-azure-key',
  azureStorageContainer: 'exports',
  azureContainerPath: '',
  azureCloud: 'public',
};
const oci = {
  tenancyID: 'tenancy-1',
  region: 'us-phoenix-1',
  authorizer: {
    authorizerType: 'OCIRawConfigProvider',
    tenancyID: 'tenancy-1',
    userID: 'user-1',
    region: 'us-phoenix-1',
    fingerprint: '12:34',
    privateKey: 'the-oci-key',
    privateKeyPassphrase: null,
  },
};
const key = '111122223333/s3://results-a';

const withEntry = (changes: object) => ({ aws: { athena: [{ ...athena, ...changes }] } });
const without = (field: string) => Object.fromEntries(Object.entries(athena).filter(([name]) => name !== field));

function keysOf(document: unknown): Record<string, boolean> | string {
  const reading = readFile(typeof document === 'string' ? document : JSON.stringify(document));
  if (reading.kind !== 'accepted') return reading.kind;
  return Object.fromEntries([...reading.integrations].map(([name, { valid }]) => [name, valid]));
}

describe('the consumer’s reader', () => {
  it.each<[reason: string, document: unknown, keys: Record<string, boolean>]>([
    ['the new format', { aws: { athena: [athena] } }, { [key]: true }],
    ['the legacy format', { aws: [legacy] }, { [key]: true }],
    [
      'clouds of one format side by side',
      { aws: { athena: [athena] }, azure: { storage: [storage] }, oci: { usageApi: [oci] } },
      { [key]: true, 'sub-1/exports': true, 'tenancy-1': true },
    ],
    ['legacy clouds side by side', { aws: [legacy], azure: [legacyAzure] }, { [key]: true, 'sub-1/exports': true }],
    ['the one mix that works', { aws: [legacy], oci: { usageApi: [oci] } }, { [key]: true, 'tenancy-1': true }],
    ['an empty workgroup', withEntry({ workgroup: '' }), { [key]: true }],
    ['fields it does not know', { ...withEntry({ owner: 'me' }), ibm: { any: 1 } }, { [key]: true }],
    ['other cases of a provider’s name', { AWS: { Athena: [athena] } }, { [key]: true }],
    ['the later of two spellings', { aws: { athena: [athena] }, AWS: { athena: [] } }, {}],
    ['nothing', {}, {}],
    ['null', null, {}],
    ['a provider that is null', { aws: null }, {}],
    ['an empty provider', { aws: {} }, {}],
    ['an empty legacy list', { aws: [] }, {}],
    ['a new list inside a legacy one, which it ignores', { aws: [{ athena: [athena] }] }, {}],
    [
      'legacy entries without database and table, as CSV reports',
      { aws: [{ ...legacy, athenaTable: '', athenaDatabase: '' }] },
      { [key]: true },
    ],
  ])('accepts %s', (_, document, keys) => {
    expect(keysOf(document)).toEqual(keys);
  });

  it.each<[reason: string, document: unknown]>([
    ['new and legacy clouds together', { aws: { athena: [athena] }, azure: [legacyAzure] }],
    ['an empty legacy list that was left over', { aws: { athena: [athena] }, azure: [] }],
    ['an entry without a workgroup', { aws: { athena: [athena, without('workgroup')] } }],
    ['an entry without an authorizer', { aws: { athena: [without('authorizer')] } }],
    ['an account that is a number', withEntry({ account: 111_122_223_333 })],
    ['an inner key in another case', { aws: { athena: [{ ...without('bucket'), Bucket: 's3://results-a' }] } }],
    ['an authorizer it does not know', withEntry({ authorizer: { authorizerType: 'AWSPodIdentity' } })],
    ['another cloud’s authorizer', withEntry({ authorizer: { authorizerType: 'AzureDefaultCredential' } })],
    [
      'a role without credentials to assume it',
      withEntry({ authorizer: { authorizerType: 'AWSAssumeRole', roleARN: 'arn' } }),
    ],
    ['a legacy account that is a number', { aws: [{ ...legacy, projectID: 111_122_223_333 }] }],
    ['legacy names inside the new list', { aws: { athena: [legacy] } }],
    ['a list at the top', [legacy]],
    ['a trailing comma', '{"aws": [],}'],
    ['text after the document', '{"aws": []} x'],
    ['a byte order mark', '\uFEFF{}'],
    ['an empty file', ''],
  ])('rejects the whole file because of %s', (_, document) => {
    expect(keysOf(document)).toBe('rejected');
  });

  it.each<[reason: string, document: unknown, key: string, problem: string]>([
    [
      'an AWS account under the name Alibaba has for it',
      { aws: [{ ...legacy, projectID: undefined, accountID: '111122223333' }] },
      '/s3://results-a',
      'AthenaConfiguration: missing account',
    ],
    [
      'a placeholder for one half of an access key',
      { aws: [{ ...legacy, serviceKeyName: 'optional' }] },
      key,
      'AccessKey: missing Secret',
    ],
    ['a null authorizer', withEntry({ authorizer: null }), key, 'AthenaConfiguration: missing Authorizer'],
    ['an empty table', withEntry({ table: '' }), key, 'AthenaConfiguration: missing table'],
    [
      'an Azure key under another name',
      { azure: { storage: [{ ...storage, authorizer: { authorizerType: 'AzureAccessKey', access_key: 'k' } }] } },
      'sub-1/exports',
      'SharedKeyCredential: missing access key',
    ],
    [
      'a GCP dataset without a table',
      { gcp: [{ projectID: 'acme', billingDataDataset: 'billing' }] },
      'acme/billing.',
      'BigQueryConfig: missing Table',
    ],
  ])('accepts the file but not the entry because of %s', (_, document, name, problem) => {
    const reading = readFile(JSON.stringify({ ...(document as object) }));
    expect(reading.kind === 'accepted' && reading.integrations.get(name)).toMatchObject({
      valid: false,
      reason: problem,
    });
  });

  it('crashes on a null in a list', () => {
    expect(keysOf({ aws: { athena: [athena, null] } })).toBe('panic');
  });

  it('uses the last of two entries with one key', () => {
    const reading = readFile(JSON.stringify({ aws: { athena: [athena, { ...athena, table: 'b' }] } }));
    expect(reading.kind === 'accepted' && reading.integrations.get(key)?.values.table).toBe('b');
  });

  it('reports the error of the legacy format for any invalid file', () => {
    expect(readFile(JSON.stringify({ aws: { athena: [without('workgroup')] } }))).toMatchObject({
      error: expect.stringContaining(
        'cannot unmarshal object into Go struct field MultiCloudConfig.aws of type []aws.AwsAthenaInfo',
      ) as string,
    });
  });

  it('logs an empty legacy entry and continues', () => {
    const reading = readFile(JSON.stringify({ aws: [{}, legacy] }));
    expect(reading).toMatchObject({ kind: 'accepted', log: [expect.stringContaining('<nil>')] });
    expect(keysOf({ aws: [{}, legacy] })).toEqual({ [key]: true });
  });

  it('shows configurations without secrets', () => {
    const document = {
      aws: {
        athena: [{ ...athena, authorizer: { authorizerType: 'AWSAccessKey', id: 'AKIA1', secret: 'the-aws-secret' } }],
      },
      azure: { storage: [storage] },
      gcp: {
        bigQuery: [
          {
            projectID: 'acme',
            dataset: 'd',
            table: 't',
            authorizer: { authorizerType: 'GCPServiceAccountKey', key: { private_key: 'the-gcp-key' } },
          },
        ],
      },
      oci: { usageApi: [oci] },
    };
    const reading = readFile(JSON.stringify(document));
    const shown = reading.kind === 'accepted' ? [...reading.integrations.values()].map(shownConfig) : [];
    expect(shown).toHaveLength(4);
    expect(shown[0]).toEqual({
      ...athena,
      catalog: '',
      authorizer: { authorizerType: 'AWSAccessKey', id: 'AKIA1', secret: 'REDACTED' },
    });
    expect(JSON.stringify(shown)).not.toMatch(/the-(aws|azure|gcp|oci)/);
  });
});
