import type { OnboardingRequestInput } from '../../shared/request.ts';
import { accountAt, seedPayerWithTable } from '../runs/payers.ts';
import { deployProvisioner } from '../sandbox/provisioners.ts';
import type { World } from '../sandbox/world.ts';

type FleetCluster = OnboardingRequestInput['cluster'] & {
  generation: '2.x' | '3.x';
  mode: NonNullable<NonNullable<OnboardingRequestInput['identity']>['mode']>;
};

const cluster = (index: number, region: string, name: string, rest: Pick<FleetCluster, 'generation' | 'mode'>) => ({
  accountId: accountAt('cluster', index),
  region,
  name,
  ...rest,
});

/** Five clusters as a platform team has them: both generations of Kubecost, with IRSA and with EKS Pod Identity. */
export const fleetClusters: readonly FleetCluster[] = [
  cluster(1, 'eu-west-1', 'finops', { generation: '3.x', mode: 'irsa' }),
  cluster(2, 'us-east-1', 'platform', { generation: '2.x', mode: 'pod-identity' }),
  cluster(3, 'us-west-2', 'retail', { generation: '3.x', mode: 'pod-identity' }),
  cluster(4, 'ap-southeast-2', 'media', { generation: '2.x', mode: 'irsa' }),
  cluster(5, 'eu-central-1', 'research', { generation: '3.x', mode: 'irsa' }),
];

/** Every tenth payer has a report that is delivered and crawled; each of the others waits for AWS. */
const hasReport = (index: number) => index % 10 === 9;

/** From 4 to 24 hours, in an order that spreads each cluster's payers over the day. */
const deliveryHours = (index: number) => 4 + ((index * 7) % 41) / 2;

/** The clusters with Kubecost installed, and so many payer accounts that have nothing but our provisioner role, or a report too. */
export async function seedFleet(world: World, payers: number): Promise<void> {
  for (const { generation, mode, ...place } of fleetClusters) {
    deployProvisioner(world, 'cluster', place.accountId);
    const addons = mode === 'pod-identity' ? ['eks-pod-identity-agent'] : [];
    const { kubernetes } = await world.eks.createCluster({ ...place, addons });
    kubernetes.installKubecost({ generation });
  }
  for (const index of Array(payers).keys()) {
    const accountId = accountAt('payer', index);
    if (hasReport(index)) seedPayerWithTable(world, accountId);
    else {
      deployProvisioner(world, 'payer', accountId);
      world.cur.firstDeliveryHours.set(accountId, deliveryHours(index));
    }
  }
}

/** One request per payer, dealt out over the clusters in turn. */
export function fleetRequests(payers: number): OnboardingRequestInput[] {
  return Array.from({ length: payers }, (_, index) => {
    const { accountId, region, name, mode } = fleetClusters[index % fleetClusters.length] as FleetCluster;
    return {
      payerAccountId: accountAt('payer', index),
      cluster: { accountId, region, name },
      identity: { mode },
    };
  });
}
