import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { World } from './world.ts';

export interface HttpRoute {
  functionKey: string;
  method: string;
  /** With `{name}` for a path parameter. */
  path: string;
  /** The caller must sign with IAM credentials. */
  signed: boolean;
}

interface HttpApiOptions {
  routes: readonly HttpRoute[];
  invoke(functionKey: string, event: unknown): Promise<unknown>;
  world: World;
  signing: boolean;
}

/** API Gateway accepts requests of at most 10 MB, regardless of the function. */
const maxBodyBytes = 10 * 1024 * 1024;

/** API Gateway's HTTP API on loopback: routes and authorizers of serverless.yml, payload format 2.0. */
export class HttpApi {
  readonly #options: HttpApiOptions;
  readonly #server: Server;

  constructor(options: HttpApiOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      void this.#serve(request, response);
    });
    // By default, Node closes idle sockets after 5 s, while a client still has them in its pool.
    this.#server.keepAliveTimeout = 65_000;
  }

  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        resolve(`http://localhost:${(this.#server.address() as AddressInfo).port}`);
      });
    });
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = new URL(request.url ?? '/', 'http://localhost');
      const match = this.#route(request.method ?? 'GET', url.pathname);
      if (!match) {
        answer(response, 404, { message: 'Not Found' });
        return;
      }
      const { route, pathParameters } = match;
      if (route.signed && this.#options.signing && !this.#isSigned(request)) {
        answer(response, 403, { message: 'Forbidden' });
        return;
      }
      const body = await readBody(request);
      if (body === undefined) {
        answer(response, 413, { message: 'Request Too Large' });
        return;
      }
      const result = (await this.#options.invoke(
        route.functionKey,
        toEvent(request, url, route, pathParameters, body),
      )) as APIGatewayProxyStructuredResultV2 | undefined;
      respond(response, result ?? {});
    } catch (error) {
      process.stderr.write(`api: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      answer(response, 500, { message: 'Internal Server Error' });
    }
  }

  #route(method: string, path: string): { route: HttpRoute; pathParameters: Record<string, string> } | undefined {
    for (const route of this.#options.routes) {
      if (route.method !== method) continue;
      const pattern = route.path.replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
      const found = new RegExp(`^${pattern}$`).exec(path);
      if (found) return { route, pathParameters: { ...found.groups } };
    }
    return undefined;
  }

  /** True for a signature by a known key of the hub account, for execute-api. */
  #isSigned(request: IncomingMessage): boolean {
    const credential = /Credential=([^/]+)\/\d{8}\/[^/]+\/execute-api\/aws4_request/.exec(
      request.headers.authorization ?? '',
    );
    const accessKeyId = credential?.[1];
    return accessKeyId !== undefined && this.#options.world.sts.callerOf(accessKeyId) !== undefined;
  }
}

function toEvent(
  request: IncomingMessage,
  url: URL,
  route: HttpRoute,
  pathParameters: Record<string, string>,
  body: string,
): object {
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const method = request.method ?? 'GET';
  const query: Record<string, string> = {};
  for (const [name, value] of url.searchParams) query[name] = name in query ? `${query[name] ?? ''},${value}` : value;
  return {
    version: '2.0',
    routeKey: `${route.method} ${route.path}`,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers,
    ...(Object.keys(query).length > 0 && { queryStringParameters: query }),
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    requestContext: {
      accountId: 'sandbox',
      apiId: 'sandbox',
      domainName: 'localhost',
      domainPrefix: 'localhost',
      http: {
        method,
        path: url.pathname,
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: crypto.randomUUID(),
      routeKey: `${route.method} ${route.path}`,
      stage: '$default',
      time: new Date().toISOString(),
      timeEpoch: Date.now(),
    },
    ...(body !== '' && { body }),
    isBase64Encoded: false,
  };
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function respond(response: ServerResponse, result: APIGatewayProxyStructuredResultV2): void {
  response.statusCode = result.statusCode ?? 200;
  for (const [name, value] of Object.entries(result.headers ?? {})) response.setHeader(name, String(value));
  if (!response.hasHeader('content-type')) response.setHeader('content-type', 'application/json');
  response.end(result.isBase64Encoded ? Buffer.from(result.body ?? '', 'base64') : result.body);
}

function answer(response: ServerResponse, status: number, body: object): void {
  respond(response, { statusCode: status, body: JSON.stringify(body) });
}
