import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { crawlerStackName, curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import type { Stack } from '../sandbox/index.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import type { OneRun } from '../support/step-harness.ts';
import type { StepOutcome } from '../support/take-step.ts';

let billing: PayerHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  billing = await PayerHarness.open();
});
afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const stackName = crawlerStackName('kubecost_cur');
const template = 'kubecost/kubecost_cur/crawler-cfn.yml';
const data = 'kubecost/kubecost_cur/kubecost_cur';
const done = ({ record }: StepOutcome) => record.changes.map((change) => change.do);
const output = ({ record }: StepOutcome) => outputs['crawler-stack'].parse(record.output);
const stackOf = (payer: string): Stack | undefined => billing.world.cloudformation.find(payer, region, stackName);

/** A payer with a delivered new report, and a run whose next step is the crawler stack. */
async function delivered(changes: Partial<OnboardingRequestInput> = {}, before?: (payer: string) => void) {
  const payer = billing.newPayer();
  before?.(payer);
  const run = await billing.begin(payer, changes);
  await billing.takeUntil('crawler-stack', run);
  const bucket = billing.world.s3.buckets.get(curBucketName(payer, region));
  if (!bucket) throw new Error('no bucket');
  return { payer, run, bucket };
}

async function tableOf(run: OneRun) {
  return outputs['crawler-table'].parse((await run.take('crawler-table')).record.output);
}

describe('the crawler stack', () => {
  it('restores the other notifications that AWS’s template erases', async () => {
    const { run, bucket } = await delivered();
    const queue = { Id: 'audit', QueueArn: 'arn:aws:sqs:us-east-1:1:audit', Events: ['s3:ObjectRemoved:*' as const] };
    bucket.notification = { QueueConfigurations: [queue], EventBridgeConfiguration: {} };
    const taken = await run.take('crawler-stack');
    expect(done(taken)).toEqual(['create-stack', 'restore-notifications']);
    expect(output(taken).kind).toBe('template');
    expect(bucket.notification).toMatchObject({ QueueConfigurations: [queue], EventBridgeConfiguration: {} });
    expect(bucket.notification.LambdaFunctionConfigurations).toHaveLength(1);
  });

  it('has our own crawler if the bucket’s notifications overlap', async () => {
    const { run, bucket } = await delivered();
    const rule = { Id: 'loader', QueueArn: 'arn:aws:sqs:us-east-1:1:q', Events: ['s3:ObjectCreated:*' as const] };
    bucket.notification = { QueueConfigurations: [rule] };
    const taken = await run.take('crawler-stack');
    expect(output(taken).kind).toBe('native');
    expect(taken.record.changes[0]?.note).toContain('loader');
    expect(bucket.notification).toEqual({ QueueConfigurations: [rule] });
  });

  it.each<[string, (payer: string) => void, string]>([
    [
      'Lambda has too little concurrency',
      (payer) => {
        billing.world.lambda.setConcurrency(payer, region, 10);
      },
      'the account can reserve only 0',
    ],
    [
      'AWS’s template has a retired runtime',
      (payer) => billing.world.cur.templateRuntimes.set(payer, 'nodejs16.x'),
      'nodejs16.x',
    ],
  ])('has our own crawler if %s', async (_, before, note) => {
    const { payer, run } = await delivered({}, before);
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toMatchObject({ kind: 'native', crawlerName: 'AWSCURCrawler-kubecost_cur' });
    expect(taken.record.changes[0]?.note).toContain(note);
    const types = [...(stackOf(payer)?.resources.values() ?? [])].map(({ type }) => type);
    expect(types.filter((type) => /Lambda|Custom/.test(type))).toEqual([]);
    expect(await tableOf(run)).toMatchObject({
      athenaDatabase: 'athenacurcfn_kubecost_cur',
      athenaTable: 'kubecost_cur',
    });
  });

  it('is refused in mode template if AWS’s template cannot be deployed', async () => {
    const { run } = await delivered({ crawler: 'template' }, (payer) => {
      billing.world.lambda.setConcurrency(payer, region, 10);
    });
    expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe('crawler-template-unusable');
  });

  it('is never created from a changed template', async () => {
    const { payer, run, bucket } = await delivered();
    const body = billing.world.s3.text(bucket.name, template) ?? '';
    billing.world.s3.put(bucket.name, template, body.replace("'glue:StartCrawler'", "'iam:*'"));
    expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe('crawler-template-not-trusted');
    expect(stackOf(payer)).toBeUndefined();
  });

  it('has our own crawler after Lambda has refused a runtime', async () => {
    const { payer, run } = await delivered();
    const created = run.take('crawler-stack');
    await billing.world.clock.sleep(40_000);
    const stack = stackOf(payer);
    if (!stack) throw new Error('no stack');
    failResource(
      stack,
      'AWSCURInitializer',
      'The runtime parameter of nodejs22.x is no longer supported for creating or updating',
    );
    const taken = await created;
    expect(done(taken)).toEqual(['create-stack', 'delete-stack-remnant', 'create-stack']);
    expect(output(taken).kind).toBe('native');
  });

  it('reports its first failed resource, and the next run replaces it', async () => {
    const { payer, run } = await delivered();
    const catalog = billing.world.glue.catalog(payer, region);
    catalog.databases.set('athenacurcfn_kubecost_cur', {
      input: { Name: 'athenacurcfn_kubecost_cur' },
      createdAt: 0,
      tables: new Map(),
    });
    const { code, message } = await knownErrorOf(run.take('crawler-stack'));
    expect(code).toBe('crawler-stack-failed');
    expect(message).toContain('AWSCURDatabase: Database already exists');
    expect(stackOf(payer)?.status).toBe('ROLLBACK_COMPLETE');

    catalog.databases.delete('athenacurcfn_kubecost_cur');
    const again = await billing.begin(payer);
    const taken = await billing.takeTo('crawler-stack', again);
    expect(done(taken)).toEqual(['delete-stack-remnant', 'create-stack']);
    expect(output(taken).stackId).toBe(stackOf(payer)?.id);
  });

  it('reports Lake Formation as the cause of its failure', async () => {
    const { run } = await delivered({}, (payer) => {
      billing.world.lakeformation.lock(payer, region);
    });
    expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe('lake-formation-locked');
  });

  it('is not deployed if the report already has a table', async () => {
    const { payer, run, bucket } = await delivered({ report: { name: 'kubecost_cur' } });
    billing.world.glue.seedTable({
      accountId: payer,
      region,
      database: 'athenacurcfn_kubecost_cur',
      location: `s3://${bucket.name}/${data}/`,
    });
    const taken = await run.take('crawler-stack');
    expect(done(taken)).toEqual([]);
    expect(output(taken)).toEqual({
      kind: 'adopted-table',
      stackId: null,
      crawlerName: null,
      athenaDatabase: 'athenacurcfn_kubecost_cur',
    });
    expect(await tableOf(run)).toMatchObject({
      athenaTable: 'kubecost_cur',
      newestPartition: { year: '2026', month: '11' },
    });
  });
});

