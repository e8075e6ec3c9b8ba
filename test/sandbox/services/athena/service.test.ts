import { describe, expect, it } from 'vitest';
import { ask, billingWorld, payer, sessionOf } from '../../testing/billing-world.ts';
import type { World } from '../../world.ts';
import { athenaService } from './service.ts';

const region = 'eu-central-1';
const database = 'athenacurcfn_kubecost_cur';
const location = 's3://results/queries';

function worldWithTable(schemaElements = ['RESOURCES']): World {
  const world = billingWorld();
  world.cur.seedReport({
    accountId: payer,
    definition: {
      ReportName: 'kubecost_cur',
      S3Bucket: 'reports',
      S3Prefix: 'cur',
      S3Region: region,
      AdditionalSchemaElements: schemaElements,
    },
    deliveredSince: Date.parse('2026-10-01T00:00:00Z'),
  });
  world.s3.createBucket(payer, region, 'results');
  world.glue.seedTable({ accountId: payer, region, database, location: 's3://reports/cur/kubecost_cur/kubecost_cur/' });
  world.glue.seedTable({
    accountId: payer,
    region,
    database,
    location: 's3://reports/cur/kubecost_cur/cost_and_usage_data_status/',
  });
  return world;
}

interface Execution {
  QueryExecution: {
    Status: { State: string; StateChangeReason?: string };
    Statistics: { DataScannedInBytes: number };
  };
}
interface Results {
  ResultSet: { Rows: { Data: { VarCharValue?: string }[] }[]; ResultSetMetadata: { ColumnInfo: object[] } };
  NextToken?: string;
}

const start = (world: World, sql: string, changes: object = {}) =>
  ask<{ QueryExecutionId: string }>(world, athenaService, 'StartQueryExecution', {
    QueryString: sql,
    QueryExecutionContext: { Database: database },
    ResultConfiguration: { OutputLocation: location },
    ...changes,
  });
const execution = (world: World, id: string) =>
  ask<Execution>(world, athenaService, 'GetQueryExecution', { QueryExecutionId: id });

async function query(world: World, sql: string) {
  const { QueryExecutionId: id } = await start(world, sql);
  await world.clock.sleep(7_000);
  const { QueryExecution } = await execution(world, id);
  if (QueryExecution.Status.State !== 'SUCCEEDED') return { failed: QueryExecution.Status.StateChangeReason };
  const { ResultSet } = await ask<Results>(world, athenaService, 'GetQueryResults', { QueryExecutionId: id });
  return { rows: ResultSet.Rows.map(({ Data }) => Data.map(({ VarCharValue }) => VarCharValue)) };
}

/** The shape of Kubecost's own query, for one window of days. */
function costQuery(months: [year: number, month: number | string][], from: string, to: string): string {
  const isKubernetes = "(line_item_product_code = 'AmazonEKS' OR resource_tags_aws_eks_cluster_name <> '')";
  const day = "DATE_TRUNC('day',line_item_usage_start_date)";
  const columns = `line_item_resource_id,
  bill_payer_account_id, line_item_usage_account_id, line_item_product_code, line_item_usage_type, product_region_code`;
  return `
\t\tSELECT ${day} as usage_date,
  ${columns},
  ${isKubernetes} as is_kubernetes,
  SUM(CASE line_item_line_item_type WHEN 'EdpDiscount' THEN 0 WHEN 'PrivateRateDiscount' THEN 0 ELSE line_item_unblended_cost END) as list_cost,
  SUM(COALESCE(line_item_unblended_cost, 0)) as net_cost
\t\tFROM "kubecost_cur"
\t\tWHERE (${months.map(([year, month]) => `(year = '${year}' AND month = '${month}')`).join(' OR ')})
  AND line_item_usage_start_date >= date '${from}' AND line_item_usage_start_date < date '${to}'
  AND (line_item_line_item_type = 'Usage' OR line_item_line_item_type = 'SavingsPlanCoveredUsage')
\t\tGROUP BY ${day}, ${columns}, ${isKubernetes}`;
}

