import { Mounts, volumesOf } from './mounts.ts';
import { type KubernetesObject, typeOfKind } from './objects.ts';
import type { Pace } from './pace.ts';
import { isReady, isStaying, type Pod, serviceAccountOf } from './pod-fields.ts';
import { type ContainerState, podStatus } from './pod-status.ts';
import type { ObjectStore } from './store.ts';

/** A pod whose processes run, from their start until they have ended. */
export interface RunningPod {
  namespace: string;
  name: string;
  uid: string;
  labels: Record<string, string>;
  serviceAccount: string;
  /** Containers whose image could be pulled. */
  containers: { name: string; image: string }[];
  /** Virtual milliseconds since the epoch. */
  startedAt: number;
  env(container: string): Record<string, string>;
  /** Text of a file from a mounted secret, as the container sees it now; undefined if there is none. */
  file(container: string, path: string): string | undefined;
}

type Listener = (pod: RunningPod) => void;

/** A pod on the node. */
interface Held {
  pod: Pod;
  containers: Map<string, ContainerState>;
  /** Absent before the containers are created; a missing secret can delay that without limit. */
  mounts?: Mounts;
  running?: RunningPod;
  /** True after the delay of the readiness probes. */
  probed: boolean;
  refreshing: boolean;
}

/** Time for scheduling, mounting, and an image that is on the node already. */
const startSeconds = 5;
/** Kubecost answers /healthz this long after its start; the time grows with its containers. */
const probeSeconds = (containers: number) => 17 + 4 * containers;
/** The kubelet retries a failed mount with growing delays. */
const mountRetrySeconds = 15;
const endSeconds = 10;
/** The kubelet's sync period and its cache: somewhat more than a minute. */
const refreshSeconds = 75;
/** Delays between starts of a container that crashes [Kubernetes, "Pod Lifecycle", restartPolicy]; five minutes is the maximum. */
const backOffSeconds = [10, 20, 40, 80, 160, 300];

/** The nodes: pods start, become ready, crash and end in simulated time. */
export class Kubelet {
  /** Images that cannot be pulled. */
  readonly missingImages = new Set<string>();
  /** Images whose process crashes directly after its start. */
  readonly crashingImages = new Set<string>();
  readonly #store: ObjectStore;
  readonly #pace: Pace;
  /** By uid. */
  readonly #pods = new Map<string, Held>();
  readonly #started: Listener[] = [];
  readonly #stopped: Listener[] = [];
  readonly #fileChanged: Listener[] = [];

  constructor(store: ObjectStore, pace: Pace) {
    this.#store = store;
    this.#pace = pace;
    store.watch(({ type, before, after }) => {
      if (type.kind === 'Pod') this.#podChanged(before as Pod | undefined, after as Pod | undefined);
      if (type.kind === 'Secret' && after) this.#secretChanged(after);
    });
  }

  running(): RunningPod[] {
    return [...this.#pods.values()].flatMap(({ running }) => running ?? []);
  }

  pod(namespace: string, name: string): RunningPod | undefined {
    return this.running().find((pod) => pod.namespace === namespace && pod.name === name);
  }

  /** Called directly after the processes have started; the pod is not ready yet. */
  onStarted(listener: Listener): void {
    this.#started.push(listener);
  }

  onStopped(listener: Listener): void {
    this.#stopped.push(listener);
  }

  /** Called when a mounted directory shows the secret's new content. */
  onFileChanged(listener: Listener): void {
    this.#fileChanged.push(listener);
  }

  /** Crashes the container's process, now and after each start, until the pod is deleted. */
  crash({ uid }: Pick<RunningPod, 'uid'>, container: string): void {
    const held = this.#pods.get(uid);
    if (held?.containers.get(container)?.kind === 'running') this.#die(held, container, 1);
  }

  /** The API server's message why there are no logs yet; undefined if the container has run. */
  waitingReason(uid: string, containerName: string): string | undefined {
    const { kind } = this.#pods.get(uid)?.containers.get(containerName) ?? { kind: 'creating' };
    if (kind === 'creating') return 'waiting to start: ContainerCreating';
    return kind === 'unpullable' ? 'waiting to start: trying and failing to pull image' : undefined;
  }

  #podChanged(before: Pod | undefined, after: Pod | undefined): void {
    const pod = after ?? before;
    const uid = pod?.metadata.uid ?? '';
    if (!pod) return;
    if (!after) {
      const running = this.#pods.get(uid)?.running;
      this.#pods.delete(uid);
      if (running) tell(this.#stopped, running);
      return;
    }
    const held = this.#pods.get(uid);
    if (!held) this.#take(after);
    else held.pod = after;
    const { name, namespace } = after.metadata;
    if (!isStaying(after) && (!before || isStaying(before)))
      this.#pace.after(endSeconds, () => {
        if (this.#pods.has(uid)) this.#store.remove(typeOfKind('Pod'), namespace, name);
      });
  }

