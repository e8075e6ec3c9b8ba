import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { discovery } from '../../functions/steps/discovery.ts';
import {
  agents,
  costReaders,
  type NamespaceWorkloads,
  type Service,
  type Workload,
} from '../../shared/kubecost/cost-readers.ts';
import type { Situation } from '../../shared/step/contract.ts';
import { fixTargetSettings } from '../../shared/targets/target-settings.ts';
import {
  type KubecostGeneration,
  type KubecostInstallation,
  kubecostObjects,
  type SeedObject,
} from '../sandbox/index.ts';
import { AccessHarness } from '../support/access-harness.ts';
import { endStep } from '../support/stored-runs.ts';

const service = (name: string, ports: number[], selector: Record<string, string>): Service => ({
  metadata: { name },
  spec: { selector, ports: ports.map((port) => ({ port })) },
});

/** The services of the charts, for a release called `kubecost` or `opencost`. */
const services: Record<KubecostGeneration, Service[]> = {
  '1.x': [service('kubecost-cost-analyzer', [9003, 9090], { app: 'cost-analyzer' })],
  '2.x': [
    service('kubecost-cost-analyzer', [9003, 9090], { app: 'cost-analyzer' }),
    service('kubecost-cloud-cost', [9005], { app: 'cost-analyzer' }),
  ],
  '2.x-statefulset': [
    service('kubecost-cost-analyzer', [9003, 9090], { app: 'cost-analyzer' }),
    service('kubecost-cloud-cost', [9005], { app: 'cloud-cost' }),
  ],
  '3.x': [
    service('kubecost-frontend', [9090], { app: 'cost-analyzer' }),
    service('kubecost-aggregator', [9004], { app: 'aggregator' }),
    service('kubecost-cloud-cost', [9005], { app: 'cloud-cost' }),
  ],
  opencost: [service('opencost', [9003, 9090], { 'app.kubernetes.io/name': 'opencost' })],
};

/** What the API server lists in a namespace with these objects. */
function workloadsOf(objects: SeedObject[], services: Service[] = []): NamespaceWorkloads {
  const workloads = objects
    .filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
    .map((object) => ({ kind: object.kind.toLowerCase(), object: object as unknown as Workload }));
  return { workloads, services };
}

function readersOf(...installations: KubecostInstallation[]) {
  const [{ generation } = { generation: undefined }] = installations;
  const found = workloadsOf(installations.flatMap(kubecostObjects), generation && services[generation]);
  return costReaders(found, 'cloud-integration');
}

/** The workloads of an installation, after a change to one of them. */
function changed(
  generation: KubecostGeneration,
  name: string,
  change: (workload: Workload) => void,
): NamespaceWorkloads {
  const listed = workloadsOf(kubecostObjects({ generation }));
  const found = listed.workloads.find(({ object }) => object.metadata.name === name);
  if (!found) throw new Error(`no workload ${name}`);
  change(found.object);
  return listed;
}

const input = {
  target: { clusterArn: 'arn', namespace: 'kubecost', secretName: 'cloud-integration' },
  identityMode: 'irsa',
  serviceAccount: undefined as string | undefined,
};

const plan = (readers: ReturnType<typeof readersOf>, more: Partial<typeof input> = {}, seen: object = {}) =>
  discovery.plan({ ...input, ...more }, { readers, agents: [], ...seen }, {} as Situation);

