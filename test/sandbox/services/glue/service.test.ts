import { describe, expect, it } from 'vitest';
import { ask, billingWorld, payer, trust } from '../../testing/billing-world.ts';
import type { World } from '../../world.ts';
import { glueService } from './service.ts';

const region = 'eu-central-1';
const path = 's3://reports/cur/Kubecost-CUR/Kubecost-CUR';
const minute = 60_000;

async function worldWithCrawler(schedule?: string): Promise<World> {
  const world = billingWorld();
  world.s3.createBucket(payer, region, 'reports');
  const inline = {
    data: {
      Statement: { Effect: 'Allow', Action: 's3:GetObject', Resource: 'arn:aws:s3:::reports/cur/Kubecost-CUR/*' },
    },
  };
  world.iam.createRole({
    accountId: payer,
    name: 'crawler',
    trust: trust('glue.amazonaws.com'),
    inline,
    settled: true,
  });
  await ask(world, glueService, 'CreateDatabase', { DatabaseInput: { Name: 'athenacurcfn_kubecost' } });
  await ask(world, glueService, 'CreateCrawler', {
    Name: 'AWSCURCrawler-Kubecost-CUR',
    Role: `arn:aws:iam::${payer}:role/crawler`,
    DatabaseName: 'athenacurcfn_kubecost',
    Targets: { S3Targets: [{ Path: path, Exclusions: ['**.json', '**.yml'] }] },
    Schedule: schedule,
  });
  return world;
}

function deliver(world: World): void {
  world.cur.seedReport({
    accountId: payer,
    definition: { ReportName: 'Kubecost-CUR', S3Bucket: 'reports', S3Prefix: 'cur', S3Region: region },
    deliveredSince: Date.parse('2026-10-01T00:00:00Z'),
  });
}

interface TableList {
  TableList: { Name: string; PartitionKeys: object[]; StorageDescriptor: { Location: string } }[];
}
const tables = (world: World) =>
  ask<TableList>(world, glueService, 'GetTables', { DatabaseName: 'athenacurcfn_kubecost' });
const start = (world: World) => ask(world, glueService, 'StartCrawler', { Name: 'AWSCURCrawler-Kubecost-CUR' });
const crawler = async (world: World) => {
  const answer = await ask<{ Crawler: { State: string; LastCrawl?: { Status: string } } }>(
    world,
    glueService,
    'GetCrawler',
    { Name: 'AWSCURCrawler-Kubecost-CUR' },
  );
  return answer.Crawler;
};

describe('A crawler', () => {
  it('names the table after the folder and adds monthly partitions', async () => {
    const world = await worldWithCrawler();
    deliver(world);
    await start(world);
    await world.clock.sleep(4 * minute);
    const { TableList } = await tables(world);
    expect(TableList).toMatchObject([
      {
        Name: 'kubecost_cur',
        PartitionKeys: [
          { Name: 'year', Type: 'string' },
          { Name: 'month', Type: 'string' },
        ],
        StorageDescriptor: { Location: `${path}/` },
      },
    ]);
    const partitions = await ask<{ Partitions: { Values: string[] }[] }>(world, glueService, 'GetPartitions', {
      DatabaseName: 'athenacurcfn_kubecost',
      TableName: 'kubecost_cur',
      Expression: "year='2026' AND month='11'",
    });
    expect(partitions.Partitions.map(({ Values }) => Values)).toEqual([['2026', '11']]);
    expect(await crawler(world)).toMatchObject({ State: 'READY', LastCrawl: { Status: 'SUCCEEDED' } });
  });

  it('succeeds without data and makes no table', async () => {
    const world = await worldWithCrawler();
    await start(world);
    await world.clock.sleep(4 * minute);
    expect((await tables(world)).TableList).toEqual([]);
    expect(await crawler(world)).toMatchObject({ LastCrawl: { Status: 'SUCCEEDED' } });
  });

  it('does not start while it runs', async () => {
    const world = await worldWithCrawler();
    await start(world);
    await expect(start(world)).rejects.toMatchObject({ code: 'CrawlerRunningException' });
    expect(await crawler(world)).toMatchObject({ State: 'RUNNING' });
  });

  it('makes one table of each folder if their columns differ much', async () => {
    const tags = Array.from({ length: 40 }, (_, n) => ({
      key: `user:t${n}`,
      since: Date.parse('2026-11-01T00:00:00Z'),
    }));
    const world = await worldWithCrawler();
    world.cur.bills.set(payer, { tags });
    deliver(world);
    await start(world);
    await world.clock.sleep(4 * minute);
    expect((await tables(world)).TableList.map(({ Name }) => Name).sort()).toEqual(['month_10', 'month_11']);
    await ask(world, glueService, 'UpdateCrawler', {
      Name: 'AWSCURCrawler-Kubecost-CUR',
      Configuration: '{"Version":1,"Grouping":{"TableGroupingPolicy":"CombineCompatibleSchemas"}}',
    });
    await start(world);
    await world.clock.sleep(4 * minute);
    expect((await tables(world)).TableList.map(({ Name }) => Name)).toContain('kubecost_cur');
  });

  it('is found in pages of crawlers', async () => {
    const world = await worldWithCrawler();
    const page = await ask<{ Crawlers: { Name: string }[] }>(world, glueService, 'GetCrawlers', {});
    expect(page.Crawlers).toMatchObject([{ Name: 'AWSCURCrawler-Kubecost-CUR', State: 'READY' }]);
  });

  it('starts on its daily schedule', async () => {
    const world = await worldWithCrawler('cron(15 12 * * ? *)');
    deliver(world);
    await world.clock.sleep(4 * 60 * minute + 10 * minute);
    expect((await tables(world)).TableList).toEqual([]);
    await world.clock.sleep(10 * minute);
    expect((await tables(world)).TableList).toHaveLength(1);
  });
});

