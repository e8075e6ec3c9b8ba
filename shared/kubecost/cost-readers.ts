import type { KubernetesObject } from '../kubernetes/client.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';

interface Container {
  name: string;
  image?: string;
  volumeMounts?: { name: string; mountPath: string; subPath?: string }[];
}

type Labels = Record<string, string>;

/** The service account and the containers of a pod. */
export interface PodSpec {
  serviceAccountName?: string;
  containers: Container[];
  volumes?: { name: string; secret?: { secretName?: string } }[];
}

/** The part of a Deployment or StatefulSet that shows its containers and its service account. */
export interface Workload extends KubernetesObject {
  spec: {
    replicas?: number;
    selector?: { matchLabels?: Labels };
    template: { metadata?: { labels?: Labels; annotations?: Record<string, string> }; spec: PodSpec };
  };
}

/** The part of a Service that shows its pods and ports. */
export interface Service extends KubernetesObject {
  spec: { selector?: Labels; ports?: { port: number }[] };
}

/** The workloads and services of a namespace. */
export interface NamespaceWorkloads {
  workloads: { kind: string; object: Workload }[];
  services: Service[];
}

export interface CostReader {
  /** `deployment/<name>` */
  workload: string;
  installation: Exclude<Outputs['discovery']['installation'], 'none' | 'unknown'>;
  /** False before Kubecost 2.2.0, the first release whose SDK supports it (kubecost docs#1001). */
  knowsPodIdentity: boolean;
  container: string;
  image: string;
  mount: 'directory' | 'subPath' | null;
  serviceAccount: string;
  /** Label selector of the pods, `key=value,key=value`. */
  podSelector: string | null;
  /** `http:<name>:<port>`; null if no Service selects the container that reports the connection status. */
  statusService: string | null;
}

/** Containers that read cloud-integration.json, by preference: `cost-model` does not read it since 2.x. */
const readers = ['cloud-cost', 'opencost', 'cost-model'] as const;

/** Port on which each of them reports the connection status (charts cost-analyzer 1.108 to 2.8, kubecost 3.2, opencost 2.5). */
const statusPorts: Record<(typeof readers)[number], number> = {
  'cloud-cost': 9005,
  opencost: 9003,
  'cost-model': 9003,
};

/** Containers of Kubecost's web server, which forwards `/model/`: in 1.x and 2.x, and in 3.x. */
const frontEnds = ['cost-analyzer-frontend', 'frontend'];
const frontEndPort = 9090;

/** The workloads of a namespace that read cloud costs. Containers identify them, because release names are free. */
export function costReaders(namespace: NamespaceWorkloads, secretName: string): CostReader[] {
  const found = namespace.workloads.flatMap(({ kind, object }) => {
    const name = readers.find((reader) => containerOf(object, reader));
    const container = name && containerOf(object, name);
    return container ? [{ kind, object, container, name }] : [];
  });
  const separate = found.some(({ name }) => name === 'cloud-cost');
  return found
    .filter(
      ({ object, container, name }) => name !== 'cost-model' || (!separate && versionOf(object, container)[0] < 2),
    )
    .map(({ kind, object, container, name }) => ({
      workload: `${kind}/${object.metadata.name}`,
      installation: installationOf(object, container),
      knowsPodIdentity: knowsPodIdentity(object, container),
      container: container.name,
      image: container.image ?? '',
      mount: mountOf(object, container, secretName),
      serviceAccount: object.spec.template.spec.serviceAccountName ?? 'default',
      podSelector: podSelectorOf(object),
      statusService: statusServiceOf(object, statusPorts[name], namespace),
    }));
}

/** Workloads that measure a cluster but do not read the bill: a Kubecost 2.x agent has no `cloud-cost` container. */
export function agents({ workloads }: NamespaceWorkloads): string[] {
  return workloads
    .filter(({ object }) => containerOf(object, 'cost-model') && !containerOf(object, 'cloud-cost'))
    .map(({ kind, object }) => `${kind}/${object.metadata.name}`);
}

function containerOf({ spec }: Workload, name: string): Container | undefined {
  return spec.template.spec.containers.find((container) => container.name === name);
}

function labelsOf({ spec }: Workload): Labels {
  return spec.template.metadata?.labels ?? {};
}

function installationOf(workload: Workload, container: Container): CostReader['installation'] {
  if (container.name === 'opencost') return 'opencost';
  const [major] = versionOf(workload, container);
  if (major >= 3) return 'kubecost-3';
  if (major < 2) return 'kubecost-1';
  return labelsOf(workload).app === 'cost-analyzer' ? 'kubecost-2' : 'kubecost-2-statefulset';
}

function knowsPodIdentity(workload: Workload, container: Container): boolean {
  const [major, minor] = versionOf(workload, container);
  return container.name === 'opencost' || major > 2 || (major === 2 && minor >= 2);
}

/**
 * Version of Kubecost, from the chart label `<chart>-<version>`, otherwise from the image tag (`prod-2.8.7`, `3.2.1`). If neither has a
 * version, the newest one that has such a container.
 */
function versionOf({ metadata }: Workload, { name, image = '' }: Container): [major: number, minor: number] {
  const chart = /-v?(\d+)\.(\d+)\.\d+[^/]*$/.exec(metadata.labels?.['helm.sh/chart'] ?? '');
  const tag = /:(?:[a-z]+-)?v?(\d+)\.(\d+)/.exec(image);
  const [, major, minor] = chart ?? tag ?? [];
  return [Number(major ?? (name === 'cost-model' ? 1 : 2)), Number(minor ?? Infinity)];
}

function mountOf(workload: Workload, { volumeMounts = [] }: Container, secretName: string): CostReader['mount'] {
  const { volumes = [] } = workload.spec.template.spec;
  const mount = volumeMounts.find(({ name }) =>
    volumes.some((volume) => volume.name === name && volume.secret?.secretName === secretName),
  );
  if (!mount) return null;
  return mount.subPath ? 'subPath' : 'directory';
}

function podSelectorOf({ spec }: Workload): string | null {
  const labels = Object.entries(spec.selector?.matchLabels ?? {});
  return labels.length === 0 ? null : labels.map(([key, value]) => `${key}=${value}`).join(',');
}

/** The Service of the reader's own port, otherwise that of the web server of the same release. */
function statusServiceOf(reader: Workload, port: number, { workloads, services }: NamespaceWorkloads): string | null {
  const release = (workload: Workload) => labelsOf(workload)['app.kubernetes.io/instance'];
  const webServers = workloads
    .map(({ object }) => object)
    .filter((object) => frontEnds.some((name) => containerOf(object, name)) && release(object) === release(reader));
  const ways: [Workload, number][] = [
    [reader, port],
    ...webServers.map((one): [Workload, number] => [one, frontEndPort]),
  ];
  const [name] = ways.flatMap(([workload, port]) =>
    services
      .filter(({ spec }) => selects(spec, labelsOf(workload)) && spec.ports?.some((one) => one.port === port))
      .map(({ metadata }) => `http:${metadata.name}:${port}`),
  );
  return name ?? null;
}

/** A Service without a selector selects no pods. */
function selects({ selector = {} }: Service['spec'], labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}
