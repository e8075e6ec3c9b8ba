import { NormalizedSchema } from '@smithy/core/schema';
import type { $SchemaRef } from '@smithy/types';

/** The HTTP binding of a REST operation, taken apart. */
export interface Route {
  method: string;
  /** `{name}` is one segment, `{name+}` the rest of the path. */
  segments: string[];
  /** Query keys that the template requires, such as `policy` or `list-type=2`. */
  query: [key: string, value: string][];
  status: number;
}

export interface OperationShape {
  name: string;
  input: NormalizedSchema;
  output: NormalizedSchema;
  route?: Route;
}

interface ErrorShape {
  name: string;
  /** The error code of the query protocol: `NoSuchEntity` for NoSuchEntityException. */
  wireCode: string;
  status: number;
  messageMember: string;
}

export interface ServiceShapes {
  operations: Map<string, OperationShape>;
  /** By exception name and by wire code. */
  errors: Map<string, ErrorShape>;
}

type Static = [
  kind: number,
  namespace: string,
  name: string,
  traits: unknown,
  first: unknown,
  second: unknown,
  required?: number,
];

interface ErrorTraits {
  awsQueryError?: [string, number];
  httpError?: number;
}

/** Reads the schemas that an SDK client module exports under names ending in `$`. */
export function readShapes(sdk: Record<string, unknown>): ServiceShapes {
  const shapes: ServiceShapes = { operations: new Map(), errors: new Map() };
  for (const [exported, value] of Object.entries(sdk)) {
    if (!exported.endsWith('$') || !Array.isArray(value)) continue;
    const schema = value as Static;
    if (schema[0] === 9) shapes.operations.set(schema[2], operationShape(schema));
    if (schema[0] === -3 && !schema[1].startsWith('smithy.ts.sdk.synthetic')) {
      const shape = errorShape(schema);
      shapes.errors.set(shape.name, shape);
      shapes.errors.set(shape.wireCode, shape);
    }
  }
  return shapes;
}

function operationShape([, , name, traits, first, second]: Static): OperationShape {
  const input = NormalizedSchema.of(first as $SchemaRef);
  const output = NormalizedSchema.of(second as $SchemaRef);
  const http = (traits as { http?: [string, string, number] }).http;
  return { name, input, output, ...(http && { route: readRoute(http, input) }) };
}

function readRoute([method, uri, status]: [string, string, number], input: NormalizedSchema): Route {
  const [path = '', query = ''] = uri.split('?');
  const segments = path.split('/').filter((segment) => segment !== '');
  // S3's templates omit the bucket, because the SDK may put it into the host name.
  if (!path.includes('{Bucket}') && members(input).some(([name, , bound]) => name === 'Bucket' && bound.httpLabel))
    segments.unshift('{Bucket}');
  return { method, segments, query: [...new URLSearchParams(query)].filter(([key]) => key !== 'x-id'), status };
}

function errorShape([, , name, traits, memberNames]: Static): ErrorShape {
  const { awsQueryError, httpError } = (typeof traits === 'object' ? traits : {}) as ErrorTraits;
  return {
    name,
    wireCode: awsQueryError?.[0] ?? name,
    status: awsQueryError?.[1] ?? httpError ?? 400,
    messageMember: (memberNames as string[]).includes('Message') ? 'Message' : 'message',
  };
}

export type Member = [name: string, schema: NormalizedSchema, traits: ReturnType<NormalizedSchema['getMergedTraits']>];

/** The members of a structure; none for operations without input or output. */
export function members(schema: NormalizedSchema): Member[] {
  if (!schema.isStructSchema()) return [];
  return [...schema.structIterator()].map(([name, member]) => [name, member, member.getMergedTraits()]);
}

/** Schemas list the required members first and say how many there are. */
export function requiredMembers(schema: NormalizedSchema): Member[] {
  const count = schema.isStructSchema() ? ((schema.getSchema() as unknown as Static)[6] ?? 0) : 0;
  return members(schema).slice(0, count);
}
