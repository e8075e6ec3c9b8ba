import { describe, expect, it } from 'vitest';
import { ask, billingPolicy, billingWorld, payer } from '../../testing/billing-world.ts';
import type { World } from '../../world.ts';
import { parseTemplate } from '../cloudformation/template.ts';
import { s3Service } from '../s3/service.ts';
import type { DeliveryLayout } from './delivery.ts';
import { decodeDataFile } from './report-data.ts';
import { curService, type ReportDefinition } from './service.ts';

const hour = 3_600_000;
const inUsEast1 = { region: 'us-east-1' };
const definition: ReportDefinition = {
  ReportName: 'kubecost_cur',
  TimeUnit: 'DAILY',
  Format: 'Parquet',
  Compression: 'Parquet',
  AdditionalSchemaElements: ['RESOURCES'],
  AdditionalArtifacts: ['ATHENA'],
  ReportVersioning: 'OVERWRITE_REPORT',
  S3Bucket: 'reports',
  S3Prefix: 'cur',
  S3Region: 'eu-central-1',
};

async function worldWithBucket(sourceArn?: string, operator?: string) {
  const world = billingWorld();
  world.s3.createBucket(payer, 'eu-central-1', 'reports');
  await ask(world, s3Service, 'PutBucketPolicy', {
    Bucket: 'reports',
    Policy: billingPolicy('reports', sourceArn, operator),
  });
  await world.clock.sleep(5_000);
  return world;
}

const put = (world: World, changes: Partial<ReportDefinition> = {}) =>
  ask(world, curService, 'PutReportDefinition', { ReportDefinition: { ...definition, ...changes } }, inUsEast1);

describe('PutReportDefinition', () => {
  it('exists only in us-east-1', async () => {
    const world = await worldWithBucket();
    await expect(ask(world, curService, 'PutReportDefinition', { ReportDefinition: definition })).rejects.toMatchObject(
      { code: 'UnknownEndpoint' },
    );
  });

  it('refuses an invalid combination with an empty message', async () => {
    const world = await worldWithBucket();
    const refused: Partial<ReportDefinition>[] = [
      { S3Prefix: '' },
      { ReportVersioning: 'CREATE_NEW_REPORT' },
      { Format: 'textORcsv', Compression: 'GZIP' },
      { AdditionalArtifacts: ['ATHENA', 'REDSHIFT'] },
      { Compression: 'GZIP' },
    ];
    for (const changes of refused)
      await expect(put(world, changes)).rejects.toMatchObject({ code: 'ValidationException', message: '' });
  });

  it('refuses a second report of one name and an eleventh report', async () => {
    const world = await worldWithBucket();
    await put(world);
    await expect(put(world)).rejects.toMatchObject({ code: 'DuplicateReportNameException' });
    for (let n = 2; n <= 10; n++) await put(world, { ReportName: `report_${n}` });
    await expect(put(world, { ReportName: 'report_11' })).rejects.toMatchObject({
      code: 'ReportLimitReachedException',
    });
  });

  it('needs a bucket policy that matches the source ARN of AWS', async () => {
    const message = 'Failed to verify customer bucket permission.';
    const one = `arn:aws:cur:us-east-1:${payer}:definition/kubecost_cur`;
    await expect(put(await worldWithBucket(one))).rejects.toMatchObject({ message });
    await expect(put(await worldWithBucket(one, 'StringLike'))).rejects.toMatchObject({ message });
    await put(await worldWithBucket(undefined, 'StringLike'));
  });

  it('refuses a bucket without a text where users see that', async () => {
    const world = await worldWithBucket(`arn:aws:cur:us-east-1:${payer}:definition/other`);
    world.cur.refusesWithoutText = true;
    await expect(put(world)).rejects.toMatchObject({ code: 'ValidationException', message: '' });
  });

  it('refuses a new prefix that ends in a dot or has one character', async () => {
    const world = await worldWithBucket();
    for (const S3Prefix of ['a', 'cur.', 'cur/'])
      await expect(put(world, { S3Prefix })).rejects.toMatchObject({
        message: expect.stringContaining('reportDefinition.s3Prefix') as string,
      });
  });

  it('refuses an account whose bill another account has taken over', async () => {
    const world = await worldWithBucket();
    world.organizations.create(payer);
    const startsAt = world.clock.now() + hour;
    world.organizations.transfers.push({
      sourceAccountId: payer,
      targetAccountId: '999988887777',
      status: 'ACCEPTED',
      startsAt,
    });
    await put(world, { ReportName: 'before' });
    await world.clock.sleep(hour);
    await expect(put(world)).rejects.toMatchObject({ code: 'AccessDeniedException' });
  });

  it('refuses an account that AWS has closed for new reports', async () => {
    const world = await worldWithBucket();
    world.cur.refusals.set(payer, { code: 'ValidationException', message: 'This account is not eligible.' });
    await expect(put(world)).rejects.toMatchObject({ message: 'This account is not eligible.' });
  });

  it('does not see a bucket policy in its first seconds', async () => {
    const world = billingWorld();
    world.s3.createBucket(payer, 'eu-central-1', 'reports');
    world.s3.setPolicy('reports', billingPolicy('reports'));
    await expect(put(world)).rejects.toMatchObject({ message: 'Failed to verify customer bucket permission.' });
    await world.clock.sleep(4_000);
    await put(world);
    expect(world.s3.keys('reports')).toEqual(['aws-programmatic-access-test-object']);
  });

  it('needs the bucket in the region of the definition', async () => {
    const world = await worldWithBucket();
    await expect(put(world, { S3Region: 'eu-west-1' })).rejects.toMatchObject({ code: 'ValidationException' });
    await expect(put(world, { S3Region: 'ca-west-1' })).rejects.toMatchObject({ code: 'ValidationException' });
  });
});

