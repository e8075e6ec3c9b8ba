import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { crawlerStackName, curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { lambdaRefusals, type PlantedFailure, type Stack } from '../sandbox/index.ts';
import { deployByHand, deployNative } from '../support/crawler-stacks.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import type { OneRun } from '../support/step-harness.ts';
import type { StepOutcome } from '../support/take-step.ts';

let billing: PayerHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  billing = await PayerHarness.open();
});
afterEach(async () => {
  await billing.endRuns();
  billing.world.faults.splice(0);
  billing.world.cloudformation.plantedFailures.splice(0);
});
afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

/** Lambda functions of all accounts before the payer’s run. */
let functionsBefore = 0;

const ownTable = { kind: 'none', stackId: null, crawlerName: null, athenaDatabase: 'kubecostcur_kubecost_cur' };
const region = 'us-east-1';
const stackName = crawlerStackName('kubecost_cur');
const data = 'kubecost/kubecost_cur/kubecost_cur';
const done = ({ record }: StepOutcome) => record.changes.map((change) => change.do);
const output = ({ record }: StepOutcome) => outputs['crawler-stack'].parse(record.output);
const stackOf = (payer: string): Stack | undefined => billing.world.cloudformation.find(payer, region, stackName);

/** A payer with a delivered new report, and a run whose next step is the crawler stack. */
async function delivered(
  changes: Partial<OnboardingRequestInput> = {},
  before?: (payer: string) => unknown,
  parameters: Record<string, string> = {},
) {
  const payer = billing.newPayer(parameters);
  functionsBefore = billing.world.cloudformation.functions.size;
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

  it('is our own table if the bucket’s notifications overlap', async () => {
    const { run, bucket } = await delivered();
    const rule = { Id: 'loader', QueueArn: 'arn:aws:sqs:us-east-1:1:q', Events: ['s3:ObjectCreated:*' as const] };
    bucket.notification = { QueueConfigurations: [rule] };
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining('loader')]);
    expect(bucket.notification).toEqual({ QueueConfigurations: [rule] });
  });

  it.each<[string, (payer: string) => unknown, string]>([
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
    [
      'AWS’s template could do more',
      (payer) => billing.world.cur.templateEdits.set(payer, (text) => text.replace("'glue:StartCrawler'", "'iam:*'")),
      'allows iam:*',
    ],
    [
      'AWS’s template is not there',
      (payer) => billing.world.cur.layouts.set(payer, { template: 'nowhere' }),
      'does not exist in the bucket',
    ],
    [
      'our role may not read the account’s limits',
      (accountId) =>
        billing.world.faults.push({ kind: 'denied', accountId, operation: 'GetAccountSettings', nth: 'from-2' }),
      'GetAccountSettings',
    ],
    [
      'CloudFormation refuses the stack',
      (accountId) => billing.world.faults.push({ kind: 'denied', accountId, operation: 'CreateStack' }),
      'CloudFormation refuses stack',
    ],
  ])('is our own table if %s', async (_, before, why) => {
    const { payer, run } = await delivered({}, before);
    const taken = await run.take('crawler-stack');
    billing.world.faults.splice(0);
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining(why)]);
    expect(stackOf(payer)).toBeUndefined();
    expect(await tableOf(run)).toMatchObject({ athenaDatabase: 'kubecostcur_kubecost_cur' });
    expect(billing.world.cloudformation.functions.size).toBe(functionsBefore);
  });

  it.each([
    ['none', 'set parameter Crawler'],
    ['remove', 'set parameter Crawler'],
  ])('is our own table if the access template has Crawler: %s', async (Crawler, why) => {
    const { run } = await delivered({}, undefined, { Crawler });
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining(why)]);
    expect(await tableOf(run)).toMatchObject({ athenaDatabase: 'kubecostcur_kubecost_cur' });
  });

  it.each<[OnboardingRequestInput['crawler'], unknown[]]>([
    ['none', []],
    ['native', [expect.stringContaining('native means none in this release')]],
  ])('is our own table in mode %s, without a stack', async (crawler, warnings) => {
    const { payer, run } = await delivered({ crawler });
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual(warnings);
    expect([done(taken), stackOf(payer)]).toEqual([[], undefined]);
  });

  it.each<[string, (payer: string) => unknown, string]>([
    [
      'cannot be deployed',
      (payer) => {
        billing.world.lambda.setConcurrency(payer, region, 10);
      },
      'crawler-template-unusable',
    ],
    [
      'could do more',
      (payer) => billing.world.cur.templateEdits.set(payer, (text) => text.replace("'glue:StartCrawler'", "'iam:*'")),
      'crawler-template-not-trusted',
    ],
  ])('is refused in mode template if AWS’s template %s', async (_, before, code) => {
    const { payer, run } = await delivered({ crawler: 'template' }, before);
    expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe(code);
    expect(stackOf(payer)).toBeUndefined();
  });

  it('is refused in mode template before anything is made without its parameter', async () => {
    const { code, message } = await knownErrorOf(delivered({ crawler: 'template' }, undefined, { Crawler: 'none' }));
    expect([code, message]).toEqual([
      'access-parameter-differs',
      expect.stringContaining('set parameter Crawler to full'),
    ]);
  });

  it('warns of a crawler that may split its table', async () => {
    const { run } = await delivered();
    expect((await run.take('crawler-stack')).record.warnings).toEqual([
      expect.stringContaining('TableGroupingPolicy CombineCompatibleSchemas'),
    ]);
    const combining = `Configuration: '{"Version":1.0,"CrawlerOutput":{"Tables":{"AddOrUpdateBehavior":"MergeNewColumns"}},"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}'`;
    const other = await delivered({}, (payer) =>
      billing.world.cur.templateEdits.set(payer, (text) =>
        text.replace('      SchemaChangePolicy:', `      ${combining}\n      SchemaChangePolicy:`),
      ),
    );
    expect((await other.run.take('crawler-stack')).record.warnings).toEqual([]);
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

describe('a stack of AWS’s template that fails', () => {
  const failures: [string, PlantedFailure['type'], PlantedFailure['error']][] = [
    ...Object.entries(lambdaRefusals).map(
      ([name, error]) => [name, 'AWS::Lambda::Function', error] satisfies (typeof failures)[number],
    ),
    [
      'a retired runtime',
      'AWS::Lambda::Function',
      { code: 'InvalidParameterValueException', message: 'The runtime parameter of nodejs22.x is no longer supported' },
    ],
    [
      'reserved concurrency',
      'AWS::Lambda::Function',
      {
        code: 'InvalidParameterValueException',
        message: "decreases account's UnreservedConcurrentExecution below its minimum value of [100]",
      },
    ],
    ['a denied role', 'AWS::IAM::Role', { code: 'AccessDenied', message: 'not authorized to perform: iam:CreateRole' }],
    ['a silent custom resource', 'Custom::', 'silence'],
  ];

  it.each(failures)('leads to our own table and no remnant after %s', async (_, type, error) => {
    const { payer, run, bucket } = await delivered();
    bucket.notification = { EventBridgeConfiguration: {} };
    plant(payer, { type, error, during: 'create' });
    const taken = await run.take('crawler-stack');
    expect(done(taken).slice(0, 2)).toEqual(['create-stack', 'delete-stack-remnant']);
    expect(output(taken)).toEqual(ownTable);
    const cause = error === 'silence' ? 'exceeded the specified timeout' : error.message;
    expect(taken.record.changes[1]?.note).toContain(cause);
    expect(taken.record.warnings).toEqual([expect.stringContaining(cause)]);
    expect(stackOf(payer)).toBeUndefined();
    expect(bucket.notification).toEqual({ EventBridgeConfiguration: {} });
    expect(taken.seconds).toBeLessThan(50 * 60);
    expect(await tableOf(run)).toMatchObject({ athenaDatabase: 'kubecostcur_kubecost_cur' });
  });

  it.each<[string, PlantedFailure['error'], string, number]>([
    ['fails', { code: 'AccessDenied', message: 'denied by the account' }, 'DELETE_FAILED', 10],
    ['hangs', 'silence', 'DELETE_IN_PROGRESS', 60],
  ])('leads to our own table and names a remnant whose deletion %s', async (_, error, status, minutes) => {
    const { payer, run } = await delivered();
    plant(payer, { type: 'Custom::', error: 'silence', during: 'create' });
    plant(payer, { type: 'AWS::Lambda::Function', error, during: 'delete' });
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toHaveLength(2);
    expect(taken.record.warnings[1]).toContain(`stack ${stackName} is left in`);
    expect(stackOf(payer)?.status).toMatch(/FAILED|IN_PROGRESS/);
    expect(taken.seconds).toBeLessThan((55 + minutes) * 60);
    expect(status).toMatch(/^DELETE/);

    const next = await billing.begin(payer);
    billing.world.cloudformation.plantedFailures.splice(0);
    await billing.world.clock.sleep(2 * 3_600_000);
    expect(output(await billing.takeTo('crawler-stack', next)).kind).toMatch(/none|template/);
  });

  it('ends the run in mode template, and the next run replaces it', async () => {
    const { payer, run } = await delivered({ crawler: 'template' });
    plant(payer, {
      type: 'AWS::Lambda::Function',
      error: lambdaRefusals['a service control policy'],
      during: 'create',
    });
    const { code, message } = await knownErrorOf(run.take('crawler-stack'));
    expect([code, message]).toEqual(['crawler-stack-failed', expect.stringContaining('service control policy')]);
    expect(stackOf(payer)?.status).toBe('ROLLBACK_COMPLETE');

    billing.world.cloudformation.plantedFailures.splice(0);
    const again = await billing.begin(payer, { crawler: 'template' });
    const taken = await billing.takeTo('crawler-stack', again);
    expect(done(taken)).toEqual(['delete-stack-remnant', 'create-stack']);
    expect(output(taken).stackId).toBe(stackOf(payer)?.id);
  });

  it('ends the run if nothing may make databases', async () => {
    const { payer, run } = await delivered();
    const message = 'User: x is not authorized to perform: glue:CreateDatabase on resource: y';
    plant(payer, { type: 'AWS::Glue::Database', error: { code: 'AccessDeniedException', message }, during: 'create' });
    expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe('crawler-stack-failed');
  });
});

describe('what others have in the place of AWS’s template', () => {
  const crawlerOf = (payer: string) =>
    billing.world.glue.catalog(payer, region).crawlers.get('AWSCURCrawler-kubecost_cur');

  it.each<[string, (payer: string) => unknown, string | undefined]>([
    ['whose table is not there', () => undefined, undefined],
    [
      'that runs',
      (payer) => Object.assign(crawlerOf(payer) ?? {}, { state: 'RUNNING', startedAt: billing.world.clock.now() }),
      undefined,
    ],
    [
      'that reads another folder',
      (payer) => {
        retarget(payer, ['s3://elsewhere/data']);
      },
      'reads s3://elsewhere/data',
    ],
    [
      'that reads two folders',
      (payer) => {
        retarget(payer, [`s3://${curBucketName(payer, region)}/${data}`, 's3://more/']);
      },
      's3://more/',
    ],
    [
      'whose last crawl failed',
      (payer) => {
        const crawler = crawlerOf(payer);
        if (crawler) crawler.lastCrawl = { Status: 'FAILED', ErrorMessage: 'no such role', StartTime: new Date(0) };
      },
      'no such role',
    ],
    [
      'whose database is gone',
      (payer) => billing.world.glue.catalog(payer, region).databases.delete('athenacurcfn_kubecost_cur'),
      'its database athenacurcfn_kubecost_cur does not exist',
    ],
  ])('is a crawler %s', async (_, change, why) => {
    const { payer, run } = await delivered();
    await deployByHand(billing.world, payer);
    dropTable(payer);
    change(payer);
    const taken = await run.take('crawler-stack');
    expect(done(taken)).toEqual([]);
    expect(stackOf(payer)).toBeUndefined();
    if (why === undefined) {
      expect(output(taken)).toMatchObject({ kind: 'existing-crawler', crawlerName: 'AWSCURCrawler-kubecost_cur' });
      return;
    }
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining(why)]);
    expect(taken.record.warnings[0]).toContain('MyCURAthena');
  });

  it('is a crawler that mode template refuses by name', async () => {
    const { payer, run } = await delivered({ crawler: 'template' });
    await deployByHand(billing.world, payer);
    dropTable(payer);
    const { code, message } = await knownErrorOf(run.take('crawler-stack'));
    expect(code).toBe('template-names-taken');
    expect(message).toContain('AWSCURCrawler-kubecost_cur exists, made by stack MyCURAthena');
  });

  it.each<[OnboardingRequestInput['crawler'], string | undefined]>([
    ['auto', undefined],
    ['template', 'template-names-taken'],
  ])('is a database, in mode %s', async (crawler, code) => {
    const { payer, run } = await delivered({ crawler });
    makeDatabase(payer);
    if (code !== undefined) {
      expect((await knownErrorOf(run.take('crawler-stack'))).code).toBe(code);
      return;
    }
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining('database athenacurcfn_kubecost_cur exists')]);
  });

  it('does not matter to a table of our own', async () => {
    const { payer, run } = await delivered({ crawler: 'none' });
    await deployByHand(billing.world, payer);
    expect(output(await run.take('crawler-stack'))).toEqual(ownTable);
    expect(await tableOf(run)).toMatchObject({ athenaDatabase: 'kubecostcur_kubecost_cur' });
  });
});

