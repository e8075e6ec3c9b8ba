import type { ErrorCode } from '../errors/catalogue.ts';
import type { KubernetesObject } from './client.ts';
import { isReady, type Pod } from './pods.ts';

/** The part of a Deployment or StatefulSet that shows how many of its pods follow its template. */
export interface RollingWorkload extends KubernetesObject {
  spec: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

export type Rollout =
  | { state: 'ready'; pods: [Pod, ...Pod[]] }
  | { state: 'rolling'; detail: string }
  /** Final once it has lasted for `lastsSeconds`. */
  | { state: 'failed'; code: ErrorCode; detail: string; lastsSeconds: number };

/** A registry that is busy for a moment, or a program that starts before what it needs: most are over by then. */
const troubleSeconds = 120;

/** Why a container does not start, as the kubelet names it (kubernetes pkg/kubelet: images/types.go, container/sync_result.go). */
const troubles = new Set([
  'CrashLoopBackOff',
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);

/**
 * By the rules of `kubectl rollout status`, plus the state of the newest pods, which shows a broken rollout ten minutes before its
 * deadline.
 * @param name `deployment/<name>` or `statefulset/<name>`
 * @param container the one that reads the file
 * @param pods all of the workload's selector
 */
export function rolloutOf(
  { name, container }: { name: string; container: string },
  workload: RollingWorkload | undefined,
  pods: readonly Pod[],
): Rollout {
  if (!workload) return { state: 'rolling', detail: `${name} is gone` };
  const { metadata, spec, status = {} } = workload;
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, readyReplicas = 0, conditions = [] } = status;
  const wanted = spec.replicas ?? 1;
  if (wanted === 0) return { state: 'rolling', detail: `${name} is scaled to 0` };
  if (observedGeneration < (metadata.generation ?? 0))
    return { state: 'rolling', detail: `${name} has not noticed its new template yet` };
  const newest = newestOf(pods);
  const trouble = newest.flatMap((pod) => troublesOf(pod, container))[0];
  if (trouble) return { state: 'failed', ...trouble, lastsSeconds: troubleSeconds };
  const late = conditions.find(({ type, reason }) => type === 'Progressing' && reason === 'ProgressDeadlineExceeded');
  if (late) {
    const detail = `${name}: ${late.message ?? late.reason ?? ''}`;
    return { state: 'failed', code: 'rollout-failed', detail, lastsSeconds: 0 };
  }
  const [first, ...more] = newest.filter(isReady);
  if (updatedReplicas < wanted || readyReplicas < wanted || replicas > updatedReplicas || !first)
    return {
      state: 'rolling',
      detail: `${name} has ${Math.min(updatedReplicas, readyReplicas)} of ${wanted} new pods ready`,
    };
  return { state: 'ready', pods: [first, ...more] };
}

/** Pods of the template that the youngest one was made from; those that are ending do not count. */
function newestOf(pods: readonly Pod[]): Pod[] {
  const staying = pods.filter(({ metadata }) => !('deletionTimestamp' in metadata));
  const born = ({ metadata }: Pod) => Date.parse(metadata.creationTimestamp ?? '') || 0;
  const youngest = staying.reduce<Pod | undefined>((a, b) => (a && born(a) > born(b) ? a : b), undefined);
  return staying.filter((pod) => youngest && templateOf(pod) === templateOf(youngest));
}

function templateOf({ metadata: { labels = {} } }: Pod): string {
  return labels['pod-template-hash'] ?? labels['controller-revision-hash'] ?? '';
}

function troublesOf({ metadata, status }: Pod, reader: string): { code: ErrorCode; detail: string }[] {
  return (status?.containerStatuses ?? []).flatMap(({ name, state, restartCount }) => {
    const { reason = '', message = `${restartCount} restarts` } = state?.waiting ?? {};
    if (!troubles.has(reason)) return [];
    const crashes = reason === 'CrashLoopBackOff' && name === reader;
    const detail = `pod ${metadata.name}, container ${name}: ${reason}: ${message}`;
    return [{ code: crashes ? 'consumer-crashes' : 'rollout-failed', detail }];
  });
}
