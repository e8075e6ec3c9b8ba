import { type KubernetesObject, resourceTypes, typeOfKind } from './objects.ts';
import type { Pace } from './pace.ts';
import type { ObjectStore } from './store.ts';

/** Time until a deleted empty namespace is removed. */
const terminationSeconds = 8;

/**
 * The control plane's own changes: it creates a service account and the cluster's CA for each namespace, removes a deleted namespace later, and
 * deletes objects with their owner or namespace.
 */
export function startControllers(store: ObjectStore, pace: Pace, certificateAuthority: () => string): void {
  store.watch(({ type, before, after }) => {
    if (type.kind === 'Namespace' && after && !before) {
      const namespace = after.metadata.name;
      store.put(typeOfKind('ServiceAccount'), {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace },
      });
      store.put(typeOfKind('ConfigMap'), {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kube-root-ca.crt', namespace },
        data: { 'ca.crt': certificateAuthority() },
      });
    }
    if (type.kind === 'Namespace' && after?.metadata.deletionTimestamp && !before?.metadata.deletionTimestamp) {
      const { name } = after.metadata;
      pace.after(terminationSeconds, () => {
        store.remove(type, undefined, name);
      });
    }
    // A pod owns and contains no objects.
    if (!before || after || type.kind === 'Pod') return;
    const { name, uid } = before.metadata;
    const isDependent = ({ metadata }: Readonly<KubernetesObject>) =>
      (type.kind === 'Namespace' && metadata.namespace === name) ||
      metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
    for (const kept of resourceTypes)
      for (const { metadata } of store.list(kept, undefined, isDependent))
        store.remove(kept, metadata.namespace, metadata.name);
  });
}
