import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { curBucketName } from '../../shared/aws/names.ts';
import { managedBy } from '../../shared/model/ownership.ts';
import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { crashAfterWrite } from '../sandbox/index.ts';
import { deploymentId } from '../support/deployed-sandbox.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
import { type OneRun, writesOf } from '../support/step-harness.ts';
import { endStep } from '../support/stored-runs.ts';
import type { StepOutcome } from '../support/take-step.ts';

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
const database = 'kubecostcur_kubecost_cur';
const day = 86_400_000;
const done = ({ record }: StepOutcome) => record.changes.map((change) => change.do);
const output = ({ record }: StepOutcome) => outputs['crawler-table'].parse(record.output);
const catalogOf = (payer: string) => billing.world.glue.catalog(payer, region);
const tableOf = (payer: string) => catalogOf(payer).databases.get(database)?.tables.get('kubecost_cur')?.input;
const columnsOf = (payer: string) =>
  new Map(tableOf(payer)?.StorageDescriptor?.Columns?.map(({ Name, Type }) => [Name ?? '', Type]));

/** A run whose report is delivered and gets a table without a crawler. */
async function begin(payer: string, changes: Partial<OnboardingRequestInput> = {}): Promise<OneRun> {
  const run = await billing.begin(payer, { crawler: 'none', wait: { intervalMinutes: 15 }, ...changes });
  await billing.takeUntil('crawler-stack', run);
  const stack = { kind: 'none', stackId: null, crawlerName: null, athenaDatabase: database };
  await endStep(run.runId, 'crawler-stack', stack);
  return run;
}

async function withTable(payer = billing.newPayer()): Promise<string> {
  await (await begin(payer)).take('crawler-table');
  return payer;
}

/** Replaces what the manifest of November says about its columns. */
function rewriteManifest(payer: string, change: (manifest: { columns: object[] | undefined }) => void): void {
  const bucket = curBucketName(payer, region);
  const key = 'kubecost/kubecost_cur/kubecost_cur/year=2026/month=11/kubecost_cur-Manifest.json';
  const manifest = JSON.parse(billing.world.s3.text(bucket, key) ?? '') as { columns: object[] | undefined };
  change(manifest);
  billing.world.s3.put(bucket, key, JSON.stringify(manifest));
}

