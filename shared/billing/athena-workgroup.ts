import {
  AthenaClient,
  CreateWorkGroupCommand,
  DeleteWorkGroupCommand,
  GetWorkGroupCommand,
  ListTagsForResourceCommand,
  UpdateWorkGroupCommand,
} from '@aws-sdk/client-athena';
import { deleteTagged } from '../aws/repeatable-delete.ts';
import { fromTagList, ownership, ownerTags, taggedOurs, toTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf, isAwsError } from '../errors/errors.ts';
import type { Owner, Ownership } from '../model/ownership.ts';
import type { Permission, StepChange } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import type { RemovalDecision } from '../step/removal-decision.ts';

const workgroups = 'arn:${AWS::Partition}:athena:*:${AWS::AccountId}:workgroup/${AthenaWorkgroup}';

/** The workgroup that Kubecost's queries run in. */
export const workgroupPermissions = {
  read: { actions: ['athena:GetWorkGroup'], resources: [workgroups] },
  /** The workgroup is created with its tags, which needs `athena:TagResource`. */
  manage: {
    actions: ['athena:CreateWorkGroup', 'athena:GetWorkGroup', 'athena:TagResource', 'athena:UpdateWorkGroup'],
    resources: [workgroups],
  },
  /** The tags show whether a run created it. An adopted workgroup only loses the location that a run set. */
  release: {
    actions: ['athena:GetWorkGroup', 'athena:ListTagsForResource', 'athena:UpdateWorkGroup'],
    resources: [workgroups],
  },
  delete: { actions: ['athena:DeleteWorkGroup'], resources: [workgroups], condition: taggedOurs },
  query: {
    actions: [
      'athena:GetQueryExecution',
      'athena:GetQueryResults',
      'athena:StartQueryExecution',
      'athena:StopQueryExecution',
    ],
    resources: [workgroups],
  },
} as const satisfies Record<string, Permission>;

export interface WorkgroupPlace {
  name: string;
  region: string;
  arn: string;
}

export function workgroupPlace(accountId: string, region: string, name: string): WorkgroupPlace {
  return { name, region, arn: `arn:aws:athena:${region}:${accountId}:workgroup/${name}` };
}

export interface Workgroup {
  isDisabled: boolean;
  /** Athena keeps the results itself, in no bucket of the account. */
  hasManagedResults: boolean;
  /** Queries cannot choose another location. */
  isEnforced: boolean;
  /** The default location of results; undefined if it is not set. */
  location: string | undefined;
  /** The KMS key that encrypts the results, as the settings name it. */
  kmsKey: string | undefined;
}

export async function findWorkgroup(
  payer: TargetAccount,
  { name, region }: WorkgroupPlace,
): Promise<Workgroup | undefined> {
  const athena = payer.client(AthenaClient, region);
  const answer = await unlessMissing(() => athena.send(new GetWorkGroupCommand({ WorkGroup: name })));
  if (!answer?.WorkGroup) return undefined;
  const { State: state, Configuration: configuration } = answer.WorkGroup;
  const results = configuration?.ResultConfiguration;
  return {
    isDisabled: state === 'DISABLED',
    hasManagedResults: configuration?.ManagedQueryResultsConfiguration?.Enabled ?? false,
    isEnforced: configuration?.EnforceWorkGroupConfiguration ?? false,
    location: results?.OutputLocation,
    kmsKey: results?.EncryptionConfiguration?.KmsKey,
  };
}

/** Athena has no exception for a missing workgroup, only this message. */
async function unlessMissing<T>(call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    if (isAwsError(error, 'InvalidRequestException') && error.message.includes('not found')) return undefined;
    throw error;
  }
}

export type WorkgroupChange = StepChange & { location: string } & (
    { action: 'create-workgroup' } | { action: 'set-workgroup-location' }
  );

