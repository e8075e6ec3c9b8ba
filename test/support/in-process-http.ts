import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';

/**
 * HTTP between a client and a server of this process, without a socket: half of the suite's time went into sockets and TLS.
 *
 * `http.request`, `https.request` and `fetch` hand a request to the `request` listeners of the server that listens on its port. What
 * client and server write is what they write to a socket. A request to any other port takes the way Node knows. So does the first
 * request to a server over TLS with an authority's certificate: the client has to trust the server before it may go without.
 */
export function useInProcessHttp(): void {
  if (installed) return;
  installed = true;
  subscribe('tracing:net.server.listen:asyncEnd', (message) => {
    const { server } = message as { server: unknown };
    if (!(server instanceof http.Server || server instanceof https.Server)) return;
    const address = server.address();
    if (address && typeof address === 'object') servers.set(address.port, server);
  });
  Object.assign(http, { request: requester(http.request, false) });
  Object.assign(https, { request: requester(https.request, true) });
  syncBuiltinESMExports();
  globalThis.fetch = fetcher(globalThis.fetch);
}

/** Runs `work` with sockets for every request, also between a client and a server of this process. */
export async function withSockets<T>(work: () => Promise<T>): Promise<T> {
  socketUsers++;
  try {
    return await work();
  } finally {
    socketUsers--;
  }
}

/** Whether a request there reaches a server of this process without a socket. */
export function isServedHere(hostname: string, port: unknown): boolean {
  return serverAt(hostname, port) !== undefined;
}

/**
 * Posts to a server of this process. Undefined if none listens there, or sockets are to be used; answers undefined where the server
 * breaks the connection.
 */
export function postInProcess(
  url: URL,
  headers: Record<string, string>,
  body: string,
): Promise<{ status: number; text: string } | undefined> | undefined {
  const server = serverAt(url.hostname, url.port);
  if (!server) return undefined;
  return new Promise((resolve) => {
    const request = new Request(server, 'POST', url.pathname, { host: url.host, ...headers }, (answer) => {
      resolve({ status: answer.statusCode, text: answer.content.toString() });
    });
    request.once('error', () => {
      resolve(undefined);
    });
    request.end(body);
  });
}

type Server = http.Server | https.Server;
type Headers = Record<string, string | string[] | undefined>;
type OnResponse = (response: Answer) => void;

let installed = false;
let socketUsers = 0;
const servers = new Map<number, Server>();
/** Port and authority of the servers that a client has reached over TLS. */
const trusted = new Set<string>();
const created = channel('http.client.request.created');
/** What a server does is not part of the client's asynchronous context. */
const outside = AsyncLocalStorage.snapshot();

function serverAt(hostname: string | null | undefined, port: unknown): Server | undefined {
  if (socketUsers > 0 || (hostname !== '127.0.0.1' && hostname !== 'localhost')) return undefined;
  const server = servers.get(Number(port));
  if (server?.listening) return server;
  servers.delete(Number(port));
  return undefined;
}

function requester(real: typeof http.request, secure: boolean) {
  return (...args: [string | URL | https.RequestOptions, ...unknown[]]): unknown => {
    const [first, second, third] = args;
    const fromUrl = typeof first === 'string' || first instanceof URL;
    const options = (fromUrl ? (typeof second === 'function' ? {} : second) : first) as
      https.RequestOptions | undefined;
    const onResponse = (typeof second === 'function' ? second : third) as OnResponse | undefined;
    const url = fromUrl ? new URL(first) : undefined;
    const target = { hostname: url?.hostname ?? options?.hostname ?? options?.host, port: url?.port ?? options?.port };
    const server = serverAt(target.hostname, target.port);
    const trust = secure && server ? trustOf(target.port, options) : undefined;
    if (!server || (trust !== undefined && !trusted.has(trust))) {
      const request = Reflect.apply(real, undefined, args) as http.ClientRequest;
      if (trust !== undefined) request.once('response', () => trusted.add(trust));
      return request;
    }
    const headers: Headers = { host: `${target.hostname ?? ''}:${target.port ?? ''}` };
    for (const [name, value] of Object.entries(options?.headers ?? {}))
      headers[name.toLowerCase()] = Array.isArray(value) ? value.map(String) : String(value);
    const path = options?.path ?? (url && `${url.pathname}${url.search}`) ?? '/';
    return new Request(server, options?.method ?? 'GET', path, headers, onResponse);
  };
}

function trustOf(port: unknown, { ca, agent }: https.RequestOptions = {}): string {
  const authority = ca ?? (agent instanceof https.Agent ? agent.options.ca : undefined);
  return `${String(port)} ${String(authority)}`;
}

/** The client's side of one request, as much of `http.ClientRequest` as clients use. */
class Request extends EventEmitter {
  readonly reusedSocket = true;
  destroyed = false;
  readonly #server: Server;
  readonly #method: string;
  readonly #path: string;
  readonly #headers: Headers;
  readonly #body: Buffer[] = [];

