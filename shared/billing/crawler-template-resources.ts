import { isMap, listOf } from './crawler-template-document.ts';
import { boundedRole, trustedServices } from './crawler-template-rights.ts';
import {
  anyText,
  forbidden,
  harmless,
  harmlessPairs,
  harmlessTags,
  inReport,
  listIn,
  mapOf,
  matching,
  onData,
  only,
  ownAccount,
  ownCrawlerName,
  ownDatabaseName,
  referenced,
  refuse,
  type Rule,
  textIn,
} from './crawler-template-values.ts';
import { dataPath } from './report-location.ts';

/** A role of the template that the service may assume; a crawler may name it instead of giving its ARN. */
const ownRole =
  (service: 'glue.amazonaws.com' | 'lambda.amazonaws.com'): Rule =>
  (value, facts, path) => {
    const role = facts.resources.get(referenced(value, 'Arn') ?? referenced(value) ?? '');
    if (role?.type !== 'AWS::IAM::Role') refuse(path, 'is not a role of the template');
    const services = trustedServices(role.properties.AssumeRolePolicyDocument, facts, path);
    if (!services.includes(service)) refuse(path, `is a role that ${service} may not assume`);
  };

const ownFunction: Rule = (value, { resources }, path) => {
  const id = referenced(value, 'Arn') ?? referenced(value) ?? '';
  if (resources.get(id)?.type !== 'AWS::Lambda::Function') refuse(path, 'is not a function of the template');
};

/** Variables with which a runtime loads other code, or sends its calls elsewhere. */
const loaders = /^(AWS_(?!NODEJS_CONNECTION_REUSE_ENABLED$|STS_REGIONAL_ENDPOINTS$)|BASH_|LD_|NODE_|PYTHON|_)|proxy$/i;

const harmlessVariables: Rule = (value, facts, path) => {
  const name = isMap(value) ? Object.keys(value).find((variable) => loaders.test(variable)) : undefined;
  if (name !== undefined) refuse(path, `has ${name}`);
  harmlessPairs(value, facts, path);
};

const runtime = matching('a runtime for inline code', (text) => /^(nodejs|python)\d+\.(x|\d+)$/.test(text));

const lambdaFunction = mapOf({
  Architectures: harmless,
  CapacityProviderConfig: forbidden,
  Code: mapOf({ ZipFile: anyText }, 'none'),
  CodeSigningConfigArn: forbidden,
  DeadLetterConfig: forbidden,
  Environment: mapOf({ Variables: harmlessVariables }, 'none'),
  FileSystemConfigs: forbidden,
  // Our rights and the check of the bucket's notifications need the name that CloudFormation gives.
  FunctionName: forbidden,
  Handler: matching('a handler in the inline code', (text) => /^\w+\.\w+$/.test(text)),
  ImageConfig: forbidden,
  KmsKeyArn: forbidden,
  Layers: forbidden,
  // AWS reserves one; a large number would take executions from other functions.
  ReservedConcurrentExecutions: matching('a small number', (text) => Number(text) <= 10),
  Role: ownRole('lambda.amazonaws.com'),
  Runtime: runtime,
  Tags: harmlessTags,
  VpcConfig: forbidden,
});

/** S3 may call the function for this bucket of this account, and nobody else. */
const permission: Rule = (value, facts, path) => {
  const missing = ['SourceAccount', 'SourceArn'].find((name) => !isMap(value) || value[name] === undefined);
  if (missing !== undefined) refuse(path, `has no ${missing}`);
  narrowPermission(value, facts, path);
};

const narrowPermission = mapOf(
  {
    Action: only('lambda:InvokeFunction'),
    FunctionName: ownFunction,
    Principal: only('s3.amazonaws.com'),
    SourceAccount: ownAccount,
    SourceArn: matching('this bucket', (text, { report: { bucket } }) => {
      const arn = `arn:aws:s3:::${bucket}`;
      return text === arn || text.startsWith(`${arn}/`);
    }),
  },
  'none',
);

const crawler = mapOf({
  Classifiers: forbidden,
  Configuration: harmless,
  CrawlerSecurityConfiguration: forbidden,
  DatabaseName: ownDatabaseName,
  LakeFormationConfiguration: mapOf({ AccountId: ownAccount, UseLakeFormationCredentials: harmless }, 'none'),
  Name: ownCrawlerName,
  RecrawlPolicy: mapOf({ RecrawlBehavior: harmless }),
  Role: ownRole('glue.amazonaws.com'),
  SchemaChangePolicy: mapOf({}),
  Tags: harmlessPairs,
  Targets: mapOf(
    { S3Targets: listIn(mapOf({ Exclusions: harmless, Path: onData, SampleSize: harmless }, 'none')) },
    'none',
  ),
});

const database = mapOf(
  {
    CatalogId: ownAccount,
    DatabaseInput: mapOf(
      {
        CreateTableDefaultPermissions: forbidden,
        FederatedDatabase: forbidden,
        LocationUri: inReport,
        Name: ownDatabaseName,
        Parameters: harmlessPairs,
        TargetDatabase: forbidden,
      },
      'harmless',
    ),
    DatabaseName: ownDatabaseName,
  },
  'harmless',
);

const table = mapOf({
  CatalogId: ownAccount,
  DatabaseName: ownDatabaseName,
  OpenTableFormatInput: forbidden,
  TableInput: mapOf({
    Name: harmless,
    Parameters: harmlessPairs,
    PartitionKeys: harmless,
    StorageDescriptor: mapOf({
      BucketColumns: harmless,
      Location: inReport,
      NumberOfBuckets: harmless,
      Parameters: harmlessPairs,
      SchemaReference: forbidden,
      SerdeInfo: mapOf({ Parameters: harmlessPairs }),
    }),
    TableType: only('EXTERNAL_TABLE'),
    TargetTable: forbidden,
    ViewDefinition: forbidden,
    ViewExpandedText: forbidden,
    ViewOriginalText: forbidden,
  }),
});

/** The input of a function of the template: this bucket, this report, functions of the template, and harmless values. */
const customResource: Rule = (value, facts, path) => {
  if (!isMap(value)) refuse(path, 'has no properties');
  for (const [name, item] of Object.entries(value)) {
    const at = `${path}.${name}`;
    const text = textIn(item, facts);
    if (name === 'ServiceToken' || referenced(item, 'Arn') !== undefined) ownFunction(item, facts, at);
    else if (/bucket/i.test(name)) only(facts.report.bucket)(item, facts, at);
    else if (text?.startsWith(dataPath(facts.report))) continue;
    else if (/key|prefix|path/i.test(name)) refuse(at, `is ${text ?? 'no text'}, not the path of this report`);
    else if (/arn|role|ur[il]|endpoint|account|principal/i.test(name)) refuse(at, 'is not expected');
    else
      listOf(item).forEach((one) => {
        harmless(one, facts, at);
      });
  }
  if (!Object.hasOwn(value, 'ServiceToken')) refuse(path, 'has no ServiceToken');
};

const rules = new Map<string, Rule>([
  ['AWS::CloudFormation::CustomResource', customResource],
  ['AWS::Glue::Crawler', crawler],
  ['AWS::Glue::Database', database],
  ['AWS::Glue::Table', table],
  ['AWS::IAM::Role', boundedRole],
  ['AWS::Lambda::Function', lambdaFunction],
  ['AWS::Lambda::Permission', permission],
]);

/** The rule for a type of resource; undefined if no resource of this type is expected. */
export function ruleFor(type: string): Rule | undefined {
  return rules.get(type.startsWith('Custom::') ? 'AWS::CloudFormation::CustomResource' : type);
}
