import { AwsError, type Service } from '../service.ts';
import { unchunk } from './chunked.ts';
import { fromQuery } from './query.ts';
import { type BodyFormat, findOperation, readRest, writeRest } from './rest.ts';
import { type OperationShape, readShapes, type ServiceShapes } from './shapes.ts';
import { type Fields, fromJson, toJson } from './values.ts';
import { element, escapeXml, fromXml, parseRoot, structContent } from './xml.ts';

export interface WireRequest {
  method: string;
  /** Still percent-encoded. */
  path: string;
  query: URLSearchParams;
  /** Names in lower case. */
  headers: Record<string, string>;
  body: Buffer;
}

export interface WireAnswer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

export interface DecodedCall {
  operation: string;
  input: unknown;
}

/** One service's wire protocol. */
export interface Codec {
  protocol: Protocol;
  decode(request: WireRequest): DecodedCall;
  encode(call: DecodedCall, output: unknown, requestId: string): WireAnswer;
  encodeError(error: AwsError, requestId: string): WireAnswer;
}

export type Protocol = 'query' | 'json-1.0' | 'json-1.1' | 'rest-json' | 'rest-xml';

const protocols: Record<string, { protocol: Protocol; namespace?: string }> = {
  iam: { protocol: 'query', namespace: 'https://iam.amazonaws.com/doc/2010-05-08/' },
  sts: { protocol: 'query', namespace: 'https://sts.amazonaws.com/doc/2011-06-15/' },
  cloudformation: { protocol: 'query', namespace: 'http://cloudformation.amazonaws.com/doc/2010-05-15/' },
  s3: { protocol: 'rest-xml', namespace: 'http://s3.amazonaws.com/doc/2006-03-01/' },
  eks: { protocol: 'rest-json' },
  'eks-auth': { protocol: 'rest-json' },
  lambda: { protocol: 'rest-json' },
  lakeformation: { protocol: 'rest-json' },
  states: { protocol: 'json-1.0' },
  glue: { protocol: 'json-1.1' },
  kms: { protocol: 'json-1.1' },
  athena: { protocol: 'json-1.1' },
  events: { protocol: 'json-1.1' },
  organizations: { protocol: 'json-1.1' },
  cur: { protocol: 'json-1.1' },
};

const knownSchemas = new WeakMap<object, ServiceShapes>();

/** Every sandbox of a process reads the same schemas. */
function schemasOf(sdk: Record<string, unknown>): ServiceShapes {
  const shapes = knownSchemas.get(sdk) ?? readShapes(sdk);
  knownSchemas.set(sdk, shapes);
  return shapes;
}

/** Reads requests and writes answers of a service by the schemas its SDK client exports; no code per operation. */
export function codecFor({ signingName, sdk }: Service): Codec {
  const known = protocols[signingName];
  if (!known) throw new Error(`The sandbox does not know the protocol of ${signingName}`);
  const shapes = sdk && schemasOf(sdk);
  const { protocol, namespace = '' } = known;
  if (protocol === 'json-1.0' || protocol === 'json-1.1') return jsonCodec(protocol, shapes);
  if (!shapes) throw new Error(`${signingName} needs the schemas of its SDK client`);
  return protocol === 'query' ? queryCodec(shapes, namespace) : restCodec(protocol, shapes, namespace);
}

function queryCodec(shapes: ServiceShapes, namespace: string): Codec {
  return {
    protocol: 'query',
    decode({ method, query, body }) {
      const parameters = method === 'GET' ? query : new URLSearchParams(body.toString());
      const { name, input } = shapeOf(shapes, parameters.get('Action') ?? '');
      return { operation: name, input: fromQuery(parameters, input) };
    },
    encode({ operation }, output, requestId) {
      const schema = shapeOf(shapes, operation).output;
      const result = schema.isStructSchema()
        ? element(`${operation}Result`, structContent(output as Fields, schema))
        : '';
      const metadata = element('ResponseMetadata', element('RequestId', requestId));
      return xml(
        200,
        `<${operation}Response xmlns="${namespace}">${result}${metadata}</${operation}Response>`,
        requestId,
      );
    },
    encodeError(error, requestId) {
      const { code, status } = wireError(shapes, error);
      const type = element('Type', status < 500 ? 'Sender' : 'Receiver');
      const details = type + element('Code', code) + element('Message', escapeXml(error.message));
      const content = element('Error', details) + element('RequestId', requestId);
      return xml(status, `<ErrorResponse xmlns="${namespace}">${content}</ErrorResponse>`, requestId);
    },
  };
}