/** Why Kubecost's queries cannot run in the workgroup. */
export function workgroupProblem({ name }: WorkgroupPlace, seen: Workgroup | undefined): Problem | undefined {
  if (seen?.isDisabled) return { code: 'workgroup-disabled', detail: `workgroup ${name}` };
  if (seen?.hasManagedResults) return { code: 'workgroup-managed-results', detail: `workgroup ${name}` };
  return undefined;
}

/** A location that is set already stays. */
export function workgroupChanges(
  { arn: resource }: WorkgroupPlace,
  seen: Workgroup | undefined,
  location: string,
): WorkgroupChange[] {
  if (!seen) return [{ action: 'create-workgroup', resource, location }];
  return seen.location ? [] : [{ action: 'set-workgroup-location', resource, location }];
}

export async function applyToWorkgroup(
  payer: TargetAccount,
  { name, region }: WorkgroupPlace,
  { action, location: OutputLocation }: WorkgroupChange,
  owner: Owner,
): Promise<void> {
  const athena = payer.client(AthenaClient, region);
  if (action === 'create-workgroup') {
    const Configuration = { EnforceWorkGroupConfiguration: false, ResultConfiguration: { OutputLocation } };
    await athena.send(new CreateWorkGroupCommand({ Name: name, Configuration, Tags: toTagList(ownerTags(owner)) }));
    return;
  }
  const ConfigurationUpdates = { ResultConfigurationUpdates: { OutputLocation } };
  await athena.send(new UpdateWorkGroupCommand({ WorkGroup: name, ConfigurationUpdates }));
}

/** The workgroup as the removal sees it. */
export interface RemovableWorkgroup {
  found: Workgroup;
  ownership: Ownership;
}

export async function observeRemovableWorkgroup(
  payer: TargetAccount,
  place: WorkgroupPlace,
  owner: Owner,
): Promise<RemovableWorkgroup | undefined> {
  const found = await findWorkgroup(payer, place);
  if (!found) return undefined;
  const tags = await absentIf(['ResourceNotFoundException'], () =>
    payer.client(AthenaClient, place.region).send(new ListTagsForResourceCommand({ ResourceARN: place.arn })),
  );
  return { found, ownership: ownership(fromTagList(tags?.Tags), owner) };
}

export type WorkgroupRemoval = StepChange & ({ action: 'delete-workgroup' } | { action: 'unset-workgroup-location' });

/** @param lostBucket the results bucket, if it does not exist any longer once the run has ended */
export function decideOnWorkgroup(
  { name, arn: resource }: WorkgroupPlace,
  { found, ownership: owned }: RemovableWorkgroup,
  lostBucket: string | undefined,
): RemovalDecision<WorkgroupRemoval> {
  if (owned === 'ours') return { changes: [{ action: 'delete-workgroup', resource }], kept: [] };
  // With a location in a missing bucket all queries would fail. A run set it: before, the workgroup had none.
  const isLost = lostBucket !== undefined && found.location?.split('/')[2] === lostBucket;
  return {
    changes: isLost ? [{ action: 'unset-workgroup-location', resource }] : [],
    // Every account has `primary`, so nobody expects its removal.
    kept: name === 'primary' ? [] : [{ resource, why: 'adopted: only a workgroup that runs made is deleted' }],
  };
}

export async function removeWorkgroup(
  payer: TargetAccount,
  place: WorkgroupPlace,
  { action }: WorkgroupRemoval,
): Promise<void> {
  const athena = payer.client(AthenaClient, place.region);
  const WorkGroup = place.name;
  if (action === 'unset-workgroup-location') {
    const ConfigurationUpdates = { ResultConfigurationUpdates: { RemoveOutputLocation: true } };
    await athena.send(new UpdateWorkGroupCommand({ WorkGroup, ConfigurationUpdates }));
    return;
  }
  // The history of its queries would prevent the deletion. It is ours, as the workgroup is.
  const command = new DeleteWorkGroupCommand({ WorkGroup, RecursiveDeleteOption: true });
  await deleteTagged(
    () => unlessMissing(() => athena.send(command)),
    async () => (await findWorkgroup(payer, place)) === undefined,
  );
}
