const role = [
  'AssumeRolePolicyDocument.Statement[].Action[]',
  'AssumeRolePolicyDocument.Statement[].Effect',
  'AssumeRolePolicyDocument.Statement[].Principal.Service[]',
  'AssumeRolePolicyDocument.Version',
  'Path',
  'Policies[].PolicyDocument.Statement[].Action[]',
  'Policies[].PolicyDocument.Statement[].Effect',
  'Policies[].PolicyDocument.Statement[].Resource',
  'Policies[].PolicyDocument.Version',
  'Policies[].PolicyName',
];
const lambdaFunction = ['Code.ZipFile', 'Handler', 'ReservedConcurrentExecutions', 'Role', 'Runtime', 'Timeout'];

/** Properties of each resource in the public copies of AWS's template from 2020 to 2023. */
const properties: Record<string, readonly string[]> = {
  AWSCURDatabase: ['CatalogId', 'DatabaseInput.Name'],
  AWSCURCrawlerComponentFunction: [...role, 'ManagedPolicyArns[]'],
  AWSCURCrawlerLambdaExecutor: role,
  AWSCURCrawler: [
    'DatabaseName',
    'Description',
    'Name',
    'Role',
    'SchemaChangePolicy.DeleteBehavior',
    'SchemaChangePolicy.UpdateBehavior',
    'Targets.S3Targets[].Exclusions[]',
    'Targets.S3Targets[].Path',
  ],
  AWSCURInitializer: lambdaFunction,
  AWSStartCURCrawler: ['ServiceToken'],
  AWSS3CUREventLambdaPermission: ['Action', 'FunctionName', 'Principal', 'SourceAccount', 'SourceArn'],
  AWSS3CURLambdaExecutor: role,
  AWSS3CURNotification: lambdaFunction,
  AWSPutS3CURNotification: ['BucketName', 'ReportKey', 'ServiceToken', 'TargetLambdaArn'],
  AWSCURReportStatusTable: [
    'CatalogId',
    'DatabaseName',
    'TableInput.Name',
    'TableInput.StorageDescriptor.Columns[].Name',
    'TableInput.StorageDescriptor.Columns[].Type',
    'TableInput.StorageDescriptor.InputFormat',
    'TableInput.StorageDescriptor.Location',
    'TableInput.StorageDescriptor.OutputFormat',
    'TableInput.StorageDescriptor.SerdeInfo.SerializationLibrary',
    'TableInput.TableType',
  ],
};

const dependencies = [
  'AWSCURCrawler.DependsOn[]',
  'AWSCURInitializer.DependsOn',
  'AWSCURReportStatusTable.DependsOn',
  'AWSS3CURNotification.DependsOn[]',
];

/** Every attribute path of the newest public copy that AWS wrote (2023). */
export const knownPaths: ReadonlySet<string> = new Set([
  'AWSTemplateFormatVersion',
  ...dependencies.map((path) => `Resources.${path}`),
  ...Object.entries(properties).flatMap(([id, paths]) => [
    `Resources.${id}.Type`,
    ...paths.map((path) => `Resources.${id}.Properties.${path}`),
  ]),
]);