function jsonCodec(protocol: 'json-1.0' | 'json-1.1', shapes: ServiceShapes | undefined): Codec {
  const answer = (status: number, requestId: string, body: unknown): WireAnswer => ({
    status,
    headers: { 'content-type': `application/x-amz-${protocol}`, 'x-amzn-requestid': requestId },
    body: JSON.stringify(body),
  });
  return {
    protocol,
    decode({ headers, body }) {
      const operation = headers['x-amz-target']?.split('.').at(-1) ?? '';
      const value = parseJson(body.toString());
      return { operation, input: shapes ? fromJson(value, shapeOf(shapes, operation).input) : value };
    },
    encode({ operation }, output, requestId) {
      const body = shapes ? toJson(output, shapeOf(shapes, operation).output) : output;
      return answer(200, requestId, body ?? {});
    },
    encodeError(error, requestId) {
      const { name, status, messageMember } = wireError(shapes, error);
      return answer(status, requestId, { __type: name, [messageMember]: error.message });
    },
  };
}

const jsonBody: BodyFormat = {
  contentType: 'application/json',
  parse: (text, schema) => fromJson(parseJson(text), schema) as Fields,
  write: (value, schema) => JSON.stringify(toJson(value, schema)),
};

function restCodec(protocol: 'rest-json' | 'rest-xml', shapes: ServiceShapes, namespace: string): Codec {
  const format = protocol === 'rest-json' ? jsonBody : xmlBody(namespace);
  return {
    protocol,
    decode(request) {
      const { shape, labels } = findOperation(shapes, request);
      const body = isChunked(request.headers) ? unchunk(request.body) : request.body;
      return { operation: shape.name, input: readRest(shape, labels, { ...request, body }, format) };
    },
    encode({ operation }, output, requestId) {
      const shape = shapeOf(shapes, operation);
      if (!shape.route) throw new Error(`${operation} has no HTTP binding`);
      const answer = writeRest(shape, shape.route, output as Fields, format);
      return { ...answer, headers: { ...restHeaders(protocol, requestId), ...answer.headers } };
    },
    encodeError(error, requestId) {
      const { name, status, messageMember } = wireError(shapes, error);
      const headers = restHeaders(protocol, requestId);
      if (protocol === 'rest-json') {
        // The SDK reads the error's name from this header before the body.
        const typed = { ...headers, 'content-type': 'application/json', 'x-amzn-errortype': name };
        return { status, headers: typed, body: JSON.stringify({ [messageMember]: error.message }) };
      }
      const details = element('Code', name) + element('Message', escapeXml(error.message));
      const body = `${xmlHeader}${element('Error', details + element('RequestId', requestId))}`;
      return { status, headers: { ...headers, ...error.headers, 'content-type': 'application/xml' }, body };
    },
  };
}

function restHeaders(protocol: 'rest-json' | 'rest-xml', requestId: string): Record<string, string> {
  if (protocol === 'rest-json') return { 'x-amzn-requestid': requestId };
  return { 'x-amz-request-id': requestId, 'x-amz-id-2': `${requestId}/sandbox` };
}

function isChunked({ 'content-encoding': encoding = '', 'x-amz-content-sha256': hash = '' }: WireRequest['headers']) {
  return encoding.includes('aws-chunked') || hash.startsWith('STREAMING-');
}

const xmlHeader = '<?xml version="1.0" encoding="UTF-8"?>\n';

function xmlBody(namespace: string): BodyFormat {
  return {
    contentType: 'application/xml',
    parse: (text, schema) => fromXml(parseRoot(text), schema) as Fields,
    write(value, schema) {
      const root = schema.getMergedTraits().xmlName ?? schema.getName() ?? 'Result';
      // Only GetBucketLocation is not wrapped: its root is its only member.
      const bare = root === 'LocationConstraint' ? (value as { LocationConstraint?: string }) : undefined;
      const content = bare ? escapeXml(bare.LocationConstraint ?? '') : structContent(value as Fields, schema);
      return `${xmlHeader}<${root} xmlns="${namespace}">${content}</${root}>`;
    },
  };
}

function xml(status: number, body: string, requestId: string): WireAnswer {
  return { status, headers: { 'content-type': 'text/xml', 'x-amzn-requestid': requestId }, body };
}

function shapeOf(shapes: ServiceShapes, operation: string): OperationShape {
  const shape = shapes.operations.get(operation);
  if (!shape) throw unknownOperation(operation);
  return shape;
}

export function unknownOperation(operation: string): AwsError {
  return new AwsError('UnknownOperationException', `The sandbox has no operation ${operation || '(none named)'}`, 404);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text || '{}');
  } catch {
    throw new AwsError('SerializationException', 'The request body is not valid JSON', 400);
  }
}

function wireError(shapes: ServiceShapes | undefined, { code, status }: AwsError) {
  const shape = shapes?.errors.get(code);
  return {
    name: shape?.name ?? code,
    code: shape?.wireCode ?? code,
    status: status ?? shape?.status ?? 400,
    messageMember: shape?.messageMember ?? 'message',
  };
}
