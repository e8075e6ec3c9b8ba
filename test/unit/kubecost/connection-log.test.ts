import { describe, expect, it } from 'vitest';
import { decideFromLog, readLog } from '../../../shared/kubecost/connection-log.ts';

const key = '111122223333/s3://results';
const february = '[2026-02-23T00:00:00+0000, 2026-03-02T00:00:00+0000)';
const earlier = '[2026-02-16T00:00:00+0000, 2026-02-23T00:00:00+0000)';

const created = `2026-03-02T11:02:31.500Z INF CloudCost: IngestionManager: creating integration with key: ${key}`;
const deleted = `2026-03-02T11:09:31.500Z INF CloudCost: IngestionManager: deleting integration with key: ${key}`;
const rejected =
  "2026-03-02T11:03:00.000Z ERR MultiCloudWatcher: Error getting file '/var/configs/cloud-integration/cloud-integration.json': loadFile: Error reading json: json: cannot unmarshal object into Go struct field MultiCloudConfig.aws of type []aws.AwsAthenaInfo";
const building = (window: string, of = key) =>
  `2026-03-02T11:02:31.503Z INF CloudCost[${of}]: ingestor: building window ${window}`;
/** Printed after a failed window, too. */
const done = (window: string, of = key) =>
  `2026-03-02T11:02:49.880Z INF CloudCost[${of}]: ingestor: build[NLzAH]:  ${window} in 18.377s`;
const failed = (window: string, why: string, of = key) =>
  `2026-03-02T11:02:33.000Z ERR CloudCost[${of}]: ingestor: build failed for window ${window}: GetCloudCost: ${why}`;
const decide = (...lines: string[]) => decideFromLog(readLog(lines.join('\n'), key));

/** Errors to ignore: they name no integration, or concern the store, not the query. */
const harmless = [
  '2026-03-02T11:02:31.499Z ERR MultiCloudConfig: error converting AWS config Configurations: Insert: failed to insert config of type: <nil>',
  '2023-05-24T19:41:31.630Z ERR Failed to lookup reserved instance data: no reservation data available in Athena',
  '2023-05-24T19:41:31.631Z ERR Failed to lookup savings plan data: Error fetching Savings Plan Data: QueryAthenaPaginated: athena configuration incomplete',
  `2023-05-24T19:41:34.608Z ERR ETL:  CloudUsage[${key}]: Build[XPQMa]:  failed to load range from back up 2023-05-18 00:00:00 +0000 UTC - 2023-05-25 00:00:00 +0000 UTC: file does not exist`,
];

