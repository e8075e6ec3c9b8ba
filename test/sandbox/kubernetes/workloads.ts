import { badRequest, KubernetesFailure, notFound } from './failure.ts';
import type { Kubelet, RunningPod } from './kubelet.ts';
import { type KubernetesObject, typeOfKind } from './objects.ts';
import { isReady, isStaying, type Pod } from './pod-fields.ts';
import type { KubernetesAnswer } from './resource-api.ts';
import type { ObjectStore } from './store.ts';

export interface LogLine {
  /** Virtual milliseconds since the epoch. */
  at: number;
  text: string;
}

/** The API server's access to pods: proxy and logs. */
export class Workloads {
  /** True: the control plane cannot reach the pods' ports, as with closed security groups. Logs still work. */
  blocked = false;
  /**
   * Answers `GET` through the service proxy; without it no port is open.
   * @param port number
   * @param path behind `proxy`
   */
  onProxy?: (service: string, port: string, path: string, query: URLSearchParams, pod: RunningPod) => KubernetesAnswer;
  /** Log lines of the container, oldest first. A plain text counts as written now. */
  onLog?: (pod: RunningPod, container: string) => readonly LogLine[] | string;
  readonly #store: ObjectStore;
  readonly #kubelet: Kubelet;
  readonly #now: () => number;

  constructor(store: ObjectStore, kubelet: Kubelet, now: () => number) {
    this.#store = store;
    this.#kubelet = kubelet;
    this.#now = now;
  }

  /** @param segment `name`, `name:port` or `scheme:name:port` */
  proxy(namespace: string, segment: string, path: string, query: URLSearchParams): KubernetesAnswer {
    const parts = segment.split(':');
    const [, name = '', asked = ''] = parts.length === 3 ? parts : ['', ...parts];
    const service = this.#store.get(typeOfKind('Service'), namespace, name);
    if (!service) throw notFound(typeOfKind('Service'), name);
    const port = portOf(service, asked);
    const pod = this.#podBehind(service);
    if (port === undefined || !pod) throw unavailable(`no endpoints available for service "${segment}"`);
    const address = `${pod.status?.podIP ?? ''}:${port}`;
    const unreached = (why: string) => unavailable(`error trying to reach service: dial tcp ${address}: ${why}`);
    if (this.blocked) throw unreached('i/o timeout');
    const running = this.#kubelet.pod(namespace, pod.metadata.name);
    if (!this.onProxy || !running) throw unreached('connect: connection refused');
    return this.onProxy(name, port, path, query, running);
  }

  log(namespace: string, name: string, query: URLSearchParams): string {
    const pod = this.#store.get(typeOfKind('Pod'), namespace, name) as Pod | undefined;
    if (!pod) throw notFound(typeOfKind('Pod'), name);
    const names = pod.spec.containers.map((container) => container.name);
    const asked = query.get('container');
    if (asked === null && names.length > 1)
      throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`);
    const container = asked ?? names[0] ?? '';
    if (!names.includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
    const waiting = this.#kubelet.waitingReason(pod.metadata.uid ?? '', container);
    if (waiting !== undefined) throw badRequest(`container "${container}" in pod "${name}" is ${waiting}`);
    const running = this.#kubelet.pod(namespace, name);
    const written = (running && this.onLog?.(running, container)) ?? [];
    const lines = typeof written === 'string' ? [{ at: this.#now(), text: written }] : written;
    return lastLines(this.#since(lines, query.get('sinceSeconds')), query.get('tailLines'));
  }

  /** The first ready pod that the service selects. */
  #podBehind({ metadata, spec }: KubernetesObject): Pod | undefined {
    const { selector } = spec as { selector?: Record<string, string> };
    if (!selector) return undefined;
    const isSelected = ({ metadata: { labels } }: KubernetesObject) =>
      Object.entries(selector).every(([key, value]) => labels?.[key] === value);
    const pods = this.#store.list(typeOfKind('Pod'), metadata.namespace, isSelected) as Pod[];
    return pods.find((pod) => isStaying(pod) && isReady(pod));
  }

  #since(lines: readonly LogLine[], seconds: string | null): string[] {
    const from = seconds === null ? -Infinity : this.#now() - atLeast(1, 'sinceSeconds', seconds) * 1000;
    return lines.filter(({ at }) => at >= from).flatMap(({ text }) => text.split('\n'));
  }
}

function lastLines(lines: readonly string[], count: string | null): string {
  const wanted = count === null ? lines.length : atLeast(0, 'tailLines', count);
  const kept = wanted === 0 ? [] : lines.slice(-wanted);
  return kept.join('\n');
}

function atLeast(least: number, field: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new KubernetesFailure(
      422,
      'Invalid',
      `PodLogOptions "" is invalid: ${field}: Invalid value: ${text}: must be greater than ${least - 1}`,
    );
  return value;
}

/** Finds a port by number or name; optional for a service with one port. */
function portOf({ spec }: KubernetesObject, asked: string): string | undefined {
  const { ports = [] } = spec as { ports?: { name?: string; port: number; targetPort?: number }[] };
  const port = ports.find(({ name, port }) => name === asked || String(port) === asked);
  const chosen = port ?? (asked === '' && ports.length === 1 ? ports[0] : undefined);
  return chosen && String(chosen.targetPort ?? chosen.port);
}

function unavailable(message: string): KubernetesFailure {
  return new KubernetesFailure(503, 'ServiceUnavailable', message);
}
