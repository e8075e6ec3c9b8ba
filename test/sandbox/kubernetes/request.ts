import type { Attributes } from './rules.ts';

/** The attributes that the API server's request parser reads from method and path. */
export interface RequestInfo {
  method: string;
  path: string;
  query: URLSearchParams;
  /** `get`, `list`, `create`, `update`, `patch`, `delete`, `deletecollection` or `watch`; the lower-case method outside resources. */
  verb: string;
  /** Absent for paths that name no resource, such as `/version`. */
  target?: Target;
}

export interface Target {
  group: string;
  version: string;
  resource: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  /** The rest after the subresource: the path behind `proxy`. */
  rest: string;
}

export function parseRequest(method: string, url: string): RequestInfo {
  const { pathname, searchParams: query } = new URL(url, 'https://cluster');
  const target = parseTarget(pathname.split('/').filter(Boolean).map(decodeURIComponent));
  if (!target) return { method, path: pathname, query, verb: method.toLowerCase() };
  // A list of one name counts as a request for that name, so that a rule with resourceNames may allow it.
  const selected = /^metadata\.name=([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  const verb = verbOf(method, target.name !== undefined, query);
  if (target.name === undefined && selected !== undefined && method === 'GET') target.name = selected;
  return { method, path: pathname, query, verb, target };
}

function parseTarget(segments: string[]): Target | undefined {
  const grouped = segments[0] === 'apis';
  if (!grouped && segments[0] !== 'api') return undefined;
  const [group = '', version = '', ...rest] = grouped ? segments.slice(1) : ['', ...segments.slice(1)];
  if (rest.length === 0) return undefined;
  // A namespace object counts as inside itself: a Role in it may allow reading it.
  if (rest[0] === 'namespaces' && (rest.length < 3 || ['status', 'finalize'].includes(rest[2] ?? '')))
    return targetOf(group, version, rest, rest[1]);
  return rest[0] === 'namespaces'
    ? targetOf(group, version, rest.slice(2), rest[1])
    : targetOf(group, version, rest, undefined);
}

function targetOf(group: string, version: string, segments: string[], namespace: string | undefined): Target {
  const [resource = '', name, subresource, ...rest] = segments;
  return {
    group,
    version,
    resource,
    rest: rest.join('/'),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
    ...(subresource !== undefined && { subresource }),
  };
}

function verbOf(method: string, named: boolean, query: URLSearchParams): string {
  const isWatch = ['true', '1'].includes(query.get('watch') ?? '');
  switch (method) {
    case 'GET':
    case 'HEAD':
      return isWatch ? 'watch' : named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    default:
      return method.toLowerCase();
  }
}

/** The attributes that a rule must cover for the request to be allowed. */
export function attributesOf({ group, resource, subresource, namespace, name }: Target, verb: string): Attributes {
  return {
    verb,
    group,
    resource,
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
    ...(name !== undefined && { name }),
  };
}
