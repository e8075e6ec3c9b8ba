import { managedBy } from '../model/ownership.ts';
import type { RunRecord } from '../model/run.ts';
import { outputs } from '../model/steps-and-outputs.ts';
import type { KubernetesRule } from '../step/contract.ts';

/** The Kubernetes group of our access entries, and the Role and RoleBinding that give it its rights. */
export const groupName = managedBy;

/** Rules by what they are for; each step declares those it uses. Kubernetes cannot limit `create` and `list` to names. */
export const rules = {
  namespace: { apiGroups: [''], resources: ['namespaces'], verbs: ['get'], resourceNames: ['${namespace}'] },
  workloads: { apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs: ['list'] },
  workload: {
    apiGroups: ['apps'],
    resources: ['deployments', 'statefulsets'],
    verbs: ['get', 'patch'],
    resourceNames: ['${workload}'],
  },
  pods: { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
  podLog: { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
  services: { apiGroups: [''], resources: ['services'], verbs: ['list'] },
  statusProxy: {
    apiGroups: [''],
    resources: ['services/proxy'],
    verbs: ['get'],
    resourceNames: ['${statusService}'],
  },
  createServiceAccount: { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['create'] },
  serviceAccount: {
    apiGroups: [''],
    resources: ['serviceaccounts'],
    verbs: ['get', 'patch'],
    resourceNames: ['${serviceAccount}'],
  },
  token: {
    apiGroups: [''],
    resources: ['serviceaccounts/token'],
    verbs: ['create'],
    resourceNames: ['${serviceAccount}'],
  },
  createSecret: { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  secret: {
    apiGroups: [''],
    resources: ['secrets'],
    verbs: ['get', 'update'],
    resourceNames: ['${secret}', '${secret}-previous'],
  },
} satisfies Record<string, KubernetesRule>;

/** What our rights name, beside the secret. */
export interface CoveredNames {
  serviceAccounts: string[];
  /** Deployments or StatefulSets. */
  workloads: string[];
  /** As the service proxy spells them: `http:<name>:<port>`. */
  statusServices: string[];
}

/** The charts' own names for a release called `kubecost` or `opencost`, and the tutorial's service account. */
export const defaultNames: CoveredNames = {
  serviceAccounts: ['kubecost-serviceaccount', 'kubecost-cost-analyzer', 'kubecost', 'opencost'],
  workloads: ['kubecost-cost-analyzer', 'kubecost-cloud-cost', 'opencost'],
  statusServices: ['http:kubecost-cloud-cost:9005', 'http:kubecost-cost-analyzer:9003', 'http:opencost:9003'],
};

/** The charts' own names, then also what discovery has found. Only ever grows within a run. */
export function coveredNames({ request, steps }: Pick<RunRecord, 'request' | 'steps'>): CoveredNames {
  const { name } = request.identity.serviceAccount;
  const before = outputs['cluster-access'].safeParse(steps['cluster-access']?.output).data;
  const found = outputs.discovery.safeParse(steps.discovery?.output).data;
  const together = (names: string[], earlier: string[] = [], one: string | null | undefined) => [
    ...new Set([...names, ...earlier, ...(one ? [one] : [])]),
  ];
  return {
    serviceAccounts: together(
      name === undefined ? defaultNames.serviceAccounts : [name],
      before?.serviceAccounts,
      found?.serviceAccount,
    ),
    workloads: together(defaultNames.workloads, before?.workloads, found?.workload?.split('/')[1]),
    statusServices: together(defaultNames.statusServices, before?.statusServices, found?.statusService),
  };
}

export interface RoleScope extends CoveredNames {
  namespace: string;
  secretName: string;
}

/** All rules, with names in place of the placeholders. */
export function rulesFor(scope: RoleScope): KubernetesRule[] {
  const lists: Record<string, string[]> = {
    '${serviceAccount}': scope.serviceAccounts,
    '${workload}': scope.workloads,
    '${statusService}': scope.statusServices,
  };
  const fill = (name: string) =>
    lists[name] ?? [name.replace('${secret}', scope.secretName).replace('${namespace}', scope.namespace)];
  return Object.values<KubernetesRule>(rules).map(({ resourceNames, ...rule }) => ({
    ...rule,
    ...(resourceNames && { resourceNames: resourceNames.flatMap(fill) }),
  }));
}

/** One question to the API server: a verb on a resource, by name where the right is by name. */
export interface Right {
  group: string;
  resource: string;
  verb: string;
  name?: string;
}

export function rightsOf(rule: KubernetesRule): Right[] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.flatMap((verb) =>
        rule.resourceNames
          ? rule.resourceNames.map((name) => ({ group, resource, verb, name }))
          : [{ group, resource, verb }],
      ),
    ),
  );
}

export function describeRight({ resource, verb, name }: Right): string {
  return `${verb} ${resource}${name ? ` ${name}` : ''}`;
}

/** True if some rule gives the right; a rule without names gives it for every name. */
export function givesRight(existing: readonly KubernetesRule[], { group, resource, verb, name }: Right): boolean {
  const covers = (values: readonly string[], value: string) => values.includes(value) || values.includes('*');
  return existing.some(
    (rule) =>
      covers(rule.apiGroups, group) &&
      covers(rule.resources, resource) &&
      covers(rule.verbs, verb) &&
      (!rule.resourceNames?.length || (name !== undefined && rule.resourceNames.includes(name))),
  );
}

/** Adds what is missing and takes nothing away: other targets in the namespace share the Role. */
export function mergeRules(
  existing: readonly KubernetesRule[],
  wanted: readonly KubernetesRule[],
): readonly KubernetesRule[] {
  const missing = wanted.filter((rule) => !rightsOf(rule).every((right) => givesRight(existing, right)));
  return missing.reduce<readonly KubernetesRule[]>((merged, rule) => {
    const twin = merged.find((other) => sameBut(other, rule));
    if (!twin?.resourceNames || !rule.resourceNames) return [...merged, rule];
    const resourceNames = [...new Set([...twin.resourceNames, ...rule.resourceNames])];
    return merged.map((other) => (other === twin ? { ...twin, resourceNames } : other));
  }, existing);
}

function sameBut(a: KubernetesRule, b: KubernetesRule): boolean {
  const shape = ({ apiGroups, resources, verbs }: KubernetesRule) => JSON.stringify([apiGroups, resources, verbs]);
  return shape(a) === shape(b);
}

/** Secrets the rules name, with their `-previous`. */
export function secretsOf(existing: readonly KubernetesRule[]): string[] {
  return existing.flatMap(({ resources, resourceNames = [] }) => (resources.includes('secrets') ? resourceNames : []));
}

/** Removes the names of one secret. A rule without other names is removed too, because without names it would cover every secret. */
export function withoutSecret(existing: readonly KubernetesRule[], secretName: string): KubernetesRule[] {
  return existing.flatMap((rule) => {
    if (!rule.resources.includes('secrets') || !rule.resourceNames) return [rule];
    const resourceNames = rule.resourceNames.filter((name) => name !== secretName && name !== `${secretName}-previous`);
    return resourceNames.length > 0 ? [{ ...rule, resourceNames }] : [];
  });
}
