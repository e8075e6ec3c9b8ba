import { accessPolicies } from './access-policies.ts';
import { forbidden, KubernetesFailure } from './failure.ts';
import type { KubernetesObject } from './objects.ts';
import { typeOfKind } from './objects.ts';
import { type Attributes, type PolicyRule, ruleAllows } from './rules.ts';
import type { ObjectStore } from './store.ts';

export interface User {
  username: string;
  groups: string[];
  /** The IAM principal behind an EKS token. */
  arn?: string;
  /** EKS access policies of the principal's access entry. */
  policies: AccessGrant[];
}

export interface AccessGrant {
  policyArn: string;
  /** Absent for the whole cluster. A name may end in `*`. */
  namespaces?: string[];
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

interface Granted {
  rule: PolicyRule;
  /** `RoleBinding "x/ns" of Role "y" to Group "g"` */
  by: string;
}

/** Every authenticated user may review their own permissions and read the API's own paths. */
const discovery: PolicyRule[] = [
  {
    apiGroups: ['authorization.k8s.io'],
    resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
    verbs: ['create'],
  },
  {
    nonResourceURLs: ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*', '/version', '/version/'],
    verbs: ['get'],
  },
];

/** EKS access policies and RBAC, as two authorizers one after the other. */
export class Authorizer {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** Why it is allowed; undefined if it is not. */
  allows(user: User, asked: Attributes): string | undefined {
    const policy = user.policies.find((grant) => grantAllows(grant, asked));
    if (policy) return `EKS Access Policy: allowed by ${policy.policyArn.split('/').at(-1) ?? ''}`;
    const namespace = 'path' in asked ? undefined : asked.namespace;
    const granted = this.#grants(user, namespace).find(({ rule }) => ruleAllows(rule, asked));
    return granted && `RBAC: allowed by ${granted.by}`;
  }

  check(user: User, asked: Attributes): void {
    if (this.allows(user, asked) === undefined) throw denied(user, asked);
  }

  /** A user's RBAC rules; they exclude access policies, so an AmazonEKSAdminPolicy cannot bind roles. */
  rules(user: User, namespace: string | undefined): PolicyRule[] {
    return this.#grants(user, namespace).map(({ rule }) => rule);
  }

  rulesOfRole(kind: string, name: string, namespace: string | undefined): PolicyRule[] | undefined {
    const role = this.#store.get(typeOfKind(kind), kind === 'Role' ? namespace : undefined, name);
    return role && ((role.rules ?? []) as PolicyRule[]);
  }

  #grants(user: User, namespace: string | undefined): Granted[] {
    const bindings = [
      ...this.#store.list(typeOfKind('ClusterRoleBinding')),
      ...(namespace === undefined ? [] : this.#store.list(typeOfKind('RoleBinding'), namespace)),
    ];
    const own = user.groups.includes('system:authenticated') ? discovery : [];
    return [
      ...own.map((rule) => ({ rule, by: 'ClusterRoleBinding "system:basic-user"' })),
      ...bindings.flatMap((binding) => this.#grantsOf(binding, user)),
    ];
  }

  #grantsOf(binding: KubernetesObject, user: User): Granted[] {
    const { name, namespace } = binding.metadata;
    const subject = ((binding.subjects ?? []) as Subject[]).find((candidate) => isSubject(candidate, user));
    if (!subject) return [];
    const { kind, name: role } = binding.roleRef as { kind: string; name: string };
    const id = namespace === undefined ? name : `${name}/${namespace}`;
    const by = `${binding.kind} "${id}" of ${kind} "${role}" to ${subject.kind} "${subject.name}"`;
    return (this.rulesOfRole(kind, role, namespace) ?? []).map((rule) => ({ rule, by }));
  }
}

function isSubject({ kind, name, namespace = '' }: Subject, user: User): boolean {
  if (kind === 'Group') return user.groups.includes(name);
  return user.username === (kind === 'ServiceAccount' ? `system:serviceaccount:${namespace}:${name}` : name);
}

function grantAllows({ policyArn, namespaces }: AccessGrant, asked: Attributes): boolean {
  if (!(accessPolicies[policyArn] ?? []).some((rule) => ruleAllows(rule, asked))) return false;
  if (namespaces === undefined) return true;
  const namespace = 'path' in asked ? undefined : asked.namespace;
  if (namespace === undefined) return false;
  return namespaces.some((pattern) =>
    pattern.endsWith('*') ? namespace.startsWith(pattern.slice(0, -1)) : namespace === pattern,
  );
}

function denied({ username }: User, asked: Attributes): KubernetesFailure {
  if ('path' in asked)
    return new KubernetesFailure(
      403,
      'Forbidden',
      `forbidden: User "${username}" cannot ${asked.verb} path "${asked.path}"`,
      {},
    );
  const { verb, group, resource, subresource, namespace, name } = asked;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const why = `User "${username}" cannot ${verb} resource "${what}" in API group "${group}" ${where}`;
  return forbidden({ group, resource }, name, why);
}