describe("Kubecost's queries", () => {
  it('list the columns of a table named in lower case', async () => {
    const world = worldWithTable();
    const listing = (table: string) =>
      `SELECT column_name FROM information_schema.columns WHERE table_schema = '${database}' AND table_name = '${table}'`;
    const { rows = [] } = await query(world, listing('kubecost_cur'));
    expect(rows).toEqual(expect.arrayContaining([['column_name'], ['line_item_resource_id'], ['year'], ['month']]));
    expect((await query(world, listing('Kubecost_CUR'))).rows).toEqual([['column_name']]);
  });

  it('group the costs of a window by day and resource', async () => {
    const { rows = [] } = await query(worldWithTable(), costQuery([[2026, 11]], '2026-11-03', '2026-11-05'));
    expect(rows[0]).toEqual([
      'usage_date',
      'line_item_resource_id',
      'bill_payer_account_id',
      'line_item_usage_account_id',
      'line_item_product_code',
      'line_item_usage_type',
      'product_region_code',
      'is_kubernetes',
      'list_cost',
      'net_cost',
    ]);
    expect(rows).toHaveLength(1 + 2 * 5);
    expect(rows[1]).toEqual([
      '2026-11-03 00:00:00.000',
      expect.stringMatching(/^i-0/),
      payer,
      payer,
      'AmazonEC2',
      'EUC1-BoxUsage:m6i.large',
      'eu-central-1',
      'true',
      expect.stringMatching(/^\d+\.\d+$/),
      expect.stringMatching(/^\d+\.\d+$/),
    ]);
  });

  it('find and scan nothing for a month with a leading zero', async () => {
    const world = worldWithTable();
    const { QueryExecutionId } = await start(world, costQuery([[2026, '09']], '2026-09-01', '2026-10-01'));
    await world.clock.sleep(7_000);
    const { QueryExecution } = await execution(world, QueryExecutionId);
    expect(QueryExecution).toMatchObject({ Status: { State: 'SUCCEEDED' }, Statistics: { DataScannedInBytes: 0 } });
  });

  it('fail with the known message when the report has no resource ids', async () => {
    const { failed } = await query(worldWithTable([]), costQuery([[2026, 11]], '2026-11-03', '2026-11-05'));
    expect(failed).toMatch(/^SYNTAX_ERROR: line \d+:3: Column 'line_item_resource_id' cannot be resolved$/);
  });

  it('read the status table that AWS writes', async () => {
    expect(await query(worldWithTable(), 'SELECT status FROM cost_and_usage_data_status')).toEqual({
      rows: [['status'], ['READY']],
    });
  });
});

describe('A query', () => {
  it('fails with the name of a missing table', async () => {
    const { failed } = await query(worldWithTable(), 'SELECT 1 FROM "nothing" LIMIT 1');
    expect(failed).toBe(`TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.${database}.nothing' does not exist`);
  });

  it('fails when it compares a month with a number', async () => {
    const { failed } = await query(worldWithTable(), 'SELECT 1 FROM "kubecost_cur" WHERE month = 11 LIMIT 1');
    expect(failed).toBe('TYPE_MISMATCH: line 1:42: Cannot apply operator: varchar = integer');
  });

  it('is queued, runs and writes its results to the output location', async () => {
    const world = worldWithTable();
    const sql = `SELECT 1 FROM "${database}"."kubecost_cur" WHERE year='2026' AND month='11' LIMIT 1`;
    const { QueryExecutionId: id } = await start(world, sql);
    expect((await execution(world, id)).QueryExecution.Status.State).toBe('QUEUED');
    await world.clock.sleep(1_500);
    expect((await execution(world, id)).QueryExecution.Status.State).toBe('RUNNING');
    await expect(ask(world, athenaService, 'GetQueryResults', { QueryExecutionId: id })).rejects.toMatchObject({
      message: 'Query has not yet finished. Current state: RUNNING',
    });
    await world.clock.sleep(5_000);
    expect((await execution(world, id)).QueryExecution.Status.State).toBe('SUCCEEDED');
    expect(world.s3.text('results', `queries/${id}.csv`)).toBe('"_col0"\n"1"\n');
  });

  it('with a used client token is the same query or an error', async () => {
    const world = worldWithTable();
    const ClientRequestToken = 'x'.repeat(32);
    const first = await start(world, 'SELECT status FROM cost_and_usage_data_status', { ClientRequestToken });
    expect(await start(world, 'SELECT status FROM cost_and_usage_data_status', { ClientRequestToken })).toEqual(first);
    await expect(start(world, 'SELECT 1 FROM kubecost_cur', { ClientRequestToken })).rejects.toMatchObject({
      message: 'Idempotent parameters do not match',
    });
  });

  it('returns its rows in pages', async () => {
    const world = worldWithTable();
    const { QueryExecutionId } = await start(world, 'SELECT line_item_resource_id FROM kubecost_cur');
    await world.clock.sleep(7_000);
    let token: string | undefined;
    let count = 0;
    do {
      const input = { QueryExecutionId, MaxResults: 50, NextToken: token };
      const page = await ask<Results>(world, athenaService, 'GetQueryResults', input);
      count += page.ResultSet.Rows.length;
      token = page.NextToken;
    } while (token !== undefined);
    expect(count).toBe(1 + (31 + 10) * 5);
  });
});

