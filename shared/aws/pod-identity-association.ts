import {
  DescribePodIdentityAssociationCommand,
  EKSClient,
  ListPodIdentityAssociationsCommand,
} from '@aws-sdk/client-eks';
import { absentIf } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import { isTakenOver, ownership } from './tags.ts';
import type { TargetAccount } from './target-account.ts';

/** What gives a service account its role through EKS Pod Identity. */
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

const gone = ['ResourceNotFoundException', 'NotFoundException'];

/** A service account has one at most. Undefined also where the cluster itself is gone. */
export async function findAssociation(
  account: TargetAccount,
  { clusterName, region, namespace, serviceAccount }: AssociationPlace,
  owner: Owner,
): Promise<Association | undefined> {
  const eks = account.client(EKSClient, region);
  const listed = await absentIf(gone, () =>
    eks.send(new ListPodIdentityAssociationsCommand({ clusterName, namespace, serviceAccount })),
  );
  const associationId = listed?.associations?.[0]?.associationId;
  if (!associationId) return undefined;
  const answer = await absentIf(gone, () =>
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
