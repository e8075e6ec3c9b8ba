import type { KubernetesObject } from '../kubernetes/client.ts';
import { hasCredentials, type Pod } from '../kubernetes/pods.ts';
import type { Outputs } from '../model/step-outputs.ts';
import type { Wait } from '../step/contract.ts';
import { queueWait } from '../step/plan-builders.ts';
import { changedAtOf, type Secret } from './integration-secret.ts';

/** A Deployment or StatefulSet, as far as a restart is concerned. */
export interface Restartable extends KubernetesObject {
  spec: { replicas?: number; template: { metadata?: { annotations?: Record<string, string> } } };
}

/** What `kubectl rollout restart` sets: a changed template is what makes new pods. */
const restartAnnotation = 'kubectl.kubernetes.io/restartedAt';

export interface Reader {
  mount: NonNullable<Outputs['discovery']['mount']>;
  container: string;
  role: { mode: 'irsa' | 'pod-identity'; arn: string };
  /** Milliseconds since the epoch: when the role was last bound to the service account by this run; 0 if it did not have to be. */
  boundAt: number;
  /** Milliseconds since the epoch: a restart after this was asked for by this publication or one beside it. */
  since: number;
}

/**
 * True if a pod keeps an old file or lacks the role, and no restart that mends this is under way. A `subPath` mount is never
 * refreshed (Kubernetes, "Volumes", subPath); a directory is, within about two minutes. Credentials are injected when a pod is made
 * and at no other time.
 */
export function needsRestart(reader: Reader, workload: Restartable, pods: readonly Pod[], secret: Secret): boolean {
  const restartedAt = restartedAtOf(workload);
  const lacksRole = (pod: Pod) =>
    !hasCredentials(pod, reader.container, reader.role) &&
    restartedAt < reader.since &&
    restartedAt < Math.max(createdAt(pod) + clockMs, reader.boundAt);
  return keepsOldFile(reader.mount, workload, pods, secret) || pods.filter(isAlive).some(lacksRole);
}

/** True if a pod keeps the file as it was before our entries last changed, and no restart since then mends this. */
export function keepsOldFile(
  mount: Reader['mount'],
  workload: Restartable,
  pods: readonly Pod[],
  secret: Secret,
): boolean {
  return restartedAtOf(workload) < changedAtOf(secret) && holdersOfOldFile(mount, pods, secret).some(isAlive);
}

/** Pods that will never see the file as it is now, those that are ending included: they read on until they have ended. */
export function holdersOfOldFile(mount: Reader['mount'], pods: readonly Pod[], secret: Secret): Pod[] {
  const changedAt = changedAtOf(secret);
  if (mount !== 'subPath') return [];
  return pods.filter((pod) => pod.status?.phase === 'Running' && createdAt(pod) <= changedAt);
}

/** Two restarts are so far apart: a new pod needs a minute to be ready, and a fleet's payers come one after the other for hours. */
const restMs = 5 * 60_000;

/** When the workload may be restarted again, milliseconds since the epoch. */
export function restsUntil(workload: Restartable): number {
  return restartedAtOf(workload) + restMs;
}

/** @param ms until the minimum interval is over for every workload that has to be restarted */
export function restWait(ms: number): Wait {
  return queueWait('the minimum interval between restarts; the next publication includes this entry', {
    seconds: Math.ceil(ms / 1000),
    deadlineSeconds: 3600,
  });
}

function restartedAtOf({ spec }: Restartable): number {
  return Date.parse(spec.template.metadata?.annotations?.[restartAnnotation] ?? '') || 0;
}

/** The API server rounds a pod's creation down to whole seconds: a restart within that second may have made it. */
const clockMs = 1000;

/** A pod of the very second counts as older. */
function createdAt({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

function isAlive({ metadata, status }: Pod): boolean {
  return !('deletionTimestamp' in metadata) && ['Pending', 'Running'].includes(status?.phase ?? '');
}

/** JSON merge patch of the workload. @param at ISO 8601 */
export function restartPatch(at: string): object {
  return { spec: { template: { metadata: { annotations: { [restartAnnotation]: at } } } } };
}
