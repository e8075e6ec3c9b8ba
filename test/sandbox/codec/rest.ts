import type { NormalizedSchema } from '@smithy/core/schema';
import { AwsError } from '../service.ts';
import type { WireAnswer, WireRequest } from './codec.ts';
import { members, type OperationShape, requiredMembers, type Route, type ServiceShapes } from './shapes.ts';
import { type Fields, readText, writeText } from './values.ts';

/** How a REST protocol writes bodies: JSON for EKS, XML for S3. */
export interface BodyFormat {
  contentType: string;
  parse(text: string, schema: NormalizedSchema): Fields;
  write(value: unknown, schema: NormalizedSchema): string;
}

type Labels = Record<string, string>;

/** Finds the operation by method, path, and the required query keys and headers; several S3 operations share one path. */
export function findOperation(
  shapes: ServiceShapes,
  request: WireRequest,
): { shape: OperationShape; route: Route; labels: Labels } {
  const segments = request.path.slice(1).split('/');
  if (segments.length <= 2 && segments.at(-1) === '') segments.pop();
  const wanted = request.query.get('x-id');
  let best: { shape: OperationShape; route: Route; labels: Labels; score: number } | undefined;
  for (const shape of shapes.operations.values()) {
    const { route } = shape;
    if (route?.method !== request.method || (wanted !== null && wanted !== shape.name)) continue;
    const labels = matchPath(route.segments, segments);
    const demands = labels && demandsMet(shape, route, request);
    if (!labels || demands === undefined) continue;
    const literal = route.segments.filter((segment) => !segment.startsWith('{')).length;
    const score = literal * 100 + demands;
    if (!best || score > best.score) best = { shape, route, labels, score };
  }
  if (!best) throw new AwsError('UnknownOperationException', `No operation for ${request.method} ${request.path}`, 404);
  return best;
}

function matchPath(template: string[], segments: string[]): Labels | undefined {
  const labels: Labels = {};
  for (const [index, part] of template.entries()) {
    const segment = segments[index];
    if (segment === undefined) return undefined;
    const label = /^\{(\w+)(\+?)\}$/.exec(part);
    if (!label) {
      if (part !== segment) return undefined;
    } else if (label[2]) {
      labels[label[1] ?? ''] = segments.slice(index).map(decodeURIComponent).join('/');
      return labels;
    } else labels[label[1] ?? ''] = decodeURIComponent(segment);
  }
  return template.length === segments.length ? labels : undefined;
}

/** The number of query keys and headers that the operation requires, or undefined if the request lacks one. */
function demandsMet(shape: OperationShape, route: Route, { query, headers }: WireRequest): number | undefined {
  if (!route.query.every(([key, value]) => (value ? query.get(key) === value : query.has(key)))) return undefined;
  const bound = requiredMembers(shape.input).filter(([, , traits]) => traits.httpQuery ?? traits.httpHeader);
  const present = bound.every(([, , { httpQuery, httpHeader }]) =>
    httpQuery ? query.has(httpQuery) : (httpHeader ?? '').toLowerCase() in headers,
  );
  return present ? route.query.length + bound.length : undefined;
}

export function readRest(shape: OperationShape, labels: Labels, request: WireRequest, format: BodyFormat): Fields {
  const input: Fields = {};
  const payload = members(shape.input).find(([, , traits]) => traits.httpPayload);
  if (!payload && request.body.length > 0) Object.assign(input, format.parse(request.body.toString(), shape.input));
  for (const [name, member, traits] of members(shape.input)) {
    const read = (text: string) => readText(text, member);
    if (traits.httpLabel && labels[name] !== undefined) input[name] = read(labels[name]);
    if (traits.httpQuery && request.query.has(traits.httpQuery)) {
      const texts = request.query.getAll(traits.httpQuery);
      input[name] = member.isListSchema() ? texts : read(texts[0] ?? '');
    }
    const header = traits.httpHeader && request.headers[traits.httpHeader.toLowerCase()];
    if (header !== undefined && header !== '') input[name] = read(header);
    if (traits.httpPrefixHeaders) input[name] = prefixed(request.headers, traits.httpPrefixHeaders);
  }
  if (payload && request.body.length > 0) {
    const [name, member] = payload;
    if (member.isBlobSchema()) input[name] = request.body;
    else
      input[name] = member.isStructSchema() ? format.parse(request.body.toString(), member) : request.body.toString();
  }
  return input;
}

function prefixed(headers: Record<string, string>, prefix: string): Record<string, string> {
  const found = Object.entries(headers).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value]));
}

export function writeRest(shape: OperationShape, route: Route, output: Fields, format: BodyFormat): WireAnswer {
  const headers: Record<string, string> = {};
  const all = members(shape.output);
  for (const [name, member, traits] of all) {
    const value = output[name];
    if (value === undefined || value === null) continue;
    if (traits.httpHeader) headers[traits.httpHeader.toLowerCase()] = writeText(value, member, 'header');
    if (traits.httpPrefixHeaders)
      for (const [key, text] of Object.entries(value as Record<string, string>))
        headers[traits.httpPrefixHeaders + key] = text;
  }
  const payload = all.find(([, , traits]) => traits.httpPayload);
  if (payload) {
    const [name, member] = payload;
    const value = output[name];
    if (member.isStructSchema())
      return typed(headers, format, route, value === undefined ? '' : format.write(value, member));
    return { status: route.status, headers, body: value === undefined ? '' : (value as string | Buffer) };
  }
  const inBody = all.some(([, , traits]) => !traits.httpHeader && !traits.httpPrefixHeaders);
  return typed(
    headers,
    format,
    route,
    inBody || format.contentType.includes('json') ? format.write(output, shape.output) : '',
  );
}

function typed(
  headers: Record<string, string>,
  { contentType }: BodyFormat,
  { status }: Route,
  body: string,
): WireAnswer {
  return { status, headers: { ...(body && { 'content-type': contentType }), ...headers }, body };
}
