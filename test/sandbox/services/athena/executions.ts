import { createHash } from 'node:crypto';
import type {
  GetQueryExecutionCommandInput,
  GetQueryResultsCommandInput,
  QueryExecution,
  QueryExecutionState,
  StartQueryExecutionCommandInput,
  StopQueryExecutionCommandInput,
} from '@aws-sdk/client-athena';
import { AwsError, type CallContext, operation } from '../../service.ts';
import type { World } from '../../world.ts';
import { keyRefusal, mayUseS3, runQuery } from './query.ts';
import { resultsKey } from './results-encryption.ts';
import { parseSelect, SqlError } from './sql.ts';
import { findWorkgroup, invalidRequest, onWorkgroup, type Query } from './state.ts';
import { checkLocation } from './workgroups.ts';

const QUEUED = 1_000;

export const executionOperations = {
  StartQueryExecution: operation<StartQueryExecutionCommandInput, { QueryExecutionId: string }>({
    writes: true,
    permissions: ({ WorkGroup = 'primary' }, cx) => [onWorkgroup(cx, 'StartQueryExecution', WorkGroup)],
    run(input, cx) {
      const { ClientRequestToken: token, QueryString: sql = '' } = input;
      if (token !== undefined && (token.length < 32 || token.length > 128))
        throw invalidRequest(
          "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: Member must have length between 32 and 128",
        );
      const id = queryId(cx, token);
      const earlier = cx.world.athena.queries.get(id);
      if (earlier) {
        if (JSON.stringify(earlier.input) !== JSON.stringify(input))
          throw invalidRequest('Idempotent parameters do not match');
        return { QueryExecutionId: id };
      }
      const outputLocation = outputLocationOf(input, cx);
      checkSyntax(sql);
      const query: Query = {
        id,
        input,
        cx,
        workgroup: input.WorkGroup ?? 'primary',
        submittedAt: cx.now,
        // Three to six seconds, derived from the query's id.
        duration: 3_000 + (parseInt(id.slice(0, 4), 16) % 3_000),
        ...(outputLocation && { outputLocation: `${outputLocation.replace(/\/?$/, '/')}${id}.csv` }),
      };
      cx.world.athena.queries.set(id, query);
      query.stop = cx.world.clock.after(query.duration, () => {
        finish(query);
      });
      return { QueryExecutionId: id };
    },
  }),

  GetQueryExecution: operation<GetQueryExecutionCommandInput, { QueryExecution: QueryExecution }>({
    writes: false,
    permissions: ({ QueryExecutionId }, cx) => [
      onWorkgroup(cx, 'GetQueryExecution', workgroupOf(cx, QueryExecutionId)),
    ],
    run: ({ QueryExecutionId }, cx) => ({ QueryExecution: described(find(cx, QueryExecutionId), cx) }),
  }),

  StopQueryExecution: operation<StopQueryExecutionCommandInput, object>({
    writes: true,
    permissions: ({ QueryExecutionId }, cx) => [
      onWorkgroup(cx, 'StopQueryExecution', workgroupOf(cx, QueryExecutionId)),
    ],
    run({ QueryExecutionId }, cx) {
      const query = find(cx, QueryExecutionId);
      query.stop?.();
      query.outcome ??= { state: 'CANCELLED', reason: 'Query cancelled by user', at: cx.now };
      return {};
    },
  }),

  GetQueryResults: operation<GetQueryResultsCommandInput, object>({
    writes: false,
    permissions: ({ QueryExecutionId }, cx) => [onWorkgroup(cx, 'GetQueryResults', workgroupOf(cx, QueryExecutionId))],
    run({ QueryExecutionId, MaxResults = 1000, NextToken = '0' }, cx) {
      const query = find(cx, QueryExecutionId);
      const state = stateOf(query, cx.now);
      if (state === 'QUEUED' || state === 'RUNNING')
        throw invalidRequest(`Query has not yet finished. Current state: ${state}`);
      const { answer } = query.outcome ?? {};
      if (!answer) throw invalidRequest(`Query did not finish successfully. Final query state: ${state}`);
      if (MaxResults < 1 || MaxResults > 1000)
        throw invalidRequest('MaxResults is more than maximum allowed length 1000.');
      checkResultObject(query, cx);
      const header = answer.columns.map(({ name }) => name);
      const rows = [header, ...answer.rows];
      const end = Number(NextToken) + MaxResults;
      return {
        UpdateCount: 0,
        ResultSet: {
          Rows: rows.slice(Number(NextToken), end).map((cells) => ({
            Data: cells.map((cell) => (cell === undefined ? {} : { VarCharValue: cell })),
          })),
          ResultSetMetadata: {
            ColumnInfo: answer.columns.map(({ name, type }) => ({
              CatalogName: 'hive',
              SchemaName: '',
              TableName: '',
              Name: name,
              Label: name,
              Type: type,
              Nullable: 'UNKNOWN' as const,
              CaseSensitive: type === 'varchar',
            })),
          },
        },
        ...(end < rows.length && { NextToken: String(end) }),
      };
    },
  }),
};

