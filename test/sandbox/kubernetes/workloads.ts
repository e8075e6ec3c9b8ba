import { KubernetesFailure, notFound } from './failure.ts';
import { typeOfKind } from './objects.ts';
import type { Answer } from './resource-api.ts';
import type { ObjectStore } from './store.ts';

/** What runs in the pods. Until something does, logs are empty and services have nobody behind them. */
export class Workloads {
  /** Answers `GET` through the API server's service proxy. */
  onProxy?: (service: string, port: string, path: string, query: URLSearchParams) => Answer;
  onLog?: (pod: string, container: string) => string;
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  /** @param segment `name`, `name:port` or `scheme:name:port` */
  proxy(namespace: string, segment: string, path: string, query: URLSearchParams): Answer {
    const parts = segment.split(':');
    const [, name = '', port = ''] = parts.length === 3 ? parts : ['', ...parts];
    if (!this.#store.get(typeOfKind('Service'), namespace, name)) throw notFound(typeOfKind('Service'), name);
    if (!this.onProxy)
      throw new KubernetesFailure(503, 'ServiceUnavailable', `no endpoints available for service "${segment}"`);
    return this.onProxy(name, port, path, query);
  }

  log(namespace: string, pod: string, query: URLSearchParams): string {
    const found = this.#store.get(typeOfKind('Pod'), namespace, pod);
    if (!found) throw notFound(typeOfKind('Pod'), pod);
    const { containers } = found.spec as { containers: { name: string }[] };
    const asked = query.get('container');
    const [first] = containers;
    const names = containers.map(({ name }) => name);
    if (asked === null && containers.length > 1)
      throw new KubernetesFailure(
        400,
        'BadRequest',
        `a container name must be specified for pod ${pod}, choose one of: [${names.join(' ')}]`,
      );
    const container = asked ?? first?.name ?? '';
    if (!names.includes(container))
      throw new KubernetesFailure(400, 'BadRequest', `container ${container} is not valid for pod ${pod}`);
    return this.onLog?.(pod, container) ?? '';
  }
}
