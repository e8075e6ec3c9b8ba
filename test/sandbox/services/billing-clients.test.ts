import {
  AthenaClient,
  CreateWorkGroupCommand,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  GetWorkGroupCommand,
  ListTableMetadataCommand,
  ListTagsForResourceCommand,
  StartQueryExecutionCommand,
  UpdateWorkGroupCommand,
} from '@aws-sdk/client-athena';
import {
  CloudFormationClient,
  CreateStackCommand,
  DescribeStackEventsCommand,
  DescribeStackResourceCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import {
  CostAndUsageReportServiceClient,
  DescribeReportDefinitionsCommand,
  PutReportDefinitionCommand,
  type PutReportDefinitionCommandInput,
} from '@aws-sdk/client-cost-and-usage-report-service';
import { GetCrawlerCommand, GetPartitionsCommand, GetTablesCommand, GlueClient } from '@aws-sdk/client-glue';
import {
  CreateBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketNotificationConfigurationCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startServer } from '../server.ts';
import { billingPolicy, billingWorld, payer } from '../testing/billing-world.ts';
import { athenaService } from './athena/service.ts';
import { cloudformationService } from './cloudformation/service.ts';
import { curService } from './cur/service.ts';
import { glueService } from './glue/service.ts';
import { s3Service } from './s3/service.ts';

const region = 'eu-central-1';
const Bucket = 'kubecost-cur';
const world = billingWorld();
const credentials = { accessKeyId: payer, secretAccessKey: 'any' };
let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer(world, [s3Service, curService, cloudformationService, glueService, athenaService]);
});
afterAll(() => server.close());

