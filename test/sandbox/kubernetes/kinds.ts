import { badRequest, invalid } from './failure.ts';
import { copyOf, isRecord, type KubernetesObject, type ResourceType } from './objects.ts';
import type { PolicyRule } from './rules.ts';

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** Decoded bytes of all values together. */
const mostDataBytes = 1_048_576;
const rbacGroup = 'rbac.authorization.k8s.io';

/** Sets the defaults of the API server, then validates. Works on a copy. */
export function admitted(type: ResourceType, object: KubernetesObject, before?: KubernetesObject): KubernetesObject {
  const draft = copyOf(object);
  checkName(type, draft);
  switch (type.kind) {
    case 'Namespace':
      draft.metadata.labels = { ...draft.metadata.labels, 'kubernetes.io/metadata.name': draft.metadata.name };
      draft.spec = { finalizers: ['kubernetes'], ...(draft.spec as object | undefined) };
      draft.status = { phase: 'Active' };
      break;
    case 'Secret':
    case 'ConfigMap':
      admitData(type, draft, before);
      break;
    case 'Role':
    case 'ClusterRole':
      checkRules(type, draft);
      break;
    case 'RoleBinding':
    case 'ClusterRoleBinding':
      admitBinding(type, draft, before);
      break;
    case 'Deployment':
    case 'StatefulSet':
      draft.spec = { replicas: 1, ...(draft.spec as object | undefined) };
      draft.metadata.generation ??= 1;
      checkWorkload(type, draft, before);
      break;
  }
  return draft;
}

function checkName(type: ResourceType, { metadata: { name } }: KubernetesObject): void {
  if (type.group === rbacGroup) {
    if (!/^[^/%]+$/.test(name) || name === '.' || name === '..')
      throw invalid(type, name, 'metadata.name', `Invalid value: "${name}": may not contain '/' or '%'`);
    return;
  }
  const isLabel = type.kind === 'Namespace' || type.kind === 'Service';
  if (isLabel && !(label.test(name) && name.length <= 63))
    throw invalid(
      type,
      name,
      'metadata.name',
      `Invalid value: "${name}": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character`,
    );
  if (!subdomain.test(name) || name.length > 253)
    throw invalid(
      type,
      name,
      'metadata.name',
      `Invalid value: "${name}": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character`,
    );
}

/** Secrets carry base64 in `data` and take plain text in `stringData`; config maps carry plain text. */
function admitData(type: ResourceType, draft: KubernetesObject, before: KubernetesObject | undefined): void {
  const data = { ...(draft.data as Record<string, string> | undefined) };
  const { name } = draft.metadata;
  if (type.kind === 'Secret') {
    draft.type ??= 'Opaque';
    for (const value of Object.values(data)) checkBase64(value);
    for (const [key, text] of Object.entries((draft.stringData ?? {}) as Record<string, string>))
      data[key] = Buffer.from(text).toString('base64');
    Reflect.deleteProperty(draft, 'stringData');
    if (before && before.type !== draft.type)
      throw invalid(type, name, 'type', `Invalid value: "${String(draft.type)}": field is immutable`);
  }
  for (const key of Object.keys(data))
    if (!/^[-._a-zA-Z0-9]{1,253}$/.test(key))
      throw invalid(
        type,
        name,
        `data[${key}]`,
        `Invalid value: "${key}": a valid config key must consist of alphanumeric characters, '-', '_' or '.'`,
      );
  const encoding = type.kind === 'Secret' ? 'base64' : 'utf8';
  const bytes = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, encoding), 0);
  if (bytes > mostDataBytes) throw invalid(type, name, 'data', `Too long: may not be more than ${mostDataBytes} bytes`);
  if (Object.keys(data).length > 0) draft.data = data;
  else Reflect.deleteProperty(draft, 'data');
  if (before?.immutable === true) {
    const frozen = ['data', 'immutable'].find(
      (field) => JSON.stringify(draft[field]) !== JSON.stringify(before[field]),
    );
    if (frozen) throw invalid(type, name, frozen, 'Forbidden: field is immutable when `immutable` is set');
  }
}

