import { managedBy, type Owner, type Ownership } from '../model/ownership.ts';

export function ownerTags({ deploymentId, runId }: Owner): Record<string, string> {
  return { 'managed-by': managedBy, 'deployment-id': deploymentId, 'run-id': runId };
}

/** A condition for permissions to change and delete, if the service supports resource tags: only what this deployment made. */
export const taggedOurs = {
  StringEquals: { 'aws:ResourceTag/managed-by': managedBy, 'aws:ResourceTag/deployment-id': '${DeploymentId}' },
};

/**
 * A fourth tag on a resource that somebody else made and a run completed. An offboarding removes our tags from it and does not delete it.
 */
export const takenOverTags = { 'taken-over': 'true' };

export function isTakenOver(tags: Record<string, string>): boolean {
  return 'taken-over' in tags;
}

export function ownership(tags: Record<string, string>, { deploymentId }: Pick<Owner, 'deploymentId'>): Ownership {
  if (tags['managed-by'] !== managedBy) return 'foreign';
  return tags['deployment-id'] === deploymentId ? 'ours' : 'other-deployment';
}

export function toTagList(tags: Record<string, string>): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

export function fromTagList(
  list: readonly { Key?: string | undefined; Value?: string | undefined }[] | undefined,
): Record<string, string> {
  return Object.fromEntries((list ?? []).map(({ Key = '', Value = '' }) => [Key, Value]));
}