describe("The caller's rights", () => {
  const sql = "SELECT 1 FROM kubecost_cur WHERE year='2026' AND month='11' LIMIT 1";
  const arn = (path: string) => `arn:aws:glue:${region}:${payer}:${path}`;
  const catalog: [string[], string[]] = [
    ['glue:GetDatabase', 'glue:GetTable', 'glue:GetPartition', 'glue:GetPartitions', 'glue:BatchGetPartition'],
    [arn('catalog'), arn(`database/${database}`), arn(`table/${database}/kubecost_cur`)],
  ];
  const data: [string[], string[]] = [
    ['s3:GetObject', 's3:ListBucket', 's3:GetBucketLocation'],
    ['arn:aws:s3:::reports', 'arn:aws:s3:::reports/*'],
  ];
  const results: [string[], string[]] = [
    [
      's3:AbortMultipartUpload',
      's3:GetBucketLocation',
      's3:GetObject',
      's3:ListBucket',
      's3:ListBucketMultipartUploads',
      's3:ListMultipartUploadParts',
      's3:PutObject',
    ],
    ['arn:aws:s3:::results', 'arn:aws:s3:::results/*'],
  ];

  function reasonFor(...allowed: [string[], string[]][]): Promise<string | undefined> {
    return reasonIn(worldWithTable(), ...allowed);
  }

  async function reasonIn(world: World, ...allowed: [string[], string[]][]): Promise<string | undefined> {
    const caller = sessionOf(world, 'reader', ...allowed);
    const input = {
      QueryString: sql,
      QueryExecutionContext: { Database: database },
      ResultConfiguration: { OutputLocation: location },
    };
    const started = await ask<{ QueryExecutionId: string }>(world, athenaService, 'StartQueryExecution', input, {
      caller,
    });
    await world.clock.sleep(7_000);
    const { QueryExecution } = await execution(world, started.QueryExecutionId);
    return QueryExecution.Status.StateChangeReason;
  }

  it('are sufficient for catalog, data and results', async () => {
    expect(await reasonFor(catalog, data, results)).toBeUndefined();
  });

  it.each(['glue:GetPartition', 'glue:GetPartitions', 'glue:BatchGetPartition'])(
    'are named in the error when %s is missing',
    async (missing) => {
      const others: [string[], string[]] = [catalog[0].filter((action) => action !== missing), catalog[1]];
      expect(await reasonFor(others, data, results)).toContain(
        `Insufficient permissions to execute the query. User: arn:aws:sts::111122223333:assumed-role/reader/test is not authorized to perform: ${missing} on resource: `,
      );
    },
  );

  it('are needed on the folder of the partition', async () => {
    expect(await reasonFor(catalog, results)).toBe(
      'Permission denied on S3 path: s3://reports/cur/kubecost_cur/kubecost_cur/year=2026/month=11',
    );
  });

  it('are needed to write results and to find their bucket', async () => {
    const readOnly: [string[], string[]] = [results[0].filter((action) => action !== 's3:PutObject'), results[1]];
    expect(await reasonFor(catalog, data, readOnly)).toMatch(
      /^Access denied when writing output to url: s3:\/\/results/,
    );
    await expect(reasonFor(catalog, data)).rejects.toMatchObject({
      message: 'Unable to verify/create output bucket results',
    });
  });

  it.each(['s3:ListBucketMultipartUploads', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'])(
    'include %s on the results',
    async (missing) => {
      const others: [string[], string[]] = [results[0].filter((action) => action !== missing), results[1]];
      const reason = await reasonFor(catalog, data, others).catch((error: unknown) => String(error));
      expect(reason).toMatch(/Unable to verify|Access denied when writing/);
    },
  );

  it('include the key of the report’s bucket', async () => {
    const key = worldWithKey((world, arn) => {
      for (const object of world.s3.buckets.get('reports')?.objects.values() ?? []) object.kmsKeyArn = arn;
    });
    expect(await reasonIn(key.world, catalog, data, results)).toContain(`kms:Decrypt on resource: ${key.arn}`);
    expect(await reasonIn(key.world, catalog, data, results, [['kms:Decrypt'], [key.arn]])).toBeUndefined();
  });

  it('include the key of the results, to write and to read', async () => {
    const key = worldWithKey((world, arn) => {
      const EncryptionConfiguration = { EncryptionOption: 'SSE_KMS' as const, KmsKey: arn };
      const configuration = { ResultConfiguration: { EncryptionConfiguration } };
      world.athena.seedWorkgroup({ accountId: payer, region, name: 'primary', configuration });
    });
    const reason = await reasonIn(key.world, catalog, data, results, [['kms:Decrypt'], [key.arn]]);
    expect(reason).toMatch(/^Access denied when writing output .* KMS key/);
    const both = ['kms:Decrypt', 'kms:GenerateDataKey'];
    expect(await reasonIn(key.world, catalog, data, results, [both, [key.arn]])).toBeUndefined();
    const written = [...(key.world.s3.buckets.get('results')?.objects.values() ?? [])];
    expect(written.map(({ kmsKeyArn }) => kmsKeyArn)).toEqual([key.arn, key.arn]);
  });

  it('include the key of an encrypted catalog', async () => {
    const key = worldWithKey((world, arn) => {
      const encryption = { CatalogEncryptionMode: 'SSE-KMS' as const, SseAwsKmsKeyId: arn };
      world.glue.catalog(payer, region).encryption = encryption;
    });
    expect(await reasonIn(key.world, catalog, data, results)).toMatch(
      /^Insufficient permissions to execute the query. .*kms:Decrypt.*GlueEncryptionException/,
    );
    expect(await reasonIn(key.world, catalog, data, results, [['kms:Decrypt'], [key.arn]])).toBeUndefined();
  });

  function worldWithKey(use: (world: World, arn: string) => void): { world: World; arn: string } {
    const world = worldWithTable();
    const { arn } = world.kms.createKey({ accountId: payer, region });
    use(world, arn);
    return { world, arn };
  }
});

describe('Output locations', () => {
  const sql = 'SELECT status FROM cost_and_usage_data_status';
  const none = { ResultConfiguration: {} };

  it('must be set, start with s3:// and be in this region', async () => {
    const world = worldWithTable();
    world.s3.createBucket(payer, 'us-east-1', 'far-away');
    const refused = [
      [undefined, /^No output location provided/],
      ['results', /^outputLocation is not a valid S3 path\.$/],
      ['s3://missing', /^Unable to verify\/create output bucket missing$/],
      ['s3://far-away', /same region/],
    ] as const;
    for (const [OutputLocation, message] of refused)
      await expect(start(world, sql, { ResultConfiguration: { OutputLocation } })).rejects.toMatchObject({
        code: 'InvalidRequestException',
        message: expect.stringMatching(message) as string,
      });
  });

  it("are the workgroup's where it enforces them", async () => {
    const world = worldWithTable();
    const configuration = {
      EnforceWorkGroupConfiguration: true,
      ResultConfiguration: { OutputLocation: 's3://results/enforced/' },
    };
    world.athena.seedWorkgroup({ accountId: payer, region, name: 'finops', configuration });
    const { QueryExecutionId: id } = await start(world, sql, { WorkGroup: 'finops' });
    await world.clock.sleep(7_000);
    expect(world.s3.keys('results')).toEqual([`enforced/${id}.csv`, `enforced/${id}.csv.metadata`]);
  });

  it('are refused together with managed results', async () => {
    const world = worldWithTable();
    const configuration = { ManagedQueryResultsConfiguration: { Enabled: true } };
    world.athena.seedWorkgroup({ accountId: payer, region, name: 'managed', configuration });
    await expect(start(world, sql, { WorkGroup: 'managed' })).rejects.toMatchObject({
      message: 'ManagedQueryResultsConfiguration and ResultConfiguration cannot be set together',
    });
    await start(world, sql, { WorkGroup: 'managed', ...none });
  });

  it('can be set on the workgroup primary, which starts without one', async () => {
    const world = worldWithTable();
    await expect(start(world, sql, none)).rejects.toMatchObject({ code: 'InvalidRequestException' });
    await ask(world, athenaService, 'UpdateWorkGroup', {
      WorkGroup: 'primary',
      ConfigurationUpdates: { ResultConfigurationUpdates: { OutputLocation: 's3://results/primary/' } },
    });
    await start(world, sql, none);
    await expect(ask(world, athenaService, 'GetWorkGroup', { WorkGroup: 'Primary' })).rejects.toMatchObject({
      message: 'WorkGroup is not found.',
    });
  });
});
