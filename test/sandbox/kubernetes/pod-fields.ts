import type { KubernetesObject } from './objects.ts';

/** The fields of a pod that the sandbox uses. */
export interface Pod extends KubernetesObject {
  spec: PodSpec;
  status?: PodStatus;
}

export interface PodStatus {
  phase?: string;
  conditions?: { type: string; status: string; lastTransitionTime?: string; reason?: string }[];
  podIP?: string;
  startTime?: string;
  containerStatuses?: {
    name: string;
    image: string;
    ready: boolean;
    started: boolean;
    restartCount: number;
    state: object;
    lastState?: object;
  }[];
}

export interface PodSpec {
  serviceAccountName?: string;
  containers: Container[];
  volumes?: Volume[];
}

export interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string }[];
  volumeMounts?: VolumeMount[];
}

interface VolumeMount {
  name: string;
  mountPath: string;
  subPath?: string;
  readOnly?: boolean;
}

export interface Volume {
  name: string;
  secret?: { secretName: string; items?: { key: string; path: string }[]; optional?: boolean };
  projected?: object;
}

/** True until the pod's deletion starts. */
export function isStaying({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp === undefined;
}

/** Readiness by the pod's conditions; a pod in deletion stays ready until its processes have ended. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

export function serviceAccountOf({ serviceAccountName = 'default' }: PodSpec): string {
  return serviceAccountName;
}
