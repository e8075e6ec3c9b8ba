import { DescribeAccessEntryCommand, EKSClient } from '@aws-sdk/client-eks';
import { ownership } from '../aws/tags.ts';
import { absentIf } from '../errors/errors.ts';
import type { Ownership } from '../model/ownership.ts';
import type { RunKind } from '../model/step-names.ts';
import type { StepContext } from '../step/contract.ts';

/** Our way into the cluster: what EKS makes of our role. */
export interface AccessEntry {
  groups: string[];
  ownership: Ownership;
}

/** Undefined if the cluster does not know our role, or is gone itself. */
export async function findAccessEntry(cx: StepContext<RunKind>): Promise<AccessEntry | undefined> {
  const { name: clusterName, region } = cx.run.request.cluster;
  const principalArn = cx.cluster.provisionerArn;
  const answer = await absentIf(['ResourceNotFoundException'], () =>
    cx.cluster.client(EKSClient, region).send(new DescribeAccessEntryCommand({ clusterName, principalArn })),
  );
  const entry = answer?.accessEntry;
  return entry && { groups: entry.kubernetesGroups ?? [], ownership: ownership(entry.tags ?? {}, cx.owner) };
}
