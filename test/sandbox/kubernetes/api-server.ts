import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parse as parseYaml } from 'yaml';
import { strike } from '../faults.ts';
import { invocationOf } from '../tracing.ts';
import type { World } from '../world.ts';
import type { Authorizer, User } from './authorize.ts';
import { createCertificate } from './certificates.ts';
import { discoveryDocument } from './discovery.ts';
import { badRequest, forbidden, KubernetesFailure, methodNotAllowed, unauthorized, unknownPath } from './failure.ts';
import { resourceTypes } from './objects.ts';
import { attributesOf, parseRequest, type RequestInfo, type Target } from './request.ts';
import type { KubernetesAnswer, ResourceApi } from './resource-api.ts';
import { selfReview } from './reviews.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';
import type { Workloads } from './workloads.ts';

export interface ApiServerParts {
  accountId: string;
  version: string;
  /** False: the endpoint is private, so no connection succeeds. */
  reachable: boolean;
  authorizer: Authorizer;
  resources: ResourceApi;
  tokens: ServiceAccountTokens;
  workloads: Workloads;
  /** The user behind an EKS token; undefined if there is none. */
  authenticate: (token: string) => User | undefined;
}

const mostBodyBytes = 3 * 1024 * 1024;
const publicPaths = ['/version', '/healthz', '/livez', '/readyz'];
const reviews = ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'];

/** The Kubernetes API of one cluster over TLS: authentication, authorization, then the request. */
export class ApiServer {
  endpoint = '';
  readonly certificateAuthority: string;
  readonly #server: Server;
  readonly #world: World;
  readonly #parts: ApiServerParts;

