import type { KubernetesClient } from '../kubernetes/client.ts';
import type { NamespaceWorkloads, Service, Workload } from './cost-readers.ts';

/** Reads the workloads and services of the namespace. */
export async function readNamespaceWorkloads(
  kubernetes: KubernetesClient,
  namespace: string,
): Promise<NamespaceWorkloads> {
  const listed = async (kind: string) => {
    const objects = await kubernetes.list<Workload>(`/apis/apps/v1/namespaces/${namespace}/${kind}s`);
    return objects.map((object) => ({ kind, object }));
  };
  const [deployments, statefulSets, services] = await Promise.all([
    listed('deployment'),
    listed('statefulset'),
    kubernetes.list<Service>(`/api/v1/namespaces/${namespace}/services`),
  ]);
  return { workloads: [...deployments, ...statefulSets], services };
}
