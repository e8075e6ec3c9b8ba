import { randomUUID } from 'node:crypto';
import { AwsError, type CallContext } from '../../service.ts';
import type { World } from '../../world.ts';
import { startCrawl } from '../glue/crawl.ts';
import { s3Service } from '../s3/service.ts';
import { callAs, demand } from './act-as-caller.ts';

/** A Lambda function that a stack created. Its code is not run: the sandbox derives its effect from the text. */
export interface LambdaFunction {
  arn: string;
  accountId: string;
  region: string;
  roleArn: string;
  code: string;
  /** True if S3 may invoke it. */
  openToS3: boolean;
  tags: Record<string, string>;
}

/** The answer of a custom resource's function. `silence` is no answer: the stack waits until its timeout. */
export type FunctionAnswer = 'success' | 'silence';

/** What the function's code does when CloudFormation calls it; code of another kind only answers. */
export async function answerOf(
  world: World,
  made: LambdaFunction,
  properties: Record<string, unknown>,
  request: 'Create' | 'Delete',
): Promise<FunctionAnswer> {
  if (/putBucketNotificationConfiguration/i.test(made.code))
    return putNotificationByFunction(world, made, properties, request);
  return request === 'Create' && /startCrawler/i.test(made.code) ? startCrawlerByFunction(world, made) : 'success';
}

/** `AWSCURInitializer`: starts the crawler that its code names. */
export function startCrawlerByFunction(world: World, made: LambdaFunction): FunctionAnswer {
  const [, name = ''] = /Name: '([^']+)'/.exec(made.code) ?? [];
  const cx = roleContext(world, made);
  demand(cx, {
    action: 'glue:StartCrawler',
    resources: [`arn:aws:glue:${made.region}:${made.accountId}:crawler/${name}`],
  });
  const crawler = world.glue.catalog(made.accountId, made.region).crawlers.get(name);
  if (!crawler) throw customFailure(`Crawler entry with name ${name} does not exist`);
  // The function treats a running crawler as success and does not answer CloudFormation.
  if (crawler.state !== 'READY') return 'silence';
  startCrawl(world, crawler);
  return 'success';
}

/** `AWSS3CURNotification`: writes the bucket's whole notification configuration, on delete an empty one. */
async function putNotificationByFunction(
  world: World,
  made: LambdaFunction,
  properties: Record<string, unknown>,
  request: 'Create' | 'Delete',
): Promise<FunctionAnswer> {
  const rule = {
    Events: ['s3:ObjectCreated:*'],
    LambdaFunctionArn: properties.TargetLambdaArn,
    Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: properties.ReportKey }] } },
  };
  const NotificationConfiguration = request === 'Delete' ? {} : { LambdaFunctionConfigurations: [rule] };
  const input = { Bucket: properties.BucketName, NotificationConfiguration };
  try {
    await callAs(roleContext(world, made), s3Service, 'PutBucketNotificationConfiguration', input);
  } catch (error) {
    throw customFailure((error as Error).message);
  }
  return 'success';
}

function roleContext(world: World, { accountId, roleArn, region, arn }: LambdaFunction): CallContext {
  const session = `assumed-role/${roleArn.split('/').at(-1) ?? ''}/${arn.split(':').at(-1) ?? ''}`;
  const caller = { accountId, arn: `arn:aws:sts::${accountId}:${session}`, roleArn };
  return { world, caller, region, now: world.clock.now() };
}

function customFailure(message: string): AwsError {
  return new AwsError(
    'CustomResourceFailed',
    `Received response status [FAILED] from custom resource. Message returned: ${message} (RequestId: ${randomUUID()})`,
  );
}
