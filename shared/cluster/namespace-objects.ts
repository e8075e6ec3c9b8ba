/**
 * The Namespace, and the Role and RoleBinding in it that give our group its rights. Only an administrator may write them (see
 * admin-window.ts).
 */
import { isAwsError, RetryableError, unlessTaken } from '../errors/errors.ts';
import { isDeniedByPolicy } from '../errors/kubernetes-error.ts';
import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import type { Applied, KubernetesRule } from '../step/contract.ts';
import { givesRight, groupName, mergeRules, rightsOf } from './provisioner-role.ts';

const rbac = 'rbac.authorization.k8s.io';

export interface Role extends KubernetesObject {
  rules: KubernetesRule[] | null;
}

export interface RoleBinding extends KubernetesObject {
  roleRef: { apiGroup: string; kind: string; name: string };
  subjects?: { kind: string; name: string; apiGroup?: string }[];
}

export interface NamespaceObjects {
  namespace: KubernetesObject | undefined;
  role: Role | undefined;
  binding: RoleBinding | undefined;
}

/** Of a kind, all objects in the namespace; of `Namespace`, all of the cluster. */
const collections = {
  Namespace: () => '/api/v1/namespaces',
  Role: (namespace: string) => `/apis/${rbac}/v1/namespaces/${namespace}/roles`,
  RoleBinding: (namespace: string) => `/apis/${rbac}/v1/namespaces/${namespace}/rolebindings`,
};

export function pathOf(kind: keyof typeof collections, namespace: string): string {
  return `${collections[kind](namespace)}/${kind === 'Namespace' ? namespace : groupName}`;
}

/** A write to an object of the namespace. Updates keep the object's `resourceVersion`, so that no other write is lost. */
export type ObjectChange =
  | {
      action: 'create-namespace' | 'create-role' | 'create-role-binding';
      resource: string;
      note?: string | undefined;
      /** Of the collection. */
      path: string;
      object: KubernetesObject;
    }
  | { action: 'update-role'; resource: string; path: string; role: Role }
  | {
      action: 'delete-role-binding' | 'delete-role' | 'delete-service-account' | 'delete-secret' | 'delete-namespace';
      resource: string;
      path: string;
    };

export async function readNamespaceObjects(kubernetes: KubernetesClient, namespace: string): Promise<NamespaceObjects> {
  const [found, role, binding] = await Promise.all([
    kubernetes.get(pathOf('Namespace', namespace)),
    kubernetes.get<Role>(pathOf('Role', namespace)),
    kubernetes.get<RoleBinding>(pathOf('RoleBinding', namespace)),
  ]);
  return { namespace: found, role, binding };
}

/** Runs a read that only an administrator may make; `hidden` while these rights have not taken effect. */
export async function readAsAdministrator<T>(read: () => Promise<T>): Promise<T | 'hidden'> {
  try {
    return await read();
  } catch (error) {
    if (isAwsError(error, 'Unauthorized', 'Forbidden')) return 'hidden';
    throw error;
  }
}

interface Wanted {
  namespace: string;
  rules: readonly KubernetesRule[];
  labels: Record<string, string>;
}

/** Creates each object that is missing, and gives the Role the rules it lacks. @param note stands at what is created */
export function changesToComplete(
  { namespace, rules, labels }: Wanted,
  { namespace: found, role, binding }: NamespaceObjects,
  note?: string,
): ObjectChange[] {
  const resource = `${namespace}/${groupName}`;
  const create = (kind: keyof typeof collections, object: KubernetesObject) => ({
    path: collections[kind](namespace),
    object,
    ...(note !== undefined && { note }),
  });
  const changes: ObjectChange[] = [];
  if (!found) {
    const object = namespaceObject(namespace, labels);
    changes.push({ action: 'create-namespace', resource: namespace, ...create('Namespace', object) });
  }
  const existing = role?.rules ?? [];
  if (!role) changes.push({ action: 'create-role', resource, ...create('Role', roleObject(namespace, rules, labels)) });
  else if (!rules.flatMap(rightsOf).every((right) => givesRight(existing, right))) {
    const complete = { ...role, rules: [...mergeRules(existing, rules)] };
    changes.push({ action: 'update-role', resource, path: pathOf('Role', namespace), role: complete });
  }
  if (!binding) {
    const object = roleBindingObject(namespace, labels);
    changes.push({ action: 'create-role-binding', resource, ...create('RoleBinding', object) });
  }
  return changes;
}

/**
 * A policy's denial is final: the step notes it. The API server's own denial is not: another replica may not know the right yet, and
 * another run may have closed the window.
 */
export async function applyObjectChange<Notes extends object>(
  kubernetes: KubernetesClient,
  change: ObjectChange,
  notesOfDenial: (reason: string) => Partial<Notes>,
): Promise<Applied<Notes>> {
  try {
    await write(kubernetes, change);
    return 'changed';
  } catch (error) {
    if (isDeniedByPolicy(error)) return { outcome: 'not-changed', notes: notesOfDenial(error.message) };
    if (isAwsError(error, 'Conflict')) return 'not-changed';
    if (!isAwsError(error, 'Forbidden')) throw error;
    throw new RetryableError('cluster-rights-missing', error.message, { cause: error });
  }
}

async function write(kubernetes: KubernetesClient, change: ObjectChange): Promise<void> {
  if ('object' in change) await unlessTaken(['AlreadyExists'], () => kubernetes.create(change.path, change.object));
  else if ('role' in change) await kubernetes.replace(change.path, change.role);
  else await kubernetes.delete(change.path);
}

/** Absent labels mark what the cluster's owner applied. */
type Labels = Record<string, string> | undefined;

export function namespaceObject(namespace: string, labels: Labels): KubernetesObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, ...(labels && { labels }) } };
}

export function roleObject(namespace: string, rules: readonly KubernetesRule[], labels: Labels): Role {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'Role',
    metadata: { name: groupName, namespace, ...(labels && { labels }) },
    rules: [...rules],
  };
}

export function roleBindingObject(namespace: string, labels: Labels): RoleBinding {
  return {
    apiVersion: `${rbac}/v1`,
    kind: 'RoleBinding',
    metadata: { name: groupName, namespace, ...(labels && { labels }) },
    roleRef: { apiGroup: rbac, kind: 'Role', name: groupName },
    subjects: [{ apiGroup: rbac, kind: 'Group', name: groupName }],
  };
}

/** True if the binding gives our Role to our group. */
export function bindsGroup({ roleRef, subjects = [] }: RoleBinding): boolean {
  return (
    roleRef.kind === 'Role' &&
    roleRef.name === groupName &&
    subjects.some(({ kind, name }) => kind === 'Group' && name === groupName)
  );
}