describe('discovery of what is installed', () => {
  const deployment = (name: string) => `deployment/${name}`;
  const expected: [KubecostGeneration, object][] = [
    [
      '1.x',
      {
        installation: 'kubecost-1',
        workload: deployment('kubecost-cost-analyzer'),
        container: 'cost-model',
        mount: 'directory',
        serviceAccount: 'kubecost-cost-analyzer',
        statusService: 'http:kubecost-cost-analyzer:9003',
      },
    ],
    [
      '2.x',
      {
        installation: 'kubecost-2',
        workload: deployment('kubecost-cost-analyzer'),
        container: 'cloud-cost',
        mount: 'directory',
        serviceAccount: 'kubecost-cost-analyzer',
        statusService: 'http:kubecost-cloud-cost:9005',
      },
    ],
    [
      '2.x-statefulset',
      {
        installation: 'kubecost-2-statefulset',
        workload: deployment('kubecost-cloud-cost'),
        container: 'cloud-cost',
        mount: 'directory',
        serviceAccount: 'kubecost-cost-analyzer',
        podSelector: 'app.kubernetes.io/name=cloud-cost,app.kubernetes.io/instance=kubecost,app=cloud-cost',
        statusService: 'http:kubecost-cloud-cost:9005',
      },
    ],
    [
      '3.x',
      {
        installation: 'kubecost-3',
        workload: deployment('kubecost-cloud-cost'),
        container: 'cloud-cost',
        mount: 'subPath',
        serviceAccount: 'kubecost',
        statusService: 'http:kubecost-cloud-cost:9005',
      },
    ],
    [
      'opencost',
      {
        installation: 'opencost',
        workload: deployment('opencost'),
        container: 'opencost',
        mount: 'subPath',
        serviceAccount: 'opencost',
        statusService: 'http:opencost:9003',
      },
    ],
  ];

  it.each(expected)('finds the cost reader and status service of a %s installation', (generation, output) => {
    expect(plan(readersOf({ generation }))).toMatchObject({ kind: 'ready', output, warnings: [] });
  });

  it('does not depend on the release name', () => {
    const [reader] = readersOf({ generation: '2.x', release: 'finops-prod' });
    expect(reader).toMatchObject({ workload: 'deployment/finops-prod-cost-analyzer', installation: 'kubecost-2' });
  });

  it('uses the release’s web server if the reader has no service', () => {
    const objects = kubecostObjects({ generation: '3.x' });
    const others = [
      service('prometheus', [9090], { app: 'prometheus' }),
      service('all', [9005], {}),
      service('kubecost-frontend', [9090], { app: 'cost-analyzer' }),
    ];
    const status = (services: Service[]) => costReaders(workloadsOf(objects, services), 's')[0]?.statusService;
    expect(status(others)).toBe('http:kubecost-frontend:9090');
    expect(status(others.slice(0, 2))).toBeNull();
  });

  it('reads the generation from the image without a chart label', () => {
    const listed = changed('3.x', 'kubecost-cloud-cost', ({ metadata }) => {
      metadata.labels = {};
    });
    expect(costReaders(listed, 'cloud-integration')).toMatchObject([{ installation: 'kubecost-3' }]);
  });

  it('does not treat an agent as an installation', () => {
    const agent = kubecostObjects({ generation: '2.x-statefulset' }).filter(
      ({ metadata }) => metadata.name === 'kubecost-cost-analyzer',
    );
    const listed = workloadsOf(agent);
    expect(costReaders(listed, 'cloud-integration')).toEqual([]);
    expect(plan([], {}, { agents: agents(listed) })).toMatchObject({
      output: { installation: 'none', serviceAccount: 'kubecost-serviceaccount' },
      warnings: [expect.stringMatching(/^deployment\/kubecost-cost-analyzer .* primary cluster/)],
    });
  });

  it('prefers the installation that mounts the secret', () => {
    const readers = readersOf({ generation: '2.x', secretName: null }, { generation: 'opencost' });
    expect(plan(readers)).toMatchObject({
      kind: 'ready',
      output: { installation: 'opencost', serviceAccount: 'opencost' },
    });
  });
});

describe('the service account', () => {
  it('has the tutorial’s name if nothing is installed', () => {
    expect(plan([])).toMatchObject({
      kind: 'ready',
      output: { installation: 'none', workload: null, mount: null, serviceAccount: 'kubecost-serviceaccount' },
    });
  });

  it.each([undefined, 'cost-reader'])('is the workload’s own, with or without a requested name (%s)', (name) => {
    const readers = readersOf({ generation: '3.x', ...(name !== undefined && { serviceAccount: name }) });
    expect(plan(readers)).toMatchObject({ kind: 'ready', output: { serviceAccount: name ?? 'kubecost' } });
    expect(plan(readers, {}, { fixedServiceAccount: 'another' })).toMatchObject({
      output: { serviceAccount: name ?? 'kubecost' },
    });
  });

  it('is refused with both names if it differs from the request', () => {
    const refused = plan(readersOf({ generation: '3.x' }), { serviceAccount: 'billing' });
    expect(refused).toMatchObject({ kind: 'refuse', code: 'service-account-differs' });
    expect(JSON.stringify(refused)).toMatch(/runs as kubecost; requested was billing/);
  });

  it('is refused if two installations use different ones', () => {
    const readers = readersOf({ generation: '2.x' }, { generation: 'opencost' });
    expect(plan(readers)).toMatchObject({ kind: 'refuse', code: 'service-account-differs' });
    expect(plan(readers, { serviceAccount: 'opencost' })).toMatchObject({
      kind: 'ready',
      output: { workload: 'deployment/opencost' },
    });
  });
});

