import type { KubernetesClient, KubernetesObject } from './client.ts';

/** The part of a pod that shows its configuration and its state. */
export interface Pod extends KubernetesObject {
  spec: {
    serviceAccountName?: string;
    containers: { name: string; image?: string; env?: { name: string; value?: string }[] }[];
  };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string }[];
    containerStatuses?: {
      name: string;
      ready: boolean;
      restartCount: number;
      state?: { waiting?: { reason?: string; message?: string } };
    }[];
  };
}

/** @param selector label selector, `key=value,key=value` */
export function listPods(kubernetes: KubernetesClient, namespace: string, selector: string): Promise<Pod[]> {
  return kubernetes.list<Pod>(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}`);
}

export function isReady({ metadata, status }: Pod): boolean {
  const terminating = 'deletionTimestamp' in metadata;
  return (
    !terminating && (status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false)
  );
}

/**
 * True if the pod's container got the role's credentials when it was made; they are injected at no other time. IRSA names the role;
 * EKS Pod Identity only where to ask for it (EKS user guide, "How EKS Pod Identity works").
 */
export function hasCredentials(
  pod: Pod,
  container: string,
  role: { mode: 'irsa' | 'pod-identity'; arn: string },
): boolean {
  const env = pod.spec.containers.find(({ name }) => name === container)?.env ?? [];
  return role.mode === 'irsa'
    ? env.some(({ name, value }) => name === 'AWS_ROLE_ARN' && value === role.arn)
    : env.some(({ name }) => name === 'AWS_CONTAINER_CREDENTIALS_FULL_URI');
}
