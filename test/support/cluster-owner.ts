import { CreateAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import { parseAllDocuments } from 'yaml';
import { renderClusterManifest } from '../../shared/cluster/provisioner-manifest.ts';
import { groupName, type RoleScope } from '../../shared/cluster/provisioner-role.ts';
import type { Cluster, SeedObject } from '../sandbox/index.ts';
import type { DeployedSandbox } from './deployed-sandbox.ts';

/** Applies the printed manifest as the cluster's owner does. */
export function applyManifest({ kubernetes }: Cluster, scope: RoleScope): void {
  for (const document of parseAllDocuments(renderClusterManifest(scope)))
    kubernetes.apply(document.toJS() as SeedObject);
}

/** `aws eks create-access-entry`, as the cluster's owner. */
export async function createAccessEntry(
  { world, awsEndpoint }: DeployedSandbox,
  { accountId, region, name }: Cluster,
  principalArn: string,
): Promise<void> {
  const any = { Version: '2012-10-17', Statement: [{ Effect: 'Allow' as const, Action: '*', Resource: '*' }] };
  const trust = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow' as const, Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: 'sts:AssumeRole' },
    ],
  };
  world.iam.createRole({ accountId, name: 'owner', trust, inline: { any }, settled: true });
  const credentials = world.sts.issueSession({ accountId, roleName: 'owner', sessionName: 'by-hand' });
  const eks = new EKSClient({ endpoint: awsEndpoint, region, credentials });
  await eks.send(new CreateAccessEntryCommand({ clusterName: name, principalArn, kubernetesGroups: [groupName] }));
  eks.destroy();
}