  constructor(world: World, parts: ApiServerParts) {
    this.#world = world;
    this.#parts = parts;
    const { key, cert, ca } = createCertificate();
    this.certificateAuthority = ca;
    this.#server = createServer({ key, cert }, (request, response) => {
      const name = `${request.method ?? ''} ${request.url ?? ''}`;
      world.clock
        .hold(() => this.#serve(request, response), name)
        .catch((error: unknown) => {
          process.stderr.write(`sandbox kubernetes: ${name}: ${describe(error)}\n`);
          request.socket.destroy();
        });
    });
    // A private endpoint does not answer. Here the connection breaks, so tests do not wait.
    if (!parts.reachable) this.#server.on('connection', (socket) => socket.destroy());
    this.#server.keepAliveTimeout = 65_000;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.endpoint = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { body: text, tooLarge } = await readBody(request);
    const info = parseRequest(request.method ?? 'GET', request.url ?? '/');
    const answer = tooLarge
      ? failed(
          new KubernetesFailure(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${mostBodyBytes}`),
        )
      : this.#answer(request, info, text);
    if (!answer) {
      request.socket.destroy();
      return;
    }
    const isText = typeof answer.body === 'string';
    const content = isText ? (answer.body as string) : JSON.stringify(answer.body);
    response.sendDate = false;
    response.writeHead(answer.status, {
      date: new Date(this.#world.clock.now()).toUTCString(),
      'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json',
      'content-length': Buffer.byteLength(content),
    });
    response.end(content);
  }

  /** Undefined if the connection must break. */
  #answer(request: IncomingMessage, info: RequestInfo, text: string): KubernetesAnswer | undefined {
    const { accountId } = this.#parts;
    const call = {
      service: 'kubernetes',
      operation: operationOf(info),
      accountId,
      writes: isWrite(info),
      ...invocationOf(request.headers),
    };
    const { user, rejected } = this.#user(request);
    const record = (error?: string) => {
      const callerArn = user?.arn ?? user?.username ?? 'system:anonymous';
      this.#world.calls.push({
        at: this.#world.clock.now(),
        callerArn,
        ...call,
        ...(error !== undefined && { error }),
      });
    };
    const fault = strike(this.#world, call);
    if (fault !== undefined && fault !== 'applied-but-lost') {
      record(`injected:${typeof fault === 'object' ? fault.code : fault}`);
      return fault === 'reset' ? undefined : failed(faultFailure(fault, info));
    }
    try {
      if (rejected) throw rejected;
      const answer = user ? this.#route(request, info, user, text) : this.#public(info);
      record(fault && `injected:${fault}`);
      return fault ? undefined : answer;
    } catch (error) {
      if (!(error instanceof KubernetesFailure)) process.stderr.write(`sandbox kubernetes: ${describe(error)}\n`);
      const failure =
        error instanceof KubernetesFailure ? error : new KubernetesFailure(500, 'InternalError', describe(error));
      record(failure.reason);
      return failed(failure);
    }
  }

  #user({ headers }: IncomingMessage): { user?: User; rejected?: KubernetesFailure } {
    const [scheme, token] = (headers.authorization ?? '').split(' ');
    if (!scheme) return {};
    if (scheme.toLowerCase() !== 'bearer' || !token) return { rejected: unauthorized() };
    const isJwt = token.split('.').length === 3;
    const user = isJwt ? this.#parts.tokens.authenticate(token) : this.#parts.authenticate(token);
    return user ? { user } : { rejected: unauthorized() };
  }

  #public({ path, method }: RequestInfo): KubernetesAnswer {
    if (!publicPaths.includes(path))
      throw new KubernetesFailure(
        403,
        'Forbidden',
        `forbidden: User "system:anonymous" cannot ${method.toLowerCase()} path "${path}"`,
        {},
      );
    return { status: 200, body: path === '/version' ? (discoveryDocument(path, this.#parts.version) ?? '') : 'ok' };
  }

  #route(request: IncomingMessage, info: RequestInfo, user: User, text: string): KubernetesAnswer {
    const { target, path, verb } = info;
    if (publicPaths.includes(path)) return this.#public(info);
    const { authorizer, resources, version } = this.#parts;
    if (!target) {
      authorizer.check(user, { verb, path });
      const document = discoveryDocument(path, version);
      if (!document) throw unknownPath();
      return { status: 200, body: document };
    }
    const { group, resource, subresource } = target;
    authorizer.check(user, attributesOf(target, verb));
    const contentType = (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';
    const body = parseBody(text, contentType);
    if (group === 'authorization.k8s.io' && reviews.includes(resource)) {
      if (verb !== 'create') throw methodNotAllowed();
      return { status: 201, body: selfReview(authorizer, user, resource, body) };
    }
    const type = resourceTypes.find(
      (known) => known.group === group && known.version === target.version && known.resource === resource,
    );
    if (!type) throw unknownPath();
    if (subresource !== undefined) return this.#subresource(info, target, body);
    const agent = request.headers['user-agent']?.split('/')[0] ?? 'unknown';
    const manager = info.query.get('fieldManager') ?? agent;
    return resources.handle({ info, target, type, user, body, contentType, manager });
  }

  #subresource(info: RequestInfo, target: Target, body: unknown): KubernetesAnswer {
    const { resource, subresource = '', namespace = '', name = '', rest } = target;
    const { tokens, workloads } = this.#parts;
    switch (`${info.method} ${resource}/${subresource}`) {
      case 'POST serviceaccounts/token':
        return { status: 201, body: tokens.issue(namespace, name, body) };
      case 'GET pods/log':
        return { status: 200, body: workloads.log(namespace, name, info.query) };
      case 'GET services/proxy':
        return workloads.proxy(namespace, name, `/${rest}`, info.query);
      default:
        throw unknownPath();
    }
  }
}

async function readBody(request: IncomingMessage): Promise<{ body: string; tooLarge: boolean }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return { body: body.toString(), tooLarge: body.length > mostBodyBytes };
}

function parseBody(text: string, contentType: string): unknown {
  if (text === '') return undefined;
  if (!/json|yaml/.test(contentType))
    throw new KubernetesFailure(
      415,
      'UnsupportedMediaType',
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml',
    );
  try {
    return contentType.includes('yaml') ? (parseYaml(text) as unknown) : JSON.parse(text);
  } catch (error) {
    throw badRequest(`couldn't get version/kind; json parse error: ${describe(error)}`);
  }
}

function operationOf({ method, path, target }: RequestInfo): string {
  if (!target) return `${method} ${path}`;
  const { resource, subresource } = target;
  return `${method} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}

/** Reviews and token requests are POSTs that store nothing. */
function isWrite({ method, target, query }: RequestInfo): boolean {
  if (['GET', 'HEAD'].includes(method) || !target || query.get('dryRun') === 'All') return false;
  return !reviews.includes(target.resource) && target.subresource !== 'token';
}

function faultFailure(
  fault: 'throttle' | '500' | 'denied' | { code: string; message: string; status?: number },
  { target }: RequestInfo,
): KubernetesFailure {
  if (typeof fault === 'object') return new KubernetesFailure(fault.status ?? 500, fault.code, fault.message);
  switch (fault) {
    case 'throttle':
      return new KubernetesFailure(429, 'TooManyRequests', 'Too many requests, please try again later.');
    case '500':
      return new KubernetesFailure(500, 'InternalError', 'Internal error occurred: etcdserver: request timed out');
    case 'denied':
      return forbidden(
        { group: target?.group ?? '', resource: target?.resource ?? '' },
        target?.name,
        'denied by an injected fault',
      );
  }
}

function failed(failure: KubernetesFailure): KubernetesAnswer {
  return { status: failure.code, body: failure.body };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
