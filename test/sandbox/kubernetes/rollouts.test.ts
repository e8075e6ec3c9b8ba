import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, call, clusterAccount, clusterWorld } from '../testing/cluster-world.ts';
import { coreWorld } from '../testing/core-world.ts';
import type { World } from '../world.ts';
import { Kubernetes } from './cluster.ts';
import type { KubecostGeneration } from './kubecost/installation.ts';
import type { Pod } from './pod-fields.ts';
import type { DeploymentStatus } from './rollout-status.ts';

let world: World;
let kubernetes: Kubernetes;
/** `<namespace>/<service account>` with an association. */
let associated: Set<string>;

beforeEach(async () => {
  world = coreWorld();
  associated = new Set();
  kubernetes = await Kubernetes.start(world, {
    accountId: clusterAccount,
    version: '1.33',
    region: 'eu-west-1',
    issuer: 'https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE',
    reachable: true,
    hasPodIdentity: (namespace, account) => associated.has(`${namespace}/${account}`),
    authenticate: (token) =>
      token === 'admin'
        ? { username: 'admin', groups: ['system:masters', 'system:authenticated'], policies: [] }
        : undefined,
  });
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kubecost' } });
});
afterEach(async () => {
  world.clock.stop();
  await kubernetes.close();
});

const seconds = (count: number) => world.clock.sleep(count * 1000);
const ask = (method: string, path: string, body?: object, type?: string): Promise<Answer> =>
  call({ kubernetes }, 'admin', method, path, body, type);
const core = '/api/v1/namespaces/kubecost';
const apps = '/apis/apps/v1/namespaces/kubecost';
const restart = (at: string, path = 'deployments/web') =>
  ask(
    'PATCH',
    `${apps}/${path}`,
    { spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': at } } } } },
    'application/strategic-merge-patch+json',
  );

const pods = (namespace = 'kubecost') =>
  kubernetes.store.list(
    { group: '', version: 'v1', kind: 'Pod', resource: 'pods', namespaced: true },
    namespace,
  ) as Pod[];
/** For every pod: `ready`, `ending`, or its phase. */
const podStates = () =>
  pods()
    .map((pod) => (isTerminating(pod) ? 'ending' : isReady(pod) ? 'ready' : pod.status?.phase))
    .sort();
const isTerminating = ({ metadata }: Pod) => metadata.deletionTimestamp !== undefined;
const isReady = ({ status }: Pod) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
const only = (): Pod => {
  const [pod, ...more] = pods();
  if (!pod || more.length > 0) throw new Error(`there are ${more.length + (pod ? 1 : 0)} pods`);
  return pod;
};
const statusOf = (name = 'web') => kubernetes.get('Deployment', 'kubecost', name)?.status as DeploymentStatus;
const progress = () => statusOf().conditions.find(({ type }) => type === 'Progressing');
const settle = () => seconds(120);

/** A Deployment of one container without features of Kubecost. */
function deploy(spec: object = {}, pod: object = {}, image = 'web:1'): void {
  const labels = { app: 'web' };
  kubernetes.apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'kubecost' },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'web', image }], ...pod } },
      ...spec,
    },
  });
}

function putSecret(content: string, name = 'cloud-integration'): void {
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'kubecost' },
    stringData: { 'cloud-integration.json': content },
  });
}

