import type { SeedObject } from '../objects.ts';

export type KubecostGeneration = '1.x' | '2.x' | '2.x-statefulset' | '3.x' | 'opencost';

export interface KubecostInstallation {
  generation: KubecostGeneration;
  /** @default `kubecost`, or `opencost` */
  release?: string;
  /** @default `kubecost`, or `opencost` */
  namespace?: string;
  /** Service account of the pods that read cloud costs. @default the chart's own */
  serviceAccount?: string;
  /** Integration secret in the chart's values; null for no secret, hence no mount. @default `cloud-integration` */
  secretName?: string | null;
  /** Image of the container that reads cloud costs. @default the chart's own */
  image?: string;
  /** @default as the chart of that generation mounts it; OpenCost's did it as a directory until 2.5.1 */
  mount?: Mount;
  /** OpenCost's chart enables cloud costs only if its values do; Kubecost's charts always enable them. @default true */
  cloudCost?: boolean;
}

type Mount = 'directory' | 'subPath';

interface Chart {
  name: string;
  version: string;
  mount: Mount;
  workloads(release: string, fullName: string): WorkloadPlan[];
  services(release: string, fullName: string): ServicePlan[];
}

interface ServicePlan {
  name: string;
  /** The pods behind it. */
  app: string;
  ports: Record<string, number>;
}

interface WorkloadPlan {
  kind: 'Deployment' | 'StatefulSet';
  name: string;
  /** `app.kubernetes.io/name` of its pods, and except for OpenCost also their `app`. */
  app: string;
  /** Images by container. */
  containers: Record<string, string>;
  /** The container that mounts the secret. */
  reader?: string;
}

const model = (version: string) => `gcr.io/kubecost1/cost-model:prod-${version}`;
const frontend = (version: string) => `gcr.io/kubecost1/frontend:prod-${version}`;
const [v1, v2, v3] = ['1.108.1', '2.8.7', '3.2.1'];

const costAnalyzer = (fullName: string, containers: Record<string, string>, reader?: string): WorkloadPlan => ({
  kind: 'Deployment',
  name: fullName,
  app: 'cost-analyzer',
  containers,
  ...(reader !== undefined && { reader }),
});

const cloudCost = (release: string, image: string): WorkloadPlan => ({
  kind: 'Deployment',
  name: `${release}-cloud-cost`,
  app: 'cloud-cost',
  containers: { 'cloud-cost': image },
  reader: 'cloud-cost',
});

const aggregator = (release: string, image: string): WorkloadPlan => ({
  kind: 'StatefulSet',
  name: `${release}-aggregator`,
  app: 'aggregator',
  containers: { aggregator: image },
});

const services2 = (release: string, fullName: string, apps: { aggregator: string; cloudCost: string }) => [
  { name: fullName, app: 'cost-analyzer', ports: { 'tcp-model': 9003, 'tcp-frontend': 9090 } },
  { name: `${release}-aggregator`, app: apps.aggregator, ports: { 'tcp-api': 9004 } },
  { name: `${release}-cloud-cost`, app: apps.cloudCost, ports: { 'tcp-api': 9005 } },
];

/** Facts from the charts cost-analyzer 1.108.1 and 2.8.7, kubecost 3.2.1, opencost 2.5.2. */
const charts: Record<KubecostGeneration, Chart> = {
  '1.x': {
    name: 'cost-analyzer',
    version: v1,
    mount: 'directory',
    workloads: (_, fullName) => [
      costAnalyzer(fullName, { 'cost-model': model(v1), 'cost-analyzer-frontend': frontend(v1) }, 'cost-model'),
    ],
    services: (_, fullName) => [
      { name: fullName, app: 'cost-analyzer', ports: { 'tcp-model': 9003, 'tcp-frontend': 9090 } },
    ],
  },
  '2.x': {
    name: 'cost-analyzer',
    version: v2,
    mount: 'directory',
    workloads: (_, fullName) => [
      costAnalyzer(
        fullName,
        {
          'cost-model': model(v2),
          'cost-analyzer-frontend': frontend(v2),
          aggregator: model(v2),
          'cloud-cost': model(v2),
        },
        'cloud-cost',
      ),
    ],
    services: (release, fullName) =>
      services2(release, fullName, { aggregator: 'cost-analyzer', cloudCost: 'cost-analyzer' }),
  },
  '2.x-statefulset': {
    name: 'cost-analyzer',
    version: v2,
    mount: 'directory',
    workloads: (release, fullName) => [
      costAnalyzer(fullName, { 'cost-model': model(v2), 'cost-analyzer-frontend': frontend(v2) }),
      aggregator(release, model(v2)),
      cloudCost(release, model(v2)),
    ],
    services: (release, fullName) =>
      services2(release, fullName, { aggregator: 'aggregator', cloudCost: 'cloud-cost' }),
  },
  '3.x': {
    name: 'kubecost',
    version: v3,
    mount: 'subPath',
    workloads: (release) => [
      // Older guides select logs by this label, which the web server has here.
      { kind: 'Deployment', name: `${release}-frontend`, app: 'cost-analyzer', containers: { frontend: frontend(v3) } },
      aggregator(release, model(v3)),
      cloudCost(release, model(v3)),
    ],
    services: (release) => [
      { name: `${release}-frontend`, app: 'cost-analyzer', ports: { 'tcp-frontend': 9090 } },
      { name: `${release}-aggregator`, app: 'aggregator', ports: { 'tcp-api': 9004 } },
      { name: `${release}-cloud-cost`, app: 'cloud-cost', ports: { 'tcp-api': 9005 } },
    ],
  },
  opencost: {
    name: 'opencost',
    version: '2.5.2',
    mount: 'subPath',
    workloads: (_, fullName) => [
      {
        kind: 'Deployment',
        name: fullName,
        app: 'opencost',
        containers: {
          opencost: 'ghcr.io/opencost/opencost:1.119.1',
          'opencost-ui': 'ghcr.io/opencost/opencost-ui:1.119.1',
        },
        reader: 'opencost',
      },
    ],
    services: (_, fullName) => [{ name: fullName, app: 'opencost', ports: { http: 9003, 'http-ui': 9090 } }],
  },
};