describe('discovery of unsupported installations', () => {
  const withImage = (generation: KubecostGeneration, image: string) =>
    costReaders(
      changed(generation, generation === 'opencost' ? 'opencost' : 'kubecost-cost-analyzer', ({ metadata, spec }) => {
        metadata.labels = {};
        for (const container of spec.template.spec.containers) container.image = image;
      }),
      'cloud-integration',
    );

  it.each(['ghcr.io/opencost/opencost:1.121.2', 'mirror.local:5000/opencost:v1.121.2@sha256:0c'])(
    'refuses the OpenCost release that crashes on any file: %s',
    (image) => {
      expect(plan(withImage('opencost', image))).toMatchObject({
        kind: 'refuse',
        code: 'consumer-crashes-on-file',
        detail: expect.stringContaining(image) as string,
      });
    },
  );

  it.each(['1.121.1', '1.121.3', '1.121.20'])('does not refuse OpenCost %s', (tag) => {
    expect(plan(withImage('opencost', `ghcr.io/opencost/opencost:${tag}`))).toMatchObject({ kind: 'ready' });
  });

  it.each([
    ['1.x', 'prod-1.108.1', 'refuse'],
    ['2.x', 'prod-2.1.1', 'refuse'],
    ['2.x', 'prod-2.2.0', 'ready'],
    ['2.x', 'prod-2.10.0', 'ready'],
    ['2.x', 'latest', 'ready'],
  ] as const)('with Pod Identity, Kubecost %s and image tag %s: %s', (generation, tag, kind) => {
    const readers = withImage(generation, `gcr.io/kubecost1/cost-model:${tag}`);
    expect(plan(readers, { identityMode: 'pod-identity' })).toMatchObject({
      kind,
      ...(kind === 'refuse' && { code: 'pod-identity-not-supported' }),
    });
    expect(plan(readers)).toMatchObject({ kind: 'ready' });
  });
});

describe('discovery in a cluster', () => {
  let world: AccessHarness;
  beforeEach(async () => {
    world = await AccessHarness.start();
  });
  afterEach(() => world.close());

  it('uses the target’s fixed service account if nothing is installed', async () => {
    const runId = await world.newRun();
    await world.take(runId, 'cluster-access');
    await fixTargetSettings(await world.targetOf(runId), {
      identityMode: 'irsa',
      serviceAccount: 'cost-reader',
      format: 'auto',
    });
    expect((await world.take(runId, 'discovery')).record.output).toMatchObject({ serviceAccount: 'cost-reader' });
  });

  it('refuses Kubecost 1.x with Pod Identity before other writes', async () => {
    world.cluster.kubernetes.installKubecost({ generation: '1.x' });
    const runId = await world.newRun({ identity: { mode: 'pod-identity' } });
    const { discovery, ...others } = await world.takeAll(runId);
    expect(discovery?.error).toMatchObject({ code: 'pod-identity-not-supported' });
    expect(Object.keys(others)).toEqual(['cluster-access']);
  });

  it('repeats the role if a later workload has another service account', async () => {
    const runId = await world.newRun();
    await world.take(runId, 'cluster-access');
    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: '' });
    const given = { podRoleArn: 'arn', serviceAccount: 'kubecost-serviceaccount', oidcProviderArn: 'arn' };
    await endStep(runId, 'pod-role', given);
    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: '' });

    world.cluster.kubernetes.installKubecost({ generation: '3.x' });
    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: 'pod-role' });
    await endStep(runId, 'pod-role', { ...given, serviceAccount: 'kubecost' });
    expect(await world.invoke(runId, 'discovery')).toMatchObject({ outdated: '' });
  });

  it('ends after one more pass for each changed release', async () => {
    const runId = await world.newRun();
    await world.take(runId, 'cluster-access');
    const { kubernetes } = world.cluster;
    const passes: string[] = [];
    const installed = new Set<string>();
    for (const release of ['one', 'two', 'one']) {
      for (const name of installed) kubernetes.delete('Deployment', 'kubecost', name);
      installed.add(`${release}-cloud-cost`);
      kubernetes.installKubecost({ generation: '2.x-statefulset', release });
      for (;;) {
        const { outdated } = await world.invoke(runId, 'discovery');
        passes.push(`${release} ${outdated || 'covered'}`);
        if (outdated !== 'cluster-access') break;
        expect((await world.take(runId, 'cluster-access')).status).toBe('succeeded');
      }
    }
    expect(passes).toEqual(['one cluster-access', 'one covered', 'two cluster-access', 'two covered', 'one covered']);
  });
});