describe('a rollout', () => {
  test('ends the old pod only when the new one is ready', async () => {
    deploy();
    await settle();
    const old = only().metadata.name;
    expect(old).toMatch(/^web-[0-9a-f]{10}-[a-z0-9]{5}$/);

    expect((await restart('1')).body.metadata).toMatchObject({ generation: 2 });
    expect(statusOf()).toMatchObject({ observedGeneration: 1, updatedReplicas: 1 });
    await seconds(2);
    expect(podStates()).toEqual(['Pending', 'ready']);
    expect(statusOf()).toMatchObject({ observedGeneration: 2, replicas: 2, updatedReplicas: 1, availableReplicas: 1 });
    await seconds(18);
    expect(podStates()).toEqual(['Running', 'ready']);
    await seconds(20);
    expect(podStates()).toEqual(['ready']);
    expect(only().metadata.name).not.toBe(old);
    expect(statusOf()).toMatchObject({ replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 });
    expect(statusOf()).not.toHaveProperty('unavailableReplicas');
    expect(progress()).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' });
  });

  test('with the strategy Recreate has no pod for a while', async () => {
    deploy({ strategy: { type: 'Recreate' } });
    await settle();
    await restart('1');
    await seconds(2);
    expect(podStates()).toEqual(['ending']);
    await seconds(12);
    expect(podStates()).toEqual(['Pending']);
    expect(statusOf()).toMatchObject({ updatedReplicas: 1, unavailableReplicas: 1 });
    await seconds(40);
    expect(podStates()).toEqual(['ready']);
  });

  test('of several replicas respects maxSurge and maxUnavailable', async () => {
    deploy({ replicas: 4, strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    await settle();
    await restart('1');
    for (let elapsed = 0; elapsed < 300; elapsed += 5) {
      await seconds(5);
      const staying = pods().filter((pod) => !isTerminating(pod));
      expect(staying.length).toBeLessThanOrEqual(5);
      expect(staying.filter(isReady).length).toBeGreaterThanOrEqual(4);
    }
    expect(statusOf()).toMatchObject({ replicas: 4, updatedReplicas: 4, availableReplicas: 4 });
  });

  test('of a stateful set replaces one pod at a time, keeping names', async () => {
    kubernetes.apply({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'store', namespace: 'kubecost' },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: 'store' } },
        template: {
          metadata: { labels: { app: 'store' } },
          spec: { containers: [{ name: 'store', image: 'store:1' }] },
        },
      },
    });
    await seconds(10);
    expect(pods().map(({ metadata }) => metadata.name)).toEqual(['store-0']);
    await settle();
    const before = pods();
    expect(before.map(({ metadata }) => metadata.name)).toEqual(['store-0', 'store-1']);
    await restart('1', 'statefulsets/store');
    await seconds(20);
    expect(pods()[0]?.metadata.uid).toBe(before[0]?.metadata.uid);
    await settle();
    const after = pods();
    expect(after.map(({ metadata }) => metadata.name)).toEqual(['store-0', 'store-1']);
    for (const [index, pod] of after.entries()) expect(pod.metadata.uid).not.toBe(before[index]?.metadata.uid);
    const { currentRevision, updateRevision, ...status } = kubernetes.get('StatefulSet', 'kubecost', 'store')
      ?.status as Record<string, unknown>;
    expect(status).toMatchObject({ observedGeneration: 2, updatedReplicas: 2, readyReplicas: 2 });
    expect(currentRevision).toBe(updateRevision);
  });

  test('without progress exceeds its deadline but completes when ready', async () => {
    const volumes = [{ name: 'file', secret: { secretName: 'missing' } }];
    deploy({}, { volumes });
    await seconds(590);
    expect(progress()).toMatchObject({ status: 'True', reason: 'ReplicaSetUpdated' });
    await seconds(20);
    expect(progress()).toMatchObject({ status: 'False', reason: 'ProgressDeadlineExceeded' });
    putSecret('{}', 'missing');
    await settle();
    expect(progress()).toMatchObject({ status: 'True', reason: 'NewReplicaSetAvailable' });
  });

  test('keeps the old pod while the new image cannot be pulled', async () => {
    deploy();
    await settle();
    kubernetes.kubelet.missingImages.add('web:2');
    deploy({}, {}, 'web:2');
    await settle();
    expect(podStates()).toEqual(['Pending', 'ready']);
    const waiting = pods().find((pod) => !isReady(pod));
    expect(waiting?.status?.containerStatuses).toMatchObject([
      { name: 'web', ready: false, state: { waiting: { reason: 'ImagePullBackOff' } } },
    ]);
    expect(statusOf()).toMatchObject({ observedGeneration: 2, availableReplicas: 1, unavailableReplicas: 1 });
    expect(kubernetes.kubelet.running()).toHaveLength(1);
  });

  test('creates no pod without its service account and reports the reason', async () => {
    deploy({}, { serviceAccountName: 'billing' });
    await settle();
    expect(pods()).toEqual([]);
    const failure = statusOf().conditions.find(({ type }) => type === 'ReplicaFailure');
    expect(failure?.message).toContain('serviceaccount "billing" not found');
    kubernetes.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'billing', namespace: 'kubecost' },
    });
    await settle();
    expect(podStates()).toEqual(['ready']);
    expect(statusOf().conditions.map(({ type }) => type)).toEqual(['Available', 'Progressing']);
  });

  test('does not start for a changed label or during an idle month', async () => {
    deploy();
    await settle();
    const { name } = only().metadata;
    await ask('PATCH', `${apps}/deployments/web`, { metadata: { labels: { a: 'b' } } }, 'application/merge-patch+json');
    const { revision } = kubernetes.store;
    await seconds(30 * 86_400);
    expect(kubernetes.store.revision).toBe(revision);
    expect(only().metadata.name).toBe(name);
  });
});

