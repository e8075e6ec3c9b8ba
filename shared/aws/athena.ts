import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  GetWorkGroupCommand,
  StartQueryExecutionCommand,
  type WorkGroup,
} from '@aws-sdk/client-athena';
import { isAwsError } from '../errors/errors.ts';

/** Athena has no exception for a missing workgroup, only this message. */
export async function findWorkgroup(athena: AthenaClient, name: string): Promise<WorkGroup | undefined> {
  const answer = await unlessMissing(() => athena.send(new GetWorkGroupCommand({ WorkGroup: name })));
  return answer?.WorkGroup;
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

export function locationOf(workgroup: WorkGroup | undefined): string | undefined {
  return workgroup?.Configuration?.ResultConfiguration?.OutputLocation;
}

export interface QueryPlace {
  workgroup: string;
  database: string;
  /** Kubecost always sends it. */
  location: string;
}

export interface QuerySeen {
  id: string;
  state: string;
  /** Athena's own words for a failure. */
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

export async function readQuery(athena: AthenaClient, id: string): Promise<QuerySeen> {
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
