import { createHash, randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { type KubernetesObject, typeOfKind } from './objects.ts';
import type { Pace } from './pace.ts';
import { isReady, isStaying, type Pod, type PodSpec, serviceAccountOf } from './pod-fields.ts';
import { type DeploymentStatus, deploymentStatus, isProgressing, statefulSetStatus } from './rollout-status.ts';
import { nextSteps } from './rollout-strategy.ts';
import { type ObjectStore, timestamp } from './store.ts';

/** The fields of a Deployment or StatefulSet that its controller reads. */
export interface Workload extends KubernetesObject {
  spec: {
    replicas: number;
    selector: { matchLabels: Record<string, string> };
    strategy?: { type?: string; rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string } };
    progressDeadlineSeconds?: number;
    template: { metadata: { labels: Record<string, string>; annotations?: Record<string, string> }; spec: PodSpec };
  };
}

interface Key {
  kind: string;
  namespace: string;
  name: string;
}

/** How long a controller takes to see a change. */
const lagSeconds = 1;
const defaultDeadlineSeconds = 600;
/** Characters of the random end of pod names: no vowels and no similar digits. */
const nameLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** The deployment, replica set and stateful set controllers: pods follow the template. */
export class Rollouts {
  readonly #store: ObjectStore;
  readonly #pace: Pace;
  /** Applies the webhooks to a new pod. */
  readonly #admit: (namespace: string, spec: PodSpec) => PodSpec;
  readonly #pending = new Set<string>();
  /** Cancels a deployment's deadline, by uid. */
  readonly #deadlines = new Map<string, () => void>();

  constructor(store: ObjectStore, pace: Pace, admit: (namespace: string, spec: PodSpec) => PodSpec) {
    this.#store = store;
    this.#pace = pace;
    this.#admit = admit;
    store.watch(({ type, before, after }) => {
      const object = after ?? before;
      if (!object) return;
      switch (type.kind) {
        case 'Deployment':
        case 'StatefulSet':
          if (after && after.metadata.generation !== before?.metadata.generation) this.#look(after);
          if (!after) this.#deadlines.get(object.metadata.uid ?? '')?.();
          break;
        case 'Pod':
          this.#lookAtOwner(object);
          break;
        case 'ServiceAccount':
          // Without its service account a pod is not created.
          if (after && !before) this.#lookAtUsers(after);
          break;
      }
    });
  }