it('SDK clients make a report and query its data', async () => {
  const { endpoint } = server;
  const s3 = new S3Client({ region, endpoint, credentials, forcePathStyle: true });
  const tags = [{ Key: 'managed-by', Value: 'test' }];
  await s3.send(
    new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: region, Tags: tags } }),
  );
  await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: tags } }));
  await s3.send(
    new PutPublicAccessBlockCommand({
      Bucket,
      PublicAccessBlockConfiguration: { BlockPublicAcls: true, BlockPublicPolicy: true },
    }),
  );
  const sse = { Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' as const } }] };
  await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: sse }));
  const Rules = [{ ID: 'old', Status: 'Enabled' as const, Filter: { Prefix: '' }, Expiration: { Days: 400 } }];
  await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }));
  await s3.send(
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: { EventBridgeConfiguration: {} },
    }),
  );
  const Policy = billingPolicy(Bucket);
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy, ExpectedBucketOwner: payer }));

  expect((await s3.send(new HeadBucketCommand({ Bucket }))).BucketRegion).toBe(region);
  expect((await s3.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe(region);
  expect((await s3.send(new GetBucketPolicyCommand({ Bucket }))).Policy).toBe(Policy);
  expect((await s3.send(new GetBucketTaggingCommand({ Bucket }))).TagSet).toEqual(tags);
  expect((await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).Rules).toEqual(Rules);
  expect((await s3.send(new GetBucketEncryptionCommand({ Bucket }))).ServerSideEncryptionConfiguration).toEqual(sse);
  expect(await s3.send(new GetPublicAccessBlockCommand({ Bucket }))).toMatchObject({
    PublicAccessBlockConfiguration: { BlockPublicPolicy: true, IgnorePublicAcls: false },
  });
  expect(await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket }))).toMatchObject({
    EventBridgeConfiguration: {},
  });
  await s3.send(new PutObjectCommand({ Bucket, Key: 'a b', Body: 'text', ContentType: 'text/plain' }));
  const object = await s3.send(new GetObjectCommand({ Bucket, Key: 'a b' }));
  expect([await object.Body?.transformToString(), object.ContentType, object.ContentLength]).toEqual([
    'text',
    'text/plain',
    4,
  ]);
  await expect(s3.send(new HeadObjectCommand({ Bucket, Key: 'none' }))).rejects.toMatchObject({ name: 'NotFound' });
  const elsewhere = new S3Client({ region: 'eu-west-1', endpoint, credentials, forcePathStyle: true });
  await expect(elsewhere.send(new HeadBucketCommand({ Bucket }))).rejects.toMatchObject({
    $response: { statusCode: 301, headers: { 'x-amz-bucket-region': region } },
  });

  await world.clock.sleep(5_000);
  const cur = new CostAndUsageReportServiceClient({ region: 'us-east-1', endpoint, credentials });
  const input = {
    ReportDefinition: {
      ReportName: 'kubecost_cur',
      TimeUnit: 'DAILY',
      Format: 'Parquet',
      Compression: 'Parquet',
      AdditionalSchemaElements: ['RESOURCES'],
      AdditionalArtifacts: ['ATHENA'],
      ReportVersioning: 'OVERWRITE_REPORT',
      S3Bucket: Bucket,
      S3Prefix: 'cur',
      S3Region: region,
    },
  } as PutReportDefinitionCommandInput;
  await cur.send(new PutReportDefinitionCommand(input));
  await expect(cur.send(new PutReportDefinitionCommand(input))).rejects.toMatchObject({
    name: 'DuplicateReportNameException',
  });
  await world.clock.sleep(8 * 3_600_000);
  const reports = await cur.send(new DescribeReportDefinitionsCommand({}));
  expect(reports.ReportDefinitions).toMatchObject([{ ReportStatus: { lastStatus: 'SUCCESS' } }]);
  const listing = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'cur/kubecost_cur/', MaxKeys: 2 }));
  expect(listing).toMatchObject({ KeyCount: 2, IsTruncated: true });

  const template = await s3.send(new GetObjectCommand({ Bucket, Key: 'cur/kubecost_cur/crawler-cfn.yml' }));
  const cloudformation = new CloudFormationClient({ region, endpoint, credentials });
  const StackName = 'crawler';
  const missing = cloudformation.send(new DescribeStacksCommand({ StackName }));
  await expect(missing).rejects.toMatchObject({ name: 'ValidationError' });
  const stack = new CreateStackCommand({
    StackName,
    TemplateBody: await template.Body?.transformToString(),
    Capabilities: ['CAPABILITY_IAM'],
    TimeoutInMinutes: 30,
    Tags: tags,
  });
  await cloudformation.send(stack);
  await expect(cloudformation.send(stack)).rejects.toMatchObject({ name: 'AlreadyExistsException' });
  await world.clock.sleep(8 * 60_000);
  const stacks = await cloudformation.send(new DescribeStacksCommand({ StackName }));
  expect(stacks.Stacks).toMatchObject([{ StackStatus: 'CREATE_COMPLETE', Tags: tags, TimeoutInMinutes: 30 }]);
  const events = await cloudformation.send(new DescribeStackEventsCommand({ StackName }));
  expect(events.StackEvents?.[0]).toMatchObject({ LogicalResourceId: StackName, ResourceStatus: 'CREATE_COMPLETE' });
  const database = await cloudformation.send(
    new DescribeStackResourceCommand({ StackName, LogicalResourceId: 'AWSCURDatabase' }),
  );
  const DatabaseName = database.StackResourceDetail?.PhysicalResourceId ?? '';

  const glue = new GlueClient({ region, endpoint, credentials });
  const { Crawler } = await glue.send(new GetCrawlerCommand({ Name: 'AWSCURCrawler-kubecost_cur' }));
  expect(Crawler).toMatchObject({ State: 'READY', LastCrawl: { Status: 'SUCCEEDED' } });
  const { TableList = [] } = await glue.send(new GetTablesCommand({ DatabaseName }));
  expect(TableList.map(({ Name }) => Name).sort()).toEqual(['cost_and_usage_data_status', 'kubecost_cur']);
  const partitions = await glue.send(new GetPartitionsCommand({ DatabaseName, TableName: 'kubecost_cur' }));
  expect(partitions.Partitions).toMatchObject([{ Values: ['2026', '11'] }]);

  const athena = new AthenaClient({ region, endpoint, credentials });
  await athena.send(new CreateWorkGroupCommand({ Name: 'finops', Tags: tags }));
  await athena.send(
    new UpdateWorkGroupCommand({
      WorkGroup: 'finops',
      ConfigurationUpdates: { ResultConfigurationUpdates: { OutputLocation: `s3://${Bucket}/results/` } },
    }),
  );
  const { WorkGroup } = await athena.send(new GetWorkGroupCommand({ WorkGroup: 'finops' }));
  expect(WorkGroup?.Configuration?.ResultConfiguration?.OutputLocation).toBe(`s3://${Bucket}/results/`);
  const ResourceARN = `arn:aws:athena:${region}:${payer}:workgroup/finops`;
  expect((await athena.send(new ListTagsForResourceCommand({ ResourceARN }))).Tags).toEqual(tags);
  const metadata = await athena.send(new ListTableMetadataCommand({ CatalogName: 'AwsDataCatalog', DatabaseName }));
  expect(metadata.TableMetadataList).toHaveLength(2);
  const { QueryExecutionId } = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: `SELECT COUNT(*) AS lines FROM "${DatabaseName}"."kubecost_cur" WHERE year='2026' AND month='11'`,
      WorkGroup: 'finops',
    }),
  );
  await world.clock.sleep(7_000);
  const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
  expect(QueryExecution?.Status?.StateChangeReason).toBeUndefined();
  const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
  expect(ResultSet?.Rows).toEqual([{ Data: [{ VarCharValue: 'lines' }] }, { Data: [{ VarCharValue: '50' }] }]);
});
