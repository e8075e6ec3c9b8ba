import type { Pod, PodStatus } from './pod-fields.ts';
import { timestamp } from './store.ts';

/** Times in milliseconds since the epoch. */
export type ContainerState =
  | { kind: 'creating' }
  | { kind: 'unpullable' }
  | { kind: 'running'; since: number }
  | { kind: 'crashed'; since: number; diedAt: number; restarts: number; backOffSeconds: number };

/** The `status` of a pod that the kubelet reports. */
export function podStatus(
  pod: Pod,
  containers: ReadonlyMap<string, ContainerState>,
  { ip, probed, now }: { ip: string; probed: boolean; now: number },
): PodStatus {
  const states = [...containers.values()];
  const begun = states.every(({ kind }) => kind === 'running' || kind === 'crashed');
  const ready = probed && states.every(({ kind }) => kind === 'running');
  const condition = (type: string, met: boolean, reason: string) => {
    const status = met ? 'True' : 'False';
    const before = pod.status?.conditions?.find((one) => one.type === type);
    const since = before?.status === status ? before.lastTransitionTime : undefined;
    return { type, status, lastTransitionTime: since ?? timestamp(now), ...(!met && { reason }) };
  };
  return {
    phase: begun ? 'Running' : 'Pending',
    conditions: [
      condition(
        'PodReadyToStartContainers',
        states.some(({ kind }) => kind !== 'creating'),
        'ContainersNotReady',
      ),
      condition('Initialized', true, ''),
      condition('Ready', ready, 'ContainersNotReady'),
      condition('ContainersReady', ready, 'ContainersNotReady'),
      condition('PodScheduled', true, ''),
    ],
    ...(pod.metadata.creationTimestamp !== undefined && { startTime: pod.metadata.creationTimestamp }),
    ...(begun && { podIP: ip }),
    containerStatuses: pod.spec.containers.map(({ name, image }) => {
      const state = containers.get(name) ?? { kind: 'creating' };
      return {
        name,
        image,
        ready: probed && state.kind === 'running',
        started: state.kind === 'running',
        restartCount: state.kind === 'crashed' ? state.restarts : 0,
        ...stateOf(state, pod, { name, image }),
      };
    }),
  };
}

function stateOf(
  state: ContainerState,
  { metadata }: Pod,
  { name, image }: { name: string; image: string },
): { state: object; lastState?: object } {
  switch (state.kind) {
    case 'creating':
      return { state: { waiting: { reason: 'ContainerCreating' } } };
    case 'unpullable':
      return {
        state: { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}": not found` } },
      };
    case 'running':
      return { state: { running: { startedAt: timestamp(state.since) } } };
    case 'crashed': {
      const { namespace = '', name: pod, uid = '' } = metadata;
      const message = `back-off ${state.backOffSeconds}s restarting failed container=${name} pod=${pod}_${namespace}(${uid})`;
      const times = { startedAt: timestamp(state.since), finishedAt: timestamp(state.diedAt) };
      return {
        state: { waiting: { reason: 'CrashLoopBackOff', message } },
        lastState: { terminated: { exitCode: 2, reason: 'Error', ...times } },
      };
    }
  }
}
