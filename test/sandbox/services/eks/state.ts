import { randomBytes, randomUUID } from 'node:crypto';
import type * as sdk from '@aws-sdk/client-eks';
import type { AccessGrant, User } from '../../kubernetes/authorize.ts';
import { Kubernetes } from '../../kubernetes/cluster.ts';
import { CloudCost } from '../../kubernetes/kubecost/consumer.ts';
import { AwsError, type CallContext } from '../../service.ts';
import type { SettlingValue } from '../../settling-value.ts';
import type { World } from '../../world.ts';
import { userOf } from './access-entries.ts';
import { hasPodIdentity } from './pod-identity.ts';

export interface Cluster {
  accountId: string;
  region: string;
  name: string;
  arn: string;
  version: string;
  status: sdk.ClusterStatus;
  authenticationMode: sdk.AuthenticationMode;
  endpointPublicAccess: boolean;
  /** EKS Auto Mode, which has the Pod Identity agent built in. */
  autoMode: boolean;
  issuer: string;
  createdAt: number;
  tags: Record<string, string>;
  addons: Map<string, Addon>;
  /** By principal. */
  accessEntries: Map<string, AccessEntry>;
  /** By association id. */
  associations: Map<string, PodIdentityAssociation>;
  kubernetes: Kubernetes;
  /** The reader of the bill in its pods. */
  cloudCost: CloudCost;
}

export interface Addon {
  name: string;
  arn: string;
  status: sdk.AddonStatus;
  createdAt: number;
  tags: Record<string, string>;
}

export interface AccessEntry {
  principalArn: string;
  /** A re-created role with the same ARN has another id and no access. */
  roleId: string;
  arn: string;
  username: string;
  groups: string[];
  createdAt: number;
  modifiedAt: number;
  tags: Record<string, string>;
  policies: Map<string, sdk.AssociatedAccessPolicy>;
  /** The part of the above that the API server sees at this moment. */
  known: SettlingValue<{ username: string; groups: string[] }>;
  knownGrants: SettlingValue<AccessGrant[]>;
}

export interface PodIdentityAssociation {
  id: string;
  arn: string;
  namespace: string;
  serviceAccount: string;
  roleArn: string;
  disableSessionTags: boolean;
  targetRoleArn?: string;
  externalId?: string;
  policy?: string;
  createdAt: number;
  modifiedAt: number;
  tags: Record<string, string>;
}

export interface NewCluster {
  accountId: string;
  region: string;
  name: string;
  version?: string;
  authenticationMode?: sdk.AuthenticationMode;
  endpointPublicAccess?: boolean;
  status?: sdk.ClusterStatus;
  autoMode?: boolean;
  /** Names of add-ons; all are ACTIVE. */
  addons?: string[];
}

const mostTokenBytes = 4096;
const tokenPrefix = 'k8s-aws-v1.';

export class EksState {
  /** Milliseconds until the API server sees an access entry or its change. */
  accessEntryMs = 6_000;
  /** The same for associating and disassociating access policies. */
  accessPolicyMs = 0;
  readonly #clusters = new Map<string, Cluster>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** An existing cluster with a running API server. */
  async createCluster(made: NewCluster): Promise<Cluster> {
    const { accountId, region, name, version = '1.33', endpointPublicAccess = true } = made;
    const arn = `arn:aws:eks:${region}:${accountId}:cluster/${name}`;
    const issuer = `https://oidc.eks.${region}.amazonaws.com/id/${randomBytes(16).toString('hex').toUpperCase()}`;
    const now = this.#world.clock.now();
    const kubernetes = await Kubernetes.start(this.#world, {
      accountId,
      version,
      region,
      issuer,
      reachable: endpointPublicAccess,
      hasPodIdentity: (namespace, serviceAccount) => hasPodIdentity(cluster, namespace, serviceAccount),
      authenticate: (token) => this.#authenticate(cluster, token),
    });
    const cluster: Cluster = {
      accountId,
      region,
      name,
      arn,
      version,
      status: made.status ?? 'ACTIVE',
      authenticationMode: made.authenticationMode ?? 'API_AND_CONFIG_MAP',
      endpointPublicAccess,
      autoMode: made.autoMode ?? false,
      issuer,
      createdAt: now,
      tags: {},
      addons: new Map(),
      accessEntries: new Map(),
      associations: new Map(),
      kubernetes,
      cloudCost: new CloudCost(this.#world, kubernetes, () => cluster),
    };
    for (const addon of made.addons ?? [])
      cluster.addons.set(addon, {
        name: addon,
        arn: `arn:aws:eks:${region}:${accountId}:addon/${name}/${addon}/${randomUUID()}`,
        status: 'ACTIVE',
        createdAt: now,
        tags: {},
      });
    this.#world.sts.registerIssuer(issuer, kubernetes.tokens.publicKey);
    this.#clusters.set(arn, cluster);
    return cluster;
  }

  cluster(arn: string): Cluster {
    const cluster = this.#clusters.get(arn);
    if (!cluster) throw new Error(`the sandbox has no cluster ${arn}`);
    return cluster;
  }

  clusters(accountId: string, region: string): Cluster[] {
    return [...this.#clusters.values()].filter(
      (cluster) => cluster.accountId === accountId && cluster.region === region,
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#clusters.values()].map(({ kubernetes }) => kubernetes.close()));
  }

  /** By the rules of aws-iam-authenticator, then by the cluster's access entries. */
  #authenticate(cluster: Cluster, token: string): User | undefined {
    const encoded = token.slice(tokenPrefix.length);
    const isWellFormed = token.startsWith(tokenPrefix) && token.length <= mostTokenBytes && /^[\w-]+$/.test(encoded);
    if (!isWellFormed || cluster.authenticationMode === 'CONFIG_MAP') return undefined;
    const url = Buffer.from(encoded, 'base64url').toString();
    const { caller } = this.#world.sts.verifyPresigned(url, cluster.name);
    const entry = caller?.roleArn === undefined ? undefined : cluster.accessEntries.get(caller.roleArn);
    if (!caller || !entry || entry.roleId !== caller.roleId) return undefined;
    return userOf(entry, caller, this.#world.clock.now());
  }
}

export function findCluster({ world, caller, region }: CallContext, name = ''): Cluster {
  const cluster = world.eks.clusters(caller.accountId, region).find((candidate) => candidate.name === name);
  if (!cluster) throw new AwsError('ResourceNotFoundException', `No cluster found for name: ${name}.`);
  return cluster;
}

/** The cluster, unless it is in creation, in deletion or failed: then it accepts no changes. */
export function findActiveCluster(cx: CallContext, name = ''): Cluster {
  const cluster = findCluster(cx, name);
  if (cluster.status === 'CREATING' || cluster.status === 'DELETING' || cluster.status === 'FAILED')
    throw new AwsError('InvalidRequestException', `The cluster ${name} is in the ${cluster.status} state.`);
  return cluster;
}

export function eksArn({ caller, region }: CallContext, resource: string): string {
  return `arn:aws:eks:${region}:${caller.accountId}:${resource}`;
}
