import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  GetWorkGroupCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import { isAwsError } from '../errors/errors.ts';

export interface Workgroup {
  isDisabled: boolean;
  /** Athena keeps the results itself, in no bucket of the account. */
  hasManagedResults: boolean;
  /** Queries cannot choose another location. */
  isEnforced: boolean;
  /** Where results go; undefined if nobody has set it. */
  location: string | undefined;
  /** ARN of the key that encrypts the results. */
  kmsKeyArn: string | undefined;
}

/** Athena has no exception for a missing workgroup, only this message. */
export async function findWorkgroup(athena: AthenaClient, name: string): Promise<Workgroup | undefined> {
  const answer = await unlessMissing(() => athena.send(new GetWorkGroupCommand({ WorkGroup: name })));
  if (!answer?.WorkGroup) return undefined;
  const { State: state, Configuration: configuration } = answer.WorkGroup;
  const results = configuration?.ResultConfiguration;
  return {
    isDisabled: state === 'DISABLED',
    hasManagedResults: configuration?.ManagedQueryResultsConfiguration?.Enabled ?? false,
    isEnforced: configuration?.EnforceWorkGroupConfiguration ?? false,
    location: results?.OutputLocation,
    kmsKeyArn: results?.EncryptionConfiguration?.KmsKey,
  };
}

/** Runs a call on a workgroup that may be gone. */
export async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isAwsError(error, 'InvalidRequestException') && error.message.includes('not found')) return undefined;
    throw error;
  }
}

export interface QueryPlace {
  workgroup: string;
  database: string;
  /** Kubecost always sends it. */
  location: string;
}

export interface QueryState {
  id: string;
  state: string;
  /** Athena's message about a failure; empty if there is none. */
  reason: string;
  scannedBytes: number;
}

/** @param token the same token and query are the same execution, however often it is sent; 32 to 128 characters */
export async function startQuery(athena: AthenaClient, place: QueryPlace, sql: string, token: string): Promise<string> {
  const answer = await athena.send(
    new StartQueryExecutionCommand({
      QueryString: sql,
      QueryExecutionContext: { Database: place.database },
      ResultConfiguration: { OutputLocation: place.location },
      WorkGroup: place.workgroup,
      ClientRequestToken: token,
    }),
  );
  return answer.QueryExecutionId ?? '';
}

export async function readQuery(athena: AthenaClient, id: string): Promise<QueryState> {
  const { QueryExecution: query } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId: id }));
  return {
    id,
    state: query?.Status?.State ?? 'QUEUED',
    reason: query?.Status?.StateChangeReason ?? '',
    scannedBytes: query?.Statistics?.DataScannedInBytes ?? 0,
  };
}

/** Rows by column name, at most 999: the first page is enough for a proof. Athena's first row is the header. */
export async function queryRows(athena: AthenaClient, id: string): Promise<Record<string, string>[]> {
  const { ResultSet: results } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId: id }));
  const rows = (results?.Rows ?? []).map(({ Data = [] }) => Data.map(({ VarCharValue = '' }) => VarCharValue));
  const [header = [], ...body] = rows;
  return body.map((cells) => Object.fromEntries(header.map((name, index) => [name, cells[index] ?? ''])));
}