describe('a stack of an earlier run', () => {
  it.each(['template', 'native'] as const)('is used again in mode auto: %s', async (kind) => {
    const { payer, run } = await delivered();
    if (kind === 'native') await deployNative(billing.world, payer);
    else await run.take('crawler-stack');
    const again = await billing.begin(payer);
    await again.follow(run, 'crawler-stack');
    const taken = await again.take('crawler-stack');
    expect([output(taken).kind, done(taken)]).toEqual([kind, []]);
    expect(await tableOf(again)).toMatchObject({ athenaDatabase: 'athenacurcfn_kubecost_cur' });
  });

  it('is left for our own table if its crawler is gone', async () => {
    const { payer, run } = await delivered();
    await deployNative(billing.world, payer);
    billing.world.glue.catalog(payer, region).crawlers.clear();
    const taken = await run.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining('has lost its crawler')]);
  });

  it('stays, with a warning, beside the table of mode none', async () => {
    const { payer, run } = await delivered();
    await run.take('crawler-stack');
    const again = await billing.begin(payer, { crawler: 'none' });
    await again.follow(run, 'crawler-stack');
    const taken = await again.take('crawler-stack');
    expect(output(taken)).toEqual(ownTable);
    expect(taken.record.warnings).toEqual([expect.stringContaining('USD 4 to 13 a month')]);
    expect(stackOf(payer)?.status).toBe('CREATE_COMPLETE');
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
    const { payer, run } = await delivered();
    await deployNative(billing.world, payer);
    await run.take('crawler-stack');
    const role = billing.world.iam.roles(payer).find(({ arn }) => arn.includes('AWSCURCrawlerRole'));
    role?.inline.clear();
    const { code, message } = await knownErrorOf(run.take('crawler-table'));
    expect(code).toBe('crawl-failed');
    expect(message).toContain('Access Denied');
  });

  it('is not found after two crawls without data', async () => {
    const { payer, run, bucket } = await delivered();
    await deployNative(billing.world, payer);
    await run.take('crawler-stack');
    for (const key of bucket.objects.keys()) if (key.endsWith('.parquet')) bucket.objects.delete(key);
    const { code, message } = await knownErrorOf(run.take('crawler-table'));
    expect(code).toBe('table-not-found');
    expect(message).toContain('after 2 crawls');
  });
});

function plant(accountId: string, failure: Omit<PlantedFailure, 'accountId'>): void {
  billing.world.cloudformation.plantedFailures.push({ accountId, ...failure });
}

function retarget(payer: string, paths: string[]): void {
  const crawler = billing.world.glue.catalog(payer, region).crawlers.get('AWSCURCrawler-kubecost_cur');
  if (crawler) crawler.settings.Targets = { S3Targets: paths.map((Path) => ({ Path })) };
}

function dropTable(payer: string): void {
  billing.world.glue.catalog(payer, region).databases.get('athenacurcfn_kubecost_cur')?.tables.delete('kubecost_cur');
}

function makeDatabase(payer: string): void {
  const Name = 'athenacurcfn_kubecost_cur';
  billing.world.glue.catalog(payer, region).databases.set(Name, { input: { Name }, createdAt: 0, tables: new Map() });
}
