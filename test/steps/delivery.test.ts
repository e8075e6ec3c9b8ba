import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import type { World } from '../sandbox/index.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import type { OneRun } from '../support/step-harness.ts';

let billing: PayerHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  billing = await PayerHarness.open();
});
afterEach(() => billing.endRuns());

afterAll(async () => {
  await billing.stepHarness.close();
  vi.restoreAllMocks();
});

const region = 'us-east-1';
const hour = 3_600_000;
const root = 'kubecost/kubecost_cur';
const data = `${root}/kubecost_cur/year=2026/month=11`;
type Layout = NonNullable<ReturnType<World['cur']['layouts']['get']>>;

async function waiting(layout: Layout, changes: Partial<OnboardingRequestInput> = {}) {
  const payer = billing.newPayer();
  billing.world.cur.layouts.set(payer, layout);
  const run = await billing.begin(payer, { wait: { intervalMinutes: 15 }, ...changes });
  await billing.takeUntil('first-delivery', run);
  return { payer, run, bucket: curBucketName(payer, region) };
}

async function delivered(run: OneRun) {
  const started = billing.world.clock.now();
  const { record } = await run.take('first-delivery');
  const hours = (billing.world.clock.now() - started) / hour;
  return { ...outputs['first-delivery'].parse(record.output), hours, warnings: record.warnings };
}

/** AWS's first delivery has these objects instead of its own. */
function replaceDelivery(payer: string, objects: Record<string, string>): void {
  const { deliveryEdits } = billing.world.cur;
  deliveryEdits.set(payer, () => {
    deliveryEdits.delete(payer);
    return Object.entries(objects).map(([key, content]) => ({ key, content }));
  });
}

