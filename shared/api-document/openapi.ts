import * as z from 'zod';
import { ProblemDocument, problemStatus } from '../errors/request-refusal.ts';
import type { ObjectSchema, Route } from '../http/route.ts';
import { RunEvent } from '../model/run-event.ts';
import { exampleEvent } from '../model/run-event-example.ts';
import { examples } from './examples.ts';
import type { Json, OpenapiDocument, Operation } from './openapi-types.ts';

const JsonObject = z.record(z.string(), z.unknown());

/** The OpenAPI document, from the schemas that validate the requests. */
export function openapiDocument(routes: readonly { route: Route }[]): OpenapiDocument {
  const paths: OpenapiDocument['paths'] = {};
  for (const { route } of routes)
    paths[route.path] = { ...paths[route.path], [route.method.toLowerCase()]: operationOf(route) };
  const webhooks = { runEvent: { post: eventDelivery() } };
  const schemas = reachable({ paths, webhooks }, componentSchemas());
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kubecost payer onboarding',
      version: '0.3.0',
      description:
        'One POST onboards an AWS payer account, so that Kubecost or OpenCost reads its bill. Errors are RFC 9457 problem documents with a ' +
        'stable `code`. A 400 response lists every problem of the request.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      {
        url: 'https://{apiId}.execute-api.{region}.amazonaws.com',
        description: 'The output ApiUrl of the stack',
        variables: { apiId: { default: 'api' }, region: { default: 'us-east-1' } },
      },
    ],
    security: [{ sigv4: [] }],
    paths,
    webhooks,
    components: {
      securitySchemes: {
        sigv4: {
          type: 'apiKey',
          name: 'Authorization',
          in: 'header',
          description: 'AWS Signature Version 4, service execute-api; the caller needs execute-api:Invoke',
          'x-amazon-apigateway-authtype': 'awsSigv4',
        },
      },
      schemas,
    },
  };
}

/** An event, as an API destination of EventBridge would post it. */
function eventDelivery(): Operation {
  return {
    operationId: 'runEvent',
    summary: 'A run or one of its steps has changed its status',
    description:
      'The `detail` of an event on the event bus of the stack. Events are delivered at least once and in any order. docs/events.md shows how to subscribe.',
    security: [],
    requestBody: {
      required: true,
      content: { 'application/json': { schema: refTo(RunEvent), example: exampleEvent } },
    },
    responses: { 200: { description: 'The event was received' } },
  };
}

function operationOf(route: Route): Operation {
  const { operationId, summary, description } = route;
  const parameters = [
    ...parametersOf('path', route.params),
    ...parametersOf('query', route.query),
    ...parametersOf('header', route.headers),
  ];
  return {
    operationId,
    summary,
    ...(description && { description }),
    ...(route.open && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(route.body && {
      requestBody: {
        required: true as const,
        content: {
          'application/json': { schema: refTo(route.body, 'Input'), example: examples[operationId]?.request },
        },
      },
    }),
    responses: { ...answersOf(route), ...refusalsOf(route) },
  };
}

function parametersOf(place: string, schema: ObjectSchema | undefined): NonNullable<Operation['parameters']> {
  return Object.entries(schema?.shape ?? {}).map(([name, field]) => {
    const { description, ...json } = plain(z.toJSONSchema(field));
    return {
      name: place === 'header' ? headerName(name) : name,
      in: place,
      required: !field.safeParse(undefined).success,
      ...(typeof description === 'string' && { description }),
      schema: json,
    };
  });
}

function answersOf(route: Route): Operation['responses'] {
  const answers: Operation['responses'] = {};
  for (const [status, { description, schema, contentType = 'application/json', headers }] of Object.entries(
    route.responses,
  )) {
    const example = examples[route.operationId]?.response;
    const asText = contentType === 'application/json' ? { type: 'object' } : { type: 'string' };
    answers[status] = {
      description,
      ...(headers && {
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, text]) => [name, { description: text, schema: { type: 'string' } }]),
        ),
      }),
      content: {
        [contentType]: { schema: schema ? refTo(schema) : asText, ...(example !== undefined && { example }) },
      },
    };
  }
  return answers;
}

function refusalsOf(route: Route): Operation['responses'] {
  const byStatus = new Map<number, string[]>();
  const add = (status: number, text: string) => byStatus.set(status, [...(byStatus.get(status) ?? []), text]);
  for (const code of route.refusals) add(problemStatus[code], `\`${code}\``);
  if (route.body) {
    add(413, '`invalid-request`: the body is too large');
    add(415, '`invalid-request`: the body is not sent as application/json');
  }
  const problem = (description: string) => ({
    description,
    content: { 'application/problem+json': { schema: refTo(ProblemDocument) } },
  });
  const gateway = (description: string) => ({
    description: `${description}. API Gateway sends this response`,
    content: { 'application/json': { schema: { type: 'object', properties: { message: { type: 'string' } } } } },
  });
  return {
    ...Object.fromEntries([...byStatus].map(([status, codes]) => [status, problem(codes.join(', '))])),
    ...(!route.open && { 403: gateway('The request is not signed, or the caller lacks execute-api:Invoke') }),
    429: gateway('Too many requests'),
    default: problem(
      '`throttled` or `aws-unavailable` (503, with Retry-After), `record-unreadable` or `unexpected` (500)',
    ),
  };
}

/** Every named schema of a response. If a request may omit fields, its schema is also there as `<name>Input`. */
function componentSchemas(): Record<string, Json> {
  const uri = (id: string) => `#/components/schemas/${id}`;
  const answers = z.toJSONSchema(z.globalRegistry, { uri }).schemas;
  const requests = z.toJSONSchema(z.globalRegistry, { uri, io: 'input' }).schemas;
  const named: Record<string, Json> = {};
  for (const [id, schema] of Object.entries(answers)) named[id] = plain(schema);
  const differing = Object.keys(requests).filter((id) => JSON.stringify(requests[id]) !== JSON.stringify(answers[id]));
  for (const id of differing) {
    const text = JSON.stringify(plain(requests[id] ?? {}));
    named[`${id}Input`] = JsonObject.parse(
      JSON.parse(
        text.replaceAll(/"#\/components\/schemas\/(\w+)"/g, (ref, other: string) =>
          differing.includes(other) ? `"${uri(other)}Input"` : ref,
        ),
      ),
    );
  }
  return named;
}

/** Without the fields that only a separate JSON Schema document has. */
function plain(schema: object): Json {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => !['$schema', '$id', 'id'].includes(name)));
}

function refTo(schema: z.ZodType, suffix = ''): Json {
  const id = schema.meta()?.id;
  if (!id) throw new Error('a schema that a route names needs .meta({ id })');
  return { $ref: `#/components/schemas/${id}${suffix}` };
}

/** The schemas that the paths refer to, in alphabetical order: the registry has every named schema of the process. */
function reachable(from: unknown, all: Record<string, Json>): Record<string, Json> {
  const found = new Set<string>();
  const follow = (value: unknown) => {
    for (const [, id = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (found.has(id)) continue;
      found.add(id);
      follow(all[id]);
    }
  };
  follow(from);
  return Object.fromEntries([...found].sort().map((id) => [id, all[id] ?? {}]));
}

function headerName(name: string): string {
  return name.replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