describe('a pod', () => {
  test('that is deleted is replaced after some seconds', async () => {
    deploy();
    await settle();
    const { name } = only().metadata;
    expect((await ask('DELETE', `${core}/pods/${name}`)).body.metadata).toHaveProperty('deletionTimestamp');
    await seconds(3);
    expect(podStates()).toEqual(['Pending', 'ending']);
    await settle();
    expect(podStates()).toEqual(['ready']);
    expect(only().metadata.name).not.toBe(name);
  });

  test('that mounts a missing secret starts once the secret exists', async () => {
    kubernetes.installKubecost({ generation: '3.x' });
    const reader = () => pods().find(({ metadata }) => metadata.labels?.app === 'cloud-cost');
    await seconds(600);
    expect(reader()?.status).toMatchObject({
      phase: 'Pending',
      containerStatuses: [{ state: { waiting: { reason: 'ContainerCreating' } } }],
    });
    putSecret('{}');
    await seconds(60);
    expect(reader()?.status).toMatchObject({ phase: 'Running', containerStatuses: [{ ready: true, started: true }] });
  });

  test('whose process crashes restarts with growing delays and is never ready', async () => {
    kubernetes.kubelet.crashingImages.add('web:1');
    deploy();
    await seconds(10);
    const container = () => only().status?.containerStatuses?.[0];
    expect(container()).toMatchObject({
      restartCount: 1,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 2, reason: 'Error' } },
    });
    await seconds(60);
    expect(container()?.restartCount).toBe(3);
    expect(isReady(only())).toBe(false);
    expect(progress()?.reason).toBe('ReplicaSetUpdated');
  });

  test('that crashes later stops being ready', async () => {
    deploy();
    await settle();
    const [running] = kubernetes.kubelet.running();
    if (running) kubernetes.kubelet.crash(running, 'web');
    await seconds(2);
    expect(isReady(only())).toBe(false);
    expect(statusOf()).toMatchObject({ unavailableReplicas: 1 });
  });

  test('reports when it starts and when it has ended', async () => {
    const heard: string[] = [];
    kubernetes.kubelet.onStarted(({ name }) => heard.push(`start ${name}`));
    kubernetes.kubelet.onStopped(({ name }) => heard.push(`stop ${name}`));
    deploy({ strategy: { type: 'Recreate' } });
    await settle();
    const first = only().metadata.name;
    await restart('1');
    await settle();
    expect(heard).toEqual([`start ${first}`, `stop ${first}`, `start ${only().metadata.name}`]);
  });
});

describe('credentials', () => {
  const roleArn = `arn:aws:iam::${clusterAccount}:role/kubecost`;
  const annotate = (annotations: Record<string, string>) =>
    kubernetes.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default', namespace: 'kubecost', annotations },
    });
  const env = () => kubernetes.kubelet.running()[0]?.env('web');

  test('of an annotated service account reach the containers of new pods only', async () => {
    deploy();
    await settle();
    annotate({ 'eks.amazonaws.com/role-arn': roleArn });
    await settle();
    expect(env()).toEqual({});
    await restart('1');
    await settle();
    expect(env()).toMatchObject({
      AWS_ROLE_ARN: roleArn,
      AWS_WEB_IDENTITY_TOKEN_FILE: '/var/run/secrets/eks.amazonaws.com/serviceaccount/token',
      AWS_REGION: 'eu-west-1',
      AWS_STS_REGIONAL_ENDPOINTS: 'regional',
    });
    expect(JSON.stringify(kubernetes.get('Deployment', 'kubecost', 'web'))).not.toContain('AWS_');
    annotate({});
    await settle();
    expect(env()).toHaveProperty('AWS_ROLE_ARN');
  });

  test('of an association override those of an annotation', async () => {
    annotate({ 'eks.amazonaws.com/role-arn': roleArn });
    associated.add('kubecost/default');
    deploy();
    await settle();
    expect(env()).toMatchObject({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: expect.stringContaining('eks-pod-identity-token') as string,
    });
    expect(env()).not.toHaveProperty('AWS_ROLE_ARN');
  });

  test.each([
    [{ addons: ['eks-pod-identity-agent'] }, true],
    [{ autoMode: true }, true],
    [{}, false],
  ])('of an association need the agent: %j', async (cluster, injected) => {
    const aws = await clusterWorld();
    const home = { accountId: clusterAccount, region: 'eu-west-1', name: 'other', ...cluster };
    const { associations, kubernetes: inside, arn } = await aws.world.eks.createCluster(home);
    associations.set('a-1', {
      id: 'a-1',
      arn: `${arn}/a-1`,
      namespace: 'opencost',
      serviceAccount: 'opencost',
      roleArn,
      disableSessionTags: false,
      createdAt: 0,
      modifiedAt: 0,
      tags: {},
    });
    inside.installKubecost({ generation: 'opencost', secretName: null });
    const [pod] = inside.kubelet.running();
    expect('AWS_CONTAINER_CREDENTIALS_FULL_URI' in (pod?.env('opencost') ?? {})).toBe(injected);
    await aws.close();
  });
});

