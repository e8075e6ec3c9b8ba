import { isReady, type Pod } from './pod-fields.ts';
import { limitsOf } from './rollout-strategy.ts';
import type { Workload } from './rollouts.ts';
import { timestamp } from './store.ts';

interface Condition {
  type: string;
  status: 'True' | 'False';
  reason: string;
  message: string;
  lastUpdateTime: string;
  lastTransitionTime: string;
}

export interface DeploymentStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  readyReplicas?: number;
  availableReplicas?: number;
  unavailableReplicas?: number;
  conditions: Condition[];
}

interface Observation {
  /** Pods that are not being deleted. */
  pods: readonly Pod[];
  updated: readonly Pod[];
  /** Milliseconds since the epoch. */
  now: number;
  deadlineSeconds: number;
  /** The reason why no pod can be created. */
  failure?: string;
}

/** As the deployment controller reports it, without counts of zero. */
export function deploymentStatus(workload: Workload, replicaSet: string, observed: Observation): DeploymentStatus {
  const before = workload.status as DeploymentStatus | undefined;
  const { generation } = workload.metadata;
  const ready = observed.pods.filter(isReady).length;
  const { replicas } = workload.spec;
  const counts = {
    ...count('replicas', observed.pods.length),
    ...count('updatedReplicas', observed.updated.length),
    ...count('readyReplicas', ready),
    ...count('availableReplicas', ready),
    ...count('unavailableReplicas', Math.max(replicas, observed.pods.length) - ready),
  };
  const condition = conditionsFrom(before?.conditions ?? [], observed.now);
  const available = ready >= limitsOf(workload.spec).least;
  const conditions = [
    available
      ? condition('Available', 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
      : condition('Available', 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'),
    progressing(before, { ...counts, conditions: [] }, { replicaSet, replicas, observed, condition }),
  ];
  if (observed.failure !== undefined)
    conditions.push(condition('ReplicaFailure', 'True', 'FailedCreate', observed.failure));
  return { ...(generation !== undefined && { observedGeneration: generation }), ...counts, conditions };
}

/** The rollout progresses and its deadline has not passed. */
export function isProgressing({ conditions }: DeploymentStatus): boolean {
  return conditions.some(({ reason }) => reason === 'ReplicaSetUpdated');
}

export function statefulSetStatus(
  { metadata, status }: Workload,
  updateRevision: string,
  pods: readonly Pod[],
  updated: readonly Pod[],
): object {
  const ready = pods.filter(isReady).length;
  const { currentRevision = updateRevision } = (status ?? {}) as { currentRevision?: string };
  const isDone = updated.length === pods.length && ready === pods.length;
  return {
    ...(metadata.generation !== undefined && { observedGeneration: metadata.generation }),
    replicas: pods.length,
    ...count('readyReplicas', ready),
    ...count('currentReplicas', isDone ? pods.length : pods.length - updated.length),
    ...count('updatedReplicas', updated.length),
    currentRevision: isDone ? updateRevision : currentRevision,
    updateRevision,
    collisionCount: 0,
    availableReplicas: ready,
  };
}

type MakeCondition = (type: string, status: Condition['status'], reason: string, message: string) => Condition;

/** A condition keeps its times until its status changes. */
function conditionsFrom(known: readonly Condition[], now: number): MakeCondition {
  return (type, status, reason, message) => {
    const old = known.find((condition) => condition.type === type);
    if (old?.status === status && old.reason === reason && old.message === message) return old;
    const time = timestamp(now);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : time;
    return { type, status, reason, message, lastUpdateTime: time, lastTransitionTime };
  };
}

/** Each additional updated or ready pod restarts the deadline of a rollout. A completed rollout has no deadline. */
function progressing(
  before: DeploymentStatus | undefined,
  counts: DeploymentStatus,
  context: { replicaSet: string; replicas: number; observed: Observation; condition: MakeCondition },
): Condition {
  const { replicaSet, replicas, observed, condition } = context;
  const { replicas: total = 0, updatedReplicas = 0, readyReplicas = 0 } = counts;
  const old = before?.conditions.find(({ type }) => type === 'Progressing');
  const isThrough = `ReplicaSet "${replicaSet}" has successfully progressed.`;
  if (old?.message === isThrough) return old;
  if (total === replicas && updatedReplicas === replicas && readyReplicas === replicas)
    return condition('Progressing', 'True', 'NewReplicaSetAvailable', isThrough);
  const isProgressing = `ReplicaSet "${replicaSet}" is progressing.`;
  const isLate = `ReplicaSet "${replicaSet}" has timed out progressing.`;
  const isThis = old?.message === isProgressing || old?.message === isLate;
  const hasProgress =
    !isThis ||
    updatedReplicas > (before?.updatedReplicas ?? 0) ||
    readyReplicas > (before?.readyReplicas ?? 0) ||
    total - updatedReplicas < (before?.replicas ?? 0) - (before?.updatedReplicas ?? 0);
  const made = condition('Progressing', 'True', 'ReplicaSetUpdated', isProgressing);
  if (hasProgress) return { ...made, lastUpdateTime: timestamp(observed.now) };
  const idleMs = observed.now - Date.parse(old.lastUpdateTime);
  if (old.message === isProgressing && idleMs < observed.deadlineSeconds * 1000) return old;
  return condition('Progressing', 'False', 'ProgressDeadlineExceeded', isLate);
}

function count<Name extends string>(name: Name, value: number): Partial<Record<Name, number>> {
  return value === 0 ? {} : ({ [name]: value } as Record<Name, number>);
}
