import { describe, expect, it } from 'vitest';
import { parseIntegrationFile } from '../../../shared/integration-file/merge.ts';

type Fields = Record<string, unknown>;

const role = 'arn:aws:iam::111122223333:role/kubecost-cur-access';
const assumeRole = {
  authorizerType: 'AWSAssumeRole',
  roleARN: role,
  authorizer: { authorizerType: 'AWSServiceAccount' },
};
const legacyAws: Fields = {
  athenaBucketName: 's3://results',
  athenaRegion: 'us-east-1',
  athenaDatabase: 'db',
  athenaTable: 'table',
  athenaWorkgroup: 'primary',
  projectID: '111122223333',
  masterPayerARN: role,
};
const legacyAzure: Fields = {
  azureSubscriptionID: 'sub',
  azureStorageAccount: 'account',
  azureStorageAccessKey: 'key',
  azureStorageContainer: 'container',
  azureContainerPath: 'path',
  azureCloud: 'public',
};
const legacyGcp: Fields = { projectID: 'project', billingDataDataset: 'set.table', key: { type: 'service_account' } };
const legacyAlibaba: Fields = { ClusterRegion: 'cn', serviceKeyName: 'n', serviceKeySecret: 's', accountID: 'a' };
const athena: Fields = {
  bucket: 's3://results',
  region: 'us-east-1',
  database: 'db',
  table: 'table',
  workgroup: 'primary',
  account: '111122223333',
  authorizer: assumeRole,
};
const s3: Fields = {
  bucket: 'csv',
  region: 'r',
  account: '777788889999',
  authorizer: { authorizerType: 'AWSServiceAccount' },
};
const storage: Fields = {
  subscriptionID: 'sub',
  account: 'account',
  container: 'container',
  path: '',
  cloud: 'public',
  authorizer: { authorizerType: 'AzureAccessKey', accessKey: 'key', account: 'account' },
};
const bigQuery: Fields = {
  projectID: 'project',
  dataset: 'set',
  table: 'table',
  authorizer: { authorizerType: 'GCPServiceAccountKey', key: { type: 'service_account' } },
};
const boa: Fields = {
  account: 'a',
  region: 'cn',
  authorizer: { authorizerType: 'AlibabaAccessKey', accessKeyID: 'i', accessKeySecret: 's' },
};
const usageApi: Fields = {
  tenancyID: 'tenancy',
  region: 'phx',
  authorizer: {
    authorizerType: 'OCIRawConfigProvider',
    tenancyID: 'tenancy',
    userID: 'user',
    region: 'phx',
    fingerprint: 'f',
    privateKey: 'k',
    privateKeyPassphrase: null,
  },
};
const less = (fields: Fields, name: string) =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => key !== name));
const withAuthorizer = (authorizer: unknown) => ({ aws: { athena: [{ ...athena, authorizer }] } });

function parse(document: unknown) {
  return parseIntegrationFile(typeof document === 'string' ? document : JSON.stringify(document));
}

/** `key`, with `!` and the problem if invalid. */
function loaded(document: unknown): string[] {
  const result = parse(document);
  if (!result.accepted) throw new Error(`rejected: ${result.path} ${result.problem}`);
  return result.integrations.map(({ key, problem }) => (problem === undefined ? key : `${key} ! ${problem}`));
}

