import { randomBytes, randomUUID } from 'node:crypto';
import type * as sdk from '@aws-sdk/client-eks';
import { AwsError, type CallContext, operation, type Permission } from '../../service.ts';
import { trusted } from '../iam/trust.ts';
import { onCluster } from './clusters.ts';
import { page } from './paging.ts';
import { type Cluster, eksArn, findActiveCluster, findCluster, type PodIdentityAssociation } from './state.ts';
import { addTags, requestTagContext, resourceTagContext } from './tags.ts';

const podIdentity = 'pods.eks.amazonaws.com';
const mostAssociations = 1000;

interface Named {
  clusterName: string | undefined;
  associationId: string | undefined;
}

export const podIdentityOperations = {
  CreatePodIdentityAssociation: operation<
    sdk.CreatePodIdentityAssociationCommandInput,
    sdk.CreatePodIdentityAssociationResponse
  >({
    writes: true,
    permissions({ clusterName = '', roleArn, tags }, cx) {
      const context = requestTagContext(tags);
      const arn = eksArn(cx, `podidentityassociation/${clusterName}/*`);
      return [
        onCluster(cx, 'CreatePodIdentityAssociation', clusterName, context),
        passRole(roleArn),
        ...(tags ? [{ action: 'eks:TagResource', resources: [arn], context }] : []),
      ];
    },
    run(input, cx) {
      const cluster = findActiveCluster(cx, input.clusterName);
      const { namespace = '', serviceAccount = '', roleArn = '', tags } = input;
      if (!namespace || !serviceAccount)
        throw invalidParameter('namespace and serviceAccount must be specified and not empty');
      const known = [...cluster.associations.values()].find(
        (other) => other.namespace === namespace && other.serviceAccount === serviceAccount,
      );
      if (known) throw new AwsError('ResourceInUseException', `Association already exists: ${known.id}`);
      if (cluster.associations.size >= mostAssociations)
        throw new AwsError('ResourceLimitExceededException', 'Pod identity association limit exceeded for cluster');
      const id = `a-${randomBytes(15).toString('hex').slice(0, 17)}`;
      const association: PodIdentityAssociation = {
        id,
        arn: eksArn(cx, `podidentityassociation/${cluster.name}/${id}`),
        namespace,
        serviceAccount,
        roleArn,
        disableSessionTags: false,
        createdAt: cx.now,
        modifiedAt: cx.now,
        tags: addTags({}, tags),
      };
      change(association, input);
      checkRole(cx, cluster, association);
      cluster.associations.set(id, association);
      return { association: described(cluster, association) };
    },
  }),

  DescribePodIdentityAssociation: operation<
    sdk.DescribePodIdentityAssociationCommandInput,
    sdk.DescribePodIdentityAssociationResponse
  >({
    writes: false,
    permissions: (input, cx) => [onAssociation(cx, 'DescribePodIdentityAssociation', input)],
    run(input, cx) {
      const cluster = findCluster(cx, input.clusterName);
      return { association: described(cluster, find(cluster, input)) };
    },
  }),

  UpdatePodIdentityAssociation: operation<
    sdk.UpdatePodIdentityAssociationCommandInput,
    sdk.UpdatePodIdentityAssociationResponse
  >({
    writes: true,
    permissions: (input, cx) => [
      onAssociation(cx, 'UpdatePodIdentityAssociation', input),
      ...(input.roleArn === undefined ? [] : [passRole(input.roleArn)]),
    ],
    run(input, cx) {
      const cluster = findActiveCluster(cx, input.clusterName);
      const association = find(cluster, input);
      const changed = { ...association, roleArn: input.roleArn ?? association.roleArn, modifiedAt: cx.now };
      change(changed, input);
      checkRole(cx, cluster, changed);
      cluster.associations.set(changed.id, changed);
      return { association: described(cluster, changed) };
    },
  }),

  DeletePodIdentityAssociation: operation<
    sdk.DeletePodIdentityAssociationCommandInput,
    sdk.DeletePodIdentityAssociationResponse
  >({
    writes: true,
    permissions: (input, cx) => [onAssociation(cx, 'DeletePodIdentityAssociation', input)],
    run(input, cx) {
      const cluster = findActiveCluster(cx, input.clusterName);
      const association = find(cluster, input);
      cluster.associations.delete(association.id);
      return { association: described(cluster, association) };
    },
  }),

  ListPodIdentityAssociations: operation<
    sdk.ListPodIdentityAssociationsCommandInput,
    sdk.ListPodIdentityAssociationsResponse
  >({
    writes: false,
    permissions: ({ clusterName }, cx) => [onCluster(cx, 'ListPodIdentityAssociations', clusterName)],
    run(input, cx) {
      const cluster = findCluster(cx, input.clusterName);
      const { namespace, serviceAccount } = input;
      const matching = [...cluster.associations.values()].filter(
        (association) =>
          (namespace ?? association.namespace) === association.namespace &&
          (serviceAccount ?? association.serviceAccount) === association.serviceAccount,
      );
      const { items, rest } = page(matching, input);
      const associations = items.map((association) => ({
        clusterName: cluster.name,
        namespace: association.namespace,
        serviceAccount: association.serviceAccount,
        associationArn: association.arn,
        associationId: association.id,
      }));
      return { associations, ...rest };
    },
  }),
};

