import type { Column, TableInput } from '@aws-sdk/client-glue';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { outputs } from '../../shared/model/steps-and-outputs.ts';
import { knownErrorOf, PayerHarness } from '../support/payer-harness.ts';
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
const day = 86_400_000;
const done = ({ record }: StepOutcome) => record.changes.map((change) => change.do);
const output = ({ record }: StepOutcome) => outputs['crawler-table'].parse(record.output);
const home = (payer: string) => `s3://acme-${payer}/cur/acme/acme`;
const text = (Name: string): Column => ({ Name, Type: 'string' });

const projection = {
  'projection.enabled': 'true',
  'projection.year.type': 'integer',
  'projection.year.range': '2020,2030',
  'projection.month.type': 'integer',
  'projection.month.range': '1,12',
};

interface Table {
  /** @default cur */
  name?: string;
  parameters?: Record<string, string>;
  keys?: Column[];
  /** Month folders that Glue has partitions of. */
  partitions?: string[];
  /** @default the data's folder with a slash */
  location?: (payer: string) => string;
  without?: string;
}

/** A payer with a delivered report and a table `finops.cur` that somebody made by hand. */
function newPayer({ parameters = {}, keys = [text('year'), text('month')], partitions = [], ...table }: Table): string {
  const { world } = billing;
  const payer = billing.newPayer({ CurBucket: 'acme-*' });
  const definition = { ReportName: 'acme', S3Bucket: `acme-${payer}`, S3Prefix: 'cur', S3Region: region };
  world.cur.seedReport({ accountId: payer, definition, deliveredSince: world.clock.now() - 40 * day });
  const seeded = world.glue.seedTable({
    accountId: payer,
    region,
    database: 'finops',
    location: `${home(payer)}/`,
    table: table.name ?? 'cur',
  });
  const columns = seeded.input.StorageDescriptor?.Columns?.filter(({ Name }) => Name !== table.without);
  const input: TableInput = {
    ...seeded.input,
    PartitionKeys: keys,
    Parameters: { classification: 'parquet', ...parameters },
  };
  input.StorageDescriptor = {
    ...seeded.input.StorageDescriptor,
    Columns: columns,
    Location: table.location?.(payer) ?? `${home(payer)}/`,
  };
  Object.assign(seeded.input, input);
  for (const values of seeded.partitions.keys()) if (!partitions.includes(values)) seeded.partitions.delete(values);
  return payer;
}

/** A crawler that somebody made for the table. */
function addCrawler(payer: string, name: string, path = home(payer), database = 'finops'): void {
  const { world } = billing;
  const trust = {
    Statement: { Effect: 'Allow', Principal: { Service: 'glue.amazonaws.com' }, Action: 'sts:AssumeRole' },
  };
  const inline = { data: { Statement: { Effect: 'Allow', Action: 's3:*', Resource: '*' } } };
  world.iam.createRole({ accountId: payer, name: 'crawls', trust, inline, settled: true });
  const now = world.clock.now();
  world.glue.catalog(payer, region).crawlers.set(name, {
    name,
    accountId: payer,
    region,
    settings: {
      Name: name,
      Role: 'crawls',
      DatabaseName: database,
      Targets: { S3Targets: [{ Path: path, Exclusions: ['**.json'] }] },
    },
    state: 'READY',
    createdAt: now,
    updatedAt: now,
    lastRuntimeSeconds: 0,
    created: 0,
    updated: 0,
    deleted: 0,
    unschedule: () => undefined,
  });
}

async function take(payer: string): Promise<StepOutcome> {
  return billing.takeTo('crawler-table', await billing.begin(payer, { report: { name: 'acme' } }));
}

async function refused(payer: string) {
  const started = billing.world.clock.now();
  const problem = await knownErrorOf(take(payer));
  return { ...problem, minutes: (billing.world.clock.now() - started) / 60_000 };
}

