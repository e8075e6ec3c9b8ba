import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { deployProvisioner } from '../support/provisioners.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';

let runs: RunHarness;
let accounts = 0;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runs = await RunHarness.open({ deliveryHours: 0.25 });
});
afterAll(async () => {
  await runs.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const day = 86_400_000;

function newPayer(parameters: Record<string, string> = {}): string {
  const payer = String(333400000000 + ++accounts);
  deployProvisioner(runs.stepHarness.world, 'payer', payer, parameters);
  runs.stepHarness.world.cur.firstDeliveryHours.set(payer, 0.25);
  return payer;
}

const onboard = (payerAccountId: string, changes: object = {}) =>
  runs.onboard('new-irsa', { payerAccountId, crawler: 'none', wait: { intervalMinutes: 15 }, ...changes });

const seconds = (from: unknown, to: string | null) => (Date.parse(to ?? '') - Date.parse(String(from))) / 1000;

describe('a payer with a table of our own', () => {
  it('is published within a minute of detection, without a crawl', async () => {
    const payer = newPayer();
    const run = await onboard(payer);
    expect(run.error).toBeNull();
    const { detectedAt } = stepOf(run, 'first-delivery').output as { detectedAt: string };
    expect(seconds(detectedAt, stepOf(run, 'publish').endedAt)).toBeLessThanOrEqual(60);
    expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: 5 });
    expect(stepOf(run, 'publish').output).toMatchObject({
      entry: { athenaDatabase: 'kubecostcur_kubecost_cur', athenaTable: 'kubecost_cur' },
    });
    const calls = runs.stepHarness.world.calls.filter(({ accountId }) => accountId === payer);
    expect(
      calls.filter(
        ({ operation }) => /Crawler$|^CreateStack$|^CreateFunction/.test(operation) && operation !== 'GetCrawler',
      ),
    ).toEqual([]);
  });

  it('has its costs in a new month without any write', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer();
    await onboard(payer);
    await world.clock.sleep(10 * day);
    const run = await onboard(payer);
    expect(stepOf(run, 'crawler-table')).toMatchObject({
      changes: [],
      output: { newestPartition: { year: '2026', month: '12' } },
    });
    expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: 5 });
    expect(
      world.glue.catalog(payer, region).databases.get('kubecostcur_kubecost_cur')?.tables.get('kubecost_cur')
        ?.partitions.size,
    ).toBe(0);
  });

  it('succeeds with a warning on a day without data', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer();
    const quietDays = [0, 1, 2].map((n) => new Date(world.clock.now() - n * day).toISOString().slice(0, 10));
    world.cur.bills.set(payer, { quietDays });
    const run = await onboard(payer);
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'smoke-query').warnings).toEqual([expect.stringMatching(/^no cost on 2026-12-\d\d: [^;]*$/)]);
  });

  it('succeeds with a warning on a month without data', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer();
    world.cur.bills.set(payer, { emptyMonths: [new Date(world.clock.now()).toISOString().slice(0, 7)] });
    const run = await onboard(payer);
    expect(run.status).toBe('succeeded');
    expect(stepOf(run, 'smoke-query').warnings).toEqual([expect.stringContaining('Athena read no data of the month')]);
  });

  it('fails with the column if a manifest has the wrong type', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer();
    const wrong = (text: string) =>
      text.replace('"UnblendedCost","type":"BigDecimal"', '"UnblendedCost","type":"DateTime"');
    world.cur.deliveryEdits.set(payer, (files) =>
      files.map(({ key, content }) => ({ key, content: key.endsWith('Manifest.json') ? wrong(content) : content })),
    );
    const run = await onboard(payer);
    expect(run.error).toMatchObject({ code: 'query-failed', step: 'smoke-query' });
    expect(run.error?.message).toMatch(/line_item_unblended_cost|TYPE_MISMATCH/);
  });

  it('has every tag in the secret’s table, however tags are spelled', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer();
    const keys = ['user:Team', 'user:team', 'user:TEAM', 'user:Größe', 'user:cost center', `user:${'A'.repeat(128)}`];
    world.cur.bills.set(payer, { tags: keys.map((key) => ({ key })) });
    const run = await onboard(payer);
    expect(run.error).toBeNull();
    expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: 5 });
  });

  it.each([
    ['both in a date range', { template: 'range', manifest: 'range' }],
    ['a manifest in the report’s folder', { template: 'nowhere', manifest: 'report' }],
    ['no manifest and no template', { template: 'nowhere', manifest: 'nowhere' }],
  ] as const)('is onboarded with %s', async (_, layout) => {
    const payer = newPayer();
    runs.stepHarness.world.cur.layouts.set(payer, layout);
    const run = await onboard(payer);
    expect(run.error).toBeNull();
    expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: 5 });
  });
});

describe('an adopted report whose table computes its partitions', () => {
  it('is onboarded at once, without a crawl or a partition in Glue', async () => {
    const { world } = runs.stepHarness;
    const payer = newPayer({ CurBucket: 'acme-*' });
    const definition = { ReportName: 'acme', S3Bucket: `acme-${payer}`, S3Prefix: 'cur', S3Region: region };
    world.cur.seedReport({ accountId: payer, definition, deliveredSince: world.clock.now() - 40 * day });
    const seed = { accountId: payer, region, database: 'finops', table: 'cur' };
    const table = world.glue.seedTable({ ...seed, location: `s3://acme-${payer}/cur/acme/acme/` });
    table.partitions.clear();
    table.input.Parameters = {
      'projection.enabled': 'true',
      'projection.year.type': 'integer',
      'projection.year.range': '2020,2030',
      'projection.month.type': 'integer',
      'projection.month.range': '1,12',
    };
    const run = await onboard(payer, { crawler: 'auto' });
    expect(run.error).toBeNull();
    expect(seconds(run.createdAt, run.endedAt)).toBeLessThan(10 * 60);
    expect(stepOf(run, 'crawler-table').output).toMatchObject({
      athenaDatabase: 'finops',
      athenaTable: 'cur',
      lastYear: 2030,
    });
    expect(stepOf(run, 'smoke-query').output).toMatchObject({ rowCount: 5 });
  });
});