function checkBase64(value: unknown): void {
  const complaint = 'Secret in version "v1" cannot be handled as a Secret';
  if (typeof value !== 'string')
    throw badRequest(`${complaint}: json: cannot unmarshal a value of data into Go type []byte`);
  const wrong = /[^A-Za-z0-9+/=\r\n]/.exec(value)?.index;
  const text = value.replaceAll(/[\r\n]/g, '');
  const tidy = text.length % 4 === 0 && /^[^=]*={0,2}$/.test(text);
  if (wrong !== undefined || !tidy)
    throw badRequest(`${complaint}: illegal base64 data at input byte ${wrong ?? Math.max(0, value.length - 1)}`);
}

function checkRules(type: ResourceType, draft: KubernetesObject): void {
  const { name } = draft.metadata;
  ((draft.rules ?? []) as Partial<PolicyRule>[]).forEach((rule, index) => {
    const require = (field: string, present: unknown[] | undefined, what: string) => {
      if (!present?.length) throw invalid(type, name, `rules[${index}].${field}`, `Required value: ${what}`);
    };
    require('verbs', rule.verbs, 'verbs must contain at least one value');
    if (rule.nonResourceURLs?.length) {
      if (type.kind === 'Role')
        throw invalid(
          type,
          name,
          `rules[${index}].nonResourceURLs`,
          `Invalid value: namespaced rules cannot apply to non-resource URLs`,
        );
      return;
    }
    require('apiGroups', rule.apiGroups, 'resource rules must supply at least one api group');
    require('resources', rule.resources, 'resource rules must supply at least one resource');
  });
}

function admitBinding(type: ResourceType, draft: KubernetesObject, before: KubernetesObject | undefined): void {
  const { name } = draft.metadata;
  const given = isRecord(draft.roleRef) ? draft.roleRef : {};
  const roleRef = { ...given, apiGroup: given.apiGroup ?? rbacGroup };
  const kinds = type.kind === 'RoleBinding' ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(String(given.kind)))
    throw invalid(
      type,
      name,
      'roleRef.kind',
      `Unsupported value: "${String(given.kind)}": supported values: ${kinds.map((kind) => `"${kind}"`).join(', ')}`,
    );
  if (!given.name) throw invalid(type, name, 'roleRef.name', 'Required value');
  draft.roleRef = roleRef;
  const old = before?.roleRef as typeof given | undefined;
  if (old && (old.kind !== given.kind || old.name !== given.name))
    throw invalid(type, name, 'roleRef', `Invalid value: ${JSON.stringify(roleRef)}: cannot change roleRef`);
  if (!Array.isArray(draft.subjects)) return;
  draft.subjects = (draft.subjects as Record<string, unknown>[]).map((subject, index) => {
    if (subject.kind !== 'ServiceAccount') return { apiGroup: rbacGroup, ...subject };
    if (!subject.namespace) throw invalid(type, name, `subjects[${index}].namespace`, 'Required value');
    return subject;
  });
}

function checkWorkload(type: ResourceType, draft: KubernetesObject, before: KubernetesObject | undefined): void {
  const { name } = draft.metadata;
  const spec = draft.spec as {
    selector?: { matchLabels?: Record<string, string> };
    template?: { metadata?: { labels?: Record<string, string> } };
  };
  if (!spec.selector) throw invalid(type, name, 'spec.selector', 'Required value');
  const labels = spec.template?.metadata?.labels ?? {};
  const selector = Object.entries(spec.selector.matchLabels ?? {});
  if (selector.some(([key, value]) => labels[key] !== value))
    throw invalid(
      type,
      name,
      'spec.template.metadata.labels',
      `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``,
    );
  const old = (before?.spec as typeof spec | undefined)?.selector;
  if (old && JSON.stringify(old) !== JSON.stringify(spec.selector))
    throw invalid(type, name, 'spec.selector', `Invalid value: ${JSON.stringify(spec.selector)}: field is immutable`);
}
