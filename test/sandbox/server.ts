import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Codec,
  codecFor,
  type DecodedCall,
  unknownOperation,
  type WireAnswer,
  type WireRequest,
} from './codec/codec.ts';
import { readScope, type SigningScope } from './credentials.ts';
import { accessDenied, faultError, strike } from './faults.ts';
import { AwsError, type CallContext, type Caller, type Operation, type Service } from './service.ts';
import { invocationOf } from './tracing.ts';
import type { World } from './world.ts';

interface Endpoint {
  service: Service;
  codec: Codec;
}

/** When the connection breaks instead of an answer. */
const lost = Symbol('lost');

/** One loopback server for all services; the signing scope of a request names the service. */
export async function startServer(
  world: World,
  services: readonly Service[] = world.services,
): Promise<{ endpoint: string; close(): Promise<void> }> {
  const endpoints = new Map(services.map((service) => [service.signingName, { service, codec: codecFor(service) }]));
  const server = createServer((request, response) => {
    const answering = world.clock.hold(
      async () => {
        const answer = await respond(world, endpoints, await readRequest(request));
        if (answer === lost) request.socket.destroy();
        else send(world, response, answer);
      },
      `${request.method ?? ''} ${request.url ?? ''}`,
    );
    answering.catch((error: unknown) => {
      process.stderr.write(`sandbox: ${describe(error)}\n`);
      request.socket.destroy();
    });
  });
  // By default, Node closes idle sockets after 5 s, while an SDK client still has them in its pool.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // S3 clients put the bucket in front of a host name, so the address must be numeric.
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

async function readRequest(request: IncomingMessage): Promise<WireRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const [path = '/', query = ''] = (request.url ?? '/').split('?');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  return {
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams(query),
    headers,
    body: Buffer.concat(chunks),
  };
}

function send(world: World, response: ServerResponse, { status, headers, body }: WireAnswer): void {
  response.sendDate = false;
  // The SDK corrects its clock by this header, so it must show virtual time.
  response.writeHead(status, {
    date: new Date(world.clock.now()).toUTCString(),
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

async function respond(
  world: World,
  endpoints: Map<string, Endpoint>,
  request: WireRequest,
): Promise<WireAnswer | typeof lost> {
  const scope = readScope(request) ?? webIdentityScope(request);
  if (!scope) return plainError(403, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  const endpoint = endpoints.get(scope.service);
  if (!endpoint) return plainError(404, 'UnknownServiceException', `The sandbox has no service ${scope.service}`);
  const { codec } = endpoint;
  const requestId = randomUUID();
  try {
    const { caller, problem } = authenticate(world, scope, codec);
    if (problem) throw problem;
    const call = codec.decode(request);
    const output = await perform(world, endpoint, call, caller, scope.region, invocationOf(request.headers));
    return output === lost ? lost : codec.encode(call, output, requestId);
  } catch (error) {
    if (!(error instanceof AwsError)) process.stderr.write(`sandbox ${scope.service}: ${describe(error)}\n`);
    const answered = error instanceof AwsError ? error : new AwsError('InternalFailure', describe(error), 500);
    const answer = codec.encodeError(answered, requestId);
    return request.method === 'HEAD' ? { ...answer, body: '' } : answer;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** A pod exchanges its token without having credentials, so this one call is not signed. */
function webIdentityScope({ query, body }: WireRequest): SigningScope | undefined {
  const action = query.get('Action') ?? new URLSearchParams(body.toString()).get('Action');
  if (action !== 'AssumeRoleWithWebIdentity') return undefined;
  return { accessKeyId: '', region: 'us-east-1', service: 'sts' };
}

function plainError(status: number, code: string, message: string): WireAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
    body: JSON.stringify({ __type: code, message }),
  };
}

const anonymous: Caller = { accountId: 'anonymous', arn: 'anonymous' };

function authenticate(world: World, scope: SigningScope, { protocol }: Codec): { caller: Caller; problem?: AwsError } {
  if (scope.accessKeyId === '') return { caller: anonymous };
  const found = world.sts.authenticate(scope.accessKeyId, scope.sessionToken);
  if (found.caller) return { caller: found.caller };
  const expired = found.reason === 'expired';
  const status = protocol.startsWith('json') ? 400 : 403;
  if (protocol === 'rest-xml')
    return {
      caller: anonymous,
      problem: expired
        ? new AwsError('ExpiredToken', 'The provided token has expired.', 400)
        : new AwsError('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.', 403),
    };
  const [expiredCode, unknownCode] =
    protocol === 'query'
      ? ['ExpiredToken', 'InvalidClientTokenId']
      : ['ExpiredTokenException', 'UnrecognizedClientException'];
  return {
    caller: anonymous,
    problem: new AwsError(
      expired ? expiredCode : unknownCode,
      `The security token included in the request is ${expired ? 'expired' : 'invalid.'}`,
      status,
    ),
  };
}

async function perform(
  world: World,
  { service, codec }: Endpoint,
  { operation: name, input }: DecodedCall,
  caller: Caller,
  region: string,
  invocation: { invocation?: number },
): Promise<unknown> {
  const operation = (service.operations as Record<string, Operation | undefined>)[name];
  if (!operation) throw unknownOperation(`${service.signingName}:${name}`);
  const target = {
    service: service.signingName,
    operation: name,
    accountId: caller.accountId,
    writes: operation.writes,
    ...invocation,
  };
  const record = (error?: string) => {
    const { arn: callerArn } = caller;
    world.calls.push({ at: world.clock.now(), callerArn, ...target, ...(error !== undefined && { error }) });
  };
  const fault = strike(world, target);
  if (fault !== undefined && fault !== 'applied-but-lost') {
    record(`injected:${typeof fault === 'object' ? fault.code : fault}`);
    const error = faultError(fault, target, codec.protocol, caller.arn);
    if (error) throw error;
    return lost;
  }
  const cx: CallContext = { world, caller, region, now: world.clock.now() };
  try {
    authorize(operation, input, cx, codec);
    const output = await operation.run(input as never, cx);
    record(fault && `injected:${fault}`);
    return fault ? lost : output;
  } catch (error) {
    record(error instanceof AwsError ? error.code : 'InternalFailure');
    throw error;
  }
}

function authorize(operation: Operation, input: unknown, cx: CallContext, { protocol }: Codec): void {
  for (const permission of operation.permissions(input as never, cx)) {
    const context = { 'aws:RequestedRegion': cx.region, ...permission.context };
    const decision = cx.world.iam.evaluate(cx.caller, { ...permission, context });
    if (!decision.allowed) throw accessDenied(protocol, decision.message);
  }
}
