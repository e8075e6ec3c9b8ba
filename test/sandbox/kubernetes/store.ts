import { randomUUID } from 'node:crypto';
import { copyOf, type KubernetesObject, type ResourceType } from './objects.ts';

export type Change = { type: ResourceType; before?: KubernetesObject; after?: KubernetesObject };

/** The cluster's etcd: objects by type, namespace and name under one growing revision. It stores and returns copies. */
export class ObjectStore {
  readonly #objects = new Map<string, Map<string, KubernetesObject>>();
  readonly #now: () => number;
  readonly #watchers: ((change: Change) => void)[] = [];
  #revision = 1000;

  constructor(now: () => number) {
    this.#now = now;
  }

  get revision(): string {
    return String(this.#revision);
  }

  get(type: ResourceType, namespace: string | undefined, name: string): KubernetesObject | undefined {
    return copyOf(this.#of(type).get(keyOf(namespace, name)));
  }

  /**
   * In the order of namespace and name, as etcd keeps its keys.
   * @param matches gets the stored objects themselves: only matching objects are copied
   */
  list(
    type: ResourceType,
    namespace?: string,
    matches: (object: Readonly<KubernetesObject>) => boolean = () => true,
  ): KubernetesObject[] {
    return [...this.#of(type)]
      .filter(([, { metadata }]) => namespace === undefined || metadata.namespace === namespace)
      .filter(([, object]) => matches(object))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => copyOf(object));
  }

  /** Creates the object, or replaces it under its old uid. */
  put(type: ResourceType, object: KubernetesObject): KubernetesObject {
    const { namespace, name } = object.metadata;
    const objects = this.#of(type);
    const before = objects.get(keyOf(namespace, name));
    const after = copyOf(object);
    after.metadata = {
      ...after.metadata,
      uid: before?.metadata.uid ?? randomUUID(),
      creationTimestamp: before?.metadata.creationTimestamp ?? timestamp(this.#now()),
      resourceVersion: String(++this.#revision),
    };
    objects.set(keyOf(namespace, name), after);
    this.#tell({ type, ...(before && { before }), after });
    return copyOf(after);
  }

  remove(type: ResourceType, namespace: string | undefined, name: string): void {
    const objects = this.#of(type);
    const before = objects.get(keyOf(namespace, name));
    if (!before) return;
    objects.delete(keyOf(namespace, name));
    this.#revision++;
    this.#tell({ type, before });
  }

  /** Controllers learn of every change right after it. */
  watch(watcher: (change: Change) => void): void {
    this.#watchers.push(watcher);
  }

  #tell(change: Change): void {
    for (const watcher of this.#watchers) watcher(copyOf(change));
  }

  #of({ group, resource }: ResourceType): Map<string, KubernetesObject> {
    const id = `${group}/${resource}`;
    const objects = this.#objects.get(id) ?? new Map<string, KubernetesObject>();
    this.#objects.set(id, objects);
    return objects;
  }
}

function keyOf(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Kubernetes shows whole seconds. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
