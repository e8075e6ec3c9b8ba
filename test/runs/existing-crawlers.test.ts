import { GetRoleCommand, IAMClient, UpdateAssumeRolePolicyCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { payerTrust } from '../../shared/access/payer-trust.ts';
import { newClient } from '../../shared/aws/clients.ts';
import { curBucketName } from '../../shared/aws/names.ts';
import { decodePolicy } from '../../shared/aws/policy-document.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { Run } from '../../shared/runs/api-view.ts';
import { deployByHand, deployNative, nativeStackName } from '../support/crawler-stacks.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';
import { accountAt } from '../support/seed-payers.ts';

let runHarness: RunHarness;
let accounts = 500;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 0.25 });
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const database = 'athenacurcfn_kubecost_cur';
const world = () => runHarness.stepHarness.world;
const catalogOf = (payer: string) => world().glue.catalog(payer, region);
const crawlerOf = (payer: string) => catalogOf(payer).crawlers.get('AWSCURCrawler-kubecost_cur');
const stackOf = (payer: string) => world().cloudformation.find(payer, region, nativeStackName);

/** A payer whose report was delivered long ago into a bucket with our name. */
function payerWithReport(parameters: Record<string, string> = {}): string {
  const payer = accountAt('payer', ++accounts);
  const bucket = curBucketName(payer, region);
  deployProvisioner(world(), 'payer', payer, parameters);
  const definition = { ReportName: 'kubecost_cur', S3Bucket: bucket, S3Prefix: 'kubecost', S3Region: region };
  world().cur.seedReport({ accountId: payer, definition, deliveredSince: Date.parse('2026-10-01T00:00:00Z') });
  return payer;
}

function onboard(payerAccountId: string, changes: Partial<OnboardingRequestInput> = {}): Promise<Run> {
  return runHarness.onboard('new-irsa', { payerAccountId, existing: 'take-over', ...changes });
}

/** A payer where a person deployed AWS's template, and where the table is gone. */
async function payerWithForeignStack(): Promise<string> {
  const payer = payerWithReport();
  await deployByHand(world(), payer);
  catalogOf(payer).databases.get(database)?.tables.delete('kubecost_cur');
  return payer;
}

function expectConnected(run: Run, kind: string, athenaDatabase: string): void {
  expect(run.error).toBeNull();
  expect(run.evidence?.level).toBe('connection');
  expect(stepOf(run, 'crawler-stack').output).toMatchObject({ kind });
  expect(run.evidence?.entry).toMatchObject({ athenaDatabase });
}

describe('a payer with a crawler that a person deployed long ago', () => {
  it('uses the crawler if its table is gone', async () => {
    const run = await onboard(await payerWithForeignStack());
    expectConnected(run, 'existing-crawler', database);
    expect(stepOf(run, 'crawler-stack').changes).toEqual([]);
  });

  it('waits for the crawler if it runs', async () => {
    const payer = await payerWithForeignStack();
    const crawler = crawlerOf(payer);
    world().clock.after(1000, () => crawler && Object.assign(crawler, { state: 'READY' }));
    if (crawler) Object.assign(crawler, { state: 'RUNNING', startedAt: world().clock.now() });
    expectConnected(await onboard(payer), 'existing-crawler', database);
  });

  it.each(['none', 'native'] as const)('has its own table beside in mode %s', async (crawler) => {
    const payer = await payerWithForeignStack();
    const run = await onboard(payer, { crawler });
    expectConnected(run, 'none', 'kubecostcur_kubecost_cur');
    expect(world().cloudformation.find(payer, region, 'MyCURAthena')?.status).toBe('CREATE_COMPLETE');
    expect(stepOf(run, 'retire-crawler').output).toEqual({ removed: [], kept: [] });
  });

  it('is refused by name in mode template before anything is made', async () => {
    const payer = await payerWithForeignStack();
    const run = await onboard(payer, { crawler: 'template' });
    expect(run.error).toMatchObject({ code: 'template-names-taken' });
    expect(run.error?.message).toContain('MyCURAthena');
    expect(run.error?.remedy).toContain('crawler: auto');
    expect(run.changes).toBe(0);
  });

  it.each<[string, (payer: string) => unknown]>([
    [
      'reads another folder',
      (payer) => {
        retarget(payer);
      },
    ],
    [
      'failed',
      (payer) =>
        Object.assign(crawlerOf(payer) ?? {}, {
          lastCrawl: { Status: 'FAILED', ErrorMessage: 'role deleted', StartTime: new Date(0) },
        }),
    ],
    ['lost its database', (payer) => catalogOf(payer).databases.delete(database)],
  ])('has its own table if the crawler %s', async (_, change) => {
    const payer = await payerWithForeignStack();
    change(payer);
    const run = await onboard(payer);
    expectConnected(run, 'none', 'kubecostcur_kubecost_cur');
    expect(stepOf(run, 'crawler-stack').warnings).toEqual([expect.stringContaining('MyCURAthena')]);
  });

  it('has its own table if only the database is left', async () => {
    const payer = payerWithReport();
    const input = { Name: database };
    catalogOf(payer).databases.set(database, { input, createdAt: 0, tables: new Map() });
    expectConnected(await onboard(payer), 'none', 'kubecostcur_kubecost_cur');
    const again = await onboard(payer);
    expectConnected(again, 'none', 'kubecostcur_kubecost_cur');
    expect(again.changes).toBe(0);
  });
});

