import {
  accessVersion,
  maxKeys,
  parameterTag,
  versionTag,
  wildcardInTags,
} from '../../shared/access/access-template.ts';

export type Account = 'payer' | 'cluster';

interface Parameter {
  Type: 'String';
  Description: string;
  Default?: string;
  AllowedPattern?: string;
  AllowedValues?: string[];
}

const hubParameters: Record<string, Parameter> = {
  HubAccountId: { Type: 'String', Description: 'Account of the deployment', AllowedPattern: '\\d{12}' },
  DeploymentId: {
    Type: 'String',
    Description: 'Id of the deployment; the external id is this id and the id of this account',
  },
  ProvisionerPath: {
    Type: 'String',
    Description: 'Parameter provisionerPath of the deployment',
    Default: '/kubecost-payer-onboarding/',
  },
  FunctionPath: {
    Type: 'String',
    Description: 'IAM path of the functions of the deployment',
    Default: '/kubecost-payer-onboarding/functions/',
  },
};

const permissionsBoundary: Parameter = {
  Type: 'String',
  Description:
    'ARN of the policy that every role made here must have as its permissions boundary. Leave none: no release sets one yet',
  Default: 'none',
  AllowedPattern: 'none|arn:[a-z-]+:iam::(\\d{12}|aws):policy/[\\w+=.@/-]+',
};

const keyArn = 'arn:[a-z-]+:kms:[a-z0-9-]+:\\d{12}:key/[\\w-]+';

/** Names that limit the permissions, and what the owner allows. A name with * covers several names. */
const ownParameters: Record<Account, Record<string, Parameter>> = {
  payer: {
    ProvisionerName: {
      Type: 'String',
      Description: 'Parameter payerProvisionerName of the deployment',
      Default: 'kubecost-payer-provisioner',
    },
    CurBucket: {
      Type: 'String',
      Description: 'Bucket of the report; to adopt an existing report, enter its bucket',
      Default: 'kubecost-cur-*',
      AllowedPattern: '[a-z0-9.*-]{1,63}',
    },
    AthenaResultsBucket: {
      Type: 'String',
      Description: 'Bucket for Athena results',
      Default: 'kubecost-athena-results-*',
      AllowedPattern: '[a-z0-9.*-]{1,63}',
    },
    AthenaWorkgroup: {
      Type: 'String',
      Description: 'Athena workgroup',
      Default: '*',
      AllowedPattern: '[a-zA-Z0-9._*-]{1,128}',
    },
    PayerRole: {
      Type: 'String',
      Description: 'Role that Kubecost assumes',
      Default: 'kubecost-cur-access',
      AllowedPattern: '[\\w+=.*-]{1,64}',
    },
    Crawler: {
      Type: 'String',
      Description:
        'full: the role may deploy the crawler template of AWS, with roles and Lambda functions. remove: it may only remove what earlier releases deployed. none: neither; the table is made without a crawler',
      Default: 'full',
      AllowedValues: ['none', 'remove', 'full'],
    },
    KmsKeys: {
      Type: 'String',
      Description: `ARNs of the KMS keys of the report's bucket, the results bucket, the workgroup and the Glue catalog, at most ${maxKeys} with commas between them, or none`,
      Default: 'none',
      AllowedPattern: `none|${keyArn}(,${keyArn}){0,${maxKeys - 1}}`,
    },
    PermissionsBoundary: permissionsBoundary,
    ServedClusterAccounts: {
      Type: 'String',
      Description:
        'Accounts whose clusters may read this bill, at most 19 with spaces between them, or any. No release reads it yet',
      Default: 'any',
      AllowedPattern: 'any|\\d{12}( \\d{12}){0,18}',
    },
    PurgeOlderData: {
      Type: 'String',
      Description:
        'no: the role may delete report data only in buckets named kubecost-cur-<this account>-*, never in a bucket that was here before',
      Default: 'yes',
      AllowedValues: ['no', 'yes'],
    },
    TagActivation: {
      Type: 'String',
      Description: 'on: the role may activate cost allocation tags. No release does it yet',
      Default: 'off',
      AllowedValues: ['off', 'on'],
    },
  },
  cluster: {
    ProvisionerName: {
      Type: 'String',
      Description: 'Parameter clusterProvisionerName of the deployment',
      Default: 'kubecost-cluster-provisioner',
    },
    Cluster: { Type: 'String', Description: 'EKS cluster', Default: '*', AllowedPattern: '[a-zA-Z0-9_*-]{1,100}' },
    PodRole: {
      Type: 'String',
      Description: 'Role of the Kubecost pods',
      Default: 'kubecost-*',
      AllowedPattern: '[\\w+=.*/-]{1,128}',
    },
    PermissionsBoundary: permissionsBoundary,
  },
};

export function accessParameters(account: Account): Record<string, Parameter> {
  return { ...hubParameters, ...ownParameters[account] };
}

const is = (name: string, value: string) => ({ 'Fn::Equals': [{ Ref: name }, value] });
const isNot = (name: string, value: string) => ({ 'Fn::Not': [is(name, value)] });

/** CloudFormation conditions by name. */
export const conditions = {
  payer: {
    CrawlerFull: is('Crawler', 'full'),
    CrawlerRemove: isNot('Crawler', 'none'),
    HasKmsKeys: isNot('KmsKeys', 'none'),
    HasBoundary: isNot('PermissionsBoundary', 'none'),
    KeepsOlderData: is('PurgeOlderData', 'no'),
    MayActivateTags: is('TagActivation', 'on'),
    HasPath: isNot('ProvisionerPath', '/'),
  },
  cluster: { HasBoundary: isNot('PermissionsBoundary', 'none'), HasPath: isNot('ProvisionerPath', '/') },
} as const satisfies Record<Account, Record<string, object>>;

/** The value only if the condition holds. */
export function onlyIf(condition: keyof (typeof conditions)['payer'], value: unknown): object {
  return { 'Fn::If': [condition, value, { Ref: 'AWS::NoValue' }] };
}

/** Tags of the provisioner role: which template it was made from, with which parameters. */
export function accessTags(account: Account): object[] {
  const names = Object.keys(ownParameters[account]).filter((name) => name !== 'ProvisionerName' && name !== 'KmsKeys');
  return [
    { Key: versionTag, Value: String(accessVersion) },
    ...names.map((name) => ({ Key: parameterTag(name), Value: tagValue({ Ref: name }) })),
    ...(account === 'payer' ? tagsOfKeys() : []),
  ];
}

/** IAM allows no `*` in the value of a tag. */
function tagValue(value: object): object {
  return { 'Fn::Join': [wildcardInTags, { 'Fn::Split': ['*', value] }] };
}

/** One tag for each key, because a tag's value has at most 256 characters. Fn::Select fails behind the list's end, so the list is filled up. */
function tagsOfKeys(): object[] {
  const filled = { 'Fn::Join': [',', [{ Ref: 'KmsKeys' }, ...Array<string>(maxKeys).fill('none')]] };
  return Array.from({ length: maxKeys }, (_, index) => ({
    Key: parameterTag(`KmsKeys${index + 1}`),
    Value: { 'Fn::Select': [String(index), { 'Fn::Split': [',', filled] }] },
  }));
}
