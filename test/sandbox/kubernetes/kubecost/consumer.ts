import type { Cluster } from '../../services/eks/state.ts';
import type { World } from '../../world.ts';
import type { Kubernetes } from '../cluster.ts';
import type { RunningPod } from '../kubelet.ts';
import type { KubernetesAnswer } from '../resource-api.ts';
import type { LogLine } from '../workloads.ts';
import { PodCredentials } from './credentials.ts';
import { ActiveIntegration, type ConnectionStatus, time } from './integration.ts';
import { type Integration, readFile } from './integration-file.ts';

/** Milliseconds from the start of the process to its first read of the file. */
const startMs = 2_000;
/** Milliseconds between two reads of the file. */
const pollMs = 10_000;
/** Milliseconds for each window of a build. */
const windowMs = 18_377;
const rejectedPrefix = 'MultiCloudWatcher: Error getting file';

/** GET endpoints that change the ingestor's state. */
const mutating = ['/cloudCost/rebuild', '/cloudCost/repair', '/cloud/config/enable', '/cloud/config/disable'];

/** Log lines of releases before about 1.113 that are independent of the file [opencost#3530]. */
const harmless = [
  'Failed to lookup reserved instance data: no reservation data available in Athena',
  'Failed to lookup savings plan data: Error fetching Savings Plan Data: QueryAthenaPaginated: athena configuration incomplete',
];

/** The container of a pod that ingests cloud costs, and the port it answers on. */
function readerOf({ containers }: RunningPod): { name: string; image: string; port: string } | undefined {
  for (const { name, image } of containers) {
    if (name === 'cloud-cost') return { name, image, port: '9005' };
    if (name === 'opencost' || (name === 'cost-model' && isFirst(image))) return { name, image, port: '9003' };
  }
  return undefined;
}

/** Kubecost 1.x; from 2.0 on the ingestor has a container of its own. */
function isFirst(image: string): boolean {
  return /:(prod-)?v?1\./.test(image);
}

/** The reader of cloud-integration.json: the cloud cost ingestor of Kubecost or OpenCost, in every pod that has one. */
export class CloudCost {
  /** True: single sign-on protects the user interface and so port 9090. */
  sso = false;
  readonly #world: World;
  readonly #cluster: () => Cluster;
  /** By the pod's uid. */
  readonly #ingestors = new Map<string, Ingestor>();

  constructor(world: World, { kubelet, workloads }: Kubernetes, cluster: () => Cluster) {
    this.#world = world;
    this.#cluster = cluster;
    kubelet.onStarted((pod) => {
      const reader = readerOf(pod);
      if (!reader || kubelet.crashingImages.has(reader.image)) return;
      const crash = () => {
        kubelet.crash(pod, reader.name);
      };
      const credentials = new PodCredentials(world, cluster(), pod, reader.name);
      this.#ingestors.set(pod.uid, new Ingestor(world, pod, reader, credentials, crash));
    });
    kubelet.onFileChanged((pod) => this.#ingestors.get(pod.uid)?.look(pollMs));
    kubelet.onStopped((pod) => {
      this.#ingestors.get(pod.uid)?.end();
      this.#ingestors.delete(pod.uid);
    });
    workloads.onProxy = (_service, port, path, _query, pod) => this.#answer(pod, port, path);
    workloads.onLog = (pod, container) => this.#ingestors.get(pod.uid)?.log(container) ?? [];
  }

  statuses(): Record<string, ConnectionStatus> {
    return Object.assign({}, ...[...this.#ingestors.values()].map((ingestor) => ingestor.statuses())) as Record<
      string,
      ConnectionStatus
    >;
  }

  #answer(pod: RunningPod, port: string, path: string): KubernetesAnswer {
    if (port === '9090') return this.#throughFrontEnd(pod, path);
    const ingestor = this.#ingestors.get(pod.uid);
    return ingestor?.port === port ? this.#ask(ingestor, path) : notFound;
  }

  /** The web server of the user interface forwards `/model` to the ingesting pod of the release. */
  #throughFrontEnd(pod: RunningPod, path: string): KubernetesAnswer {
    if (this.sso) return { status: 401, body: 'Unauthorized' };
    if (!path.startsWith('/model/') || pod.containers.some(({ name }) => name === 'opencost-ui')) return notFound;
    const instance = 'app.kubernetes.io/instance';
    const ingestor = [...this.#ingestors.values()].find(
      (one) => one.pod.namespace === pod.namespace && one.pod.labels[instance] === pod.labels[instance],
    );
    return ingestor ? this.#ask(ingestor, path.slice('/model'.length)) : { status: 502, body: '502 Bad Gateway' };
  }

  #ask(ingestor: Ingestor, path: string): KubernetesAnswer {
    if (mutating.includes(path)) {
      const { accountId, arn } = this.#cluster();
      const at = this.#world.clock.now();
      this.#world.calls.push({ at, accountId, callerArn: arn, service: 'kubecost', operation: path, writes: true });
    }
    return ingestor.answer(path);
  }
}

