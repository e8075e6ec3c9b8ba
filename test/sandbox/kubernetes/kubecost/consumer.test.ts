import { afterEach, describe, expect, it } from 'vitest';
import { createWorld } from '../../create-world.ts';
import type { Statement } from '../../policy-evaluation.ts';
import type { Cluster } from '../../services/eks/state.ts';
import type { World } from '../../world.ts';
import { connectionStatuses } from './consumer.ts';
import type { KubecostGeneration, KubecostInstallation } from './installation.ts';

const clusterAccount = '222233334444';
const region = 'us-east-1';
const podRoleArn = `arn:aws:iam::${clusterAccount}:role/kubecost`;
const payer = '111122223333';
const resultsOf = (accountId: string) => `s3://results-${accountId}`;
const keyOf = (accountId: string) => `${accountId}/${resultsOf(accountId)}`;
const second = 1000;
const hour = 3600 * second;

const worlds: World[] = [];
afterEach(async () => {
  await Promise.all(
    worlds.splice(0).map((world) => {
      world.clock.stop();
      return world.eks.close();
    }),
  );
});

interface Options extends Partial<KubecostInstallation> {
  identity?: 'irsa' | 'pod-identity' | 'none';
  file?: unknown;
}

function entry(accountId = payer, changes: object = {}): object {
  return {
    athenaBucketName: resultsOf(accountId),
    athenaRegion: region,
    athenaDatabase: 'athenacurcfn_daily',
    athenaTable: 'daily',
    athenaWorkgroup: 'primary',
    projectID: accountId,
    masterPayerARN: `arn:aws:iam::${accountId}:role/kubecost-cur-access`,
    ...changes,
  };
}

function newEntry(): object {
  return {
    bucket: resultsOf(payer),
    region,
    database: 'athenacurcfn_daily',
    table: 'daily',
    workgroup: 'primary',
    account: payer,
    authorizer: {
      authorizerType: 'AWSAssumeRole',
      roleARN: `arn:aws:iam::${payer}:role/kubecost-cur-access`,
      authorizer: { authorizerType: 'AWSServiceAccount' },
    },
  };
}

const allow = (Action: string | string[], Resource: string | string[] = '*') => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource }],
});