describe('an adopted table with partition projection', () => {
  it.each<[string, Table]>([
    ['integers for years and months', { parameters: projection }],
    ['no slash at the end of its location', { parameters: projection, location: home }],
    [
      'an enum of months',
      {
        parameters: {
          ...projection,
          'projection.month.type': 'enum',
          'projection.month.values': '1,2,3,4,5,6,7,8,9,10,11,12',
        },
      },
    ],
    ['injected months', { parameters: { ...projection, 'projection.month.type': 'injected' } }],
    [
      'years as dates up to now',
      {
        parameters: {
          ...projection,
          'projection.year.type': 'date',
          'projection.year.format': 'yyyy',
          'projection.year.range': '2020,NOW',
        },
      },
    ],
    ['month before year', { parameters: projection, keys: [text('month'), text('year')] }],
    ['its enabling in capitals', { parameters: { ...projection, 'projection.enabled': 'TRUE' } }],
  ])('and %s is ready without any partition in Glue', async (_, table) => {
    const location = table.keys && { parameters: { ...table.parameters, 'storage.location.template': 'TEMPLATE' } };
    const payer = newPayer({ ...table });
    const adopted = billing.world.glue.catalog(payer, region).databases.get('finops')?.tables.get('cur');
    if (location && adopted?.input.Parameters)
      adopted.input.Parameters['storage.location.template'] = `${home(payer)}/year=\${year}/month=\${month}/`;
    const started = billing.world.clock.now();
    const taken = await take(payer);
    expect(output(taken)).toMatchObject({
      athenaDatabase: 'finops',
      athenaTable: 'cur',
      newestPartition: { year: '2026', month: '11' },
    });
    expect(done(taken)).toEqual([]);
    expect(taken.calls.filter(({ operation }) => operation === 'GetPartition')).toEqual([]);
    expect(billing.world.clock.now() - started).toBeLessThan(60_000);
  });

  it('has a location elsewhere if its template leads to the data', async () => {
    const payer = newPayer({ parameters: projection, location: (id) => `s3://acme-${id}/` });
    const adopted = billing.world.glue.catalog(payer, region).databases.get('finops')?.tables.get('cur');
    if (adopted?.input.Parameters)
      adopted.input.Parameters['storage.location.template'] = `${home(payer)}/year=\${year}/month=\${month}/`;
    expect(output(await take(payer)).athenaTable).toBe('cur');
  });

  it('says its last year', async () => {
    expect(output(await take(newPayer({ parameters: projection }))).lastYear).toBe(2030);
  });

  it.each<[string, Table, string]>([
    [
      'a range of years that has ended',
      { parameters: { ...projection, 'projection.year.range': '2020,2025' } },
      'projection.year.range is 2020,2025',
    ],
    [
      'an enum without the month',
      { parameters: { ...projection, 'projection.month.type': 'enum', 'projection.month.values': '01,02,03' } },
      'projection.month.values',
    ],
    [
      'months as numbers',
      { parameters: projection, keys: [text('year'), { Name: 'month', Type: 'int' }] },
      'partition column month has the type int',
    ],
    [
      'no type of its months',
      { parameters: { ...projection, 'projection.month.type': '' } },
      'projection.month.type is',
    ],
    [
      'a template elsewhere',
      { parameters: { ...projection, 'storage.location.template': 's3://acme-x/${year}/${month}/' } },
      'storage.location.template leads to',
    ],
  ])('and %s is refused at once with the parameter', async (_, table, parameter) => {
    const payer = newPayer(table);
    if (table.parameters?.['storage.location.template']) {
      const adopted = billing.world.glue.catalog(payer, region).databases.get('finops')?.tables.get('cur');
      if (adopted?.input.Parameters)
        adopted.input.Parameters['storage.location.template'] = `${home(payer)}/\${year}/\${month}/`;
    }
    const { code, message, minutes } = await refused(payer);
    expect(code).toBe('table-projection-wrong');
    expect(message).toContain(parameter);
    expect(minutes).toBeLessThan(5);
  });

  it('warns of the first month that it will leave out', async () => {
    const { record } = await take(newPayer({ parameters: { ...projection, 'projection.month.digits': '2' } }));
    expect(record.warnings).toEqual([expect.stringMatching(/has no month 2027-1: projection\.month\.digits is 2/)]);
  });

  it('and a missing column is refused at once', async () => {
    const { code, message, minutes } = await refused(
      newPayer({ parameters: projection, without: 'line_item_resource_id' }),
    );
    expect(code).toBe('table-not-found');
    expect(message).toContain('lacks line_item_resource_id; no crawler fills it; crawler: none');
    expect(minutes).toBeLessThan(5);
  });
});

describe('an adopted table whose partition columns are numbers', () => {
  it('is refused at once with the column', async () => {
    const keys = ['year', 'month'].map((Name) => ({ Name, Type: 'int' }));
    const { code, message, minutes } = await refused(newPayer({ keys, partitions: ['2026/11'] }));
    expect(code).toBe('table-not-found');
    expect(message).toContain('its partition column year has the type int');
    expect(message).toContain('crawler: none');
    expect(minutes).toBeLessThan(10);
  });
});

