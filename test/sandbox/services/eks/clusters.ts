import type * as sdk from '@aws-sdk/client-eks';
import { AwsError, type CallContext, operation } from '../../service.ts';
import { page } from './paging.ts';
import { type Addon, type Cluster, eksArn, findCluster } from './state.ts';
import { resourceTagContext } from './tags.ts';

/** A permission on a cluster, with its tags as condition keys. */
export function onCluster(cx: CallContext, action: string, name = '', context: Record<string, string | string[]> = {}) {
  const { caller, region, world } = cx;
  const cluster = world.eks.clusters(caller.accountId, region).find((candidate) => candidate.name === name);
  return {
    action: `eks:${action}`,
    resources: [eksArn(cx, `cluster/${name}`)],
    context: { ...resourceTagContext(cluster?.tags), ...context },
  };
}

export const clusterOperations = {
  DescribeCluster: operation<sdk.DescribeClusterCommandInput, sdk.DescribeClusterResponse>({
    writes: false,
    permissions: ({ name }, cx) => [onCluster(cx, 'DescribeCluster', name)],
    run: ({ name }, cx) => ({ cluster: described(findCluster(cx, name)) }),
  }),

  ListClusters: operation<sdk.ListClustersCommandInput, sdk.ListClustersResponse>({
    writes: false,
    permissions: () => [{ action: 'eks:ListClusters', resources: ['*'] }],
    run(input, { world, caller, region }) {
      const { items, rest } = page(
        world.eks.clusters(caller.accountId, region).map(({ name }) => name),
        input,
      );
      return { clusters: items, ...rest };
    },
  }),

  DescribeAddon: operation<sdk.DescribeAddonCommandInput, sdk.DescribeAddonResponse>({
    writes: false,
    permissions({ clusterName = '', addonName = '' }, cx) {
      const addon = cx.world.eks
        .clusters(cx.caller.accountId, cx.region)
        .find(({ name }) => name === clusterName)
        ?.addons.get(addonName);
      const arn = addon?.arn ?? eksArn(cx, `addon/${clusterName}/${addonName}/*`);
      return [{ action: 'eks:DescribeAddon', resources: [arn], context: resourceTagContext(addon?.tags) }];
    },
    run({ clusterName, addonName = '' }, cx) {
      const cluster = findCluster(cx, clusterName);
      const addon = cluster.addons.get(addonName);
      if (!addon)
        throw new AwsError('ResourceNotFoundException', `No addon: ${addonName} found in cluster: ${cluster.name}`);
      return { addon: describedAddon(cluster, addon) };
    },
  }),

  ListAddons: operation<sdk.ListAddonsCommandInput, sdk.ListAddonsResponse>({
    writes: false,
    permissions: ({ clusterName }, cx) => [onCluster(cx, 'ListAddons', clusterName)],
    run(input, cx) {
      const { items, rest } = page([...findCluster(cx, input.clusterName).addons.keys()], input);
      return { addons: items, ...rest };
    },
  }),
};

function described(cluster: Cluster): sdk.Cluster {
  const { accountId, name, arn, version, status, issuer, kubernetes, tags } = cluster;
  const id = issuer.slice(-17).toLowerCase();
  // Fields that exist only with the control plane.
  const reached = status !== 'CREATING' && {
    endpoint: kubernetes.endpoint,
    certificateAuthority: { data: Buffer.from(kubernetes.certificateAuthority).toString('base64') },
    identity: { oidc: { issuer } },
  };
  return {
    name,
    arn,
    createdAt: new Date(cluster.createdAt),
    version,
    ...reached,
    roleArn: `arn:aws:iam::${accountId}:role/${name}-cluster`,
    resourcesVpcConfig: {
      subnetIds: [`subnet-0a${id}`, `subnet-0b${id}`].map((subnet) => subnet.slice(0, 24)),
      securityGroupIds: [],
      clusterSecurityGroupId: `sg-${id}`,
      vpcId: `vpc-${id}`,
      endpointPublicAccess: cluster.endpointPublicAccess,
      endpointPrivateAccess: true,
      publicAccessCidrs: cluster.endpointPublicAccess ? ['0.0.0.0/0'] : [],
    },
    kubernetesNetworkConfig: {
      serviceIpv4Cidr: '172.20.0.0/16',
      ipFamily: 'ipv4',
      elasticLoadBalancing: { enabled: cluster.autoMode },
    },
    logging: {
      clusterLogging: [{ types: ['api', 'audit', 'authenticator', 'controllerManager', 'scheduler'], enabled: false }],
    },
    status,
    platformVersion: 'eks.9',
    tags,
    health: { issues: [] },
    accessConfig: { authenticationMode: cluster.authenticationMode },
    upgradePolicy: { supportType: 'EXTENDED' },
    ...(cluster.autoMode && {
      computeConfig: { enabled: true, nodePools: ['general-purpose', 'system'] },
      storageConfig: { blockStorage: { enabled: true } },
    }),
    deletionProtection: false,
  };
}

function describedAddon({ name: clusterName }: Cluster, { name, arn, status, createdAt, tags }: Addon): sdk.Addon {
  return {
    addonName: name,
    clusterName,
    status,
    addonVersion: 'v1.3.8-eksbuild.2',
    health: { issues: [] },
    addonArn: arn,
    createdAt: new Date(createdAt),
    modifiedAt: new Date(createdAt),
    tags,
  };
}
