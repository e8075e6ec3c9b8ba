import { CloudFormationClient, CreateStackCommand } from '@aws-sdk/client-cloudformation';
import { newClient } from '../../shared/aws/clients.ts';
import { crawlerStackName, curBucketName } from '../../shared/aws/names.ts';
import { managedBy } from '../../shared/model/ownership.ts';
import type { World } from '../sandbox/index.ts';
import { deploymentId } from './deployed-sandbox.ts';

const usual = 'us-east-1';
const report = 'kubecost_cur';
export const nativeStackName = crawlerStackName(report);

/** The stack that a person deployed by hand from the template beside the report. */
export async function deployByHand(world: World, payer: string, stackName = 'MyCURAthena'): Promise<void> {
  const body = world.s3.text(curBucketName(payer, usual), `kubecost/${report}/crawler-cfn.yml`) ?? '';
  await createStack(world, { payer, region: usual }, stackName, body, {});
}

/** The native crawler stack that release 0.3.0 deployed. */
export async function deployNative(world: World, payer: string, region = usual): Promise<void> {
  const tags = { 'managed-by': managedBy, 'deployment-id': deploymentId, 'run-id': 'r-0.3.0', crawler: 'native' };
  await createStack(world, { payer, region }, nativeStackName, nativeTemplate(payer, region), tags);
}

async function createStack(
  { clock }: World,
  { payer, region }: { payer: string; region: string },
  StackName: string,
  TemplateBody: string,
  tags: Record<string, string>,
): Promise<void> {
  const asOwner = () => Promise.resolve({ accessKeyId: payer, secretAccessKey: 'x' });
  await newClient(CloudFormationClient, region, asOwner).send(
    new CreateStackCommand({
      StackName,
      TemplateBody,
      Capabilities: ['CAPABILITY_IAM'],
      Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    }),
  );
  await clock.sleep(10 * 60_000);
}

function nativeTemplate(payer: string, region: string): string {
  const bucket = curBucketName(payer, region);
  const database = 'athenacurcfn_kubecost_cur';
  const home = `s3://${bucket}/kubecost/${report}`;
  const statement = (Action: string | string[], Resource: string | string[]) => ({ Effect: 'Allow', Action, Resource });
  const glue = `arn:aws:glue:${region}:${payer}`;
  return JSON.stringify({
    Resources: {
      AWSCURDatabase: {
        Type: 'AWS::Glue::Database',
        Properties: { CatalogId: { Ref: 'AWS::AccountId' }, DatabaseInput: { Name: database } },
      },
      AWSCURCrawlerRole: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: {
            Version: '2012-10-17',
            Statement: [{ Effect: 'Allow', Principal: { Service: 'glue.amazonaws.com' }, Action: 'sts:AssumeRole' }],
          },
          Policies: [
            {
              PolicyName: 'crawl-report',
              PolicyDocument: {
                Version: '2012-10-17',
                Statement: [
                  statement(
                    ['glue:GetDatabase', 'glue:GetTable', 'glue:CreateTable', 'glue:UpdateTable'],
                    [`${glue}:catalog`, `${glue}:database/${database}`, `${glue}:table/${database}/*`],
                  ),
                  statement('s3:GetObject', `arn:aws:s3:::${bucket}/kubecost/${report}/${report}/*`),
                ],
              },
            },
          ],
        },
      },
      AWSCURCrawler: {
        Type: 'AWS::Glue::Crawler',
        Properties: {
          Name: `AWSCURCrawler-${report}`,
          Role: { 'Fn::GetAtt': ['AWSCURCrawlerRole', 'Arn'] },
          DatabaseName: { Ref: 'AWSCURDatabase' },
          Schedule: { ScheduleExpression: 'cron(15 4 * * ? *)' },
          Targets: { S3Targets: [{ Path: `${home}/${report}`, Exclusions: ['**.json', '**.yml', '**.sql'] }] },
        },
      },
      AWSCURReportStatusTable: {
        Type: 'AWS::Glue::Table',
        Properties: {
          CatalogId: { Ref: 'AWS::AccountId' },
          DatabaseName: { Ref: 'AWSCURDatabase' },
          TableInput: {
            Name: 'cost_and_usage_data_status',
            TableType: 'EXTERNAL_TABLE',
            StorageDescriptor: { Location: `${home}/cost_and_usage_data_status/` },
          },
        },
      },
    },
  });
}
