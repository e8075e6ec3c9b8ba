import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena';

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

/** @param token Athena starts only one execution for the same token and query; 32 to 128 characters */
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