describe('a mounted file', () => {
  const reader = (generation: KubecostGeneration) => {
    const container = generation === '3.x' ? 'cloud-cost' : 'cost-model';
    const path =
      generation === '3.x'
        ? '/var/configs/cloud-integration.json'
        : '/var/configs/cloud-integration/cloud-integration.json';
    return () => {
      const pod = kubernetes.kubelet
        .running()
        .find(({ containers }) => containers.some(({ name }) => name === container));
      return pod?.file(container, path);
    };
  };

  test('in a directory shows a changed secret after about a minute', async () => {
    putSecret('one');
    kubernetes.installKubecost({ generation: '1.x' });
    const content = reader('1.x');
    const changes: string[] = [];
    kubernetes.kubelet.onFileChanged(({ name }) => changes.push(name));
    expect(content()).toBe('one');
    putSecret('two');
    await seconds(59);
    expect(content()).toBe('one');
    putSecret('three');
    await seconds(31);
    expect(content()).toBe('three');
    kubernetes.delete('Secret', 'kubecost', 'cloud-integration');
    await settle();
    expect(content()).toBe('three');
    expect(changes).toHaveLength(1);
  });

  test('by subPath keeps its first content until the pod is replaced', async () => {
    putSecret('one');
    kubernetes.installKubecost({ generation: '3.x' });
    const content = reader('3.x');
    putSecret('two');
    await seconds(86_400);
    expect(content()).toBe('one');
    await restart('1', 'deployments/kubecost-cloud-cost');
    await settle();
    expect(content()).toBe('two');
  });

  test('is missing in a container that does not mount it', () => {
    putSecret('one');
    kubernetes.installKubecost({ generation: '2.x' });
    const [pod] = kubernetes.kubelet.running();
    const path = '/var/configs/cloud-integration/cloud-integration.json';
    expect([pod?.file('cloud-cost', path), pod?.file('cost-model', path)]).toEqual(['one', undefined]);
  });
});

describe('access to a pod', () => {
  const status = 'proxy/cloudCost/status';
  const answering = () => {
    kubernetes.workloads.onProxy = (_, port, path, __, pod) => ({ status: 200, body: { port, path, pod: pod.name } });
  };

  test('through the proxy needs a ready pod with an open port', async () => {
    kubernetes.installKubecost({ generation: '3.x' });
    const path = `${core}/services/http:kubecost-cloud-cost:9005/${status}`;
    expect((await ask('GET', path)).body).toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
      message: 'no endpoints available for service "http:kubecost-cloud-cost:9005"',
    });
    putSecret('{}');
    await settle();
    expect((await ask('GET', path)).body.message).toMatch(/dial tcp 10\.[\d.]+:9005: connect: connection refused$/);
    answering();
    expect((await ask('GET', path)).body).toMatchObject({ port: '9005', path: '/cloudCost/status' });
    expect((await ask('GET', path.replace('9005', 'tcp-api'))).body).toMatchObject({ port: '9005' });
    expect((await ask('GET', path.replace('9005', '9999'))).status).toBe(503);
    kubernetes.workloads.blocked = true;
    expect((await ask('GET', path)).body.message).toMatch(/^error trying to reach service: dial tcp .*: i\/o timeout$/);
  });

  test.each([
    ['1.x', 'kubecost-cost-analyzer:9003', 'kubecost-cost-analyzer'],
    ['2.x', 'kubecost-cloud-cost:9005', 'kubecost-cost-analyzer'],
    ['2.x-statefulset', 'kubecost-cloud-cost:9005', 'kubecost-cloud-cost'],
    ['3.x', 'kubecost-cloud-cost:9005', 'kubecost-cloud-cost'],
    ['opencost', 'opencost:9003', 'opencost'],
  ] as const)('leads to the pod that reads the bill in %s', async (generation, service, workload) => {
    const namespace = generation === 'opencost' ? 'opencost' : 'kubecost';
    kubernetes.installKubecost({ generation, namespace, secretName: null });
    answering();
    const { body } = await ask('GET', `/api/v1/namespaces/${namespace}/services/http:${service}/${status}`);
    expect(body.pod).toMatch(new RegExp(`^${workload}-[0-9a-f]{10}-[a-z0-9]{5}$`));
  });

  test('to the logs works without the proxy and respects the limits', async () => {
    deploy();
    await seconds(2);
    const path = () => `${core}/pods/${only().metadata.name}/log`;
    expect((await ask('GET', path())).body.message).toContain('is waiting to start: ContainerCreating');
    await settle();
    kubernetes.workloads.blocked = true;
    const startedAt = world.clock.now();
    kubernetes.workloads.onLog = (_, container) =>
      [1, 2, 3, 4].map((line) => ({ at: startedAt + line * 60_000, text: `${container} ${line}` }));
    await seconds(240);
    const lines = async (query = '') => (await ask('GET', `${path()}${query}`)).text.split('\n');
    expect(await lines()).toEqual(['web 1', 'web 2', 'web 3', 'web 4']);
    expect(await lines('?container=web&tailLines=2')).toEqual(['web 3', 'web 4']);
    expect(await lines('?sinceSeconds=70')).toEqual(['web 3', 'web 4']);
    expect(await lines('?sinceSeconds=70&tailLines=1')).toEqual(['web 4']);
    expect((await ask('GET', `${path()}?sinceSeconds=0`)).status).toBe(422);
    expect((await ask('GET', `${path()}?container=other`)).status).toBe(400);
  });
});