  #look({ kind, metadata }: KubernetesObject): void {
    const { namespace = '', name } = metadata;
    const id = `${kind}/${namespace}/${name}`;
    if (this.#pending.has(id)) return;
    this.#pending.add(id);
    this.#pace.after(lagSeconds, () => {
      this.#pending.delete(id);
      this.#reconcile({ kind, namespace, name });
    });
  }

  #lookAtOwner({ metadata }: KubernetesObject): void {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller);
    if (!owner) return;
    const object = this.#store.get(typeOfKind(owner.kind), metadata.namespace, owner.name);
    if (owner.kind === 'ReplicaSet' && object) this.#lookAtOwner(object);
    else if (object) this.#look(object);
  }

  #lookAtUsers({ metadata }: KubernetesObject): void {
    for (const kind of ['Deployment', 'StatefulSet'])
      for (const workload of this.#store.list(typeOfKind(kind), metadata.namespace) as Workload[])
        if (serviceAccountOf(workload.spec.template.spec) === metadata.name) this.#look(workload);
  }

  #reconcile({ kind, namespace, name }: Key): void {
    const workload = this.#store.get(typeOfKind(kind), namespace, name) as Workload | undefined;
    if (!workload) return;
    if (kind === 'Deployment') this.#deployment(workload);
    else this.#statefulSet(workload);
  }

  #deployment(workload: Workload): void {
    const { metadata, spec } = workload;
    const hash = hashOf(spec.template);
    const current = this.#replicaSet(workload, hash);
    const pods = this.#podsOf(workload);
    const isNew = ({ metadata }: Pod) => metadata.labels?.['pod-template-hash'] === hash;
    const { make, end } = nextSteps(spec, pods, isNew);
    for (const pod of end) this.#end(pod);
    for (let made = 0; made < make; made++) this.#makePod(current, `${current.metadata.name}-${suffix()}`, hash);

    const now = this.#podsOf(workload).filter(isStaying);
    for (const set of this.#replicaSets(workload)) this.#countReplicas(set, now);
    const failure = this.#missingAccount(current);
    const status = deploymentStatus(workload, current.metadata.name, {
      pods: now,
      updated: now.filter(isNew),
      now: this.#pace.now(),
      deadlineSeconds: spec.progressDeadlineSeconds ?? defaultDeadlineSeconds,
      ...(failure !== undefined && { failure }),
    });
    this.#report(workload, status);
    const uid = metadata.uid ?? '';
    this.#deadlines.get(uid)?.();
    if (isProgressing(status)) this.#deadlines.set(uid, this.#deadlineOf(workload, status));
  }

  /** Checks again when the progress deadline passes. */
  #deadlineOf(workload: Workload, { conditions }: DeploymentStatus): () => void {
    const seconds = workload.spec.progressDeadlineSeconds ?? defaultDeadlineSeconds;
    const since = Date.parse(conditions.find(({ type }) => type === 'Progressing')?.lastUpdateTime ?? '');
    const left = seconds - (this.#pace.now() - since) / 1000;
    return this.#pace.always(left, () => {
      this.#look(workload);
    });
  }

  #statefulSet(workload: Workload): void {
    const { name } = workload.metadata;
    const revision = `${name}-${hashOf(workload.spec.template)}`;
    const pods = this.#podsOf(workload);
    const isNew = ({ metadata }: Pod) => metadata.labels?.['controller-revision-hash'] === revision;
    const ordinals = Array.from({ length: workload.spec.replicas }, (_, ordinal) => `${name}-${ordinal}`);
    const podAt = (ordinal: string) => pods.find(({ metadata }) => metadata.name === ordinal);
    const isSound = (pod: Pod | undefined) => pod !== undefined && isStaying(pod) && isReady(pod);
    for (const pod of pods.filter(({ metadata }) => !ordinals.includes(metadata.name))) this.#end(pod);
    // One pod at a time, from last to first: the next one starts when the previous one is ready.
    const gap = ordinals.find((ordinal) => !isSound(podAt(ordinal)));
    const waiting = gap === undefined ? undefined : podAt(gap);
    if (gap !== undefined && !waiting) this.#makePod(workload, gap, revision);
    const last = [...ordinals].reverse().find((ordinal) => {
      const pod = podAt(ordinal);
      return pod && (!isNew(pod) || !isSound(pod));
    });
    const outdated = last === undefined ? undefined : podAt(last);
    if (outdated && !isNew(outdated)) this.#end(outdated);

    const now = this.#podsOf(workload).filter(isStaying);
    this.#report(workload, statefulSetStatus(workload, revision, now, now.filter(isNew)));
  }

  /** The replica set of the template; creates it if missing. */
  #replicaSet(workload: Workload, hash: string): KubernetesObject {
    const { name, namespace, uid = '' } = workload.metadata;
    const type = typeOfKind('ReplicaSet');
    const known = this.#store.get(type, namespace, `${name}-${hash}`);
    if (known) return known;
    const { selector, template } = workload.spec;
    const labels = { ...template.metadata.labels, 'pod-template-hash': hash };
    return this.#store.put(type, {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-${hash}`,
        ...(namespace !== undefined && { namespace }),
        labels,
        generation: 1,
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name, uid, controller: true }],
      },
      spec: {
        replicas: 0,
        selector: { matchLabels: { ...selector.matchLabels, 'pod-template-hash': hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
      status: { replicas: 0 },
    });
  }

  #replicaSets({ metadata }: Workload): KubernetesObject[] {
    return this.#store.list(typeOfKind('ReplicaSet'), metadata.namespace, (set) => isOwnedBy(set, metadata.uid));
  }

  #countReplicas(set: KubernetesObject, pods: readonly Pod[]): void {
    const replicas = pods.filter((pod) => isOwnedBy(pod, set.metadata.uid)).length;
    const spec = set.spec as Workload['spec'];
    if (spec.replicas !== replicas)
      this.#store.put(typeOfKind('ReplicaSet'), { ...set, spec: { ...spec, replicas }, status: { replicas } });
  }

  #podsOf(workload: Workload): Pod[] {
    const { namespace, uid } = workload.metadata;
    const owners = [uid, ...this.#replicaSets(workload).map(({ metadata }) => metadata.uid)];
    const isOwn = (pod: KubernetesObject) => owners.some((owner) => isOwnedBy(pod, owner));
    return this.#store.list(typeOfKind('Pod'), namespace, isOwn) as Pod[];
  }

  #makePod(owner: KubernetesObject, name: string, hash: string): void {
    const { namespace = '', uid = '' } = owner.metadata;
    const { template } = owner.spec as Workload['spec'];
    if (this.#missingAccount(owner) !== undefined) return;
    const { labels, annotations } = template.metadata;
    const isReplica = owner.kind === 'ReplicaSet';
    this.#store.put(typeOfKind('Pod'), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace,
        labels: { ...labels, [isReplica ? 'pod-template-hash' : 'controller-revision-hash']: hash },
        ...(annotations && { annotations }),
        ownerReferences: [
          { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid, controller: true },
        ],
      },
      spec: this.#admit(namespace, { ...template.spec, serviceAccountName: serviceAccountOf(template.spec) }),
    });
  }

  #missingAccount({ metadata, spec }: KubernetesObject): string | undefined {
    const account = serviceAccountOf((spec as Workload['spec']).template.spec);
    const { namespace = '' } = metadata;
    if (this.#store.get(typeOfKind('ServiceAccount'), namespace, account)) return undefined;
    return `pods "${metadata.name}-" is forbidden: error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`;
  }

  #end(pod: Pod): void {
    endPod(this.#store, pod, this.#pace.now());
  }

  #report(workload: Workload, status: object): void {
    if (!isDeepStrictEqual(status, workload.status))
      this.#store.put(typeOfKind(workload.kind), { ...workload, status });
  }
}

/** Starts the deletion of a pod. */
export function endPod(store: ObjectStore, pod: KubernetesObject, now: number): KubernetesObject {
  if (pod.metadata.deletionTimestamp !== undefined) return pod;
  const metadata = { ...pod.metadata, deletionTimestamp: timestamp(now + 30_000), deletionGracePeriodSeconds: 30 };
  return store.put(typeOfKind('Pod'), { ...pod, metadata });
}

function isOwnedBy({ metadata }: KubernetesObject, uid: string | undefined): boolean {
  return metadata.ownerReferences?.some((owner) => owner.uid === uid) ?? false;
}

function hashOf(template: object): string {
  return createHash('sha256').update(JSON.stringify(template)).digest('hex').slice(0, 10);
}

function suffix(): string {
  return Array.from({ length: 5 }, () => nameLetters[randomInt(nameLetters.length)]).join('');
}
