import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { AwsError } from './service.ts';
import { Tables } from './table/operations.ts';

interface TableServer {
  endpoint: string;
  close(): Promise<void>;
}

const prefix = 'com.amazonaws.dynamodb.v20120810#';

/** DynamoDB on loopback, without tables. */
export async function startTables(): Promise<TableServer> {
  const tables = new Tables();
  const server = createServer((request, response) => {
    void answer(tables, request, response);
  });
  // By default, Node closes idle sockets after 5 s, while an SDK client still has them in its pool.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

async function answer(tables: Tables, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
  try {
    const input = JSON.parse(await text(request)) as object;
    send(response, 200, tables.run(operation, input));
  } catch (error) {
    if (error instanceof AwsError)
      send(response, error.status ?? 400, {
        __type: `${prefix}${error.code}`,
        message: error.message,
        ...itemOf(error),
      });
    else {
      process.stderr.write(`sandbox table: ${operation}: ${error instanceof Error ? (error.stack ?? '') : ''}\n`);
      send(response, 500, { __type: `${prefix}InternalServerError`, message: String(error) });
    }
  }
}

/** The existing item, for a write whose condition was not met. */
function itemOf(error: AwsError): object {
  return 'item' in error ? { Item: error.item } : {};
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
}
