import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { assumeRoleForPodIdentity } from '../../../shared/aws/eks-auth.ts';
import { type Cluster, createWorld, installVirtualDate, startServer, type World } from '../../sandbox/index.ts';

const accountId = '222233334444';
const region = 'eu-west-1';
const root = { accessKeyId: accountId, secretAccessKey: 'any' };

let world: World;
let cluster: Cluster;
let close: () => Promise<void>;

beforeAll(async () => {
  world = createWorld();
  const undoDate = installVirtualDate(world.clock);
  const server = await startServer(world);
  cluster = await world.eks.createCluster({ accountId, region, name: 'finops', addons: ['eks-pod-identity-agent'] });
  cluster.kubernetes.installKubecost({ generation: '3.x' });
  vi.stubEnv('AWS_ENDPOINT_URL', server.endpoint);
  close = async () => {
    vi.unstubAllEnvs();
    world.clock.stop();
    await Promise.all([server.close(), world.eks.close()]);
    undoDate();
  };
});
afterAll(() => close());

it('throws an AWS error with its name, message and status', async () => {
  await expect(assumeRoleForPodIdentity({ name: 'finops', region }, 'no token', root)).rejects.toMatchObject({
    name: 'InvalidTokenException',
    message: expect.stringMatching(/./) as string,
    $metadata: { httpStatusCode: 400 },
  });
});

it('throws Unreachable if nothing listens at the endpoint', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_EKS_AUTH', 'http://127.0.0.1:1');
  await expect(assumeRoleForPodIdentity({ name: 'finops', region }, 'no token', root)).rejects.toMatchObject({
    name: 'Unreachable',
  });
});
