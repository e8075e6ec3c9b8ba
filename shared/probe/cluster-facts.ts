import {
  DescribeAddonCommand,
  DescribeClusterCommand,
  DescribePodIdentityAssociationCommand,
  EKSClient,
  ListAccessEntriesCommand,
  ListAddonsCommand,
  ListPodIdentityAssociationsCommand,
} from '@aws-sdk/client-eks';
import type { FactList } from './fact-list.ts';
import type { ProbedAccount } from './probed-account.ts';

export interface ClusterPlace {
  region: string;
  name: string;
}

const topic = 'Cluster';

/** How the cluster lets people and pods in. */
export async function readClusterFacts(account: ProbedAccount, place: ClusterPlace, facts: FactList): Promise<void> {
  const eks = account.client(EKSClient, place.region);
  const cluster = { clusterName: place.name };
  facts.redaction.name('cluster', place.name);
  await facts.ask(
    topic,
    'settings',
    () => eks.send(new DescribeClusterCommand({ name: place.name })),
    ({ cluster: found }) => ({
      version: found?.version,
      platformVersion: found?.platformVersion,
      status: found?.status,
      access: found?.accessConfig,
      endpoint: formOf(found?.endpoint),
      oidcIssuer: formOf(found?.identity?.oidc?.issuer),
      publicEndpoint: found?.resourcesVpcConfig?.endpointPublicAccess,
      privateEndpoint: found?.resourcesVpcConfig?.endpointPrivateAccess,
      publicAccessCidrs: found?.resourcesVpcConfig?.publicAccessCidrs?.length,
      ipFamily: found?.kubernetesNetworkConfig?.ipFamily,
    }),
  );
  await facts.ask(
    topic,
    'access entries',
    () => eks.send(new ListAccessEntriesCommand(cluster)),
    ({ accessEntries = [] }) => accessEntries.map((arn) => arn.split('/').slice(0, -1).join('/')),
  );
  const addons = await facts.ask(
    topic,
    'add-ons',
    () => eks.send(new ListAddonsCommand(cluster)),
    ({ addons: names }) => names,
  );
  for (const addonName of addons?.addons ?? [])
    await facts.ask(
      topic,
      `add-on ${addonName}`,
      () => eks.send(new DescribeAddonCommand({ ...cluster, addonName })),
      ({ addon }) => ({ status: addon?.status, version: addon?.addonVersion }),
    );
  const listed = await facts.ask(
    topic,
    'Pod Identity associations',
    () => eks.send(new ListPodIdentityAssociationsCommand(cluster)),
    ({ associations = [] }) => associations.length,
  );
  for (const { associationId, namespace = '', serviceAccount } of listed?.associations ?? []) {
    facts.redaction.name('service-account', serviceAccount);
    facts.redaction.name('namespace', namespace);
    await facts.ask(
      topic,
      `association of ${namespace}`,
      () => eks.send(new DescribePodIdentityAssociationCommand({ ...cluster, associationId })),
      ({ association }) => ({
        hasTargetRole: association?.targetRoleArn !== undefined,
        disableSessionTags: association?.disableSessionTags,
        isOwned: association?.ownerArn !== undefined,
      }),
    );
  }
}

/** `https://<hash-1>.gr7.eu-west-1.eks.amazonaws.com`: the first label and the last part of the path identify the cluster. */
function formOf(url: string | undefined): string | undefined {
  return url?.replace(/^https:\/\/[^./]{16,}/, 'https://<id>').replace(/\/id\/[^/]+$/, '/id/<id>');
}
