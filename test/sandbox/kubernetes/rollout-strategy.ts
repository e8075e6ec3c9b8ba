import { isReady, isStaying, type Pod } from './pod-fields.ts';
import type { Workload } from './rollouts.ts';

type Spec = Workload['spec'];

interface Steps {
  /** Number of pods to create from the current template. */
  make: number;
  end: Pod[];
}

export function nextSteps(spec: Spec, pods: Pod[], isNew: (pod: Pod) => boolean): Steps {
  return spec.strategy?.type === 'Recreate' ? recreation(spec, pods, isNew) : rolling(spec, pods, isNew);
}

/** How many pods must be available, and how many there may be, while a deployment is rolled. */
export function limitsOf({ replicas, strategy }: Spec): { least: number; most: number } {
  if (strategy?.type === 'Recreate') return { least: replicas, most: replicas };
  const { maxSurge = '25%', maxUnavailable = '25%' } = strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = share(maxUnavailable, replicas, Math.floor) || (surge === 0 ? 1 : 0);
  return { least: replicas - unavailable, most: replicas + surge };
}

/** All old pods end before new pods start. */
function recreation({ replicas }: Spec, pods: Pod[], isNew: (pod: Pod) => boolean): Steps {
  const old = pods.filter((pod) => !isNew(pod));
  const fresh = pods.filter((pod) => isNew(pod) && isStaying(pod));
  return { make: old.length > 0 ? 0 : replicas - fresh.length, end: [...old, ...fresh.slice(replicas)] };
}

/** Creates and ends as many pods at once as the strategy allows. */
function rolling(spec: Spec, pods: Pod[], isNew: (pod: Pod) => boolean): Steps {
  const { replicas } = spec;
  const { least, most } = limitsOf(spec);
  const staying = pods.filter(isStaying);
  const old = staying.filter((pod) => !isNew(pod));
  const fresh = staying.filter(isNew);
  const make = Math.min(replicas - fresh.length, most - staying.length);
  const freshUnready = fresh.filter((pod) => !isReady(pod)).length;
  const unready = old.filter((pod) => !isReady(pod)).slice(0, Math.max(0, staying.length - least - freshUnready));
  const spare = staying.filter(isReady).length - least;
  const ready = old.filter(isReady).slice(0, Math.max(0, spare));
  return { make, end: [...unready, ...ready, ...fresh.slice(replicas)] };
}

function share(value: number | string, of: number, round: (value: number) => number): number {
  return typeof value === 'number' ? value : round((Number.parseFloat(value) / 100) * of);
}
