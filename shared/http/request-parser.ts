import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type * as z from 'zod';
import { type FieldError, RequestRefusal } from '../errors/request-refusal.ts';
import type { Route, RouteInput } from './route.ts';

/** The largest useful request for one payer has a few kB. */
const usualBodyBytes = 64 * 1024;
/** A Lambda response may have 6 MB, and a body can have a problem in every few bytes. */
const maxErrorBytes = 1024 * 1024;

type Event = Pick<
  APIGatewayProxyEventV2,
  'pathParameters' | 'queryStringParameters' | 'headers' | 'body' | 'isBase64Encoded'
>;
type Locate = (path: readonly PropertyKey[]) => Omit<FieldError, 'detail'>;

const inBody: Locate = (path) => ({ pointer: path.map((key) => `/${escapePointer(String(key))}`).join('') });
const inQuery: Locate = ([name]) => ({ parameter: String(name) });
const inHeader: Locate = ([name]) => ({ header: String(name) });
/** A path parameter is free text: the route answers an unknown id with 404. */
const inPath: Locate = ([name]) => ({ parameter: String(name) });

/** Validates every part that the route declares. @throws RequestRefusal with all problems of all parts */
export function parseRequest<R extends Route>(route: R, event: Event): RouteInput<R> {
  const errors: FieldError[] = [];
  const input: Record<string, unknown> = {};
  const parse = (part: string, schema: z.ZodType | undefined, value: unknown, locate: Locate) => {
    if (!schema) return;
    const parsed = schema.safeParse(value);
    if (parsed.success) input[part] = parsed.data;
    else errors.push(...parsed.error.issues.flatMap((issue) => fieldErrors(issue, locate)));
  };
  parse('params', route.params, event.pathParameters ?? {}, inPath);
  parse('query', route.query, event.queryStringParameters ?? {}, inQuery);
  parse('headers', route.headers, event.headers, inHeader);
  if (route.body) {
    const json = readJson(event, route.maxBodyBytes);
    if ('error' in json) errors.push(json.error);
    else parse('body', route.body, json.value, inBody);
  }
  if (errors.length > 0) {
    const count = errors.length === 1 ? 'one problem' : `${errors.length} problems`;
    const shown = fitting(errors);
    const rest = shown.length === errors.length ? '' : ` The first ${shown.length} are listed.`;
    throw new RequestRefusal('invalid-request', `The request has ${count}.${rest}`, { errors: shown });
  }
  return input as RouteInput<R>;
}

function fitting(errors: readonly FieldError[]): FieldError[] {
  let bytes = 0;
  const firstTooMany = errors.findIndex((error) => (bytes += Buffer.byteLength(JSON.stringify(error))) > maxErrorBytes);
  return errors.slice(0, firstTooMany === -1 ? errors.length : firstTooMany);
}

function fieldErrors(issue: z.core.$ZodIssue, locate: Locate): FieldError[] {
  if (issue.code !== 'unrecognized_keys') return [{ ...locate(issue.path), detail: issue.message }];
  return issue.keys.map((key) => ({ ...locate([...issue.path, key]), detail: 'is not a known field' }));
}

function readJson(event: Event, maxBodyBytes = usualBodyBytes): { value: unknown } | { error: FieldError } {
  const contentType = event.headers['content-type'];
  if (!contentType || !/^application\/json *(;|$)/i.test(contentType)) {
    throw new RequestRefusal('invalid-request', 'Send the body with the header content-type: application/json.', {
      status: 415,
    });
  }
  const bytes = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > maxBodyBytes) {
    throw new RequestRefusal('invalid-request', `The body has more than ${maxBodyBytes} bytes.`, { status: 413 });
  }
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch (error) {
    return { error: { pointer: '', detail: `is not JSON: ${error instanceof Error ? error.message : String(error)}` } };
  }
}

/** RFC 6901. */
function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}