/** The id is derived from the client token, so that a repeated token gives the same execution. */
function queryId({ world, caller, region }: CallContext, token: string | undefined): string {
  const seed = token ?? `query ${world.athena.queries.size}`;
  const hex = createHash('sha256').update(`${caller.accountId}/${region}/${seed}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  );
}

/** Where results are written: the workgroup's location if it is enforced, else the client's, else the workgroup's. */
function outputLocationOf(input: StartQueryExecutionCommandInput, cx: CallContext): string | undefined {
  const { configuration } = findWorkgroup(cx, input.WorkGroup ?? 'primary');
  const client = input.ResultConfiguration?.OutputLocation;
  if (configuration.ManagedQueryResultsConfiguration?.Enabled) {
    if (client !== undefined)
      throw invalidRequest('ManagedQueryResultsConfiguration and ResultConfiguration cannot be set together');
    return undefined;
  }
  checkLocation(client);
  const own = configuration.ResultConfiguration;
  const location = configuration.EnforceWorkGroupConfiguration ? own?.OutputLocation : (client ?? own?.OutputLocation);
  if (!location)
    throw invalidRequest(
      'No output location provided. An output location is required either through the Workgroup result configuration setting or as an API input.',
    );
  const name = location.split('/')[2] ?? '';
  const bucket = cx.world.s3.buckets.get(name);
  if (bucket && bucket.region !== cx.region)
    throw invalidRequest(
      'The S3 location provided to save your query results is invalid. Please check your S3 location is correct and is in the same region and try again.',
    );
  const owner = own?.ExpectedBucketOwner ?? input.ResultConfiguration?.ExpectedBucketOwner;
  const mayUse = ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'].every((action) =>
    mayUseS3(cx, action, name),
  );
  if (!mayUse || (owner && owner !== bucket?.accountId))
    throw invalidRequest(`Unable to verify/create output bucket ${name}`);
  return location;
}

function checkSyntax(sql: string): void {
  if (!/^\s*select\b/i.test(sql)) throw invalidRequest('Queries of this type are not supported');
  try {
    parseSelect(sql);
  } catch (error) {
    if (error instanceof SqlError) throw invalidRequest(error.message);
    throw error;
  }
}

/** Ends a query at once, for a reader inside the sandbox that cannot wait. */
export function finishNow({ athena }: World, id: string): void {
  const query = athena.queries.get(id);
  if (!query || query.outcome) return;
  query.stop?.();
  finish(query);
}

function finish(query: Query): void {
  const { world } = query.cx;
  const cx = { ...query.cx, now: world.clock.now() };
  try {
    const answer = runQuery(query.input.QueryString ?? '', query.input.QueryExecutionContext?.Database, cx);
    if (query.outputLocation !== undefined)
      writeResults(query, query.outputLocation, [answer.columns.map(({ name }) => name), ...answer.rows], cx);
    query.outcome = { state: 'SUCCEEDED', answer, at: cx.now };
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    query.outcome = { state: 'FAILED', reason: error.message, at: cx.now };
  }
}

/** In parts, if they are large: Athena's guide demands the rights on parts for every results location. */
function writeResults(query: Query, location: string, rows: (string | undefined)[][], cx: CallContext): void {
  const [bucket, key] = splitLocation(location);
  const kmsKeyArn = resultsKey(query.input, bucket, cx);
  const mayWrite =
    ['s3:PutObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'].every((action) =>
      mayUseS3(cx, action, bucket, key),
    ) &&
    (kmsKeyArn === undefined ||
      (['kms:GenerateDataKey', 'kms:Decrypt'] as const).every(
        (action) => keyRefusal(cx, action, kmsKeyArn) === undefined,
      ));
  if (!mayWrite)
    throw new SqlError(
      `Access denied when writing output to url: ${location} . Please ensure you are allowed to access the S3 bucket. If you are encrypting query results with KMS key, please ensure you are allowed to access your KMS key`,
    );
  const csv = rows.map((cells) => cells.map((cell) => (cell === undefined ? '' : `"${cell}"`)).join(',')).join('\n');
  cx.world.s3.put(bucket, key, `${csv}\n`, { contentType: 'application/octet-stream', kmsKeyArn });
  cx.world.s3.put(bucket, `${key}.metadata`, '', { contentType: 'application/octet-stream', kmsKeyArn });
}

/** Results are read from the output object with the caller's rights. */
function checkResultObject({ outputLocation }: Query, cx: CallContext): void {
  if (outputLocation === undefined) return;
  const [bucket, key] = splitLocation(outputLocation);
  const keyArn = cx.world.s3.buckets.get(bucket)?.objects.get(key)?.kmsKeyArn;
  const isClosed = keyArn !== undefined && keyRefusal(cx, 'kms:Decrypt', keyArn) !== undefined;
  if (isClosed || !mayUseS3(cx, 's3:GetObject', bucket, key))
    throw invalidRequest(
      'You do not seem to have access to the S3 location of your query results. Please confirm your account has access to the S3 location where your query results are saved and try again.',
    );
  if (!cx.world.s3.buckets.get(bucket)?.objects.has(key)) throw invalidRequest('Could not find results');
}

function splitLocation(location: string): [bucket: string, key: string] {
  const [, , bucket = '', ...key] = location.split('/');
  return [bucket, key.join('/')];
}

function workgroupOf({ world }: CallContext, id = ''): string {
  return world.athena.queries.get(id)?.workgroup ?? '*';
}

function find({ world, caller, region }: CallContext, id = ''): Query {
  const query = world.athena.queries.get(id);
  if (query?.cx.caller.accountId !== caller.accountId || query.cx.region !== region)
    throw new AwsError('InvalidRequestException', `QueryExecution ${id} was not found`);
  return query;
}

function stateOf({ outcome, submittedAt }: Query, now: number): QueryExecutionState {
  return outcome?.state ?? (now < submittedAt + QUEUED ? 'QUEUED' : 'RUNNING');
}

function described(query: Query, { now }: CallContext): QueryExecution {
  const { input, outcome, submittedAt, outputLocation } = query;
  return {
    QueryExecutionId: query.id,
    Query: input.QueryString,
    StatementType: 'DML',
    WorkGroup: query.workgroup,
    ...(input.QueryExecutionContext && { QueryExecutionContext: input.QueryExecutionContext }),
    ...(outputLocation !== undefined && { ResultConfiguration: { OutputLocation: outputLocation } }),
    Status: {
      State: stateOf(query, now),
      SubmissionDateTime: new Date(submittedAt),
      ...(outcome && { CompletionDateTime: new Date(outcome.at) }),
      ...(outcome?.reason !== undefined && {
        StateChangeReason: outcome.reason,
        AthenaError: { ErrorCategory: 2, ErrorType: 1006, Retryable: false, ErrorMessage: outcome.reason },
      }),
    },
    Statistics: {
      DataScannedInBytes: outcome?.answer?.bytesScanned ?? 0,
      EngineExecutionTimeInMillis: outcome ? outcome.at - submittedAt - QUEUED : 0,
      QueryQueueTimeInMillis: QUEUED,
      TotalExecutionTimeInMillis: (outcome?.at ?? now) - submittedAt,
    },
  };
}
