import type { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

/** A change of AWS's template, as text. */
export interface TemplateEdit {
  name: string;
  edit: (template: string) => string;
}

/** Replaces the first place; the tests check that each edit changes something. */
const replaced = (name: string, from: string | RegExp, to: string): TemplateEdit => ({
  name,
  edit: (template) => template.replace(from, to),
});
/** Adds lines of properties to the first resource of a type, which the template indents by six spaces. */
const added = (name: string, type: string, ...lines: string[]): TemplateEdit => ({
  name,
  edit: (template) =>
    template.replace(new RegExp(`(Type: '?${type}'?\\n(?:    (?!Properties).*\\n)*    Properties:\\n)`), (block) =>
      [block, ...lines.map((line) => `      ${line}\n`)].join(''),
    ),
});
const onResource = (name: string, id: string, ...lines: string[]): TemplateEdit => ({
  name,
  edit: (template) => template.replace(`  ${id}:\n`, [`  ${id}:\n`, ...lines.map((line) => `    ${line}\n`)].join('')),
});

/** Fifteen changes that AWS may make at any time and that give no right. */
export const plausibleEdits: TemplateEdit[] = [
  replaced(
    'a description of the template',
    'Resources:\n',
    'Description: Queries your cost and usage report\nResources:\n',
  ),
  added('memory', 'AWS::Lambda::Function', 'MemorySize: 256'),
  added('an architecture', 'AWS::Lambda::Function', 'Architectures: [arm64]'),
  added('a logging format', 'AWS::Lambda::Function', 'LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: INFO}'),
  added('a timeout of the custom resource', 'Custom::AWSStartCURCrawler', 'ServiceTimeout: 300'),
  added(
    'a configuration of the crawler',
    'AWS::Glue::Crawler',
    `Configuration: '{"Version":1.0,"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}'`,
  ),
  added('a recrawl policy', 'AWS::Glue::Crawler', 'RecrawlPolicy: {RecrawlBehavior: CRAWL_EVERYTHING}'),
  replaced(
    'one more glue action',
    "                  - 'glue:UpdateTable'\n",
    "                  - 'glue:UpdateTable'\n                  - 'glue:BatchGetPartition'\n",
  ),
  replaced(
    'one more s3 action',
    "                  - 's3:GetObject'\n",
    "                  - 's3:GetObject'\n                  - 's3:ListBucket'\n",
  ),
  onResource('metadata of a resource', 'AWSCURInitializer', 'Metadata: {Version: 7}'),
  onResource('a deletion policy', 'AWSCURDatabase', 'DeletionPolicy: Retain', 'UpdateReplacePolicy: Retain'),
  replaced('another runtime', /nodejs\d+\.x/g, 'nodejs24.x'),
  replaced('another code', "require('./cfn-response')", "require('cfn-response')"),
  replaced('metadata of the template', 'Resources:\n', 'Metadata: {Generator: billing-reports-3}\nResources:\n'),
  replaced('other logical ids', /AWSCURCrawlerLambdaExecutor/g, 'CrawlerStarterRole'),
];

/** Further harmless ones of other kinds than properties. */
export const harmlessEdits: TemplateEdit[] = [
  replaced('an output', /$/, 'Outputs:\n  Database:\n    Value: !Ref AWSCURDatabase\n'),
  replaced('an unused parameter', 'Resources:\n', 'Parameters:\n  Size: {Type: Number, Default: 1}\nResources:\n'),
  replaced(
    'a used parameter',
    /Resources:\n([\s\S]*?)Timeout: 30\n/,
    'Parameters:\n  Seconds: {Type: Number, Default: 30}\nResources:\n$1Timeout: !Ref Seconds\n',
  ),
  {
    name: 'a condition that is always true',
    edit: (template) =>
      template
        .replace('Resources:\n', 'Conditions:\n  Always: !Equals [a, a]\nResources:\n')
        .replace('  AWSCURReportStatusTable:\n', '  AWSCURReportStatusTable:\n    Condition: Always\n'),
  },
  replaced('older ARNs', /!Sub 'arn:\$\{AWS::Partition\}:/g, "'arn:aws:"),
  replaced('no status table', / {2}AWSCURReportStatusTable:[\s\S]*$/, ''),
  replaced('a key of the role’s policy', "'kms:Decrypt'\n", "'kms:Decrypt'\n                  - 'kms:DescribeKey'\n"),
  replaced('a statement id', '- Effect: Allow\n', '- Sid: Trust\n            Effect: Allow\n'),
  replaced(
    'rights on this database only',
    "'glue:ImportCatalogToGlue'\n                Resource: '*'",
    "'glue:ImportCatalogToGlue'\n                Resource:\n                  - !Sub 'arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:catalog'\n                  - !Sub 'arn:${AWS::Partition}:glue:${AWS::Region}:${AWS::AccountId}:database/${AWSCURDatabase}'",
  ),
];

const role = 'AWS::IAM::Role';
const starterRights = "'glue:StartCrawler'";
const crawlerRights = "'glue:ImportCatalogToGlue'\n                Resource: '*'";
const statement = (text: string) => `- Effect: Allow\n                ${text}\n              - Effect: Allow\n`;
const trustOf = (text: string) => ({
  from: /Principal:\n {14}Service:\n {16}- glue\.amazonaws\.com/,
  to: `Principal: ${text}`,
});

/** Changes that give code, a principal, an endpoint or a right, by kind. None of them may ever be deployed. */
export const hostileKinds: Record<string, TemplateEdit[]> = {
  'an action that the role does not need': [
    'iam:*',
    'iam:PassRole',
    'iam:CreateUser',
    's3:*',
    's3:GetObject',
    's3:DeleteObject',
    's3:PutBucketPolicy',
    '*',
    'glue:*',
    'lambda:InvokeFunction',
    'sts:AssumeRole',
    'kms:Decrypt',
    'kms:*',
    'ec2:RunInstances',
    'organizations:*',
    'GLUE:CreateJob',
    'secretsmanager:GetSecretValue',
    'athena:StartQueryExecution',
    'ssm:GetParameter',
    'glue:GetConnection',
    's3:Put*',
  ].map((action) => replaced(action, starterRights, `'${action}'`)),
  'a resource of others': [
    replaced('every bucket', /Resource: !Sub 'arn:\$\{AWS::Partition\}:s3:::([^']*)\*'/, "Resource: '*'"),
    replaced('all of S3', /arn:\$\{AWS::Partition\}:s3:::[^']*\*'/, "arn:${AWS::Partition}:s3:::*'"),
    replaced('another bucket', /s3:::([\w-]+)\/([^']*)\*'/, "s3:::elsewhere/$2*'"),
    replaced('buckets that begin alike', /s3:::([\w-]+)\/([^']*)\*'/, "s3:::$1*/$2*'"),
    replaced('the whole bucket', /s3:::([\w-]+)\/([^']*)\*'/, "s3:::$1/*'"),
    replaced('another report', /s3:::([\w-]+)\/([^']*)\*'/, "s3:::$1/other/*'"),
    replaced(
      'notifications of another bucket',
      /(PutBucketNotification'\n *Resource: !Sub 'arn:\$\{AWS::Partition\}:s3:::)[\w-]+/,
      '$1elsewhere',
    ),
    replaced('notifications of every bucket', /(PutBucketNotification'\n *Resource: )!Sub '[^']*'/, "$1'*'"),
    replaced(
      'the catalog of another account',
      crawlerRights,
      "'glue:ImportCatalogToGlue'\n                Resource: 'arn:aws:glue:*:999988887777:*'",
    ),
    replaced(
      'a key of another account',
      "'kms:Decrypt'\n                Resource: '*'",
      "'kms:Decrypt'\n                Resource: 'arn:aws:kms:us-east-1:999988887777:key/1'",
    ),
  ],
  'a statement that says what it does not cover': [
    replaced(
      'NotAction',
      /- Effect: Allow\n {16}Action:\n/,
      statement("NotAction: 'iam:*'\n                Resource: '*'").concat('                Action:\n'),
    ),
    replaced(
      'NotResource',
      /Action:\n {18}- 'glue:StartCrawler'\n {16}Resource: '\*'/,
      "Action: 'glue:StartCrawler'\n                NotResource: 'x'",
    ),
    replaced('NotPrincipal', trustOf('').from, "NotPrincipal: {AWS: '*'}"),
    replaced(
      'a principal in a right',
      "- 'glue:StartCrawler'\n                Resource: '*'",
      "- 'glue:StartCrawler'\n                Resource: '*'\n                Principal: '*'",
    ),
  ],
  'a principal of others': [
    "{AWS: 'arn:aws:iam::999988887777:root'}",
    "{AWS: '*'}",
    "'*'",
    '{Service: ec2.amazonaws.com}',
    "{Federated: 'accounts.google.com'}",
    '{Service: [glue.amazonaws.com, ec2.amazonaws.com]}',
    "{Service: glue.amazonaws.com, AWS: '999988887777'}",
    '{CanonicalUser: abc}',
    '{Service: cloudformation.amazonaws.com}',
    '{Service: glue.amazonaws.com.evil.example}',
    '{AWS: !Ref AWS::AccountId}',
  ].map((principal) => replaced(principal, trustOf('').from, trustOf(principal).to)),
  'another way to assume a role': ["'sts:*'", "'sts:AssumeRoleWithSAML'", "'*'"].map((action) =>
    replaced(action, "'sts:AssumeRole'", action),
  ),
  'a policy of others': [
    replaced('administrator', 'service-role/AWSGlueServiceRole', 'AdministratorAccess'),
    replaced('power user', 'service-role/AWSGlueServiceRole', 'PowerUserAccess'),
    replaced(
      'of another account',
      'arn:${AWS::Partition}:iam::aws:policy/service-role/AWSGlueServiceRole',
      'arn:aws:iam::999988887777:policy/service-role/AWSGlueServiceRole',
    ),
    {
      name: 'a crawler’s rights for code',
      edit: (template) =>
        template.replace(
          /(AWSCURCrawlerLambdaExecutor:[\s\S]*?Path: \/\n)/,
          `$1      ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole']\n`,
        ),
    },
    replaced(
      'a role for crawlers that code may use',
      '- glue.amazonaws.com\n',
      '- glue.amazonaws.com\n                - lambda.amazonaws.com\n',
    ),
    added('a boundary', role, "PermissionsBoundary: 'arn:aws:iam::999988887777:policy/b'"),
    added('a name', role, 'RoleName: admin'),
    replaced('a path', 'Path: /\n', 'Path: /admin/\n'),
  ],
  'code of others': [
    replaced('an archive', /Code:\n {8}ZipFile: >\n(?: {10}.*\n)*/, 'Code: {S3Bucket: elsewhere, S3Key: code.zip}\n'),
    replaced(
      'an image',
      /Code:\n {8}ZipFile: >\n(?: {10}.*\n)*/,
      'Code: {ImageUri: 999988887777.dkr.ecr.us-east-1.amazonaws.com/x}\n',
    ),
    replaced('an archive beside the code', 'Code:\n', 'Code:\n        S3Bucket: elsewhere\n'),
    added('a layer', 'AWS::Lambda::Function', "Layers: ['arn:aws:lambda:us-east-1:999988887777:layer:x:1']"),
    added('a layer without an ARN', 'AWS::Lambda::Function', 'Layers: [x]'),
    added(
      'a file system',
      'AWS::Lambda::Function',
      "FileSystemConfigs: [{Arn: 'arn:aws:elasticfilesystem:us-east-1:999988887777:access-point/x', LocalMountPath: /mnt/x}]",
    ),
    ...[
      'NODE_OPTIONS: --require /tmp/x',
      'AWS_LAMBDA_EXEC_WRAPPER: /opt/x',
      'LD_PRELOAD: x',
      'PYTHONPATH: /tmp',
      'NODE_PATH: /mnt',
      'NODE_EXTRA_CA_CERTS: /tmp/ca',
    ].map((variable) => added(variable, 'AWS::Lambda::Function', `Environment: {Variables: {${variable}}}`)),
    added('an image’s command', 'AWS::Lambda::Function', 'ImageConfig: {Command: [x]}'),
    added(
      'a signing configuration',
      'AWS::Lambda::Function',
      "CodeSigningConfigArn: 'arn:aws:lambda:us-east-1:999988887777:code-signing-config:x'",
    ),
    replaced(
      'a view',
      "TableType: 'EXTERNAL_TABLE'",
      "TableType: VIRTUAL_VIEW\n        ViewOriginalText: '/* Presto View: eyJ9 */'",
    ),
  ],
  'an endpoint of others': [
    added('a proxy', 'AWS::Lambda::Function', "Environment: {Variables: {HTTPS_PROXY: 'http://elsewhere.example'}}"),
    added(
      'an endpoint',
      'AWS::Lambda::Function',
      "Environment: {Variables: {AWS_ENDPOINT_URL_S3: 'https://elsewhere.example'}}",
    ),
    added('a network', 'AWS::Lambda::Function', 'VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}'),
    added(
      'a queue for failures',
      'AWS::Lambda::Function',
      "DeadLetterConfig: {TargetArn: 'arn:aws:sqs:us-east-1:999988887777:q'}",
    ),
    added('a queue for events', 'AWS::Glue::Crawler', "TablePrefix: 'arn:aws:sqs:us-east-1:999988887777:q'"),
    replaced(
      'an event queue',
      '          - Path:',
      "          - EventQueueArn: 'arn:aws:sqs:us-east-1:999988887777:q'\n            Path:",
    ),
    replaced('a connection', '          - Path:', '          - ConnectionName: others\n            Path:'),
    added('a security configuration', 'AWS::Glue::Crawler', 'CrawlerSecurityConfiguration: others'),
    added(
      'Lake Formation of another account',
      'AWS::Glue::Crawler',
      "LakeFormationConfiguration: {AccountId: '999988887777', UseLakeFormationCredentials: true}",
    ),
    added('a classifier', 'AWS::Glue::Crawler', 'Classifiers: [others]'),
    replaced('a crawl of another bucket', /Path: 's3:\/\/[\w-]+\//, "Path: 's3://elsewhere/"),
    replaced('a crawl of the whole bucket', /Path: 's3:\/\/([\w-]+)\/[^']*'/, "Path: 's3://$1/'"),
    replaced(
      'a second target',
      '      SchemaChangePolicy:',
      '        JdbcTargets: [{ConnectionName: x, Path: y}]\n      SchemaChangePolicy:',
    ),
    replaced('a table elsewhere', /Location: 's3:\/\/[\w-]+\//, "Location: 's3://elsewhere/"),
    replaced(
      'a custom resource elsewhere',
      'ServiceToken: !GetAtt AWSCURInitializer.Arn',
      "ServiceToken: 'arn:aws:lambda:us-east-1:999988887777:function:x'",
    ),
    replaced(
      'a topic as custom resource',
      'ServiceToken: !GetAtt AWSS3CURNotification.Arn',
      "ServiceToken: 'arn:aws:sns:us-east-1:999988887777:x'",
    ),
    replaced(
      'notifications elsewhere',
      'TargetLambdaArn: !GetAtt AWSCURInitializer.Arn',
      "TargetLambdaArn: 'arn:aws:lambda:us-east-1:999988887777:function:x'",
    ),
    replaced('notifications of another bucket', /BucketName: '[\w-]+'/, "BucketName: 'elsewhere'"),
    replaced('notifications of the whole bucket', /ReportKey: '[^']+'/, "ReportKey: ''"),
    added(
      'a linked database',
      'AWS::Glue::Database',
      "DatabaseInput: {Name: x, TargetDatabase: {CatalogId: '999988887777', DatabaseName: x}}",
    ),
  ],
  'a right for others to call or read': [
    replaced('everybody', "Principal: 's3.amazonaws.com'", "Principal: '*'"),
    replaced('another account', "Principal: 's3.amazonaws.com'", "Principal: '999988887777'"),
    replaced('another service', "Principal: 's3.amazonaws.com'", "Principal: 'sns.amazonaws.com'"),
    replaced('for another account', 'SourceAccount: !Ref AWS::AccountId', "SourceAccount: '999988887777'"),
    replaced('for any account', '      SourceAccount: !Ref AWS::AccountId\n', ''),
    replaced('for another bucket', /SourceArn: !Sub '[^']*'/, "SourceArn: 'arn:aws:s3:::elsewhere'"),
    replaced('another action', "'lambda:InvokeFunction'", "'lambda:*'"),
    replaced('over HTTP', "'lambda:InvokeFunction'", "'lambda:InvokeFunctionUrl'\n      FunctionUrlAuthType: NONE"),
    replaced(
      'defaults for all principals',
      /( {8}Name: 'athenacurcfn_\w+')/,
      '$1\n        CreateTableDefaultPermissions: [{Permissions: [ALL], Principal: {DataLakePrincipalIdentifier: everybody}}]',
    ),
  ],
  'another kind of resource': [
    'AWS::IAM::User',
    'AWS::IAM::Policy',
    'AWS::IAM::ManagedPolicy',
    'AWS::IAM::AccessKey',
    'AWS::Lambda::Url',
    'AWS::Lambda::EventSourceMapping',
    'AWS::S3::BucketPolicy',
    'AWS::CloudFormation::Stack',
    'AWS::CloudFormation::Macro',
    'AWS::EC2::Instance',
    'AWS::Glue::Job',
    'AWS::Glue::Connection',
    'AWS::SNS::Subscription',
    'AWS::Events::Rule',
    'AWS::KMS::Key',
    'AWS::LakeFormation::Permissions',
    'AWS::Glue::ResourcePolicy',
    'Acme::Evil::Thing::MODULE',
  ].map((type) => replaced(type, 'Resources:\n', `Resources:\n  Extra:\n    Type: ${type}\n    Properties: {}\n`)),
  'a template that another one writes': [
    replaced('a macro', 'Resources:\n', 'Transform: Evil\nResources:\n'),
    replaced('serverless', 'Resources:\n', 'Transform: AWS::Serverless-2016-10-31\nResources:\n'),
    replaced('a macro inside', 'Timeout: 30', "Timeout: {'Fn::Transform': {Name: Evil}}"),
    replaced('a loop', 'Resources:\n', "Resources:\n  'Fn::ForEach::X': [X, [a], {}]\n"),
    replaced('a dynamic reference', /Description: .*/, "Description: '{{resolve:secretsmanager:x}}'"),
    replaced('a dynamic reference in parts', /Description: .*/, "Description: !Join ['', ['{{resol', 've:ssm:x}}']]"),
    replaced('an import', 'Timeout: 30', 'Timeout: !ImportValue x'),
    replaced(
      'a parameter from the account',
      'Resources:\n',
      "Parameters: {X: {Type: 'AWS::SSM::Parameter::Value<String>', Default: x}}\nResources:\n",
    ),
    {
      name: 'an alias',
      edit: (template) => template.replace('Path: /\n', 'Path: &x /\n').replace('Path: /\n', 'Path: *x\n'),
    },
    replaced('a merge', 'Timeout: 30', "'<<': {Layers: [x]}\n      Timeout: 30"),
    replaced('a key twice', 'Timeout: 30', 'Timeout: 30\n      Timeout: 31'),
    replaced('an export', /$/, 'Outputs: {A: {Value: x, Export: {Name: x}}}\n'),
    replaced('too many executions', 'ReservedConcurrentExecutions: 1', 'ReservedConcurrentExecutions: 900'),
    replaced('a hidden role', 'Timeout: 30', "Role: 'arn:aws:iam::999988887777:role/x'\n      Timeout: 30"),
    replaced(
      'another role',
      /Role: !GetAtt AWSCURCrawlerLambdaExecutor.Arn/,
      "Role: 'arn:aws:iam::111122223333:role/admin'",
    ),
    replaced(
      'a role by choice',
      /Role: !GetAtt AWSCURCrawlerLambdaExecutor.Arn/,
      'Role: !If [X, a, !GetAtt AWSCURCrawlerLambdaExecutor.Arn]',
    ),
    replaced(
      'the crawler’s role for code',
      /Role: !GetAtt AWSCURCrawlerLambdaExecutor.Arn/,
      'Role: !GetAtt AWSCURCrawlerComponentFunction.Arn',
    ),
    replaced('another database', /Name: 'athenacurcfn_\w+'/, "Name: 'athenacurcfn_finance'"),
    replaced('another crawler', /Name: AWSCURCrawler-\S+/, 'Name: nightly'),
  ],
};

export const hostileEdits: (TemplateEdit & { kind: string })[] = Object.entries(hostileKinds).flatMap(([kind, edits]) =>
  edits.map((edit) => ({ ...edit, kind })),
);

/** Properties that carry code, a principal, an endpoint or a right, or that the template has already. */
const notDrawn =
  /arn|account|bucket|catalog|code|concurrent|connection|classifier|config(?!uration$)|crawlersecurity|database|federated|filesystem|functionname|handler|image|invoked|key|lakeformation|layer|name$|org|path$|permission|polic|principal|role|runtime$|schedule|source|table(?!prefix)|target|timeout$|token|url|view|vpc/i;

const types = ['AWS::Lambda::Function', 'AWS::Glue::Crawler', 'AWS::IAM::Role'];
/** Maps and lists of plain values whose names only seem dangerous. */
const plainAnyway = new Set([
  'LoggingConfig',
  'TracingConfig',
  'TenancyConfig',
  'RecrawlPolicy',
  'SchemaChangePolicy',
  'FunctionScalingConfig',
]);

interface SpecType {
  type: string;
  allowedValues?: string[];
  element?: SpecType;
  reference?: { $ref: string };
}

/** A harmless property of CloudFormation's specification with a value of its type. @param draw a whole number below n */
export function drawHarmless(
  spec: ReturnType<typeof loadAwsServiceSpecSync>,
  draw: (n: number) => number,
): TemplateEdit {
  const one = <Item>(items: readonly Item[]): Item => {
    const item = items[draw(items.length)];
    if (item === undefined) throw new Error('nothing to draw from');
    return item;
  };
  const valueOf = (type: SpecType): unknown => {
    if (type.allowedValues) return one(type.allowedValues);
    switch (type.type) {
      case 'boolean':
        return draw(2) === 1;
      case 'integer':
      case 'number':
        return 1 + draw(900);
      case 'array':
        return [valueOf(type.element ?? { type: 'string' })];
      case 'tag':
        return { Key: `team-${draw(99)}`, Value: 'billing' };
      case 'map':
      case 'json':
        return { [`field-${draw(99)}`]: 'text' };
      case 'ref': {
        const properties = spec.get('typeDefinition', type.reference?.$ref ?? '').properties as Record<
          string,
          { type: SpecType }
        >;
        const names = Object.keys(properties).filter((name) => !notDrawn.test(name));
        return Object.fromEntries(names.map((name) => [name, valueOf(properties[name]?.type ?? { type: 'string' })]));
      }
      default:
        return one(['text', 'a longer text', '7', 'us-east-1', 'v1.2', 'ALL']);
    }
  };
  const type = one(types);
  const [resource] = spec.lookup('resource', 'cloudFormationType', 'equals', type);
  const properties = (resource?.properties ?? {}) as Record<string, { type: SpecType }>;
  const names = Object.keys(properties).filter((name) => plainAnyway.has(name) || !notDrawn.test(name));
  const name = one(names);
  const value = valueOf(properties[name]?.type ?? { type: 'string' });
  return {
    name: `${type} ${name}: ${JSON.stringify(value)}`,
    edit: (template) =>
      added('', type, `${name}: ${JSON.stringify(value)}`).edit(
        // The template may have the property already.
        template.replaceAll(new RegExp(`^ {6}${name}:.*\\n(?: {8}.*\\n)*`, 'gm'), ''),
      ),
  };
}
