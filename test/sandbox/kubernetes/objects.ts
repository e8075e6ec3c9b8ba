/** Any object of the API; all fields except metadata differ by kind. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  /** Start of the object's deletion. */
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean }[];
  managedFields?: ManagedFields[];
}

export interface ManagedFields {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  time: string;
  fieldsType: 'FieldsV1';
  fieldsV1: Record<string, unknown>;
}

/** An object as a test writes it. */
export interface SeedObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export interface ResourceType {
  group: string;
  version: string;
  kind: string;
  /** Plural name as in paths and rules. */
  resource: string;
  namespaced: boolean;
  /** Short name for kubectl. */
  shortName?: string;
}

const core = { group: '', version: 'v1' };
const apps = { group: 'apps', version: 'v1' };
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1' };

export const resourceTypes: readonly ResourceType[] = [
  { ...core, kind: 'Namespace', resource: 'namespaces', namespaced: false, shortName: 'ns' },
  { ...core, kind: 'Secret', resource: 'secrets', namespaced: true },
  { ...core, kind: 'ConfigMap', resource: 'configmaps', namespaced: true, shortName: 'cm' },
  { ...core, kind: 'ServiceAccount', resource: 'serviceaccounts', namespaced: true, shortName: 'sa' },
  { ...core, kind: 'Service', resource: 'services', namespaced: true, shortName: 'svc' },
  { ...core, kind: 'Pod', resource: 'pods', namespaced: true, shortName: 'po' },
  { ...apps, kind: 'Deployment', resource: 'deployments', namespaced: true, shortName: 'deploy' },
  { ...apps, kind: 'ReplicaSet', resource: 'replicasets', namespaced: true, shortName: 'rs' },
  { ...apps, kind: 'StatefulSet', resource: 'statefulsets', namespaced: true, shortName: 'sts' },
  { ...rbac, kind: 'Role', resource: 'roles', namespaced: true },
  { ...rbac, kind: 'RoleBinding', resource: 'rolebindings', namespaced: true },
  { ...rbac, kind: 'ClusterRole', resource: 'clusterroles', namespaced: false },
  { ...rbac, kind: 'ClusterRoleBinding', resource: 'clusterrolebindings', namespaced: false },
];

export function typeOfKind(kind: string): ResourceType {
  const type = resourceTypes.find((candidate) => candidate.kind === kind);
  if (!type) throw new Error(`the sandbox's clusters know no ${kind}`);
  return type;
}

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function omit(object: object, ...keys: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** A copy of JSON, many times faster than structuredClone. */
export function copyOf<T>(json: T): T {
  if (Array.isArray(json)) return json.map(copyOf) as T;
  if (typeof json !== 'object' || json === null) return json;
  const copy: Record<string, unknown> = {};
  for (const name in json) copy[name] = copyOf(json[name]);
  return copy as T;
}