describe('a delivery', () => {
  it.each<[string, Layout, { manifestKey: string | null; templateKey: string | null }]>([
    [
      'template and manifest in the report’s folder',
      { manifest: 'report' },
      { manifestKey: `${root}/kubecost_cur-Manifest.json`, templateKey: `${root}/crawler-cfn.yml` },
    ],
    [
      'both in a date range',
      { manifest: 'range', template: 'range' },
      {
        manifestKey: `${root}/20261101-20261201/kubecost_cur-Manifest.json`,
        templateKey: `${root}/20261101-20261201/crawler-cfn.yml`,
      },
    ],
    [
      'both in a date range below the data’s folder',
      { manifest: 'data-range', template: 'data-range', createTable: 'data-range' },
      {
        manifestKey: `${root}/kubecost_cur/20261101-20261201/kubecost_cur-Manifest.json`,
        templateKey: `${root}/kubecost_cur/20261101-20261201/crawler-cfn.yml`,
      },
    ],
    [
      'both in the month’s folder',
      { manifest: 'month', template: 'month' },
      { manifestKey: `${data}/kubecost_cur-Manifest.json`, templateKey: `${data}/crawler-cfn.yml` },
    ],
    [
      'a manifest and no template',
      { template: 'nowhere' },
      { manifestKey: `${data}/kubecost_cur-Manifest.json`, templateKey: null },
    ],
    [
      'data files only',
      { template: 'nowhere', manifest: 'nowhere', createTable: 'nowhere' },
      { manifestKey: null, templateKey: null },
    ],
    [
      'a template and no manifest',
      { manifest: 'nowhere' },
      { manifestKey: null, templateKey: `${root}/crawler-cfn.yml` },
    ],
  ])('with %s is recognised within minutes', async (_, layout, expected) => {
    const { run } = await waiting(layout);
    const { hours, ...output } = await delivered(run);
    expect(output).toMatchObject({ ...expected, newestPartition: { year: '2026', month: '11' }, warnings: [] });
    expect(hours).toBeLessThan(7.9);
  });

  it('without a manifest counts only once its files rest', async () => {
    const { payer, run, bucket } = await waiting({ manifest: 'nowhere' });
    const { clock, s3 } = billing.world;
    const success = () => billing.world.cur.find(payer, 'kubecost_cur')?.status.lastStatus === 'SUCCESS';
    // AWS says SUCCESS, and files still grow for ten minutes.
    const grow = (n: number) => {
      clock.after(60_000, () => {
        if (success()) s3.put(bucket, `${data}/late.snappy.parquet`, 'x'.repeat(n));
        if (n < 480) grow(n + 1);
      });
    };
    grow(1);
    const { hours } = await delivered(run);
    expect(hours).toBeGreaterThan(8);
  });

  it('tells that its months have leading zeros', async () => {
    const { payer, run } = await waiting({ manifest: 'nowhere' });
    const folder = `${root}/kubecost_cur/year=2027/month=03`;
    replaceDelivery(payer, { [`${folder}/kubecost_cur-00001.snappy.parquet`]: 'x' });
    const { newestPartition, warnings } = await delivered(run);
    expect(newestPartition).toEqual({ year: '2027', month: '3' });
    expect(warnings).toEqual([expect.stringContaining('spell the month 03 with a leading zero')]);
  });

  it('that nobody recognises fails with its keys, an hour after SUCCESS', async () => {
    const { payer, run } = await waiting({});
    const keys = Array.from({ length: 30 }, (_, n) => `${root}/v2/part-${String(n).padStart(2, '0')}.orc`);
    replaceDelivery(payer, Object.fromEntries(keys.map((key) => [key, 'secret contents'])));
    const started = billing.world.clock.now();
    const { code, message } = await knownErrorOf(run.take('first-delivery'));
    expect(code).toBe('delivery-not-recognised');
    expect(keys.filter((key) => message.includes(key))).toEqual(keys.slice(0, 20));
    expect(message).not.toContain('secret contents');
    expect(billing.world.clock.now() - started).toBeLessThan(9.75 * hour);
  });

  it('in another folder of the bucket fails with the keys there', async () => {
    const { payer, run } = await waiting({});
    replaceDelivery(payer, { 'kubecost_cur/20261101-20261201/kubecost_cur-00001.csv.gz': '' });
    const { code, message } = await knownErrorOf(run.take('first-delivery'));
    expect(code).toBe('delivery-not-recognised');
    expect(message).toContain('kubecost_cur/20261101-20261201/kubecost_cur-00001.csv.gz');
  });

  it('that somebody has deleted is waited for again', async () => {
    const { payer, run } = await waiting({});
    replaceDelivery(payer, {});
    expect((await delivered(run)).hours).toBeGreaterThan(24);
  });

  it('with a manifest whose files lie in no month’s folder is not recognised', async () => {
    const { payer, run } = await waiting({});
    const key = `${root}/20261101-20261201/kubecost_cur-00001.snappy.parquet`;
    const manifest = JSON.stringify({ reportKeys: [key], columns: [] });
    replaceDelivery(payer, { [key]: 'x', [`${root}/20261101-20261201/kubecost_cur-Manifest.json`]: manifest });
    expect((await knownErrorOf(run.take('first-delivery'))).code).toBe('delivery-not-recognised');
  });

  it('with files missing for an hour counts, and names them', async () => {
    const { payer, run } = await waiting({});
    const [there, gone] = ['1', '2'].map((n) => `${data}/kubecost_cur-0000${n}.snappy.parquet`);
    const manifestKey = `${data}/kubecost_cur-Manifest.json`;
    const manifest = JSON.stringify({ reportKeys: [there, gone], columns: [] });
    replaceDelivery(payer, { [String(there)]: 'x', [manifestKey]: manifest });
    const { hours, warnings, ...output } = await delivered(run);
    expect(output).toMatchObject({ manifestKey, newestPartition: { year: '2026', month: '11' } });
    expect(warnings).toEqual([expect.stringContaining(`until AWS delivers again: ${String(gone)}`)]);
    expect(hours).toBeGreaterThan(8.5);
    expect(hours).toBeLessThan(9.75);
  });

  it('lacks nothing but the template, and mode template says so', async () => {
    const { run } = await waiting({ template: 'nowhere' }, { crawler: 'template' });
    const { code, message } = await knownErrorOf(run.take('first-delivery'));
    expect(code).toBe('crawler-template-unusable');
    expect(message).toContain('without crawler-cfn.yml');
  });

  it('is the complete month while AWS writes the next one', async () => {
    const payer = billing.newPayer({ CurBucket: 'acme-*' });
    const { s3, clock, cur } = billing.world;
    const bucket = `acme-${payer}`;
    const definition = { ReportName: 'acme', S3Bucket: bucket, S3Prefix: 'cur', S3Region: region };
    cur.seedReport({ accountId: payer, definition, deliveredSince: clock.now() - 40 * 24 * hour });
    const next = 'cur/acme/acme/year=2026/month=12/acme';
    s3.put(
      bucket,
      `${next}-Manifest.json`,
      JSON.stringify({ reportKeys: [`${next}-00001.snappy.parquet`], columns: [] }),
    );
    const run = await billing.begin(payer);
    await billing.takeUntil('first-delivery', run);
    expect(await delivered(run)).toMatchObject({
      newestPartition: { year: '2026', month: '11' },
      firstPartition: { year: '2026', month: '10' },
      hours: 0,
    });
  });

  it.each<[OnboardingRequestInput['crawler'], number]>([
    ['none', 0],
    ['auto', 20],
  ])('of an empty month is for crawler %s no earlier than %i hours', async (crawler, least) => {
    const payer = billing.newPayer();
    billing.world.cur.bills.set(payer, { emptyMonths: ['2026-11'] });
    const run = await billing.begin(payer, { wait: { intervalMinutes: 15, deadlineHours: 36 }, crawler });
    await billing.takeUntil('first-delivery', run);
    billing.world.clock.after(24 * hour, () => billing.world.cur.bills.delete(payer));
    const { hours, manifestKey } = await delivered(run);
    expect(hours).toBeGreaterThan(Math.max(7.4, least));
    expect(hours).toBeLessThan(least === 0 ? 8 : 33);
    expect(manifestKey).not.toBeNull();
  });
});
