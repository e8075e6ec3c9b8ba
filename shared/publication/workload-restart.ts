import type { KubernetesClient, KubernetesObject } from '../kubernetes/client.ts';
import { hasCredentials, type Pod } from '../kubernetes/pods.ts';
import { podRoleOf, type RunRecord } from '../model/run.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import { iso, now } from '../platform/clock.ts';
import type { Wait } from '../step/contract.ts';
import { queueWait } from '../step/plan-builders.ts';
import { changedAtOf, type Secret } from './integration-secret.ts';

/** A Deployment or StatefulSet, as far as a restart is concerned. */
export interface Restartable extends KubernetesObject {
  spec: { replicas?: number; template: { metadata?: { annotations?: Record<string, string> } } };
}

/** `kubectl rollout restart` sets it too: Kubernetes creates new pods for a changed template. */
const restartAnnotation = 'kubectl.kubernetes.io/restartedAt';

/** What the workload's pods must have: the file as it is now, and the role's credentials. */
export interface PodRequirements {
  mount: NonNullable<Outputs['discovery']['mount']>;
  container: string;
  role: { mode: 'irsa' | 'pod-identity'; arn: string };
  /** Milliseconds since the epoch: when the role was last bound to the service account by this run; 0 if it did not have to be. */
  boundAt: number;
  /** Milliseconds since the epoch: a later restart belongs to this publication or to a concurrent one. */
  since: number;
}

/** The role that the run gives the pods, and when it last bound the role to their service account. */
export function roleRequirements(run: RunRecord): Pick<PodRequirements, 'role' | 'boundAt'> {
  const { mode } = run.request.identity;
  const bound = run.steps[mode === 'irsa' ? 'pod-role' : 'pod-identity']?.changes ?? [];
  const boundAt = Math.max(0, ...bound.map(({ at }) => (at ? Date.parse(at) : 0)));
  return { role: { mode, arn: podRoleOf(run).podRoleArn }, boundAt };
}

/**
 * True if a pod keeps an old file or lacks the role, and no restart that corrects this is active. A `subPath` mount is never refreshed
 * (Kubernetes, "Volumes", subPath); a directory is, within about two minutes. Credentials are injected when a pod is created and at no
 * other time.
 */
export function needsRestart(
  required: PodRequirements,
  workload: Restartable,
  pods: readonly Pod[],
  secret: Secret,
): boolean {
  const restartedAt = restartedAtOf(workload);
  const lacksRole = (pod: Pod) =>
    !hasCredentials(pod, required.container, required.role) &&
    restartedAt < required.since &&
    restartedAt < Math.max(createdAt(pod) + clockMs, required.boundAt);
  return keepsOldFile(required.mount, workload, pods, secret) || pods.filter(isAlive).some(lacksRole);
}

/** True if a pod keeps the file as it was before our entries last changed, and no restart since then mends this. */
export function keepsOldFile(
  mount: PodRequirements['mount'],
  workload: Restartable,
  pods: readonly Pod[],
  secret: Secret,
): boolean {
  return restartedAtOf(workload) < changedAtOf(secret) && holdersOfOldFile(mount, pods, secret).some(isAlive);
}

/** Pods that will never see the file as it is now, those that are ending included: they read on until they have ended. */
export function holdersOfOldFile(mount: PodRequirements['mount'], pods: readonly Pod[], secret: Secret): Pod[] {
  const changedAt = changedAtOf(secret);
  if (mount !== 'subPath') return [];
  return pods.filter((pod) => pod.status?.phase === 'Running' && createdAt(pod) <= changedAt);
}

/** Minimum interval between restarts: a new pod needs a minute to be ready, and the payers of a fleet are published over hours. */
const restartIntervalMs = 5 * 60_000;

/** The wait until each of the workloads may be restarted again; undefined if all may be now. @param at milliseconds since the epoch */
export function restartWait(workloads: readonly Restartable[], at: number): Wait | undefined {
  const ms = Math.max(0, ...workloads.map((workload) => restartedAtOf(workload) + restartIntervalMs - at));
  if (ms === 0) return undefined;
  return queueWait('the minimum interval between restarts; the next publication includes this entry', {
    seconds: Math.ceil(ms / 1000),
    deadlineSeconds: 3600,
  });
}

function restartedAtOf({ spec }: Restartable): number {
  return Date.parse(spec.template.metadata?.annotations?.[restartAnnotation] ?? '') || 0;
}

/** The API server rounds a pod's creation down to whole seconds: a restart within that second may have created it. */
const clockMs = 1000;

/** A pod of the very second counts as older. */
function createdAt({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}

function isAlive({ metadata, status }: Pod): boolean {
  return !('deletionTimestamp' in metadata) && ['Pending', 'Running'].includes(status?.phase ?? '');
}

export interface RestartChange {
  action: 'restart-workload';
  resource: string;
  /** Path of the workload. */
  path: string;
}

/** @param workload `deployment/<name>` or `statefulset/<name>` */
export function restartOf(namespace: string, { workload, path }: { workload: string; path: string }): RestartChange {
  return { action: 'restart-workload', resource: `${namespace}/${workload}`, path };
}

export async function restartWorkload(kubernetes: KubernetesClient, { path }: RestartChange): Promise<'changed'> {
  const annotations = { [restartAnnotation]: iso(now()) };
  await kubernetes.patch(path, { spec: { template: { metadata: { annotations } } } });
  return 'changed';
}