describe('a payer with a native crawler stack of release 0.3.0', () => {
  /** Onboards in mode auto, as release 0.3.0 has left the payer. */
  async function payerOfEarlierRelease(parameters: Record<string, string> = {}): Promise<string> {
    const payer = payerWithReport(parameters);
    await deployNative(world(), payer);
    expectConnected(await onboard(payer), 'native', database);
    return payer;
  }

  it('loses the stack once its own table has answered', async () => {
    const payer = await payerOfEarlierRelease();
    const run = await onboard(payer, { crawler: 'native' });
    expectConnected(run, 'none', 'kubecostcur_kubecost_cur');
    expect(stepOf(run, 'crawler-stack').warnings).toEqual([expect.stringContaining('native means none')]);
    expect(stepOf(run, 'retire-crawler').changes.map((change) => change.do)).toEqual(['delete-crawler-stack']);
    expect(stackOf(payer)).toBeUndefined();
    expect([...catalogOf(payer).databases.keys()]).toEqual(['kubecostcur_kubecost_cur']);

    const again = await onboard(payer, { crawler: 'none' });
    expect(again.error).toBeNull();
    expect(again.changes).toBe(0);
  });

  it('loses it with the parameter Crawler: remove', async () => {
    const payer = await payerOfEarlierRelease({ Crawler: 'remove' });
    await onboard(payer, { crawler: 'none' });
    expect(stackOf(payer)).toBeUndefined();
  });

  it.each<[string, Record<string, string>, (payer: string) => unknown, string]>([
    ['the parameter Crawler is none', { Crawler: 'none' }, () => undefined, 'set parameter Crawler'],
    [
      'its database has a table of others',
      {},
      (payer) => {
        const table = { input: { Name: 'monthly' }, createdAt: 0, updatedAt: 0, partitions: new Map() };
        catalogOf(payer).databases.get(database)?.tables.set('monthly', table);
      },
      'monthly',
    ],
    ['its role trusts other pods', {}, (payer) => trustOthers(payer), 'still names'],
    [
      'CloudFormation cannot delete it',
      {},
      (payer) => {
        plantDeletion(payer);
      },
      'cannot delete it',
    ],
  ])('keeps it and says why if %s', async (_, parameters, before, why) => {
    const payer = await payerOfEarlierRelease(parameters);
    await before(payer);
    const run = await onboard(payer, { crawler: 'none' });
    world().cloudformation.plantedFailures.splice(0);
    expect(run.error).toBeNull();
    expect(run.evidence?.entry).toMatchObject({ athenaDatabase: 'kubecostcur_kubecost_cur' });
    expect(stackOf(payer)).toBeDefined();
    const { output, warnings } = stepOf(run, 'retire-crawler');
    expect(output).toEqual({
      removed: [],
      kept: expect.arrayContaining([
        { resource: stackOf(payer)?.id, why: expect.stringContaining(why) as string },
      ]) as unknown,
    });
    expect(warnings).toEqual([expect.stringContaining(why)]);
  });

  it('keeps it until the last target has its own table', async () => {
    const payer = await payerOfEarlierRelease();
    const elsewhere = {
      cluster: { accountId: '222233330002', region: 'us-east-1', name: 'platform' },
      identity: { mode: 'pod-identity' },
    } as const;
    expectConnected(await onboard(payer, elsewhere), 'native', database);
    const first = await onboard(payer, { crawler: 'none' });
    expect(stepOf(first, 'retire-crawler').warnings).toEqual([expect.stringContaining('platform')]);
    expect(stackOf(payer)).toBeDefined();
    const second = await onboard(payer, { ...elsewhere, crawler: 'none' });
    expectConnected(second, 'none', 'kubecostcur_kubecost_cur');
    expect(stackOf(payer)).toBeUndefined();
  });
});

function retarget(payer: string): void {
  const crawler = crawlerOf(payer);
  if (crawler) crawler.settings.Targets = { S3Targets: [{ Path: 's3://elsewhere/data' }] };
}

function plantDeletion(accountId: string): void {
  const error = { code: 'AccessDenied', message: 'denied by the account' };
  world().cloudformation.plantedFailures.push({ accountId, type: 'AWS::IAM::Role', during: 'delete', error });
}

/** A pod role that no item of our table has, as after a restore of the table. */
async function trustOthers(payer: string): Promise<void> {
  const asOwner = () => Promise.resolve({ accessKeyId: payer, secretAccessKey: 'x' });
  const iam = newClient(IAMClient, region, asOwner);
  const RoleName = 'kubecost-cur-access';
  const { Role } = await iam.send(new GetRoleCommand({ RoleName }));
  const { Statement, ...rest } = decodePolicy(Role?.AssumeRolePolicyDocument ?? '{}');
  const trust = {
    ...rest,
    Statement: [...Statement, payerTrust('999988887777', ['arn:aws:iam::999988887777:role/x'])],
  };
  await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: JSON.stringify(trust) }));
  await world().clock.sleep(60_000);
}