const notFound: KubernetesAnswer = { status: 404, body: '404 page not found' };

/** One process. */
class Ingestor {
  readonly port: string;
  readonly pod: RunningPod;
  readonly #world: World;
  readonly #container: string;
  readonly #image: string;
  readonly #credentials: PodCredentials;
  readonly #crash: () => void;
  readonly #integrations = new Map<string, ActiveIntegration>();
  readonly #log: LogLine[] = [];
  #text: string | undefined;
  /** The log line of each read of an unreadable file. */
  #rejection: string | undefined;
  #state: 'running' | 'crashed' | 'ended' = 'running';

  constructor(
    world: World,
    pod: RunningPod,
    { name, image, port }: { name: string; image: string; port: string },
    credentials: PodCredentials,
    crash: () => void,
  ) {
    this.#world = world;
    this.pod = pod;
    this.#container = name;
    this.#image = image;
    this.port = port;
    this.#credentials = credentials;
    this.#crash = crash;
    this.look(startMs);
  }

  /** @param ms until the next read of the file */
  look(ms: number): void {
    this.#world.clock.after(ms, () => {
      if (this.#state === 'running') this.#load();
    });
  }

  end(): void {
    this.#state = 'ended';
    for (const active of this.#integrations.values()) active.end();
  }

  statuses(): Record<string, ConnectionStatus> {
    const all = [...this.#integrations.values()];
    for (const active of all) active.refresh();
    return Object.fromEntries(all.map(({ integration, status }) => [integration.key, status]));
  }

  log(container: string): readonly LogLine[] {
    if (container !== this.#container) return [];
    for (const active of this.#integrations.values()) active.refresh();
    const now = this.#world.clock.now();
    // It logs the error at every read, so also at all reads until now.
    const again = now - ((now - this.pod.startedAt - startMs) % pollMs);
    const complaint =
      this.#rejection === undefined || this.#state !== 'running'
        ? []
        : [{ at: again, text: `${time(again)} ERR ${this.#rejection}` }];
    return [...this.#log, ...complaint].sort((a, b) => a.at - b.at);
  }

  answer(path: string): KubernetesAnswer {
    if (path === '/healthz') return { status: 200, body: '' };
    if (path !== '/cloudCost/status') return mutating.includes(path) ? { status: 200, body: {} } : notFound;
    if (!this.#isEnabled())
      return { status: 501, body: 'Cloud Cost Pipeline is not enabled: Ingestion Manager is nil' };
    for (const active of this.#integrations.values()) active.refresh();
    return { status: 200, body: { code: 200, data: [...this.#integrations.values()].map((active) => active.shown()) } };
  }

  #load(): void {
    if (!this.#isEnabled()) return;
    const path = this.#paths().find((one) => this.pod.file(this.#container, one) !== undefined);
    const text = path === undefined ? undefined : this.pod.file(this.#container, path);
    if (text === this.#text) return;
    this.#text = text;
    this.#rejection = undefined;
    // opencost#4029: a release that overflows its stack over any file.
    if (text !== undefined && /opencost:v?1\.121\.2$/.test(this.#image)) {
      this.#die('runtime: goroutine stack exceeds 1000000000-byte limit\nfatal error: stack overflow');
      return;
    }
    // A missing file is ignored.
    const reading = text === undefined ? undefined : readFile(text);
    if (reading?.kind === 'panic') {
      this.#die(`panic: ${reading.error}`);
      return;
    }
    if (reading?.kind === 'rejected') {
      this.#rejection = `${rejectedPrefix} '${path ?? ''}': loadFile: Error reading json: ${reading.error}`;
      this.#say('ERR', this.#rejection);
    }
    const wanted = reading?.kind === 'accepted' ? reading.integrations : new Map<string, Integration>();
    if (reading?.kind === 'accepted') for (const line of reading.log) this.#say('ERR', line);
    this.#replace(wanted);
  }

  /** Removes integrations that are no longer in the file and adds new ones. */
  #replace(wanted: ReadonlyMap<string, Integration>): void {
    for (const [key, active] of this.#integrations) {
      const now = wanted.get(key);
      if (now && isSame(now, active.integration)) continue;
      active.end();
      this.#integrations.delete(key);
      if (active.integration.valid)
        this.#say('INF', `CloudCost: IngestionManager: deleting integration with key: ${key}`);
    }
    const added = [...wanted.values()].filter(({ key }) => !this.#integrations.has(key));
    const created = added.map((integration) => this.#create(integration));
    this.#build(created);
  }

  #build(active: readonly ActiveIntegration[]): void {
    if (active.length === 0) return;
    this.#world.clock.after(windowMs, () => {
      if (this.#state !== 'running') return;
      if (this.#container === 'cost-model') for (const line of harmless) this.#say('ERR', line);
      this.#build(active.filter((one) => one.finishWindow(windowMs)));
    });
  }

  #create(integration: Integration): ActiveIntegration {
    const { key, valid } = integration;
    if (valid) this.#say('INF', `CloudCost: IngestionManager: creating integration with key: ${key}`);
    const write = (line: LogLine) => this.#log.push(line);
    const active = new ActiveIntegration(this.#world, integration, this.#credentials, write);
    this.#integrations.set(key, active);
    return active;
  }

  #die(words: string): void {
    this.#say('ERR', words);
    this.end();
    this.#integrations.clear();
    this.#state = 'crashed';
    this.#crash();
  }

  /** OpenCost's ingestor is switched off until the chart's `cloudCost.enabled` sets this. */
  #isEnabled(): boolean {
    return this.#container !== 'opencost' || this.pod.env(this.#container).CLOUD_COST_ENABLED === 'true';
  }

  /** The path of the file changed twice [opencost#3450, opencost#3456]. */
  #paths(): string[] {
    const { CONFIG_PATH: root = '/var/configs' } = this.pod.env(this.#container);
    const file = 'cloud-integration.json';
    const flat = `${root}/${file}`;
    const directories = [`${root}/cloud-integration/${file}`, `/var/cloud-integration/${file}`];
    const minor = Number(/opencost:v?1\.(\d+)\./.exec(this.#image)?.[1] ?? Infinity);
    if (/opencost:v?1\.118\.0$/.test(this.#image)) return [flat];
    return minor < 118 || this.#container === 'cost-model' ? directories : [flat, ...directories];
  }

  #say(level: 'INF' | 'ERR', text: string): void {
    const at = this.#world.clock.now();
    this.#log.push({ at, text: `${time(at)} ${level} ${text}` });
  }
}

function isSame(a: Integration, b: Integration): boolean {
  return JSON.stringify([a.kind, a.values, a.authorizer]) === JSON.stringify([b.kind, b.values, b.authorizer]);
}

/** What the ingestors of a cluster report, by key. */
export function connectionStatuses(world: World, clusterArn: string): Record<string, ConnectionStatus> {
  return world.eks.cluster(clusterArn).cloudCost.statuses();
}
