import { policyOf } from '../aws/policy-document.ts';
import {
  crawlerDatabase,
  crawlerName,
  dataLocation,
  dataPath,
  type ReportPlace,
  reportRoot,
} from './report-location.ts';

interface NativeCrawler extends ReportPlace {
  accountId: string;
  region: string;
  kmsKeyArn: string | null;
}

/**
 * Our own template, used if AWS's cannot be deployed. Database, crawler and status table have the same names and settings, so that
 * the table is the same. A daily schedule replaces the two Lambda functions and the bucket's notification.
 */
export function nativeCrawlerTemplate(report: NativeCrawler): string {
  const { reportName, bucket } = report;
  const database = { Ref: 'AWSCURDatabase' };
  const catalog = { Ref: 'AWS::AccountId' };
  const template = {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: `Athena table of the Cost and Usage Report ${reportName}`,
    Resources: {
      AWSCURDatabase: {
        Type: 'AWS::Glue::Database',
        Properties: { CatalogId: catalog, DatabaseInput: { Name: crawlerDatabase(reportName) } },
      },
      AWSCURCrawlerRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: policyOf({
            Effect: 'Allow',
            Principal: { Service: 'glue.amazonaws.com' },
            Action: 'sts:AssumeRole',
          }),
          Policies: [{ PolicyName: 'crawl-report', PolicyDocument: crawlerPolicy(report) }],
        },
      },
      AWSCURCrawler: {
        Type: 'AWS::Glue::Crawler',
        Properties: {
          Name: crawlerName(reportName),
          Role: { 'Fn::GetAtt': ['AWSCURCrawlerRole', 'Arn'] },
          DatabaseName: database,
          Schedule: { ScheduleExpression: 'cron(15 4 * * ? *)' },
          Targets: {
            S3Targets: [
              {
                Path: dataLocation(report),
                Exclusions: ['**.json', '**.yml', '**.sql', '**.csv', '**.gz', '**.zip'],
              },
            ],
          },
          SchemaChangePolicy: { UpdateBehavior: 'UPDATE_IN_DATABASE', DeleteBehavior: 'DELETE_FROM_DATABASE' },
        },
      },
      AWSCURReportStatusTable: {
        Type: 'AWS::Glue::Table',
        Properties: {
          CatalogId: catalog,
          DatabaseName: database,
          TableInput: {
            Name: 'cost_and_usage_data_status',
            TableType: 'EXTERNAL_TABLE',
            StorageDescriptor: {
              Columns: [{ Name: 'status', Type: 'string' }],
              InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
              OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
              SerdeInfo: { SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
              Location: `s3://${bucket}/${reportRoot(report)}cost_and_usage_data_status/`,
            },
          },
        },
      },
    },
  };
  return `${JSON.stringify(template, null, 2)}\n`;
}

/** A crawler reads the report's files, writes tables and partitions of one database, and writes its log. */
function crawlerPolicy(report: NativeCrawler) {
  const { accountId, region, reportName, bucket, kmsKeyArn } = report;
  const glue = `arn:aws:glue:${region}:${accountId}`;
  const database = crawlerDatabase(reportName);
  return policyOf(
    {
      Effect: 'Allow',
      Action: [
        'glue:BatchCreatePartition',
        'glue:BatchDeletePartition',
        'glue:BatchGetPartition',
        'glue:BatchUpdatePartition',
        'glue:CreatePartition',
        'glue:CreateTable',
        'glue:DeletePartition',
        'glue:DeleteTable',
        'glue:GetDatabase',
        'glue:GetPartition',
        'glue:GetPartitions',
        'glue:GetTable',
        'glue:GetTables',
        'glue:UpdatePartition',
        'glue:UpdateTable',
      ],
      Resource: [`${glue}:catalog`, `${glue}:database/${database}`, `${glue}:table/${database}/*`],
    },
    { Effect: 'Allow', Action: ['s3:GetBucketLocation', 's3:ListBucket'], Resource: `arn:aws:s3:::${bucket}` },
    { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/${dataPath(report)}/*` },
    {
      Effect: 'Allow',
      Action: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      Resource: `arn:aws:logs:${region}:${accountId}:log-group:/aws-glue/crawlers*`,
    },
    ...(kmsKeyArn ? [{ Effect: 'Allow' as const, Action: 'kms:Decrypt', Resource: kmsKeyArn }] : []),
  );
}