describe('the consumer’s log', () => {
  it('proves the query once a window is built, with its first day', () => {
    const lines = [created, building(february), done(february), building(earlier), done(earlier)];
    expect(decide(...lines)).toEqual({ verdict: 'proven', dataSince: '2026-02-16' });
  });

  it('of Kubecost up to 1.104 proves the query by its coverage', () => {
    const lines = [
      created,
      `2023-05-24T19:41:50.528Z INF ETL: CloudUsage[${key}]: Build[XPQMa]: coverage [2023-05-18T00:00:00+0000, 2023-05-25T00:00:00+0000) (7.7 complete)`,
    ];
    expect(decide(...lines)).toEqual({ verdict: 'proven', dataSince: '2023-05-18' });
  });

  it('ignores log errors unrelated to our entry', () => {
    expect(decide(...harmless, created, building(february), done(february))).toMatchObject({ verdict: 'proven' });
    expect(decide(created, ...harmless)).toMatchObject({ verdict: 'pending' });
  });

  it('does not count the end of a failed window as success', () => {
    const lines = [created, building(february), failed(february, 'WorkGroup is not found.'), done(february)];
    expect(decide(...lines)).toMatchObject({ verdict: 'failing', code: 'connection-failed' });
  });

  it('counts the second try of a window, not the first', () => {
    const first = [created, building(february), failed(february, 'AccessDenied'), done(february)];
    expect(decide(...first, building(february), done(february))).toMatchObject({ verdict: 'proven' });
  });

  it('counts a later success, not an earlier failure', () => {
    const denied = 'AssumeRole, api error AccessDenied';
    expect(decide(created, failed(february, denied), done(february), done(earlier))).toMatchObject({
      verdict: 'proven',
    });
  });

  it.each([
    ['nothing about the key', [done(february, '444455556666/s3://results')]],
    ['only a longer key', [done(february, `${key}-2`), created.replace(key, `${key}-2`)]],
    ['the deletion of the integration', [created, done(february), deleted]],
    ['the rejection of the file', [created, done(february), rejected]],
  ])('with %s fails only after three minutes', (_, lines) => {
    expect(decide(...lines)).toMatchObject({ code: 'consumer-not-reading', lastsSeconds: 180 });
  });

  it('ignores a rejected file once the integration is created', () => {
    expect(decide(rejected, created)).toMatchObject({ verdict: 'pending' });
  });

  it.each([
    ['InvalidRequestException: outputLocation is not a valid S3 path.', 'does not start with s3://', true],
    ['InvalidRequestException: Queries of this type are not supported', 'engine', true],
    ['InvalidRequestException: WorkGroup is not found.', 'workgroup', true],
    [
      'ManagedQueryResultsConfiguration and ResultConfiguration cannot be set together',
      'stores its results in Athena',
      true,
    ],
    ["SYNTAX_ERROR: line 4:3: Column 'line_item_resource_id' cannot be resolved", 'resource ids', true],
    ["Column 'year' cannot be resolved", 'crawler', true],
    ['HIVE_BAD_DATA: field', 'crawler', true],
    ['HIVE_BAD_DATA: Field month’s type DOUBLE in parquet', 'another type', true],
    ["HIVE_INVALID_METADATA: Table property 'projection.month.range' is missing", 'projection', true],
    ['TABLE_NOT_FOUND: line 3:6', 'account and region', true],
    ['SYNTAX_ERROR: Schema athenacurcfn_x does not exist', 'account and region', true],
    ['Insufficient Lake Formation permission(s) on kubecost_cur', 'Lake Formation', true],
    ['not found, ResolveEndpointV2', 'upgrade', true],
    ['Unable to verify/create output bucket aws-athena-query-results-test', 'results bucket', false],
    ['Permission denied on S3 path: s3://cur-report/year=2026/month=3', 'report bucket', false],
    ['query execution error: no query results available for query 1111', 'query history', false],
    ['INTERNAL_ERROR_QUERY_ENGINE', 'next query', false],
    ['dial tcp: lookup athena.us-east-1.amazonaws.com: i/o timeout', 'endpoints', false],
  ])('explains %s', (words, hint, lasting) => {
    const decision = decide(created, failed(february, words));
    expect(decision).toMatchObject({ code: 'connection-failed', lastsSeconds: lasting ? 0 : 300 });
    expect(decision.verdict === 'failing' && decision.cause).toContain(words);
    expect(decision.verdict === 'failing' && decision.cause.replace(words, '')).toContain(hint);
  });

  it.each([
    ['operation error STS: AssumeRole, api error AccessDenied: sts:AssumeRole on resource', 'payer-role-denied'],
    ['STS: AssumeRole, AccessDenied: not authorized to perform: sts:TagSession on resource', 'tag-session-missing'],
    ['STS: AssumeRoleWithWebIdentity, No OpenIDConnect provider found in your account', 'web-identity-denied'],
    ['get identity: get credentials: failed to refresh cached credentials', 'payer-role-denied'],
  ] as const)('names who has to act on %s', (words, code) => {
    expect(decide(created, failed(february, words))).toMatchObject({ code, lastsSeconds: 300 });
  });

  it('does not quote a line about another integration', () => {
    const foreign = failed(february, 'secret-of-others', 'sub/azure-container');
    expect(JSON.stringify(decide(foreign, created, failed(february, 'WorkGroup is not found.')))).not.toContain(
      'others',
    );
  });
});
