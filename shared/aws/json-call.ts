import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import * as z from 'zod';
import { now } from '../platform/clock.ts';
import { Sha256 } from '../platform/sha256.ts';
import { httpHandler } from './clients.ts';
import type { TargetAccount } from './target-account.ts';

/** An error of a service under AWS's name for it. */
class JsonCallError extends Error {
  readonly $metadata: { httpStatusCode: number };

  constructor(name: string, message: string, httpStatusCode: number) {
    super(message);
    this.name = name;
    this.$metadata = { httpStatusCode };
  }
}

const Failure = z.object({
  __type: z.string().catch(''),
  message: z.string().optional(),
  Message: z.string().optional(),
});

/** An operation: by the header X-Amz-Target (AWS JSON 1.1), or by method and path (REST JSON). */
export type JsonOperation = {
  service: 'glue' | 'kms' | 'lakeformation' | 'lambda' | 'organizations';
  region: string;
} & ({ target: string } | { method: 'GET' | 'POST'; path: string });

/**
 * One operation of a service of which we need no other. The SDK's client of the service would make several bundles too large.
 * @throws an Error under AWS's name, such as AccessDeniedException or ThrottlingException
 */
export async function callJson<Answer>(
  account: TargetAccount,
  operation: JsonOperation,
  input: object,
  schema: z.ZodType<Answer>,
): Promise<Answer> {
  const { service, region } = operation;
  const endpoint = endpointOf(service, region);
  const { method, path, headers } = wireOf(operation);
  const signer = new SignatureV4({ service, region, credentials: await account.credentials(), sha256: Sha256 });
  const request = await signer.sign(
    new HttpRequest({
      method,
      protocol: endpoint.protocol,
      hostname: endpoint.hostname,
      ...(endpoint.port && { port: Number(endpoint.port) }),
      path,
      headers: { host: endpoint.host, ...headers },
      ...(method === 'POST' && { body: JSON.stringify(input) }),
    }),
    { signingDate: new Date(now()) },
  );
  const { response } = await httpHandler.handle(new HttpRequest(request));
  const answer = await readAnswer(response.body);
  if (response.statusCode < 300) return schema.parse(answer);
  const { __type: type, message, Message } = Failure.catch({ __type: '' }).parse(answer);
  const [name = ''] = (response.headers['x-amzn-errortype'] ?? type.split('#').at(-1) ?? '').split(':');
  throw new JsonCallError(name || `Http${response.statusCode}`, message ?? Message ?? '', response.statusCode);
}

function wireOf(operation: JsonOperation): { method: 'GET' | 'POST'; path: string; headers: Record<string, string> } {
  if ('target' in operation) {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': operation.target };
    return { method: 'POST', path: '/', headers };
  }
  return { method: operation.method, path: operation.path, headers: { 'content-type': 'application/json' } };
}

/** Finds the endpoint as the SDK's clients do. */
function endpointOf(service: string, region: string): URL {
  const own = process.env[`AWS_ENDPOINT_URL_${service.toUpperCase()}`];
  return new URL(own ?? process.env.AWS_ENDPOINT_URL ?? `https://${service}.${region}.amazonaws.com`);
}

/** A proxy between us and the service may answer with text that is not JSON. */
async function readAnswer(body: unknown): Promise<unknown> {
  if (!(body instanceof Readable)) return {};
  const received = await text(body);
  try {
    return JSON.parse(received);
  } catch {
    return {};
  }
}