/** The objects of the chart that the sandbox needs. */
export function kubecostObjects(installation: KubecostInstallation): SeedObject[] {
  const { generation, secretName = 'cloud-integration', serviceAccount, image } = installation;
  const chart = charts[generation];
  const home = generation === 'opencost' ? 'opencost' : 'kubecost';
  const { release = home, namespace = home, mount = chart.mount, cloudCost = true } = installation;
  const fullName = release.includes(chart.name) ? release : `${release}-${chart.name}`;
  const account = serviceAccount ?? fullName;
  const labels = {
    'app.kubernetes.io/instance': release,
    'app.kubernetes.io/managed-by': 'Helm',
    'helm.sh/chart': `${chart.name}-${chart.version}`,
  };
  const annotations = { 'meta.helm.sh/release-name': release, 'meta.helm.sh/release-namespace': namespace };
  const selectorOf = (app: string) => ({
    'app.kubernetes.io/name': app,
    'app.kubernetes.io/instance': release,
    ...(generation !== 'opencost' && { app }),
  });
  const named = (name: string, app: string, more: object = {}) => ({
    name,
    namespace,
    labels: { ...labels, 'app.kubernetes.io/name': app, ...more },
    annotations,
  });

  const workloads = chart.workloads(release, fullName).map((chartPlan): SeedObject => {
    const plan = withImage(chartPlan, image);
    const selector = selectorOf(plan.app);
    const env = generation === 'opencost' && cloudCost ? [{ name: 'CLOUD_COST_ENABLED', value: 'true' }] : [];
    const spec = podSpec(plan, plan.reader === undefined ? fullName : account, { secretName, mount, env });
    const template = { metadata: { labels: selector }, spec };
    const strategy = plan.kind === 'Deployment' && { strategy: strategyOf(generation) };
    return {
      apiVersion: 'apps/v1',
      kind: plan.kind,
      metadata: named(plan.name, plan.app, selector),
      spec: { replicas: 1, selector: { matchLabels: selector }, ...strategy, template },
    };
  });
  const services = chart.services(release, fullName).map(({ name, app, ports }) => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: named(name, name),
    spec: {
      type: 'ClusterIP',
      selector: selectorOf(app),
      ports: Object.entries(ports).map(([name, port]) => ({ name, port, targetPort: port })),
    },
  }));
  const accounts = [...new Set([account, fullName])].map((name) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: named(name, chart.name),
  }));
  return [...accounts, ...services, ...workloads];
}

function strategyOf(generation: KubecostGeneration): object {
  return generation === '3.x'
    ? { type: 'Recreate' }
    : { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 1 } };
}

function withImage(plan: WorkloadPlan, image: string | undefined): WorkloadPlan {
  if (plan.reader === undefined || image === undefined) return plan;
  return { ...plan, containers: { ...plan.containers, [plan.reader]: image } };
}

interface Reading {
  secretName: string | null;
  mount: Mount;
  env: { name: string; value: string }[];
}

function podSpec({ containers, reader }: WorkloadPlan, account: string, { secretName, mount, env }: Reading) {
  const file = 'cloud-integration.json';
  const volume = { name: 'cloud-integration', secret: { secretName, items: [{ key: file, path: file }] } };
  const mounted =
    mount === 'subPath'
      ? { name: volume.name, mountPath: `/var/configs/${file}`, subPath: file }
      : { name: volume.name, mountPath: '/var/configs/cloud-integration' };
  const reads = reader !== undefined && secretName !== null;
  return {
    serviceAccountName: account,
    containers: Object.entries(containers).map(([name, image]) => ({
      name,
      image,
      ...(name === reader && env.length > 0 && { env }),
      volumeMounts: [
        { name: 'persistent-configs', mountPath: '/var/configs' },
        ...(reads && name === reader ? [mounted] : []),
      ],
    })),
    volumes: [{ name: 'persistent-configs', emptyDir: {} }, ...(reads ? [volume] : [])],
  };
}
