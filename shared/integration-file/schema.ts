/**
 * What OpenCost and Kubecost require of each entry of cloud-integration.json, as data. Source: opencost/opencost
 * pkg/cloud/<provider>/*configuration.go and authorizer.go (2024-10, commit 5f65333); current releases still read every form below.
 */
export type Values = Record<string, string>;

export interface EntryKind {
  provider: string;
  kind: string;
  /** Keys that must exist and be strings; otherwise the consumer rejects the whole file. Exact case. */
  required: readonly string[];
  optional?: readonly string[];
  /** The keys of these that may not be empty; otherwise the entry is invalid. */
  filled: readonly string[];
  authorizers: readonly string[];
  key: (values: Values) => string;
}

const awsAuthorizers = ['AWSAccessKey', 'AWSServiceAccount', 'AWSAssumeRole', 'AWSWebIdentity'];
const accountAndBucket = ({ account, bucket }: Values) => `${account ?? ''}/${bucket ?? ''}`;

const athena: EntryKind = {
  provider: 'AWS',
  kind: 'athena',
  required: ['bucket', 'region', 'database', 'table', 'workgroup', 'account'],
  optional: ['catalog'],
  filled: ['bucket', 'region', 'database', 'table', 'account'],
  authorizers: awsAuthorizers,
  key: accountAndBucket,
};
const s3: EntryKind = {
  provider: 'AWS',
  kind: 's3',
  required: ['bucket', 'region', 'account'],
  filled: ['bucket', 'region', 'account'],
  authorizers: awsAuthorizers,
  key: accountAndBucket,
};
const bigQuery: EntryKind = {
  provider: 'GCP',
  kind: 'bigQuery',
  required: ['projectID', 'dataset', 'table'],
  filled: ['projectID', 'dataset', 'table'],
  authorizers: ['GCPServiceAccountKey', 'GCPWorkloadIdentity'],
  key: ({ projectID, dataset, table }) => `${projectID ?? ''}/${dataset ?? ''}.${table ?? ''}`,
};
const storage: EntryKind = {
  provider: 'Azure',
  kind: 'storage',
  required: ['subscriptionID', 'account', 'container', 'path', 'cloud'],
  filled: ['subscriptionID', 'account', 'container'],
  authorizers: ['AzureAccessKey', 'AzureDefaultCredential'],
  key: ({ subscriptionID, container, path }) =>
    [subscriptionID ?? '', container ?? '', ...(path ? [path] : [])].join('/'),
};
const boa: EntryKind = {
  provider: 'Alibaba',
  kind: 'boa',
  required: ['account', 'region'],
  filled: ['region', 'account'],
  authorizers: ['AlibabaAccessKey'],
  key: ({ account, region }) => `${account ?? ''}/${region ?? ''}`,
};
const usageApi: EntryKind = {
  provider: 'Oracle',
  kind: 'usageApi',
  required: ['tenancyID', 'region'],
  filled: ['tenancyID', 'region'],
  authorizers: ['OCIRawConfigProvider'],
  key: ({ tenancyID }) => tenancyID ?? '',
};

/** Format `configurations`: provider, then list, in the order in which the consumer loads them: the last key wins. */
export const configurationLists: Record<string, Record<string, EntryKind>> = {
  aws: { athena, s3 },
  gcp: { bigQuery },
  azure: { storage },
  alibaba: { boa },
  oci: { usageApi },
};

/** String fields of authorizers that have only such fields. Null and missing values are empty and do not reject the file. */
export const authorizerFields: Record<string, readonly string[]> = {
  AWSAccessKey: ['id', 'secret'],
  AWSServiceAccount: [],
  AzureAccessKey: ['accessKey', 'account'],
  AzureDefaultCredential: [],
  GCPWorkloadIdentity: [],
  AlibabaAccessKey: ['accessKeyID', 'accessKeySecret'],
  OCIRawConfigProvider: ['tenancyID', 'userID', 'fingerprint', 'region', 'privateKey'],
};

/** The authorizer of an entry. */
export interface Authorizer {
  type: string;
  roleArn?: string;
  base?: Authorizer;
  /** Why the consumer reports it as invalid. */
  problem?: string;
}

/** Format `legacy`: the fields of the flat entries (any case, strings or null) and how the consumer reads them. */
export interface LegacyKind {
  fields: readonly string[];
  convert: (values: Values, hasKeyMap: boolean) => { kind: EntryKind; values: Values; authorizer: Authorizer };
}

export const legacyLists: Record<string, LegacyKind> = {
  aws: {
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
    convert: (values) => {
      const base = values['serviceKeyName'] || values['serviceKeySecret'] ? accessKey(values) : serviceAccount;
      return {
        // Without table and database the consumer reads plain CSV files with S3 Select, without a message.
        kind: values['athenaTable'] || values['athenaDatabase'] ? athena : s3,
        values: {
          bucket: values['athenaBucketName'] ?? '',
          region: values['athenaRegion'] ?? '',
          database: values['athenaDatabase'] ?? '',
          catalog: values['athenaCatalog'] ?? '',
          table: values['athenaTable'] ?? '',
          workgroup: values['athenaWorkgroup'] ?? '',
          account: values['projectID'] ?? '',
        },
        authorizer: values['masterPayerARN']
          ? {
              type: 'AWSAssumeRole',
              roleArn: values['masterPayerARN'],
              base,
              ...(base.problem === undefined ? {} : { problem: base.problem }),
            }
          : base,
      };
    },
  },
  gcp: {
    fields: ['projectID', 'billingDataDataset'],
    convert: (values, hasKeyMap) => {
      const [dataset = '', table = ''] = (values['billingDataDataset'] ?? '').split('.');
      return {
        kind: bigQuery,
        values: { projectID: values['projectID'] ?? '', dataset, table },
        authorizer: { type: hasKeyMap ? 'GCPServiceAccountKey' : 'GCPWorkloadIdentity' },
      };
    },
  },
  azure: {
    fields: [
      'azureSubscriptionID',
      'azureStorageAccount',
      'azureStorageAccessKey',
      'azureStorageContainer',
      'azureContainerPath',
      'azureCloud',
    ],
    convert: (values) => ({
      kind: storage,
      values: {
        subscriptionID: values['azureSubscriptionID'] ?? '',
        account: values['azureStorageAccount'] ?? '',
        container: values['azureStorageContainer'] ?? '',
        path: values['azureContainerPath'] ?? '',
        cloud: values['azureCloud'] ?? '',
      },
      authorizer: filled('AzureAccessKey', values, ['azureStorageAccessKey', 'azureStorageAccount']),
    }),
  },
  alibaba: {
    fields: ['ClusterRegion', 'serviceKeyName', 'serviceKeySecret', 'accountID'],
    convert: (values) => ({
      kind: boa,
      values: { account: values['accountID'] ?? '', region: values['ClusterRegion'] ?? '' },
      authorizer: filled('AlibabaAccessKey', values, ['serviceKeyName', 'serviceKeySecret']),
    }),
  },
};

const serviceAccount: Authorizer = { type: 'AWSServiceAccount' };
const accessKey = (values: Values) => filled('AWSAccessKey', values, ['serviceKeyName', 'serviceKeySecret']);

function filled(type: string, values: Values, fields: string[]): Authorizer {
  const missing = fields.find((field) => !values[field]);
  return missing === undefined ? { type } : { type, problem: `${type} without ${missing}` };
}