  constructor(server: Server, method: string, path: string, headers: Headers, onResponse?: OnResponse) {
    super();
    this.#server = server;
    this.#method = method;
    this.#path = path;
    this.#headers = headers;
    if (onResponse) this.once('response', onResponse);
    if (created.hasSubscribers) created.publish({ request: this });
  }

  getHeader(name: string): string | string[] | undefined {
    return this.#headers[name.toLowerCase()];
  }

  setHeader(name: string, value: string): void {
    this.#headers[name.toLowerCase()] = value;
  }

  setTimeout(): this {
    return this;
  }

  write(chunk: string | Uint8Array): boolean {
    this.#body.push(typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk));
    return true;
  }

  end(chunk?: string | Uint8Array): this {
    if (chunk !== undefined) this.write(chunk);
    process.nextTick(() => {
      if (this.destroyed) return;
      deliver(this.#server, this.#method, this.#path, this.#headers, Buffer.concat(this.#body), (answer) => {
        if (this.destroyed) return;
        this.destroyed = true;
        if (answer) this.emit('response', answer);
        else this.emit('error', hangUp());
        this.emit('close');
      });
    });
    return this;
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    process.nextTick(() => {
      this.emit('error', error ?? hangUp());
      this.emit('close');
    });
    return this;
  }
}

function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}

/** What the client reads: as much of `http.IncomingMessage` as clients use. */
class Answer extends Readable {
  readonly complete = true;
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly headers: Record<string, string>;
  readonly content: Buffer;

  constructor(statusCode: number, headers: Record<string, string>, content: Buffer) {
    super();
    this.statusCode = statusCode;
    this.statusMessage = http.STATUS_CODES[statusCode] ?? '';
    this.headers = headers;
    this.content = content;
  }

  override _read(): void {
    if (this.content.length > 0) this.push(this.content);
    this.push(null);
  }
}

/** @param answered is called once, without an answer if the server breaks the connection */
function deliver(
  server: Server,
  method: string,
  url: string,
  headers: Headers,
  body: Buffer,
  answered: (answer: Answer | undefined) => void,
): void {
  let isOpen = true;
  const close = (answer?: Answer) => {
    if (isOpen) process.nextTick(answered, answer);
    isOpen = false;
  };
  const request = Object.assign(new EventEmitter(), {
    method,
    url,
    headers,
    socket: {
      destroy: () => {
        close();
      },
    },
    *[Symbol.iterator]() {
      if (body.length > 0) yield body;
    },
  });
  outside(() => {
    server.emit('request', request, new Reply(close));
    // For a listener that reads events instead of iterating.
    if (request.listenerCount('data') > 0 && body.length > 0) request.emit('data', body);
    request.emit('end');
  });
}

/** The server's side of an answer, as much of `http.ServerResponse` as servers use. */
class Reply {
  statusCode = 200;
  sendDate = true;
  readonly #headers: Record<string, string> = {};
  readonly #close: (answer: Answer) => void;

  constructor(close: (answer: Answer) => void) {
    this.#close = close;
  }

  setHeader(name: string, value: unknown): this {
    this.#headers[name.toLowerCase()] = String(value);
    return this;
  }

  hasHeader(name: string): boolean {
    return name.toLowerCase() in this.#headers;
  }

  writeHead(statusCode: number, headers: Record<string, unknown> = {}): this {
    this.statusCode = statusCode;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    return this;
  }

  end(body: string | Uint8Array = ''): this {
    const content = typeof body === 'string' ? Buffer.from(body) : Buffer.from(body);
    if (this.sendDate && !this.hasHeader('date')) this.setHeader('date', new Date().toUTCString());
    this.#close(new Answer(this.statusCode, this.#headers, content));
    return this;
  }
}

function fetcher(real: typeof fetch): typeof fetch {
  return (input, init) => {
    const url = input instanceof URL || typeof input === 'string' ? new URL(input) : undefined;
    const server = url?.protocol === 'http:' ? serverAt(url.hostname, url.port) : undefined;
    if (!url || !server) return real(input, init);
    const headers: Headers = { host: url.host, ...Object.fromEntries(new globalThis.Headers(init?.headers)) };
    const { body: sent } = init ?? {};
    if (typeof sent !== 'string' && !(sent instanceof Uint8Array) && sent !== undefined && sent !== null)
      return real(input, init);
    const body = Buffer.from(sent ?? '');
    return new Promise((resolve, reject) => {
      process.nextTick(() => {
        deliver(server, init?.method ?? 'GET', `${url.pathname}${url.search}`, headers, body, (answer) => {
          if (!answer) reject(new TypeError('fetch failed', { cause: hangUp() }));
          else resolve(new Response(answer.content, { status: answer.statusCode, headers: answer.headers }));
        });
      });
    });
  };
}