describe('A crawler of a role', () => {
  it('is refused if Glue may not assume it', async () => {
    const world = await worldWithCrawler();
    world.iam.createRole({ accountId: payer, name: 'other', trust: trust('lambda.amazonaws.com'), settled: true });
    await expect(
      ask(world, glueService, 'CreateCrawler', { Name: 'second', Role: 'other', Targets: { S3Targets: [] } }),
    ).rejects.toMatchObject({ code: 'InvalidInputException' });
  });

  it('fails if the role may not read the data', async () => {
    const world = await worldWithCrawler();
    deliver(world);
    world.iam.role(payer, 'crawler')?.inline.clear();
    await start(world);
    await world.clock.sleep(4 * minute);
    expect(await crawler(world)).toMatchObject({ State: 'READY', LastCrawl: { Status: 'FAILED' } });
    expect((await tables(world)).TableList).toEqual([]);
  });
});

describe('The catalog', () => {
  it('returns tables in pages', async () => {
    const world = await worldWithCrawler();
    for (let n = 0; n < 5; n++)
      await ask(world, glueService, 'CreateTable', {
        DatabaseName: 'athenacurcfn_kubecost',
        TableInput: { Name: `table_${n}` },
      });
    const page = await ask<TableList & { NextToken: string }>(world, glueService, 'GetTables', {
      DatabaseName: 'athenacurcfn_kubecost',
      MaxResults: 3,
    });
    expect(page).toMatchObject({ TableList: [{}, {}, {}], NextToken: '3' });
  });

  it('replaces the definition of a table and keeps its partitions', async () => {
    const world = await worldWithCrawler();
    deliver(world);
    await start(world);
    await world.clock.sleep(4 * minute);
    const DatabaseName = 'athenacurcfn_kubecost';
    const update = (Name: string) =>
      ask(world, glueService, 'UpdateTable', { DatabaseName, TableInput: { Name, Parameters: { owner: 'us' } } });
    await update('kubecost_cur');
    const { Table } = await ask<{ Table: object }>(world, glueService, 'GetTable', {
      DatabaseName,
      Name: 'kubecost_cur',
    });
    expect(Table).toMatchObject({ Parameters: { owner: 'us' } });
    expect(Table).not.toHaveProperty('PartitionKeys');
    expect(
      world.glue.catalog(payer, region).databases.get(DatabaseName)?.tables.get('kubecost_cur')?.partitions.size,
    ).toBe(2);
    await expect(update('nothing')).rejects.toMatchObject({ code: 'EntityNotFoundException' });
  });

  it('separates accounts and regions', async () => {
    const world = await worldWithCrawler();
    const input = { Name: 'athenacurcfn_kubecost' };
    await expect(ask(world, glueService, 'GetDatabase', input, { accountId: '999988887777' })).rejects.toMatchObject({
      code: 'EntityNotFoundException',
    });
    await expect(ask(world, glueService, 'GetDatabase', input, { region: 'eu-west-1' })).rejects.toMatchObject({
      code: 'EntityNotFoundException',
    });
  });
});