describe('a table of our own', () => {
  it('has the manifest’s columns, our tags and months without zeros', async () => {
    const payer = billing.newPayer();
    const taken = await (await begin(payer)).take('crawler-table');
    expect(done(taken)).toEqual(['create-database', 'create-table']);
    expect(output(taken)).toEqual({
      athenaDatabase: database,
      athenaTable: 'kubecost_cur',
      newestPartition: { year: '2026', month: '11' },
      lastYear: 2036,
    });
    expect(tableOf(payer)).toMatchObject({
      PartitionKeys: [
        { Name: 'year', Type: 'string' },
        { Name: 'month', Type: 'string' },
      ],
      StorageDescriptor: { Location: `s3://${curBucketName(payer, region)}/kubecost/kubecost_cur/kubecost_cur/` },
      Parameters: {
        'managed-by': managedBy,
        'deployment-id': deploymentId,
        'projection.enabled': 'true',
        'projection.year.range': '2026,2036',
        'projection.month.range': '1,12',
      },
    });
    expect(tableOf(payer)?.Parameters).not.toHaveProperty('projection.month.digits');
    const columns = columnsOf(payer);
    expect(columns.get('line_item_unblended_cost')).toBe('double');
    expect(columns.get('line_item_usage_start_date')).toBe('timestamp');
    expect(columns.get('resource_tags_user_team')).toBe('string');
    const tags = catalogOf(payer).tags.get(`arn:aws:glue:${region}:${payer}:database/${database}`);
    expect(tags).toMatchObject({ 'managed-by': managedBy, 'deployment-id': deploymentId });
  });

  it('makes no crawler, role, function, stack or notification', async () => {
    const payer = await withTable();
    const { world } = billing;
    expect(catalogOf(payer).crawlers.size).toBe(0);
    expect(world.iam.roles(payer).filter(({ arn }) => arn.includes('crawler'))).toEqual([]);
    expect(world.s3.buckets.get(curBucketName(payer, region))?.notification).toEqual({});
  });

  it('is written once: a second run changes nothing', async () => {
    const payer = await withTable();
    const again = await (await begin(payer)).take('crawler-table');
    expect(done(again)).toEqual([]);
    expect(writesOf(again.calls)).toEqual([]);
    expect(output(again).lastYear).toBe(2036);
  });

  it.each([1, 2, 3])('is complete after a crash at write %i', async (writes) => {
    const payer = billing.newPayer();
    const run = await begin(payer);
    const repair = crashAfterWrite(billing.world, writes - 1);
    await run.invoke('crawler-table').catch(() => undefined);
    repair();
    await billing.world.clock.sleep(5_000);
    expect(output(await run.take('crawler-table')).athenaTable).toBe('kubecost_cur');
    expect(columnsOf(payer).size).toBeGreaterThan(30);
  });

  it('gets the types that the manifest says', async () => {
    const payer = await withTable();
    const columns = tableOf(payer)?.StorageDescriptor?.Columns?.find(({ Name }) => Name === 'line_item_usage_amount');
    if (columns) columns.Type = 'string';
    const taken = await (await begin(payer)).take('crawler-table');
    expect(taken.record.changes[0]?.note).toBe('corrects line_item_usage_amount (string to double)');
    expect(columnsOf(payer).get('line_item_usage_amount')).toBe('double');
  });

  it('is extended when fewer than five years are left, and from an earlier month', async () => {
    const payer = await withTable();
    const parameters = tableOf(payer)?.Parameters ?? {};
    parameters['projection.year.range'] = '2027,2030';
    parameters['team'] = 'finance';
    const taken = await (await begin(payer)).take('crawler-table');
    expect(done(taken)).toEqual(['update-table']);
    expect(tableOf(payer)?.Parameters).toMatchObject({ 'projection.year.range': '2026,2036', team: 'finance' });
    expect(output(taken).lastYear).toBe(2036);
  });

  it('has an empty column for what the account does not use', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { crawler: 'none' });
    await billing.takeUntil('crawler-stack', run);
    await endStep(run.runId, 'crawler-stack', {
      kind: 'none',
      stackId: null,
      crawlerName: null,
      athenaDatabase: database,
    });
    rewriteManifest(payer, (manifest) => {
      manifest.columns = manifest.columns?.filter((column) => !JSON.stringify(column).includes('regionCode'));
    });
    await run.take('crawler-table');
    expect(columnsOf(payer).get('product_region_code')).toBe('string');
  });

  it('tells of columns of unknown types', async () => {
    const payer = billing.newPayer();
    const run = await begin(payer);
    rewriteManifest(payer, ({ columns }) => columns?.push({ category: 'lineItem', name: 'Shape', type: 'Polygon' }));
    const { record } = await run.take('crawler-table');
    expect(record.warnings).toEqual([expect.stringContaining('line_item_shape (Polygon, left out)')]);
    expect(columnsOf(payer).has('line_item_shape')).toBe(false);
  });

  it('has the columns of create-table.sql where no manifest lists them', async () => {
    const payer = billing.newPayer();
    billing.world.cur.layouts.set(payer, { manifest: 'nowhere' });
    const taken = await (await begin(payer)).take('crawler-table');
    expect(taken.record.changes[1]?.note).toContain('20261101-20261201/kubecost_cur-create-table.sql');
    expect(columnsOf(payer).get('line_item_usage_start_date')).toBe('timestamp');
    const other = billing.newPayer();
    const run = await begin(other);
    rewriteManifest(other, (manifest) => (manifest.columns = undefined));
    await run.take('crawler-table');
    expect(columnsOf(other).get('resource_tags_user_team')).toBe('string');
  });

  it('is refused where nothing says the columns', async () => {
    const payer = billing.newPayer();
    billing.world.cur.layouts.set(payer, { manifest: 'nowhere', createTable: 'nowhere' });
    const { code, message } = await knownErrorOf((await begin(payer)).take('crawler-table'));
    expect(code).toBe('columns-unknown');
    expect(message).toContain('kubecost_cur-00001.snappy.parquet');
    expect(catalogOf(payer).databases.has(database)).toBe(false);
  });

  it('never replaces what somebody else made under its name', async () => {
    const payer = billing.newPayer();
    const run = await begin(payer);
    const home = { input: { Name: database }, createdAt: 0, tables: new Map() };
    catalogOf(payer).databases.set(database, home);
    expect(await knownErrorOf(run.take('crawler-table'))).toMatchObject({ code: 'table-not-ours' });
    const arn = `arn:aws:glue:${region}:${payer}:database/${database}`;
    catalogOf(payer).tags.set(arn, { 'managed-by': managedBy, 'deployment-id': 'other' });
    const second = await begin(payer);
    expect(await knownErrorOf(second.take('crawler-table'))).toMatchObject({ code: 'owned-by-another-deployment' });
    catalogOf(payer).tags.set(arn, { 'managed-by': managedBy, 'deployment-id': deploymentId });
    home.tables.set('kubecost_cur', {
      input: { Name: 'kubecost_cur' },
      createdAt: 0,
      updatedAt: 0,
      partitions: new Map(),
    });
    const third = await begin(payer);
    const { code, message } = await knownErrorOf(third.take('crawler-table'));
    expect(code).toBe('table-not-ours');
    expect(message).toContain(`table ${database}.kubecost_cur`);
  });

  it('is planned in a dry run before there is any delivery', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { crawler: 'none', dryRun: true });
    await billing.takeUntil('crawler-stack', run);
    await endStep(run.runId, 'crawler-stack', {
      kind: 'none',
      stackId: null,
      crawlerName: null,
      athenaDatabase: database,
    });
    const { record, calls } = await run.take('crawler-table');
    expect(record.changes.map((change) => change.do)).toEqual(['create-database', 'create-table']);
    expect(writesOf(calls)).toEqual([]);
  });

  it('gets the columns of a new month and keeps the earlier ones', async () => {
    const payer = billing.newPayer();
    billing.world.cur.bills.set(payer, { tags: [{ key: 'user:old' }] });
    await withTable(payer);
    billing.world.cur.bills.set(payer, { tags: [{ key: 'user:New', since: billing.world.clock.now() }] });
    await billing.world.clock.sleep(9 * day);
    const taken = await (await begin(payer)).take('crawler-table');
    expect(output(taken).newestPartition).toEqual({ year: '2026', month: '12' });
    expect(done(taken)).toEqual(['update-table']);
    expect(taken.record.changes[0]?.note).toBe('adds resource_tags_user_new');
    expect([...columnsOf(payer).keys()]).toEqual(
      expect.arrayContaining(['resource_tags_user_old', 'resource_tags_user_new']),
    );
  });
});