describe('a token bound to a pod', () => {
  const request = (reference: object, account = 'default') =>
    ask('POST', `${core}/serviceaccounts/${account}/token`, {
      spec: { audiences: ['pods.eks.amazonaws.com'], boundObjectRef: { apiVersion: 'v1', kind: 'Pod', ...reference } },
    });

  test('needs an existing pod that runs as the service account', async () => {
    deploy();
    await settle();
    const { name, uid } = only().metadata;
    const { status, body } = await request({ name, uid });
    expect(status).toBe(201);
    const { token } = body.status as { token: string };
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as object;
    expect(claims).toMatchObject({
      aud: ['pods.eks.amazonaws.com'],
      'kubernetes.io': { namespace: 'kubecost', pod: { name, uid }, serviceaccount: { name: 'default' } },
    });
    expect((await request({ name: 'missing' })).status).toBe(404);
    expect((await request({ name, uid: 'another' })).status).toBe(409);
    kubernetes.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'other', namespace: 'kubecost' } });
    expect((await request({ name, uid }, 'other')).status).toBe(400);
  });
});

describe('an installation', () => {
  const readers = () => kubernetes.kubelet.running().flatMap(({ containers }) => containers.map(({ image }) => image));

  test('is ready at once, accepts another image and can be uninstalled', () => {
    const installation = {
      generation: '1.x',
      secretName: null,
      image: 'gcr.io/kubecost1/cost-model:prod-1.104.0',
    } as const;
    kubernetes.installKubecost(installation);
    expect(podStates()).toEqual(['ready']);
    expect(readers()).toContain(installation.image);
    expect(statusOf('kubecost-cost-analyzer')).toMatchObject({ observedGeneration: 1, availableReplicas: 1 });
    kubernetes.uninstallKubecost(installation);
    expect([pods(), readers()]).toEqual([[], []]);
  });

  test('that is upgraded from 2.x to 3.x changes its workloads gradually', async () => {
    putSecret('{}');
    kubernetes.installKubecost({ generation: '2.x' });
    kubernetes.upgradeKubecost({ generation: '2.x' }, { generation: '3.x' });
    expect(kubernetes.get('Deployment', 'kubecost', 'kubecost-cost-analyzer')).toBeUndefined();
    await seconds(10);
    expect(podStates()).not.toContain('ready');
    await settle();
    expect(podStates()).toEqual(['ready', 'ready', 'ready']);
  });

  test('of OpenCost accepts another release name and namespace', () => {
    kubernetes.installKubecost({
      generation: 'opencost',
      namespace: 'finops',
      release: 'costs',
      serviceAccount: 'bill-reader',
      secretName: null,
    });
    expect(kubernetes.kubelet.running()).toMatchObject([
      {
        namespace: 'finops',
        serviceAccount: 'bill-reader',
        containers: [{ name: 'opencost' }, { name: 'opencost-ui' }],
      },
    ]);
  });
});
