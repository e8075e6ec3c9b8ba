import type { OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { KubecostGeneration, World } from '../sandbox/index.ts';
import { deployProvisioner } from './provisioners.ts';
import { accountAt, seedPayerWithTable } from './seed-payers.ts';

interface FleetCluster {
  accountId: string;
  region: string;
  name: string;
  generation: KubecostGeneration;
  mode: 'irsa' | 'pod-identity';
}

/** Five clusters: two generations of Kubecost, IRSA and EKS Pod Identity. */
export const fleetClusters = [
  { accountId: accountAt('cluster', 1), region: 'eu-west-1', name: 'finops', generation: '3.x', mode: 'irsa' },
  {
    accountId: accountAt('cluster', 2),
    region: 'us-east-1',
    name: 'platform',
    generation: '2.x',
    mode: 'pod-identity',
  },
  { accountId: accountAt('cluster', 3), region: 'us-west-2', name: 'retail', generation: '3.x', mode: 'pod-identity' },
  { accountId: accountAt('cluster', 4), region: 'ap-south-1', name: 'media', generation: '2.x', mode: 'irsa' },
  { accountId: accountAt('cluster', 5), region: 'eu-central-1', name: 'research', generation: '3.x', mode: 'irsa' },
] as const satisfies readonly FleetCluster[];

/** Hours until the first delivery to each of ten payers; the tenth has a report that is delivered and crawled. */
const deliveryHours = [4, 6.5, 9, 11.5, 14, 16.5, 19, 21.5, 24];

/** Every ten payers have the same mean, so fleets of different sizes can be compared. */
function deliveryHoursOf(index: number): number | undefined {
  const ten = Math.floor(index / 10);
  const jitter = (((ten * 7 + 5) % 11) - 5) / 5;
  const hours = deliveryHours[index % 10];
  return hours && hours + jitter;
}

/** Creates the clusters with Kubecost and the provisioner role. */
export async function seedFleetClusters(world: World): Promise<void> {
  for (const { generation, mode, ...place } of fleetClusters) {
    deployProvisioner(world, 'cluster', place.accountId);
    const addons = mode === 'pod-identity' ? ['eks-pod-identity-agent'] : [];
    const { kubernetes } = await world.eks.createCluster({ ...place, addons });
    kubernetes.installKubecost({ generation });
  }
}

/** Creates the clusters and the payer accounts. Every payer has the provisioner role, one in ten also a report. */
export async function seedFleet(world: World, payers: number): Promise<void> {
  await seedFleetClusters(world);
  for (let index = 0; index < payers; index++) {
    const accountId = accountAt('payer', index);
    const hours = deliveryHoursOf(index);
    if (hours === undefined) seedPayerWithTable(world, accountId);
    else {
      deployProvisioner(world, 'payer', accountId);
      world.cur.firstDeliveryHours.set(accountId, hours);
    }
  }
}

/** One request for each payer, spread over the clusters. */
export function fleetRequests(payers: number): OnboardingRequestInput[] {
  return Array.from({ length: payers }, (_, index) => {
    const [first] = fleetClusters;
    const dealt = fleetClusters[(index + Math.floor(index / 10)) % fleetClusters.length] ?? first;
    const { accountId, region, name, mode } = dealt;
    return { payerAccountId: accountAt('payer', index), cluster: { accountId, region, name }, identity: { mode } };
  });
}