describe('the parser', () => {
  it.each([
    ['{}', 'empty'],
    ['null', 'empty'],
    ['{"aws":null,"x":[1]}', 'empty'],
    ['{"aws":[]}', 'legacy'],
    ['{"aws":{}}', 'configurations'],
    ['{"aws":{"athena":null}}', 'configurations'],
    ['{"azure":[]}', 'legacy'],
    ['{"aws":[{"athena":[]}]}', 'legacy'],
    ['{"aws":[null,{}]}', 'legacy'],
  ])('loads nothing from %s, which is %s', (text, format) => {
    expect(parse(text)).toEqual({ accepted: true, format, integrations: [] });
  });

  it('loads every cloud of a legacy file', () => {
    const document = { alibaba: [legacyAlibaba], azure: [legacyAzure], gcp: [legacyGcp], aws: [legacyAws] };
    expect(parse(document)).toMatchObject({ accepted: true, format: 'legacy' });
    expect(loaded(document)).toEqual(['111122223333/s3://results', 'project/set.table', 'sub/container/path', 'a/cn']);
  });

  it('loads every cloud of a configurations file', () => {
    const document = {
      oci: { usageApi: [usageApi] },
      alibaba: { boa: [boa] },
      azure: { storage: [storage] },
      gcp: { bigQuery: [bigQuery] },
      aws: { s3: [s3], athena: [athena] },
      ibm: { usage: [{}] },
    };
    expect(parse(document)).toMatchObject({ accepted: true, format: 'configurations' });
    expect(loaded(document)).toEqual([
      '111122223333/s3://results',
      '777788889999/csv',
      'project/set.table',
      'sub/container',
      'a/cn',
      'tenancy',
    ]);
  });

  it('loads legacy lists together with oci', () => {
    expect(loaded({ oci: { usageApi: [usageApi] }, aws: [legacyAws] })).toEqual([
      '111122223333/s3://results',
      'tenancy',
    ]);
    expect(loaded({ aws: [legacyAws], oci: { usageApi: [usageApi, { tenancyID: 'half' }, usageApi] } })).toEqual([
      '111122223333/s3://results',
      'tenancy',
      'half ! no authorizer',
    ]);
  });

  it('matches providers, lists and legacy fields in any case', () => {
    expect(loaded({ AWS: { Athena: [athena] }, gcp: { bigquery: [bigQuery] } })).toHaveLength(2);
    expect(loaded({ Aws: [{ ...less(legacyAws, 'projectID'), PROJECTID: '1' }] })).toEqual(['1/s3://results']);
    expect(loaded({ aws: [legacyAws], AWS: null })).toEqual([]);
    expect(loaded('{"constructor":[],"__proto__":{"aws":1}}')).toEqual([]);
  });
});