describe('an adopted table with partitions in Glue', () => {
  it('warns if nobody is known who adds new months', async () => {
    const taken = await take(newPayer({ partitions: ['2026/10', '2026/11'] }));
    expect(output(taken)).toMatchObject({ athenaTable: 'cur', lastYear: null });
    expect(taken.record.warnings).toEqual([
      expect.stringContaining('nobody is known who adds new months to table finops.cur'),
    ]);
  });

  it('is refused at once if it lacks the new month and has no crawler', async () => {
    const { code, message, minutes } = await refused(newPayer({ partitions: ['2026/10'] }));
    expect(code).toBe('table-not-found');
    expect(message).toContain('lacks the month 2026-11; no crawler fills it; crawler: none makes a table of our own');
    expect(minutes).toBeLessThan(5);
  });

  it.each([
    ['AWSCURCrawler-acme', undefined],
    ['finops-nightly', undefined],
    ['whole-bucket', (payer: string) => `s3://acme-${payer}/cur/acme/`],
  ])('gets the new month from its crawler %s', async (name, path) => {
    // A crawler names the table after the folder.
    const payer = newPayer({ partitions: ['2026/10'], name: 'acme' });
    addCrawler(payer, name, path?.(payer));
    const crawler = billing.world.glue.catalog(payer, region).crawlers.get(name);
    if (name !== 'AWSCURCrawler-acme') {
      // Our role may not start it. Somebody else's crawl is under way.
      if (crawler) Object.assign(crawler, { state: 'RUNNING', startedAt: billing.world.clock.now() });
      billing.world.clock.after(240_000, () => {
        const table = billing.world.glue.catalog(payer, region).databases.get('finops')?.tables.get('acme');
        const earlier = table?.partitions.get('2026/10');
        if (earlier) table?.partitions.set('2026/11', { ...earlier, Values: ['2026', '11'] });
        if (crawler) crawler.state = 'READY';
      });
    }
    const taken = await take(payer);
    expect(done(taken)).toEqual(name === 'AWSCURCrawler-acme' ? ['start-crawler'] : []);
    expect(output(taken).newestPartition).toEqual({ year: '2026', month: '11' });
    expect(taken.record.warnings).toEqual([]);
  });

  it('names a crawler that our role may not start', async () => {
    const payer = newPayer({ partitions: ['2026/10'] });
    addCrawler(payer, 'finops-nightly');
    const { code, message, minutes } = await refused(payer);
    expect(code).toBe('table-not-found');
    expect(message).toContain('start crawler finops-nightly, which our role may not start');
    expect(minutes).toBeLessThan(5);
  });

  it('is not filled by a crawler of another database or folder', async () => {
    const payer = newPayer({ partitions: ['2026/10'] });
    addCrawler(payer, 'elsewhere', home(payer), 'other');
    addCrawler(payer, 'status', `s3://acme-${payer}/cur/acme/cost_and_usage_data_status`);
    expect((await refused(payer)).message).toContain('no crawler fills it');
  });

  it('is refused after one crawl that adds no missing column', async () => {
    const payer = newPayer({ partitions: ['2026/10', '2026/11'], without: 'product_region_code' });
    addCrawler(payer, 'AWSCURCrawler-acme', `s3://acme-${payer}/cur/acme/acme`, 'finops');
    const crawl = billing.world.glue.catalog(payer, region).databases.get('finops');
    // The crawler finds the table under another name, so this one stays as it is.
    if (crawl) Object.defineProperty(crawl.tables, 'set', { value: () => crawl.tables });
    const { code, message, minutes } = await refused(payer);
    expect(code).toBe('table-not-found');
    expect(message).toContain('lacks product_region_code after a crawl by AWSCURCrawler-acme');
    expect(minutes).toBeLessThan(10);
  });

  it('is not needed by a role that may not list crawlers', async () => {
    const payer = newPayer({ partitions: ['2026/10'] });
    billing.world.faults.push({ service: 'glue', operation: 'GetCrawlers', kind: 'denied' });
    const { message } = await refused(payer);
    billing.world.faults.splice(0);
    expect(message).toContain('no crawler fills it');
  });
});

describe('a crawler’s table', () => {
  it('that is split into months is refused with a way out', async () => {
    const payer = billing.newPayer();
    const run = await billing.begin(payer, { wait: { intervalMinutes: 15 } });
    await billing.takeUntil('crawler-table', run);
    const bucket = `kubecost-cur-${payer}-${region}`;
    const folder = 'kubecost/kubecost_cur/kubecost_cur/year=2026/month=';
    const home = billing.world.glue.catalog(payer, region).databases.get('athenacurcfn_kubecost_cur');
    home?.tables.clear();
    for (const month of ['10', '11']) {
      billing.world.s3.put(bucket, `${folder}${month}/x.snappy.parquet`, JSON.stringify({ columns: [], rows: [] }));
      const location = `s3://${bucket}/${folder}${month}/`;
      billing.world.glue.seedTable({ accountId: payer, region, database: 'athenacurcfn_kubecost_cur', location });
    }
    const { code, message } = await knownErrorOf(run.take('crawler-table'));
    expect(code).toBe('table-split');
    expect(message).toContain('month_10, month_11; crawler: none');
  });

  it('warns of tables that hold single months beside it', async () => {
    const payer = newPayer({ partitions: ['2026/10', '2026/11'] });
    addCrawler(payer, 'AWSCURCrawler-acme');
    billing.world.glue.seedTable({
      accountId: payer,
      region,
      database: 'finops',
      location: `${home(payer)}/year=2026/month=10/`,
    });
    const { record } = await take(payer);
    expect(record.warnings).toEqual([expect.stringContaining('may lack months: month_10')]);
  });
});