describe('the crawler’s table', () => {
  it('is refused if another table uses the report’s data', async () => {
    const { payer, run, bucket } = await delivered();
    await run.take('crawler-stack');
    const database = billing.world.glue.catalog(payer, region).databases.get('athenacurcfn_kubecost_cur');
    const seed = {
      accountId: payer,
      region,
      database: 'athenacurcfn_kubecost_cur',
      location: `s3://${bucket.name}/${data}/`,
    };
    billing.world.glue.seedTable({ ...seed, table: 'by_hand' });
    billing.world.glue.seedTable({ ...seed, table: 'kubecost_cur' });
    expect(database?.tables.size).toBeGreaterThan(2);
    expect((await knownErrorOf(run.take('crawler-table'))).code).toBe('table-ambiguous');
  });

  it('is ready after AWS’s own first crawl', async () => {
    const { run } = await delivered();
    await run.take('crawler-stack');
    const taken = await run.take('crawler-table');
    expect(taken.record.output).toMatchObject({ athenaTable: 'kubecost_cur' });
    expect(done(taken).length).toBeLessThan(2);
  });

  it('is refused with Glue’s message if the crawl fails', async () => {
    const { payer, run } = await delivered({ crawler: 'native' });
    await run.take('crawler-stack');
    const role = billing.world.iam.roles(payer).find(({ arn }) => arn.includes('AWSCURCrawlerRole'));
    role?.inline.clear();
    const { code, message } = await knownErrorOf(run.take('crawler-table'));
    expect(code).toBe('crawl-failed');
    expect(message).toContain('Access Denied');
  });

  it('is not found after two crawls without data', async () => {
    const { run, bucket } = await delivered({ crawler: 'native' });
    await run.take('crawler-stack');
    for (const key of bucket.objects.keys()) if (key.endsWith('.parquet')) bucket.objects.delete(key);
    const { code, message } = await knownErrorOf(run.take('crawler-table'));
    expect(code).toBe('table-not-found');
    expect(message).toContain('after 2 crawls');
  });
});

/** Makes the creation of a resource fail, as if its service had refused it. */
function failResource(stack: Stack, logicalId: string, reason: string): void {
  stack.events.push({
    EventId: `planted-${logicalId}`,
    StackId: stack.id,
    StackName: stack.name,
    LogicalResourceId: logicalId,
    ResourceType: 'AWS::Lambda::Function',
    Timestamp: new Date(billing.world.clock.now()),
    ResourceStatus: 'CREATE_FAILED',
    ResourceStatusReason: reason,
  });
  stack.status = 'ROLLBACK_COMPLETE';
  stack.activity++;
}