describe('a rejected file', () => {
  it.each([
    ['a list as document', [], '', 'must be an object'],
    ['a string as document', '"aws"', '', 'must be an object'],
    ['an empty file', '', '', 'is empty'],
    ['configurations beside legacy', { aws: { athena: [athena] }, azure: [legacyAzure] }, '/azure', 'cannot be mixed'],
    ['an empty legacy list left over', { aws: { athena: [athena] }, azure: [] }, '/azure', 'cannot be mixed'],
    ['legacy beside a configurations object', { Aws: [legacyAws], gcp: {} }, '/Aws', 'cannot be mixed'],
    ['a provider that is neither list nor object', { aws: 'x' }, '/aws', 'must be an object'],
    ['a configurations list that is an object', { aws: { athena: {} } }, '/aws/athena', 'must be a list'],
    ['a number as legacy account', { aws: [{ ...legacyAws, projectID: 1 }] }, '/aws/0/projectID', 'must be a string'],
    ['a string in a legacy list', { azure: ['x'] }, '/azure/0', 'must be an object'],
    ['a number in a legacy key', { gcp: [{ ...legacyGcp, key: { a: 1 } }] }, '/gcp/0/key/a', 'must be a string'],
    ['null in a list', { aws: { athena: [athena, null] } }, '/aws/athena/1', 'crashes'],
    ['null in a foreign list', { oci: { usageApi: [null] }, aws: [legacyAws] }, '/oci/usageApi/0', 'crashes'],
    ['text in a list', { gcp: { bigQuery: ['x'] } }, '/gcp/bigQuery/0', 'crashes'],
    [
      'a number as account',
      { aws: { athena: [{ ...athena, account: 1 }] } },
      '/aws/athena/0/account',
      'must be a string',
    ],
    ['null as table', { aws: { athena: [{ ...athena, table: null }] } }, '/aws/athena/0/table', 'must be a string'],
    [
      'a number as catalog',
      { aws: { athena: [{ ...athena, catalog: 1 }] } },
      '/aws/athena/0/catalog',
      'must be a string',
    ],
    ['legacy names in an athena list', { aws: { athena: [legacyAws] } }, '/aws/athena/0', 'has no bucket'],
    [
      'an inner key in another case',
      { aws: { athena: [{ ...less(athena, 'bucket'), Bucket: 'b' }] } },
      '/aws/athena/0',
      'has no bucket',
    ],
    ['a number that is too large in an unknown field', '{"x":[-1e400]}', '/x/0', 'too large'],
    [
      'a wrong type under a second spelling',
      withAuthorizer({ authorizerType: 'AWSAccessKey', ID: 1, id: 'i', secret: 's' }),
      '/aws/athena/0/authorizer/id',
      'must be a string',
    ],
    ['a number that is too large', '{"aws":{"athena":[{"x":1e400}]}}', '/aws/athena/0/x', 'too large'],
    [
      'an unknown authorizer',
      withAuthorizer({ authorizerType: 'AWSPodIdentity' }),
      '/aws/athena/0/authorizer/authorizerType',
      'must be one of',
    ],
    [
      'another cloud’s authorizer',
      withAuthorizer({ authorizerType: 'AzureDefaultCredential' }),
      '/aws/athena/0/authorizer/authorizerType',
      'must be one of',
    ],
    ['an authorizer without type', withAuthorizer({}), '/aws/athena/0/authorizer', 'has no authorizerType'],
    ['text as authorizer', withAuthorizer('AWSServiceAccount'), '/aws/athena/0/authorizer', 'must be an object'],
    [
      'a role without inner authorizer',
      withAuthorizer(less(assumeRole, 'authorizer')),
      '/aws/athena/0/authorizer',
      'has no authorizer',
    ],
    [
      'a role type in another case',
      withAuthorizer({ ...less(assumeRole, 'roleARN'), roleArn: role }),
      '/aws/athena/0/authorizer',
      'has no roleARN',
    ],
    [
      'an unknown identity provider',
      withAuthorizer({
        authorizerType: 'AWSWebIdentity',
        roleARN: role,
        identityProvider: 'Other',
        tokenRetriever: {},
      }),
      '/aws/athena/0/authorizer/identityProvider',
      'must be Google',
    ],
    [
      'no token retriever',
      withAuthorizer({ authorizerType: 'AWSWebIdentity', roleARN: role, identityProvider: 'Google' }),
      '/aws/athena/0/authorizer/tokenRetriever',
      'must be an object',
    ],
    [
      'a number as secret',
      withAuthorizer({ authorizerType: 'AWSAccessKey', id: 'i', secret: 5 }),
      '/aws/athena/0/authorizer/secret',
      'must be a string',
    ],
    [
      'a number as passphrase',
      {
        aws: {},
        oci: {
          usageApi: [{ ...usageApi, authorizer: { ...(usageApi['authorizer'] as Fields), privateKeyPassphrase: 1 } }],
        },
      },
      '/oci/usageApi/0/authorizer/privateKeyPassphrase',
      'must be a string or null',
    ],
    [
      'a number in a GCP key',
      { gcp: { bigQuery: [{ ...bigQuery, authorizer: { authorizerType: 'GCPServiceAccountKey', key: { id: 1 } } }] } },
      '/gcp/bigQuery/0/authorizer/key/id',
      'must be a string',
    ],
    [
      'a list as GCP key',
      { gcp: { bigQuery: [{ ...bigQuery, authorizer: { authorizerType: 'GCPServiceAccountKey', key: [] } }] } },
      '/gcp/bigQuery/0/authorizer/key',
      'must be an object',
    ],
  ])('gives the path of its problem: %s', (_, document, path, problem) => {
    const result = parse(document);
    expect(result).toMatchObject({ accepted: false, path });
    expect(!result.accepted && result.problem).toContain(problem);
  });

  it.each([
    ['aws', 'athena', athena],
    ['aws', 's3', s3],
    ['gcp', 'bigQuery', bigQuery],
    ['azure', 'storage', storage],
    ['alibaba', 'boa', boa],
    ['oci', 'usageApi', usageApi],
  ])('is one that lacks any one key of %s.%s', (provider, list, entry) => {
    for (const key of Object.keys(entry)) {
      const result = parse({ [provider]: { [list]: [entry, less(entry, key)] } });
      // The second attempt, in legacy format, ignores oci, so no entry of oci is lost.
      if (provider === 'oci')
        expect(result).toMatchObject({ accepted: true, integrations: [{ valid: true }, { valid: false }] });
      else expect(result).toEqual({ accepted: false, path: `/${provider}/${list}/1`, problem: `has no ${key}` });
    }
  });
});