/** An association and an agent that serves it, which EKS Auto Mode has built in. */
export function hasPodIdentity(
  { associations, addons, autoMode }: Cluster,
  namespace: string,
  serviceAccount: string,
): boolean {
  const isServed = autoMode || addons.get('eks-pod-identity-agent')?.status === 'ACTIVE';
  return (
    isServed &&
    [...associations.values()].some((one) => one.namespace === namespace && one.serviceAccount === serviceAccount)
  );
}

function passRole(roleArn = ''): Permission {
  return { action: 'iam:PassRole', resources: [roleArn], context: { 'iam:PassedToService': podIdentity } };
}

function onAssociation(cx: CallContext, action: string, { clusterName = '', associationId = '' }: Named): Permission {
  const { caller, region, world } = cx;
  const cluster = world.eks.clusters(caller.accountId, region).find(({ name }) => name === clusterName);
  return {
    action: `eks:${action}`,
    resources: [eksArn(cx, `podidentityassociation/${clusterName}/${associationId}`)],
    context: resourceTagContext(cluster?.associations.get(associationId)?.tags),
  };
}

function find(cluster: Cluster, { associationId = '' }: Named): PodIdentityAssociation {
  const association = cluster.associations.get(associationId);
  if (!association)
    throw new AwsError('ResourceNotFoundException', `The association ID ${associationId} could not be found`);
  return association;
}

/** The fields that create and update share, except namespace, service account and role. */
function change(
  association: PodIdentityAssociation,
  input: Pick<sdk.CreatePodIdentityAssociationRequest, 'disableSessionTags' | 'targetRoleArn' | 'policy'>,
): void {
  const { disableSessionTags = association.disableSessionTags, targetRoleArn, policy } = input;
  association.disableSessionTags = disableSessionTags;
  if (policy !== undefined) association.policy = policy;
  if (association.policy !== undefined && !disableSessionTags)
    throw invalidParameter('A policy can only be used with session tags disabled');
  if (targetRoleArn === undefined) return;
  association.targetRoleArn = targetRoleArn;
  association.externalId ??= randomUUID();
}

/** The role must be in the cluster's account, be in force, and allow Pod Identity to assume it and tag its session. */
function checkRole(
  cx: CallContext,
  cluster: Cluster,
  { roleArn, namespace, serviceAccount }: PodIdentityAssociation,
): void {
  const { iam } = cx.world;
  if (roleArn.split(':')[4] !== cluster.accountId)
    throw invalidParameter('Role provided in the request does not belong to the account of the cluster.');
  const role = iam.effectiveRoleByArn(roleArn);
  const trust = role && iam.effectiveTrust(role);
  if (!trust) throw invalidParameter('Role provided in the request does not exist.');
  const context = {
    'aws:SourceAccount': cluster.accountId,
    'aws:SourceArn': cluster.arn,
    'aws:RequestTag/eks-cluster-arn': cluster.arn,
    'aws:RequestTag/eks-cluster-name': cluster.name,
    'aws:RequestTag/kubernetes-namespace': namespace,
    'aws:RequestTag/kubernetes-service-account': serviceAccount,
  };
  const allows = (action: string) =>
    trusted(trust, { service: podIdentity }, { action, resource: roleArn, context }) === 'named';
  if (!allows('sts:AssumeRole') || !allows('sts:TagSession'))
    throw invalidParameter('Trust policy of the role provided is invalid');
}

function invalidParameter(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}

function described({ name }: Cluster, association: PodIdentityAssociation): sdk.PodIdentityAssociation {
  const { id, arn, targetRoleArn, externalId, policy } = association;
  return {
    clusterName: name,
    namespace: association.namespace,
    serviceAccount: association.serviceAccount,
    roleArn: association.roleArn,
    associationArn: arn,
    associationId: id,
    tags: association.tags,
    createdAt: new Date(association.createdAt),
    modifiedAt: new Date(association.modifiedAt),
    disableSessionTags: association.disableSessionTags,
    ...(targetRoleArn !== undefined && { targetRoleArn }),
    ...(externalId !== undefined && { externalId }),
    ...(policy !== undefined && { policy }),
  };
}
