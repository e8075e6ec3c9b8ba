/** The association that gives a service account its role through EKS Pod Identity: find it, create or complete it, remove it. */
import { createHash } from 'node:crypto';
import {
  CreatePodIdentityAssociationCommand,
  DeletePodIdentityAssociationCommand,
  DescribePodIdentityAssociationCommand,
  EKSClient,
  ListPodIdentityAssociationsCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-eks';
import { absentIf, isAwsError, RetryableError, unlessTaken } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import { clusterPattern } from './names.ts';
import { deleteTagged } from './repeatable-delete.ts';
import { isTakenOver, ownership, ownerTags, taggedOurs, takenOverTags } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

const clusters = [clusterPattern] as const;
const associations = ['arn:${AWS::Partition}:eks:*:${AWS::AccountId}:podidentityassociation/${Cluster}/*'] as const;

export const associationPermissions = {
  list: { actions: ['eks:ListPodIdentityAssociations'], resources: clusters },
  /** EKS asks for TagResource too when a create sets tags, on the cluster and on the new association. */
  create: { actions: ['eks:CreatePodIdentityAssociation', 'eks:TagResource'], resources: clusters },
  describe: { actions: ['eks:DescribePodIdentityAssociation'], resources: associations },
  tag: { actions: ['eks:TagResource'], resources: associations },
  remove: {
    actions: ['eks:DeletePodIdentityAssociation', 'eks:UntagResource'],
    resources: associations,
    condition: taggedOurs,
  },
} as const;

export interface Association {
  id: string;
  arn: string;
  roleArn: string;
  ownership: Ownership;
  /** Somebody else made it, and a run completed it in place. */
  takenOver: boolean;
}

export interface AssociationPlace {
  clusterName: string;
  region: string;
  namespace: string;
  serviceAccount: string;
}

const absent = ['ResourceNotFoundException', 'NotFoundException'];

/** A service account has one at most. Undefined also if the cluster does not exist. */
export async function findAssociation(
  account: TargetAccount,
  { clusterName, region, namespace, serviceAccount }: AssociationPlace,
  owner: Owner,
): Promise<Association | undefined> {
  const eks = account.client(EKSClient, region);
  const listed = await absentIf(absent, () =>
    eks.send(new ListPodIdentityAssociationsCommand({ clusterName, namespace, serviceAccount })),
  );
  const associationId = listed?.associations?.[0]?.associationId;
  if (!associationId) return undefined;
  const answer = await absentIf(absent, () =>
    eks.send(new DescribePodIdentityAssociationCommand({ clusterName, associationId })),
  );
  const association = answer?.association;
  if (!association?.roleArn || !association.associationArn) return undefined;
  const tags = association.tags ?? {};
  return {
    id: associationId,
    arn: association.associationArn,
    roleArn: association.roleArn,
    ownership: ownership(tags, owner),
    takenOver: isTakenOver(tags),
  };
}

export type AssociationChange =
  | { action: 'create-association' | 'tag-association'; resource: string; roleArn: string }
  /** `release-association`: takes our tags off one that was taken over. */
  | { action: 'delete-association' | 'release-association'; resource: string; associationId: string };

/** The change after which the association is ours. @param place its resource while it has no ARN */
export function associationChanges(
  association: Association | undefined,
  place: string,
  roleArn: string,
): AssociationChange[] {
  if (!association) return [{ action: 'create-association', resource: place, roleArn }];
  return association.ownership === 'foreign' ? [{ action: 'tag-association', resource: association.arn, roleArn }] : [];
}

/** @param attempt of the run: a later attempt may create again what an earlier one created and somebody deleted */
export async function applyAssociationChange(
  account: TargetAccount,
  place: AssociationPlace,
  change: AssociationChange,
  { owner, attempt }: { owner: Owner; attempt: number },
): Promise<void> {
  const eks = account.client(EKSClient, place.region);
  const resourceArn = change.resource;
  const isNotOurs = async () => (await findAssociation(account, place, owner))?.ownership !== 'ours';
  switch (change.action) {
    case 'create-association': {
      const parts = [owner.runId, attempt, change.roleArn];
      const token = createHash('sha256').update(parts.join('\n')).digest('hex');
      return createAssociation(eks, place, change.roleArn, { token, owner });
    }
    case 'tag-association':
      await eks.send(new TagResourceCommand({ resourceArn, tags: { ...ownerTags(owner), ...takenOverTags } }));
      return;
    case 'delete-association': {
      const { clusterName } = place;
      const { associationId } = change;
      const remove = () => eks.send(new DeletePodIdentityAssociationCommand({ clusterName, associationId }));
      return deleteTagged(() => absentIf(absent, remove), isNotOurs);
    }
    case 'release-association': {
      const tagKeys = Object.keys({ ...ownerTags(owner), ...takenOverTags });
      return deleteTagged(() => eks.send(new UntagResourceCommand({ resourceArn, tagKeys })), isNotOurs);
    }
  }
}

/** EKS rejects a role that was created seconds ago: "Role provided in the request does not exist", "cannot be assumed". */
async function createAssociation(
  eks: EKSClient,
  { clusterName, namespace, serviceAccount }: AssociationPlace,
  roleArn: string,
  { token, owner }: { token: string; owner: Owner },
): Promise<void> {
  try {
    await unlessTaken(['ResourceInUseException'], () =>
      eks.send(
        new CreatePodIdentityAssociationCommand({
          clusterName,
          namespace,
          serviceAccount,
          roleArn,
          clientRequestToken: token,
          tags: ownerTags(owner),
        }),
      ),
    );
  } catch (error) {
    if (!isAwsError(error, 'InvalidParameterException') || !/role/i.test(error.message)) throw error;
    throw new RetryableError('aws-unavailable', error.message, { cause: error });
  }
}
