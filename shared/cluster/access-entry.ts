/** The access entry: it gives our role a Kubernetes group in the cluster, and no right by itself. */
import {
  CreateAccessEntryCommand,
  DeleteAccessEntryCommand,
  DescribeAccessEntryCommand,
  EKSClient,
} from '@aws-sdk/client-eks';
import { clusterPattern } from '../aws/names.ts';
import { deleteTagged } from '../aws/repeatable-delete.ts';
import { ownership, ownerTags, taggedOurs } from '../aws/tags.ts';
import { absentIf, isAwsError, RetryableError, unlessTaken, UserError } from '../errors/errors.ts';
import type { Ownership } from '../model/ownership.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Permission, StepContext } from '../step/contract.ts';
import { groupName } from './provisioner-role.ts';

/** The access entry of our own role, as permissions name it. */
export const accessEntryPattern =
  'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:access-entry/${Cluster}/role/${AWS::AccountId}/${ProvisionerName}/*';

export const accessEntryPermissions = {
  /** EKS checks a create against the cluster, so a condition limits it to our own group. */
  create: {
    actions: ['eks:CreateAccessEntry'],
    resources: [clusterPattern],
    condition: { 'ForAllValues:StringEquals': { 'eks:kubernetesGroups': groupName } },
  },
  /** A create with tags needs it too. */
  tag: { actions: ['eks:TagResource'], resources: [accessEntryPattern] },
  read: { actions: ['eks:DescribeAccessEntry'], resources: [accessEntryPattern] },
  /** Only an entry that this deployment created. */
  remove: { actions: ['eks:DeleteAccessEntry'], resources: [accessEntryPattern], condition: taggedOurs },
} as const satisfies Record<string, Permission>;

export interface AccessEntry {
  groups: string[];
  ownership: Ownership;
}

function entryOf(cx: StepContext<RunKind>) {
  const { name, region } = cx.run.request.cluster;
  const key = { clusterName: name, principalArn: cx.cluster.provisionerArn };
  return { eks: cx.cluster.client(EKSClient, region), key };
}

/** Undefined if our role has no access entry, or the cluster does not exist. */
export async function findAccessEntry(cx: StepContext<RunKind>): Promise<AccessEntry | undefined> {
  const { eks, key } = entryOf(cx);
  const answer = await absentIf(['ResourceNotFoundException'], () => eks.send(new DescribeAccessEntryCommand(key)));
  const entry = answer?.accessEntry;
  return entry && { groups: entry.kubernetesGroups ?? [], ownership: ownership(entry.tags ?? {}, cx.owner) };
}

/**
 * @throws UserError cluster-setup-denied
 * @throws RetryableError while IAM does not show EKS our role: EKS calls a role that was deployed moments ago an "invalid principal"
 */
export async function createAccessEntry(cx: StepContext<RunKind>): Promise<void> {
  const { eks, key } = entryOf(cx);
  const entry = { ...key, kubernetesGroups: [groupName], tags: ownerTags(cx.owner) };
  try {
    await unlessTaken(['ResourceInUseException'], () => eks.send(new CreateAccessEntryCommand(entry)));
  } catch (error) {
    if (isAwsError(error, 'AccessDeniedException', 'AccessDenied'))
      throw new UserError('cluster-setup-denied', error.message, { cause: error });
    if (!isAwsError(error, 'InvalidParameterException') || !error.message.includes('invalid principal')) throw error;
    throw new RetryableError('aws-unavailable', error.message, { cause: error });
  }
}

export async function deleteAccessEntry(cx: StepContext<RunKind>): Promise<void> {
  const { eks, key } = entryOf(cx);
  await deleteTagged(
    () => absentIf(['ResourceNotFoundException'], () => eks.send(new DeleteAccessEntryCommand(key))),
    async () => (await findAccessEntry(cx))?.ownership !== 'ours',
  );
}