describe('an invalid entry', () => {
  it.each([
    ['empty database', { aws: { athena: [{ ...athena, database: '' }] } }, ['111122223333/s3://results ! no database']],
    [
      'empty workgroup and catalog',
      { aws: { athena: [{ ...athena, workgroup: '', catalog: '' }] } },
      ['111122223333/s3://results'],
    ],
    ['no authorizer', withAuthorizer(null), ['111122223333/s3://results ! no authorizer']],
    [
      'a role without a base',
      withAuthorizer({ ...assumeRole, authorizer: null }),
      ['111122223333/s3://results ! AWSAssumeRole without authorizer'],
    ],
    [
      'an empty role',
      withAuthorizer({ ...assumeRole, roleARN: '' }),
      ['111122223333/s3://results ! AWSAssumeRole without roleARN'],
    ],
    [
      'half an access key',
      withAuthorizer({ authorizerType: 'AWSAccessKey', ID: 'i', secret: null }),
      ['111122223333/s3://results ! AWSAccessKey without secret'],
    ],
    [
      'a web identity',
      withAuthorizer({
        authorizerType: 'AWSWebIdentity',
        roleARN: role,
        identityProvider: 'Google',
        tokenRetriever: { aud: 'a' },
      }),
      ['111122223333/s3://results'],
    ],
    [
      'a web identity without audience',
      withAuthorizer({
        authorizerType: 'AWSWebIdentity',
        roleARN: role,
        identityProvider: 'Google',
        tokenRetriever: {},
      }),
      ['111122223333/s3://results ! AWSWebIdentity without aud'],
    ],
    [
      'a misspelt azure key',
      {
        azure: {
          storage: [{ ...storage, authorizer: { authorizerType: 'AzureAccessKey', access_key: 'x', account: 'a' } }],
        },
      },
      ['sub/container ! AzureAccessKey without accessKey'],
    ],
    [
      'an azure default credential',
      { azure: { storage: [{ ...storage, authorizer: { authorizerType: 'AzureDefaultCredential' } }] } },
      ['sub/container'],
    ],
    [
      'a GCP key without content',
      { gcp: { bigQuery: [{ ...bigQuery, authorizer: { authorizerType: 'GCPServiceAccountKey', key: null } }] } },
      ['project/set.table ! GCPServiceAccountKey without key'],
    ],
    [
      'an empty passphrase',
      {
        oci: {
          usageApi: [{ ...usageApi, authorizer: { ...(usageApi['authorizer'] as Fields), privateKeyPassphrase: '' } }],
        },
      },
      ['tenancy ! OCIRawConfigProvider with an empty privateKeyPassphrase'],
    ],
    [
      'a legacy account under an unknown name',
      { aws: [{ ...less(legacyAws, 'projectID'), accountID: '1' }] },
      ['/s3://results ! no account'],
    ],
    [
      'a placeholder for a part of a legacy key',
      { aws: [{ ...legacyAws, serviceKeyName: 'optional_use_IRSA' }] },
      ['111122223333/s3://results ! AWSAccessKey without serviceKeySecret'],
    ],
    ['a legacy dataset without table', { gcp: [{ projectID: 'p', billingDataDataset: 'set' }] }, ['p/set. ! no table']],
    [
      'a legacy azure entry without key',
      { azure: [less(legacyAzure, 'azureStorageAccessKey')] },
      ['sub/container/path ! AzureAccessKey without azureStorageAccessKey'],
    ],
    [
      'null for legacy fields',
      { aws: [{ ...legacyAws, masterPayerARN: null, athenaWorkgroup: null }] },
      ['111122223333/s3://results'],
    ],
    [
      'two entries of one key',
      { aws: { athena: [athena, athena] } },
      ['111122223333/s3://results', '111122223333/s3://results'],
    ],
  ])('does not affect other entries: %s', (_, document, integrations) => {
    expect(loaded(document)).toEqual(integrations);
  });

  it('reads a legacy entry without table and database as plain CSV files', () => {
    expect(parse({ aws: [{ ...legacyAws, athenaTable: '', athenaDatabase: '' }] })).toMatchObject({
      integrations: [{ kind: 's3', valid: true }],
    });
  });
});
