import { parseDocument, type ScalarTag, visit } from 'yaml';
import * as z from 'zod';
import { crawlerDatabase, crawlerName, dataPath, type ReportPlace, reportRoot } from './report-location.ts';

export type Inspection =
  | { trusted: false; reason: string }
  | { trusted: true; database: string; crawlerName: string; runtimes: string[]; reservedConcurrency: number };

/** CreateStack's limit for a body; AWS's template has about 10 kB. */
const maxBytes = 51_200;

const shortTags: ScalarTag[] = [
  { tag: '!Ref', resolve: (text) => ({ Ref: text }) },
  { tag: '!Sub', resolve: (text) => ({ 'Fn::Sub': text }) },
  { tag: '!GetAtt', resolve: (text) => ({ 'Fn::GetAtt': text.split('.') }) },
];

/**
 * Reads the template that AWS writes beside the report as hostile input: everybody who can write to the bucket could have changed
 * it, and it is deployed with our rights. Everything must be as AWS writes it. The code of the two functions may differ, because
 * their roles only allow to start a crawler and to set this bucket's notification.
 */
export function inspectCrawlerTemplate(body: string, report: ReportPlace): Inspection {
  if (Buffer.byteLength(body) > maxBytes) return { trusted: false, reason: `it is larger than ${maxBytes} bytes` };
  const document = parseDocument(body, { customTags: shortTags, logLevel: 'silent' });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) return { trusted: false, reason: firstLine(problem.message) };
  const aliases: unknown[] = [];
  visit(document, { Alias: (_, node) => void aliases.push(node) });
  if (aliases.length > 0) return { trusted: false, reason: 'it holds YAML aliases' };

  const parsed = templateOf(report).safeParse(document.toJS());
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { trusted: false, reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}` };
  }
  const {
    AWSCURDatabase: database,
    AWSCURInitializer: starter,
    AWSS3CURNotification: notifier,
  } = parsed.data.Resources;
  const functions = [starter.Properties, notifier.Properties];
  return {
    trusted: true,
    database: database.Properties.DatabaseInput.Name,
    crawlerName: crawlerName(report.reportName),
    runtimes: functions.map(({ Runtime }) => Runtime),
    reservedConcurrency: functions.reduce((sum, { ReservedConcurrentExecutions: n = 0 }) => sum + n, 0),
  };
}

/**
 * True if Lambda creates no functions on the runtime. The list may be out of date, so the crawler stack also recognizes
 * Lambda's refusal by its message.
 */
export function isRetiredRuntime(runtime: string): boolean {
  return /^nodejs(4\.3|6\.10|8\.10|1[02468]\.x)?$|^python(2\.7|3\.[6-8])$/.test(runtime);
}

const manyOf = <Item extends z.ZodType>(item: Item) => z.union([item, z.array(item)]);
const ref = (name: string) => z.strictObject({ Ref: z.literal(name) });
const arnOfResource = (id: string) => z.strictObject({ 'Fn::GetAtt': z.tuple([z.literal(id), z.literal('Arn')]) });

/** An ARN in AWS's spellings: since 2022 with the partition, before as plain text. */
const arn = (rest: string) =>
  z.union([
    z.literal(`arn:aws:${rest}`),
    z.strictObject({ 'Fn::Sub': z.literal([`arn:\${AWS::Partition}:${rest}`, `arn:aws:${rest}`]) }),
  ]);

const resource = <Type extends string, Properties extends z.ZodType>(type: Type, properties: Properties) =>
  z.strictObject({ Type: z.literal(type), DependsOn: manyOf(z.string()).optional(), Properties: properties });

const allow = (actions: readonly [string, ...string[]], target: z.ZodType) =>
  z.strictObject({ Effect: z.literal('Allow'), Action: manyOf(z.enum(actions)), Resource: manyOf(target) });

const writeLogs = allow(['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'], arn('logs:*:*:*'));

function role(service: string, statements: z.ZodType[], managedPolicies: z.ZodType = z.never()) {
  return resource(
    'AWS::IAM::Role',
    z.strictObject({
      AssumeRolePolicyDocument: z.strictObject({
        Version: z.string(),
        Statement: z.array(
          z.strictObject({
            Effect: z.literal('Allow'),
            Principal: z.strictObject({ Service: manyOf(z.literal(service)) }),
            Action: manyOf(z.literal('sts:AssumeRole')),
          }),
        ),
      }),
      Path: z.literal('/').optional(),
      ManagedPolicyArns: z.array(managedPolicies).optional(),
      Policies: z.array(
        z.strictObject({
          PolicyName: z.string(),
          PolicyDocument: z.strictObject({
            Version: z.string(),
            Statement: z.array(z.union([writeLogs, ...statements])),
          }),
        }),
      ),
    }),
  );
}

const lambdaFunction = (roleId: string) =>
  resource(
    'AWS::Lambda::Function',
    z.strictObject({
      Code: z.strictObject({ ZipFile: z.string() }),
      Handler: z.literal('index.handler'),
      Timeout: z.int().max(900),
      Runtime: z.string().regex(/^(nodejs|python)\d+\.(x|\d+)$/),
      ReservedConcurrentExecutions: z.int().optional(),
      Role: arnOfResource(roleId),
    }),
  );

/** The eleven resources of AWS's template for this report. */
function templateOf(report: ReportPlace) {
  const { bucket, reportName } = report;
  const data = dataPath(report);
  const plain = (name: string) => name.replace(/[^a-z0-9]/gi, '').toLowerCase();
  const databaseName = z
    .string()
    .regex(/^athenacurcfn_[a-z0-9_]+$/)
    .refine((name) => plain(name) === plain(crawlerDatabase(reportName)), 'is not the database of this report');
  return z.strictObject({
    AWSTemplateFormatVersion: z.literal('2010-09-09'),
    Resources: z.strictObject({
      AWSCURDatabase: resource(
        'AWS::Glue::Database',
        z.strictObject({ DatabaseInput: z.strictObject({ Name: databaseName }), CatalogId: ref('AWS::AccountId') }),
      ),
      AWSCURCrawlerComponentFunction: role(
        'glue.amazonaws.com',
        [
          allow(
            [
              'glue:UpdateDatabase',
              'glue:UpdatePartition',
              'glue:CreateTable',
              'glue:UpdateTable',
              'glue:ImportCatalogToGlue',
            ],
            z.literal('*'),
          ),
          allow(['s3:GetObject', 's3:PutObject'], arn(`s3:::${bucket}/${data}*`)),
          allow(['kms:Decrypt'], z.literal('*')),
        ],
        arn('iam::aws:policy/service-role/AWSGlueServiceRole'),
      ),
      AWSCURCrawlerLambdaExecutor: role('lambda.amazonaws.com', [allow(['glue:StartCrawler'], z.literal('*'))]),
      AWSCURCrawler: resource(
        'AWS::Glue::Crawler',
        z.strictObject({
          Name: z.literal(crawlerName(reportName)),
          Description: z.string().optional(),
          Role: arnOfResource('AWSCURCrawlerComponentFunction'),
          DatabaseName: z.union([ref('AWSCURDatabase'), databaseName]),
          Targets: z.strictObject({
            S3Targets: z.tuple([
              z.strictObject({
                Path: z.literal([`s3://${bucket}/${data}`, `s3://${bucket}/${data}/`]),
                Exclusions: z.array(z.string()).optional(),
              }),
            ]),
          }),
          SchemaChangePolicy: z.record(z.string(), z.string()).optional(),
        }),
      ),
      AWSCURInitializer: lambdaFunction('AWSCURCrawlerLambdaExecutor'),
      AWSStartCURCrawler: resource(
        'Custom::AWSStartCURCrawler',
        z.strictObject({ ServiceToken: arnOfResource('AWSCURInitializer') }),
      ),
      AWSS3CUREventLambdaPermission: resource(
        'AWS::Lambda::Permission',
        z.strictObject({
          Action: z.literal('lambda:InvokeFunction'),
          FunctionName: arnOfResource('AWSCURInitializer'),
          Principal: z.literal('s3.amazonaws.com'),
          SourceAccount: ref('AWS::AccountId'),
          SourceArn: arn(`s3:::${bucket}`),
        }),
      ),
      AWSS3CURLambdaExecutor: role('lambda.amazonaws.com', [
        allow(['s3:PutBucketNotification'], arn(`s3:::${bucket}`)),
      ]),
      AWSS3CURNotification: lambdaFunction('AWSS3CURLambdaExecutor'),
      AWSPutS3CURNotification: resource(
        'Custom::AWSPutS3CURNotification',
        z.strictObject({
          ServiceToken: arnOfResource('AWSS3CURNotification'),
          TargetLambdaArn: arnOfResource('AWSCURInitializer'),
          BucketName: z.literal(bucket),
          ReportKey: z.literal(data),
        }),
      ),
      AWSCURReportStatusTable: resource(
        'AWS::Glue::Table',
        z.strictObject({
          DatabaseName: z.union([ref('AWSCURDatabase'), databaseName]),
          CatalogId: ref('AWS::AccountId'),
          TableInput: z.strictObject({
            Name: z.literal('cost_and_usage_data_status'),
            TableType: z.literal('EXTERNAL_TABLE'),
            StorageDescriptor: z.looseObject({
              Location: z.literal(`s3://${bucket}/${reportRoot(report)}cost_and_usage_data_status/`),
            }),
          }),
        }),
      ),
    }),
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
