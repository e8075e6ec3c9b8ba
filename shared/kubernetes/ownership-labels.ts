import { managedBy, type Owner, type Ownership } from '../model/ownership.ts';
import type { KubernetesObject } from './client.ts';

const managedByLabel = 'app.kubernetes.io/managed-by';
const deploymentLabel = `${managedBy}/deployment-id`;

/** Labels of every object we make in a cluster. */
export function ownerLabels({ deploymentId }: Pick<Owner, 'deploymentId'>): Record<string, string> {
  return { [managedByLabel]: managedBy, [deploymentLabel]: deploymentId };
}

export function objectOwnership(
  { metadata: { labels = {} } }: KubernetesObject,
  { deploymentId }: Pick<Owner, 'deploymentId'>,
): Ownership {
  if (labels[managedByLabel] !== managedBy) return 'foreign';
  return labels[deploymentLabel] === deploymentId ? 'ours' : 'other-deployment';
}

export function isHelmManaged({ metadata: { labels = {}, annotations = {} } }: KubernetesObject): boolean {
  return labels[managedByLabel] === 'Helm' || 'meta.helm.sh/release-name' in annotations;
}