  /** A pod that is added to the cluster as ready runs already. */
  #take(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const containers = new Map<string, ContainerState>();
    for (const { name } of pod.spec.containers) containers.set(name, { kind: 'creating' });
    const held: Held = { pod, containers, probed: false, refreshing: false };
    this.#pods.set(uid, held);
    if (isReady(pod)) {
      this.#create(held);
      held.probed = true;
      if (held.running) tell(this.#started, held.running);
      return;
    }
    this.#report(held);
    this.#pace.after(startSeconds, () => {
      this.#start(uid);
    });
  }

  #start(uid: string): void {
    const held = this.#pods.get(uid);
    if (!held || held.mounts || !isStaying(held.pod)) return;
    if (!this.#create(held)) return;
    this.#report(held);
    for (const { name, image } of held.pod.spec.containers)
      if (this.crashingImages.has(image)) this.#die(held, name, 1);
    if (held.running) tell(this.#started, held.running);
    this.#pace.after(probeSeconds(held.containers.size), () => {
      held.probed = true;
      if (this.#pods.has(uid)) this.#report(held);
    });
  }

  /** Mounts the pod's volumes and starts the containers whose image exists; false if a secret is missing. */
  #create(held: Held): boolean {
    const { metadata, spec } = held.pod;
    const { namespace = '', name, uid = '', labels = {} } = metadata;
    const mounts = Mounts.mount(spec, (secret) => this.#store.get(typeOfKind('Secret'), namespace, secret));
    if (!mounts) return false;
    held.mounts = mounts;
    const startedAt = this.#pace.now();
    const started = spec.containers.filter(({ image }) => !this.missingImages.has(image));
    for (const { name: container } of spec.containers) {
      const runs = started.some((one) => one.name === container);
      held.containers.set(container, runs ? { kind: 'running', since: startedAt } : { kind: 'unpullable' });
    }
    if (started.length === 0) return true;
    held.running = {
      namespace,
      name,
      uid,
      labels,
      serviceAccount: serviceAccountOf(spec),
      containers: started.map(({ name, image }) => ({ name, image })),
      startedAt,
      env(container) {
        const { env = [] } = spec.containers.find((one) => one.name === container) ?? {};
        return Object.fromEntries(env.map(({ name, value = '' }) => [name, value]));
      },
      file: (container, path) => mounts.file(container, path),
    };
    return true;
  }

  #die(held: Held, container: string, restarts: number): void {
    const now = this.#pace.now();
    const wait = backOffSeconds[restarts - 1];
    held.containers.set(container, {
      kind: 'crashed',
      since: now,
      diedAt: now,
      restarts,
      backOffSeconds: wait ?? backOffSeconds.at(-1) ?? 0,
    });
    this.#report(held);
    if (wait === undefined) return;
    this.#pace.always(wait, () => {
      if (this.#pods.has(held.pod.metadata.uid ?? '')) this.#die(held, container, restarts + 1);
    });
  }

  #secretChanged({ metadata }: KubernetesObject): void {
    for (const held of this.#pods.values()) {
      const { spec, metadata: pod } = held.pod;
      if (pod.namespace !== metadata.namespace || volumesOf(spec, metadata.name).length === 0) continue;
      if (!held.mounts)
        this.#pace.after(mountRetrySeconds, () => {
          this.#start(pod.uid ?? '');
        });
      else if (held.mounts.hasDirectoryOf(metadata.name)) this.#refreshLater(held, held.mounts);
    }
  }

  #refreshLater(held: Held, mounts: Mounts): void {
    if (held.refreshing) return;
    held.refreshing = true;
    this.#pace.always(refreshSeconds, () => {
      held.refreshing = false;
      if (!this.#pods.has(held.pod.metadata.uid ?? '') || !mounts.refresh()) return;
      if (held.running) tell(this.#fileChanged, held.running);
    });
  }

  #report({ pod, containers, probed }: Held): void {
    const { namespace, name, uid = '' } = pod.metadata;
    const stored = this.#store.get(typeOfKind('Pod'), namespace, name) as Pod | undefined;
    if (!stored) return;
    const status = podStatus(stored, containers, { ip: addressOf(uid), probed, now: this.#pace.now() });
    this.#store.put(typeOfKind('Pod'), { ...stored, status });
  }
}

function tell(listeners: readonly Listener[], pod: RunningPod): void {
  for (const listener of listeners) listener(pod);
}

/** An address in the VPC, always the same for the same pod. */
function addressOf(uid: string): string {
  const [a = 0, b = 0] = Buffer.from(uid.replaceAll('-', ''), 'hex');
  return `10.0.${a}.${b}`;
}
