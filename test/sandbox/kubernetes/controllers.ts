import { resourceTypes, typeOfKind, type KubernetesObject } from './objects.ts';
import type { ObjectStore } from './store.ts';

/** What the control plane does unasked: a service account for each namespace, and nothing outlives its owner or namespace. */
export function startControllers(store: ObjectStore): void {
  store.watch(({ type, before, after }) => {
    if (type.kind === 'Namespace' && after && !before)
      store.put(typeOfKind('ServiceAccount'), {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace: after.metadata.name },
      });
    // Nothing is owned by a pod or lies inside it.
    if (!before || after || type.kind === 'Pod') return;
    const { name, uid } = before.metadata;
    const goesAlong = ({ metadata }: Readonly<KubernetesObject>) =>
      (type.kind === 'Namespace' && metadata.namespace === name) ||
      metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
    for (const kept of resourceTypes)
      for (const { metadata } of store.list(kept, undefined, goesAlong))
        store.remove(kept, metadata.namespace, metadata.name);
  });
}