/** A payer whose report is delivered and crawled, with the tutorial's role. */
function seedPayer(world: World, accountId: string, { trusts = ['sts:AssumeRole'], days = 20 } = {}): void {
  const bucket = `cur-${accountId}`;
  world.cur.seedReport({
    accountId,
    definition: { ReportName: 'daily', S3Bucket: bucket, S3Prefix: 'billing', S3Region: region },
    deliveredSince: world.clock.now() - days * 24 * hour,
  });
  const location = `s3://${bucket}/billing/daily/daily/`;
  world.glue.seedTable({ accountId, region, database: 'athenacurcfn_daily', table: 'daily', location });
  world.s3.createBucket(accountId, region, resultsOf(accountId).slice('s3://'.length));
  world.iam.createRole({
    accountId,
    name: 'kubecost-cur-access',
    trust: {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${clusterAccount}:root` }, Action: trusts },
      ] as never,
    },
    inline: { cur: allow(['athena:*', 'glue:BatchGetPartition', 'glue:Get*', 's3:*']) },
    settled: true,
  });
}

function putFile({ kubernetes }: Cluster, file: unknown, namespace = 'kubecost'): void {
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: 'cloud-integration', namespace },
    data: {
      'cloud-integration.json': Buffer.from(typeof file === 'string' ? file : JSON.stringify(file)).toString('base64'),
    },
  });
}

/** One cluster with one installation; its pods have their role, if any, from the start. */
async function setUp({ identity = 'irsa', file = { aws: [entry()] }, ...options }: Options = {}) {
  const world = createWorld({ startMs: Date.parse('2026-11-23T08:00:00Z') });
  worlds.push(world);
  const name = 'finops';
  const cluster = await world.eks.createCluster({
    accountId: clusterAccount,
    region,
    name,
    addons: ['eks-pod-identity-agent'],
  });
  const { generation = '2.x' } = options;
  const namespace = generation === 'opencost' ? 'opencost' : 'kubecost';
  const serviceAccount = 'reader';
  const url = cluster.issuer.slice('https://'.length);
  const providerArn = `arn:aws:iam::${clusterAccount}:oidc-provider/${url}`;
  world.iam.providers.set(providerArn, {
    arn: providerArn,
    accountId: clusterAccount,
    url,
    clientIds: ['sts.amazonaws.com'],
    thumbprints: [],
    createdAt: 0,
    tags: new Map(),
  });
  const trust =
    identity === 'irsa'
      ? {
          Effect: 'Allow',
          Principal: { Federated: providerArn },
          Action: 'sts:AssumeRoleWithWebIdentity',
          Condition: { StringEquals: { [`${url}:sub`]: `system:serviceaccount:${namespace}:${serviceAccount}` } },
        }
      : {
          Effect: 'Allow',
          Principal: { Service: 'pods.eks.amazonaws.com' },
          Action: ['sts:AssumeRole', 'sts:TagSession'],
        };
  world.iam.createRole({
    accountId: clusterAccount,
    name: 'kubecost',
    trust: { Version: '2012-10-17', Statement: [trust] },
    inline: { chain: allow(['sts:AssumeRole', 'sts:TagSession']) },
    settled: true,
  });
  const { kubernetes } = cluster;
  kubernetes.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  putFile(cluster, file, namespace);
  if (identity === 'pod-identity')
    cluster.associations.set('a-1', {
      id: 'a-1',
      arn: `${cluster.arn}/a-1`,
      namespace,
      serviceAccount,
      roleArn: podRoleArn,
      disableSessionTags: false,
      createdAt: 0,
      modifiedAt: 0,
      tags: {},
    });
  const annotations = { ...(identity === 'irsa' && { 'eks.amazonaws.com/role-arn': podRoleArn }) };
  kubernetes.apply({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: serviceAccount, namespace, annotations },
  });
  kubernetes.installKubecost({ ...options, generation, serviceAccount });
  return new Installed(world, cluster, namespace);
}

class Installed {
  readonly world: World;
  readonly cluster: Cluster;
  readonly namespace: string;

  constructor(world: World, cluster: Cluster, namespace: string) {
    this.world = world;
    this.cluster = cluster;
    this.namespace = namespace;
  }

  wait(ms: number): Promise<void> {
    return this.world.clock.sleep(ms);
  }

  get statuses() {
    return connectionStatuses(this.world, this.cluster.arn);
  }

  ask(service: string, path: string) {
    return this.cluster.kubernetes.workloads.proxy(this.namespace, service, path, new URLSearchParams());
  }

  log(container: string): string {
    const { kubelet, workloads } = this.cluster.kubernetes;
    const pod = kubelet.running().find(({ containers }) => containers.some(({ name }) => name === container));
    return workloads.log(this.namespace, pod?.name ?? '', new URLSearchParams({ container }));
  }
}

const readers: [KubecostGeneration, container: string, direct: string, frontEnd: string | undefined][] = [
  ['1.x', 'cost-model', 'kubecost-cost-analyzer:9003', 'kubecost-cost-analyzer:9090'],
  ['2.x', 'cloud-cost', 'kubecost-cloud-cost:9005', 'kubecost-cost-analyzer:9090'],
  ['2.x-statefulset', 'cloud-cost', 'kubecost-cloud-cost:9005', 'kubecost-cost-analyzer:9090'],
  ['3.x', 'cloud-cost', 'kubecost-cloud-cost:9005', 'kubecost-frontend:9090'],
  ['opencost', 'opencost', 'opencost:9003', undefined],
];

describe('the consumer', () => {
  it.each(readers)('of %s reads the file, assumes its roles and shows its status', async (...row) => {
    const [generation, container, direct, frontEnd] = row;
    const installed = await setUp({ generation });
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });
    const { status, body } = installed.ask(direct, '/cloudCost/status');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      code: 200,
      data: [
        { key: keyOf(payer), source: 'multicloud', provider: 'AWS', active: true, valid: true, RefreshRate: '6h0m0s' },
      ],
    });
    if (frontEnd !== undefined) expect(installed.ask(frontEnd, '/model/cloudCost/status').body).toEqual(body);
    const log = installed.log(container);
    expect(log).toContain(`CloudCost: IngestionManager: creating integration with key: ${keyOf(payer)}`);
    expect(log).not.toContain('build failed');
    expect(log.includes('athena configuration incomplete')).toBe(generation === '1.x');
  });

  it('reports No Connection before it has read its first window', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    putFile(installed.cluster, { aws: [entry('444455556666')] });
    await installed.wait(90 * second);
    expect(installed.statuses).toEqual({ [keyOf('444455556666')]: 'No Connection' });
  });

  it('uses Pod Identity when the payer role allows its session tags', async () => {
    const installed = await setUp({ identity: 'pod-identity' });
    seedPayer(installed.world, payer, { trusts: ['sts:AssumeRole', 'sts:TagSession'] });
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });

    const narrower = await setUp({ identity: 'pod-identity' });
    seedPayer(narrower.world, payer);
    await narrower.wait(60 * second);
    expect(narrower.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
    expect(narrower.log('cloud-cost')).toMatch(
      /get credentials: .*STS: AssumeRole.*not authorized to perform: sts:TagSession/,
    );
  });

  it('fails when the pod has no credentials', async () => {
    const installed = await setUp({ identity: 'none' });
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
    expect(installed.log('cloud-cost')).toMatch(
      /ERR CloudCost\[.*\]: ingestor: build failed for window \[.*\): .*get credentials/,
    );
  });

  it('cannot assume a payer role that requires an external id', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    const role = installed.world.iam.role(payer, 'kubecost-cur-access');
    const [statement] = role?.trust.current?.document.Statement as [Statement];
    statement.Condition = { StringEquals: { 'sts:ExternalId': 'secret' } };
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
  });

  it.each<[reason: string, changes: object, words: RegExp]>([
    ['a bucket without s3://', { athenaBucketName: 'results-111122223333' }, /not a valid S3 path/],
    [
      'a results bucket that does not exist',
      { athenaBucketName: 's3://nowhere' },
      /Unable to verify\/create output bucket/,
    ],
    ['a workgroup that does not exist', { athenaWorkgroup: 'Primary' }, /WorkGroup is not found/],
    [
      'a database that does not exist',
      { athenaDatabase: 'other' },
      /query execution error: no query results available/,
    ],
  ])('fails over %s and logs the reason', async (_, changes, words) => {
    const installed = await setUp({ file: { aws: [entry(payer, changes)] } });
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    expect(Object.values(installed.statuses)).toEqual(['Failed Connection']);
    expect(installed.log('cloud-cost')).toMatch(words);
  });

  it('reports missing data until a refresh finds some', async () => {
    const installed = await setUp();
    const { world } = installed;
    seedPayer(world, payer);
    for (const object of world.s3.keys(`cur-${payer}`, 'billing/').filter((name) => name.endsWith('.parquet')))
      world.s3.buckets.get(`cur-${payer}`)?.objects.delete(object);
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Data Missing' });
    await installed.wait(26 * hour);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });
  });

  it('recovers during its first build once it has permissions', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer, { days: 60 });
    const inline = installed.world.iam.role(payer, 'kubecost-cur-access')?.inline;
    const rights = [...(inline ?? [])];
    inline?.clear();
    await installed.wait(25 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
    for (const [name, policy] of rights) inline?.set(name, policy);
    await installed.wait(20 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });
  });

  it('reads its whole retention within some minutes', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    await installed.wait(25 * second);
    const coverage = () => installed.ask('kubecost-cloud-cost:9005', '/cloudCost/status').body;
    expect(coverage()).toMatchObject({ data: [{ coverage: '[2026-11-16T00:00:00+0000, 2026-11-24T00:00:00+0000)' }] });
    await installed.wait(5 * 60 * second);
    expect(coverage()).toMatchObject({ data: [{ coverage: '[2026-08-24T00:00:00+0000, 2026-11-24T00:00:00+0000)' }] });
    expect(installed.log('cloud-cost')).toMatch(/build\[\w+\]: completed in 3m58\.9s$/);
  });

  it('loses its role when its service account is deleted', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    installed.cluster.kubernetes.delete('ServiceAccount', installed.namespace, 'reader');
    await installed.wait(25 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
  });

  it('refreshes every six hours, also after a success', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });
    installed.world.iam.role(payer, 'kubecost-cur-access')?.inline.clear();
    await installed.wait(30 * 60 * second);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Connection Successful' });
    await installed.wait(6 * hour);
    expect(installed.statuses).toEqual({ [keyOf(payer)]: 'Failed Connection' });
  });

  it('stops every integration when one entry is wrong and keeps logging', async () => {
    const azure = [
      { azureSubscriptionID: 'sub', azureStorageContainer: 'c', azureStorageAccount: 'a', azureStorageAccessKey: 'k' },
    ];
    const installed = await setUp({ file: { aws: [entry()], azure } });
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    expect(Object.keys(installed.statuses)).toEqual(['sub/c', keyOf(payer)]);
    putFile(installed.cluster, { aws: { athena: [newEntry()] }, azure });
    await installed.wait(120 * second);
    expect(installed.statuses).toEqual({});
    expect(installed.ask('kubecost-cloud-cost:9005', '/cloudCost/status').body).toEqual({ code: 200, data: [] });
    const log = installed.log('cloud-cost');
    expect(log).toContain(`deleting integration with key: ${keyOf(payer)}`);
    expect(log.split('MultiCloudWatcher: Error getting file').length).toBeGreaterThan(2);
  });

  it('lists an invalid entry without querying it', async () => {
    const installed = await setUp({ file: { aws: [entry(payer, { projectID: '' })] } });
    await installed.wait(60 * second);
    expect(installed.ask('kubecost-cloud-cost:9005', '/cloudCost/status').body).toMatchObject({
      data: [{ key: `/${resultsOf(payer)}`, valid: false, active: false, connectionStatus: '' }],
    });
  });

  it('keeps its first file when the mount is a subPath', async () => {
    const installed = await setUp({ generation: '3.x' });
    putFile(installed.cluster, {});
    await installed.wait(10 * 60 * second);
    expect(Object.keys(installed.statuses)).toEqual([keyOf(payer)]);
  });

  it('keeps unchanged integrations when others are added or removed', async () => {
    const installed = await setUp();
    seedPayer(installed.world, payer);
    await installed.wait(60 * second);
    putFile(installed.cluster, { aws: [entry(), entry('444455556666')] });
    await installed.wait(2 * 60 * second);
    expect(installed.statuses).toEqual({
      [keyOf(payer)]: 'Connection Successful',
      [keyOf('444455556666')]: 'Failed Connection',
    });
    expect(installed.log('cloud-cost').split('creating integration')).toHaveLength(3);
  });

  it('is disabled in OpenCost without cloud costs in its values', async () => {
    const installed = await setUp({ generation: 'opencost', cloudCost: false });
    await installed.wait(60 * second);
    expect(installed.ask('opencost:9003', '/cloudCost/status')).toMatchObject({ status: 501 });
    expect(installed.statuses).toEqual({});
  });

  it.each<[reason: string, options: Options]>([
    [
      'OpenCost 1.121.2 over any file',
      { generation: 'opencost', image: 'ghcr.io/opencost/opencost:1.121.2', file: {} },
    ],
    ['because of a null in a list', { generation: '3.x', file: '{"aws":{"athena":[null]}}' }],
  ])('crashes %s', async (_, options) => {
    const installed = await setUp(options);
    await installed.wait(60 * second);
    const { kubernetes } = installed.cluster;
    const reader = kubernetes.kubelet.running().find(({ serviceAccount }) => serviceAccount === 'reader');
    const pod = kubernetes.get('Pod', installed.namespace, reader?.name ?? '');
    expect(JSON.stringify(pod?.status)).toContain('CrashLoopBackOff');
    expect(installed.statuses).toEqual({});
  });

  it('is not reachable through a front end with single sign-on', async () => {
    const installed = await setUp();
    installed.cluster.cloudCost.sso = true;
    expect(installed.ask('kubecost-cost-analyzer:9090', '/model/cloudCost/status').status).toBe(401);
    expect(installed.ask('kubecost-cloud-cost:9005', '/cloudCost/status').status).toBe(200);
  });

  it('records a call of a GET endpoint that changes state', async () => {
    const installed = await setUp();
    installed.ask('kubecost-cloud-cost:9005', '/cloudCost/status');
    expect(installed.world.calls.filter(({ writes }) => writes)).toEqual([]);
    installed.ask('kubecost-cloud-cost:9005', '/cloudCost/rebuild');
    expect(installed.world.calls.filter(({ writes }) => writes)).toMatchObject([{ operation: '/cloudCost/rebuild' }]);
  });

  it('reads a file of a hundred payers without recording its calls', async () => {
    const accounts = Array.from({ length: 100 }, (_, index) => String(111_100_000_000 + index));
    const installed = await setUp({ file: { aws: accounts.map((accountId) => entry(accountId)) } });
    for (const accountId of accounts) seedPayer(installed.world, accountId);
    await installed.wait(60 * second);
    expect(new Set(Object.values(installed.statuses))).toEqual(new Set(['Connection Successful']));
    expect(installed.world.calls).toEqual([]);
  });
});
