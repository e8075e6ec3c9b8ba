import { badRequest, KubernetesFailure } from './failure.ts';
import { apiVersionOf, type KubernetesObject, omit, type ResourceType } from './objects.ts';
import type { Target } from './request.ts';
import type { ObjectStore } from './store.ts';

/** One page of a list. Items have no `kind` and `apiVersion`, as in the API server. */
export function listPage(store: ObjectStore, type: ResourceType, target: Target, query: URLSearchParams): object {
  const matches = labelMatcher(query.get('labelSelector') ?? '');
  const fields = fieldMatcher(query.get('fieldSelector') ?? '');
  const all = store
    .list(type, type.namespaced ? target.namespace : undefined)
    .filter((object) => matches(object.metadata.labels ?? {}) && fields(object));
  const start = startOf(query.get('continue'));
  const limit = Number(query.get('limit') ?? 0) || Infinity;
  const items = all.slice(start, start + limit);
  const remaining = all.length - start - items.length;
  return {
    kind: `${type.kind}List`,
    apiVersion: apiVersionOf(type),
    metadata: {
      resourceVersion: store.revision,
      ...(remaining > 0 && {
        continue: Buffer.from(JSON.stringify({ start: start + items.length })).toString('base64url'),
        remainingItemCount: remaining,
      }),
    },
    items: items.map((item) => omit(item, 'kind', 'apiVersion')),
  };
}

function startOf(token: string | null): number {
  if (!token) return 0;
  try {
    return (JSON.parse(Buffer.from(token, 'base64url').toString()) as { start: number }).start;
  } catch {
    throw new KubernetesFailure(400, 'BadRequest', 'continue key is not valid');
  }
}

/** `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`, joined by commas. */
function labelMatcher(selector: string): (labels: Record<string, string>) => boolean {
  const terms = selector.split(/,(?![^(]*\))/).filter((term) => term.trim() !== '');
  const tests = terms.map((text) => {
    const term = text.trim();
    const set = /^([\w./-]+)\s+(in|notin)\s*\(([^)]*)\)$/.exec(term);
    if (set) {
      const [, key = '', word, list = ''] = set;
      const values = list.split(',').map((value) => value.trim());
      return (labels: Record<string, string>) => values.includes(labels[key] ?? '\0') === (word === 'in');
    }
    const [, not, key = '', operator, value = ''] = /^(!?)\s*([\w./-]+)\s*(?:(==?|!=)\s*([\w.-]*))?$/.exec(term) ?? [];
    if (!key || (not && operator))
      throw badRequest(`unable to parse requirement: found '${term}', expected a label selector`);
    if (!operator) return (labels: Record<string, string>) => key in labels === !not;
    return (labels: Record<string, string>) => (labels[key] === value) === (operator !== '!=');
  });
  return (labels) => tests.every((test) => test(labels));
}

function fieldMatcher(selector: string): (object: KubernetesObject) => boolean {
  const terms = selector.split(',').filter(Boolean);
  const tests = terms.map((term) => {
    const [, field = '', operator, value] = /^(metadata\.name|metadata\.namespace)(==?|!=)(.*)$/.exec(term) ?? [];
    if (!field) throw badRequest(`field label not supported: ${term.split(/[=!]/)[0] ?? term}`);
    return ({ metadata }: KubernetesObject) =>
      ((field === 'metadata.name' ? metadata.name : metadata.namespace) === value) === (operator !== '!=');
  });
  return (object) => tests.every((test) => test(object));
}
