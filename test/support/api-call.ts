import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import * as z from 'zod';
import document from '../../docs/openapi.json' with { type: 'json' };
import { routes } from '../../functions/api/index.ts';
import type { OpenapiDocument } from '../../shared/api-document/openapi-types.ts';

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Parsed if it is JSON. */
  body: unknown;
}

interface RequestParts {
  body?: unknown;
  /** Sent as it is, instead of `body` as JSON. */
  text?: string;
  headers?: Record<string, string>;
  base64?: boolean;
}

/** Calls a route as API Gateway does and checks the answer against the OpenAPI document. */
export async function call(method: 'GET' | 'POST', target: string, parts: RequestParts = {}): Promise<Answer> {
  const url = new URL(target, 'http://api.test');
  const found = Object.values(routes).find(
    ({ route }) => route.method === method && pattern(route.path).test(url.pathname),
  );
  if (!found) throw new Error(`no route for ${method} ${url.pathname}`);
  const { route, handler } = found;
  const text = parts.text ?? (parts.body === undefined ? undefined : JSON.stringify(parts.body));
  const event = {
    version: '2.0',
    routeKey: `${method} ${route.path}`,
    rawPath: url.pathname,
    rawQueryString: url.search.slice(1),
    headers: { ...(text !== undefined && { 'content-type': 'application/json' }), ...parts.headers },
    ...(url.search && { queryStringParameters: Object.fromEntries(url.searchParams) }),
    pathParameters: { ...pattern(route.path).exec(url.pathname)?.groups },
    requestContext: { requestId: 'request-1' },
    isBase64Encoded: parts.base64 ?? false,
    ...(text !== undefined && { body: text }),
  } as unknown as APIGatewayProxyEventV2;
  const result = await handler(event, {} as Context);
  const answer = readAnswer(result);
  checkContract(route.path, method, answer);
  return answer;
}

function pattern(path: string): RegExp {
  return new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{(\w+)\}/, '(?<$1>[^/]+)')}$`);
}

function readAnswer({ statusCode = 0, headers, body = '' }: APIGatewayProxyStructuredResultV2): Answer {
  const texts = Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));
  const isJson = /json/.test(texts['content-type'] ?? '');
  return { status: statusCode, headers: texts, body: isJson ? JSON.parse(body) : body };
}

const { paths, components } = document as unknown as OpenapiDocument;
const validators = new Map<string, z.ZodType>();

/** @throws if the document does not declare this answer */
function checkContract(path: string, method: string, { status, headers, body }: Answer): void {
  const responses = paths[path]?.[method.toLowerCase()]?.responses ?? {};
  // The default declares 5xx problems; every other status needs its own declaration.
  const declared = responses[String(status)] ?? (status >= 500 ? responses.default : undefined);
  const schema = declared?.content?.[headers['content-type'] ?? '']?.schema;
  if (!schema) throw new Error(`undeclared answer ${status} ${headers['content-type'] ?? ''} of ${method} ${path}`);
  validatorOf(schema).parse(body);
}

export function validatorOf(schema: Record<string, unknown>): z.ZodType {
  const text = JSON.stringify(schema);
  const validator =
    validators.get(text) ??
    z.fromJSONSchema(
      JSON.parse(
        JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
      ) as Parameters<typeof z.fromJSONSchema>[0],
    );
  validators.set(text, validator);
  return validator;
}