describe('DescribeReportDefinitions', () => {
  it('returns pages of five', async () => {
    const world = await worldWithBucket();
    for (let n = 1; n <= 7; n++) await put(world, { ReportName: `report_${n}` });
    interface Page {
      ReportDefinitions: unknown[];
      NextToken?: string;
    }
    const first = await ask<Page>(world, curService, 'DescribeReportDefinitions', {}, inUsEast1);
    expect(first.ReportDefinitions).toHaveLength(5);
    const { NextToken } = first;
    const second = await ask<Page>(world, curService, 'DescribeReportDefinitions', { NextToken }, inUsEast1);
    expect(second.ReportDefinitions).toHaveLength(2);
    expect(second.NextToken).toBeUndefined();
  });
});

describe('Delivery', () => {
  const month = 'cur/kubecost_cur/kubecost_cur/year=2026/month=11';

  it('starts hours after the report and takes minutes', async () => {
    const world = await worldWithBucket();
    await put(world);
    await world.clock.sleep(7 * hour);
    expect(world.s3.keys('reports', 'cur/')).toEqual([]);
    await world.clock.sleep(hour / 2 + 30_000);
    expect(world.s3.keys('reports', 'cur/')).toEqual(['cur/kubecost_cur/crawler-cfn.yml']);
    await world.clock.sleep(10 * 60_000);
    expect(world.s3.keys('reports', 'cur/')).toEqual([
      'cur/kubecost_cur/20261101-20261201/kubecost_cur-create-table.sql',
      'cur/kubecost_cur/cost_and_usage_data_status/cost_and_usage_data_status.parquet',
      'cur/kubecost_cur/crawler-cfn.yml',
      `${month}/kubecost_cur-00001.snappy.parquet`,
      `${month}/kubecost_cur-00002.snappy.parquet`,
      `${month}/kubecost_cur-Manifest.json`,
    ]);
    const manifest = JSON.parse(world.s3.text('reports', `${month}/kubecost_cur-Manifest.json`) ?? '') as {
      reportKeys: string[];
    };
    expect(manifest.reportKeys.every((key) => world.s3.keys('reports').includes(key))).toBe(true);
    expect(world.cur.find(payer, 'kubecost_cur')?.status.lastStatus).toBe('SUCCESS');
  });

  it('happens daily and completes the old month in the new one', async () => {
    const world = await worldWithBucket();
    await put(world);
    await world.clock.sleep(23 * 24 * hour);
    const months = new Set(world.s3.keys('reports').flatMap((key) => /month=\d+/.exec(key) ?? []));
    expect([...months].sort()).toEqual(['month=11', 'month=12']);
  });

  it('writes nothing while the bucket refuses and shows the reason', async () => {
    const world = await worldWithBucket();
    await put(world);
    const bucket = world.s3.buckets.get('reports');
    delete bucket?.policy;
    await world.clock.sleep(8 * hour);
    expect(world.s3.keys('reports', 'cur/')).toEqual([]);
    expect(world.cur.find(payer, 'kubecost_cur')?.status).toEqual({ lastStatus: 'ERROR_PERMISSIONS' });
    world.s3.buckets.delete('reports');
    await world.clock.sleep(24 * hour);
    expect(world.cur.find(payer, 'kubecost_cur')?.status).toEqual({ lastStatus: 'ERROR_NO_BUCKET' });
  });

  it('continues under policies of the field', async () => {
    const world = await worldWithBucket();
    world.organizations.create(payer);
    await put(world);
    await world.clock.sleep(8 * hour);
    const service = { Service: 'billingreports.amazonaws.com' };
    const policies: [Principal: object, resource: string, condition: object][] = [
      [{ AWS: 'arn:aws:iam::386209384616:root' }, '*', {}],
      [service, 'cur/*', {}],
      [service, '*', { StringEquals: { 'aws:SourceOrgID': `o-${payer.slice(0, 10)}` } }],
    ];
    for (const [Principal, objects, Condition] of policies) {
      const allow = { Effect: 'Allow', Principal, Condition };
      const Statement = [
        { ...allow, Action: 's3:GetBucket*', Resource: 'arn:aws:s3:::reports' },
        { ...allow, Action: 's3:PutObject', Resource: `arn:aws:s3:::reports/${objects}` },
      ];
      world.s3.setPolicy('reports', JSON.stringify({ Version: '2012-10-17', Statement }));
      await world.clock.sleep(24 * hour);
      expect(world.cur.find(payer, 'kubecost_cur')?.status.lastStatus).toBe('SUCCESS');
    }
  });

  it('continues under a policy for one report if AWS sends its name', async () => {
    const world = await worldWithBucket();
    await put(world);
    world.cur.sendsReportName = true;
    const one = `arn:aws:cur:us-east-1:${payer}:definition/kubecost_cur`;
    world.s3.setPolicy('reports', billingPolicy('reports', one));
    await world.clock.sleep(8 * hour);
    expect(world.cur.find(payer, 'kubecost_cur')?.status.lastStatus).toBe('SUCCESS');
  });

  it.each<[Partial<DeliveryLayout>, string[]]>([
    [
      { template: 'range', manifest: 'range' },
      ['20261101-20261201/crawler-cfn.yml', '20261101-20261201/kubecost_cur-Manifest.json'],
    ],
    [
      { template: 'data-range', manifest: 'data-range' },
      ['kubecost_cur/20261101-20261201/crawler-cfn.yml', 'kubecost_cur/20261101-20261201/kubecost_cur-Manifest.json'],
    ],
    [
      { template: 'month', paddedMonths: true },
      ['kubecost_cur/year=2026/month=11/crawler-cfn.yml', 'kubecost_cur/year=2026/month=11/kubecost_cur-Manifest.json'],
    ],
    [{ template: 'report', manifest: 'report' }, ['crawler-cfn.yml', 'kubecost_cur-Manifest.json']],
    [{ template: 'nowhere', manifest: 'nowhere', createTable: 'nowhere' }, []],
  ])('writes template and manifest where the layout %j has them', (layout, expected) => {
    const world = billingWorld();
    world.cur.layouts.set(payer, layout);
    world.cur.seedReport({ accountId: payer, definition, deliveredSince: Date.parse('2026-11-01T00:00:00Z') });
    const keys = world.s3.keys('reports', 'cur/kubecost_cur/').map((key) => key.slice('cur/kubecost_cur/'.length));
    expect(keys.filter((key) => /yml$|json$/.test(key)).toSorted()).toEqual(expected.toSorted());
    expect(keys.filter((key) => key.startsWith('kubecost_cur/year=2026/month=11/kubecost_cur-0'))).toHaveLength(2);
  });

  it('has tag columns from their month on, and no rows on quiet days', () => {
    const world = billingWorld();
    const tags = [{ key: 'user:Team' }, { key: 'user:late', since: Date.parse('2026-11-01T00:00:00Z') }];
    world.cur.bills.set(payer, { tags, quietDays: ['2026-11-03'], emptyMonths: ['2026-09'] });
    world.cur.seedReport({ accountId: payer, definition, deliveredSince: Date.parse('2026-09-01T00:00:00Z') });
    const fileOf = (month: number) =>
      decodeDataFile(
        Buffer.from(
          world.s3.text(
            'reports',
            `cur/kubecost_cur/kubecost_cur/year=2026/month=${month}/kubecost_cur-00001.snappy.parquet`,
          ) ?? '',
        ),
      );
    const names = (month: number) => fileOf(month).columns.map(({ name }) => name);
    expect(names(10)).not.toContain('resource_tags_user_late');
    expect(names(11)).toContain('resource_tags_user_late');
    // user:Team and the usual user:team give one column.
    expect(names(11).filter((name) => name === 'resource_tags_user_team')).toHaveLength(1);
    const days = new Set(fileOf(11).rows.map((row) => row[names(11).indexOf('line_item_usage_start_date')]));
    expect(days.has('2026-11-03 00:00:00.000')).toBe(false);
    expect(days.has('2026-11-04 00:00:00.000')).toBe(true);
    expect(world.s3.keys('reports', 'cur/kubecost_cur/kubecost_cur/year=2026/month=9/')).toEqual([
      'cur/kubecost_cur/kubecost_cur/year=2026/month=9/kubecost_cur-Manifest.json',
    ]);
  });

  it('includes a template of eleven resources', () => {
    const world = billingWorld();
    world.cur.seedReport({ accountId: payer, definition, deliveredSince: Date.parse('2026-09-01T00:00:00Z') });
    const text = world.s3.text('reports', 'cur/kubecost_cur/crawler-cfn.yml') ?? '';
    expect(Buffer.byteLength(text)).toBeLessThan(51_200);
    const template = parseTemplate(text);
    expect(template.map(({ logicalId }) => logicalId)).toEqual([
      'AWSCURDatabase',
      'AWSCURCrawlerComponentFunction',
      'AWSCURCrawlerLambdaExecutor',
      'AWSCURCrawler',
      'AWSCURInitializer',
      'AWSStartCURCrawler',
      'AWSS3CUREventLambdaPermission',
      'AWSS3CURLambdaExecutor',
      'AWSS3CURNotification',
      'AWSPutS3CURNotification',
      'AWSCURReportStatusTable',
    ]);
    expect(template[0]?.properties.DatabaseInput).toEqual({ Name: 'athenacurcfn_kubecost_cur' });
    const notification = template.at(-2)?.properties;
    expect(notification?.ReportKey).toBe('cur/kubecost_cur/kubecost_cur');
  });
});
