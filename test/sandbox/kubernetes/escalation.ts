import type { Authorizer, User } from './authorize.ts';
import { forbidden, notFound } from './failure.ts';
import { type KubernetesObject, type ResourceType, typeOfKind } from './objects.ts';
import { coversRule, type PolicyRule } from './rules.ts';

/** A user can grant only their own permissions, unless they have the verbs `escalate` (for roles) or `bind` (for bindings). */
export function checkEscalation(
  authorizer: Authorizer,
  user: User,
  type: ResourceType,
  object: KubernetesObject,
): void {
  const { group, resource, kind } = type;
  const { name, namespace } = object.metadata;
  if (group !== 'rbac.authorization.k8s.io') return;
  const inNamespace = namespace === undefined ? {} : { namespace };
  if (kind === 'Role' || kind === 'ClusterRole') {
    if (authorizer.allows(user, { verb: 'escalate', group, resource, name, ...inNamespace })) return;
    checkHeld((object.rules ?? []) as PolicyRule[]);
    return;
  }
  const role = object.roleRef as { kind: string; name: string };
  const roleType = typeOfKind(role.kind);
  if (authorizer.allows(user, { verb: 'bind', group, resource: roleType.resource, name: role.name, ...inNamespace }))
    return;
  const rules = authorizer.rulesOfRole(role.kind, role.name, namespace);
  if (!rules) throw notFound(roleType, role.name);
  checkHeld(rules);

  function checkHeld(rules: PolicyRule[]): void {
    const held = authorizer.rules(user, namespace);
    const missing = rules.filter((rule) => !coversRule(held, rule));
    if (missing.length === 0) return;
    const groups = user.groups.map((held) => `"${held}"`).join(' ');
    throw forbidden(
      type,
      name,
      `user "${user.username}" (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${missing.map(inWords).join('\n')}`,
    );
  }
}

function inWords({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const fields = {
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    NonResourceURLs: nonResourceURLs,
    Verbs: verbs,
  };
  const given = Object.entries(fields).filter(([, values]) => values?.length);
  return `{${given.map(([label, values]) => `${label}:${JSON.stringify(values)}`).join(', ')}}`;
}
