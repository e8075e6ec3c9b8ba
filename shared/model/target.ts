import type { OffboardingRequest } from './run-requests.ts';

/** Where an entry is published. Leases and records that the runs of a target share use this name. */
export interface Target {
  clusterArn: string;
  namespace: string;
  secretName: string;
}

export function clusterArnOf({ cluster }: Pick<OffboardingRequest, 'cluster'>): string {
  return `arn:aws:eks:${cluster.region}:${cluster.accountId}:cluster/${cluster.name}`;
}

export function targetOf(request: Pick<OffboardingRequest, 'cluster' | 'kubecost'>): Target {
  return {
    clusterArn: clusterArnOf(request),
    namespace: request.kubecost.namespace,
    secretName: request.kubecost.secretName,
  };
}

export function targetId({ clusterArn, namespace, secretName }: Target): string {
  return [clusterArn, namespace, secretName].join('|');
}

/** The target of a `targetId`; no part of an id has a `|`. */
export function targetOfId(id: string): Target {
  const [clusterArn = '', namespace = '', secretName = ''] = id.split('|');
  return { clusterArn, namespace, secretName };
}
