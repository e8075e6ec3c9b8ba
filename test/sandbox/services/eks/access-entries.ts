import { randomUUID } from 'node:crypto';
import type * as sdk from '@aws-sdk/client-eks';
import type { User } from '../../kubernetes/authorize.ts';
import { AwsError, type CallContext, type Caller, operation, type Permission } from '../../service.ts';
import { SettlingValue } from '../../settling-value.ts';
import { onCluster } from './clusters.ts';
import { page } from './paging.ts';
import { type AccessEntry, type Cluster, eksArn, findActiveCluster } from './state.ts';
import { addTags, requestTagContext, resourceTagContext } from './tags.ts';

interface Named {
  clusterName: string | undefined;
  principalArn: string | undefined;
}

export const accessEntryOperations = {
  CreateAccessEntry: operation<sdk.CreateAccessEntryCommandInput, sdk.CreateAccessEntryResponse>({
    writes: true,
    permissions(input, cx) {
      const { clusterName, principalArn = '', kubernetesGroups = [], tags } = input;
      const context = {
        'eks:principalArn': principalArn,
        'eks:accessEntryType': input.type ?? 'STANDARD',
        ...(kubernetesGroups.length > 0 && { 'eks:kubernetesGroups': kubernetesGroups }),
        ...requestTagContext(tags),
      };
      const tagging = { action: 'eks:TagResource', resources: [entryArn(cx, input)], context: requestTagContext(tags) };
      return [onCluster(cx, 'CreateAccessEntry', clusterName, context), ...(tags ? [tagging] : [])];
    },
    run(input, cx) {
      const cluster = entryCluster(cx, input.clusterName);
      const { principalArn = '', kubernetesGroups = [], username, tags } = input;
      if ((input.type ?? 'STANDARD') !== 'STANDARD') throw invalidParameter('The sandbox has STANDARD entries only');
      checkGroups(kubernetesGroups);
      if (username !== undefined) checkUsername(username);
      // A role that has just been created is refused like a missing one.
      const role = cx.world.iam.effectiveRoleByArn(principalArn);
      if (!role) throw invalidParameter('The specified principalArn is invalid: invalid principal.');
      if (cluster.accessEntries.has(principalArn))
        throw new AwsError(
          'ResourceInUseException',
          'The specified access entry resource is already in use on this cluster.',
        );
      const identity = {
        username: username ?? `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/{{SessionName}}`,
        groups: [...kubernetesGroups],
      };
      const entry: AccessEntry = {
        principalArn,
        roleId: role.id,
        arn: eksArn(cx, `access-entry/${cluster.name}/role/${role.accountId}/${role.name}/${randomUUID()}`),
        ...identity,
        createdAt: cx.now,
        modifiedAt: cx.now,
        tags: addTags({}, tags),
        policies: new Map(),
        known: new SettlingValue(identity, cx.now + cx.world.eks.accessEntryMs),
        knownGrants: new SettlingValue([], cx.now),
      };
      cluster.accessEntries.set(principalArn, entry);
      return { accessEntry: described(cluster, entry) };
    },
  }),

  DescribeAccessEntry: operation<sdk.DescribeAccessEntryCommandInput, sdk.DescribeAccessEntryResponse>({
    writes: false,
    permissions: (input, cx) => [onEntry(cx, 'DescribeAccessEntry', input)],
    run(input, cx) {
      const cluster = entryCluster(cx, input.clusterName);
      return { accessEntry: described(cluster, findEntry(cluster, input)) };
    },
  }),

  UpdateAccessEntry: operation<sdk.UpdateAccessEntryCommandInput, sdk.UpdateAccessEntryResponse>({
    writes: true,
    permissions: (input, cx) => [onEntry(cx, 'UpdateAccessEntry', input)],
    run(input, cx) {
      const cluster = entryCluster(cx, input.clusterName);
      const entry = findEntry(cluster, input);
      const { username = entry.username, kubernetesGroups: groups = entry.groups } = input;
      checkGroups(groups);
      if (input.username !== undefined) checkUsername(username);
      Object.assign(entry, { username, groups, modifiedAt: cx.now });
      entry.known.set({ username, groups }, cx.now + cx.world.eks.accessEntryMs);
      return { accessEntry: described(cluster, entry) };
    },
  }),

  DeleteAccessEntry: operation<sdk.DeleteAccessEntryCommandInput, object>({
    writes: true,
    permissions: (input, cx) => [onEntry(cx, 'DeleteAccessEntry', input)],
    run(input, cx) {
      const cluster = entryCluster(cx, input.clusterName);
      cluster.accessEntries.delete(findEntry(cluster, input).principalArn);
      return {};
    },
  }),

  ListAccessEntries: operation<sdk.ListAccessEntriesCommandInput, sdk.ListAccessEntriesResponse>({
    writes: false,
    permissions: ({ clusterName }, cx) => [onCluster(cx, 'ListAccessEntries', clusterName)],
    run(input, cx) {
      const { associatedPolicyArn } = input;
      const entries = [...entryCluster(cx, input.clusterName).accessEntries.values()]
        .filter(({ policies }) => associatedPolicyArn === undefined || policies.has(associatedPolicyArn))
        .map(({ principalArn }) => principalArn);
      const { items, rest } = page(entries, input);
      return { accessEntries: items, ...rest };
    },
  }),
};

/** The Kubernetes user of a session of the entry's role; undefined until the API server sees the entry. */
export function userOf({ known, knownGrants }: AccessEntry, { arn }: Caller, now: number): User | undefined {
  const identity = known.at(now);
  if (!identity) return undefined;
  const session = (arn.split('/').at(-1) ?? '').replaceAll(/[^\w.@-]/g, '-');
  return {
    username: identity.username.replaceAll(/\{\{SessionName(Raw)?\}\}/g, session),
    groups: [...identity.groups, 'system:authenticated'],
    arn,
    policies: knownGrants.at(now) ?? [],
  };
}

/** A cluster that still maps IAM principals by its aws-auth config map has no access entries at all. */
export function entryCluster(cx: CallContext, name: string | undefined): Cluster {
  const cluster = findActiveCluster(cx, name);
  if (cluster.authenticationMode === 'CONFIG_MAP')
    throw new AwsError(
      'InvalidRequestException',
      "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    );
  return cluster;
}

export function findEntry(cluster: Cluster, { principalArn = '' }: Named): AccessEntry {
  const entry = cluster.accessEntries.get(principalArn);
  if (!entry)
    throw new AwsError(
      'ResourceNotFoundException',
      "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
    );
  return entry;
}

export function onEntry(
  cx: CallContext,
  action: string,
  named: Named,
  context: Record<string, string | string[]> = {},
): Permission {
  const tags = existing(cx, named)?.tags;
  return {
    action: `eks:${action}`,
    resources: [entryArn(cx, named)],
    context: { ...resourceTagContext(tags), ...context },
  };
}

/** Contains the role's name without its path; EKS generates the last part. */
function entryArn(cx: CallContext, named: Named): string {
  const { clusterName = '', principalArn = '' } = named;
  const [, , , , accountId = '', principal = ''] = principalArn.split(':');
  const [kind = '', ...path] = principal.split('/');
  return (
    existing(cx, named)?.arn ?? eksArn(cx, `access-entry/${clusterName}/${kind}/${accountId}/${path.at(-1) ?? ''}/*`)
  );
}

function existing(
  { world, caller, region }: CallContext,
  { clusterName, principalArn = '' }: Named,
): AccessEntry | undefined {
  const clusters = world.eks.clusters(caller.accountId, region);
  return clusters.find(({ name }) => name === clusterName)?.accessEntries.get(principalArn);
}

function checkGroups(groups: readonly string[]): void {
  for (const group of groups)
    if (group.startsWith('system:'))
      throw invalidParameter(`The kubernetes group name ${group} is invalid, it cannot start with system:`);
}

function checkUsername(username: string): void {
  const prefix = /^(system|eks|aws|amazon|iam):/.exec(username)?.[0];
  if (prefix) throw invalidParameter(`The username ${username} is invalid, it cannot start with ${prefix}`);
}

function invalidParameter(message: string): AwsError {
  return new AwsError('InvalidParameterException', message);
}

function described({ name }: Cluster, entry: AccessEntry): sdk.AccessEntry {
  return {
    clusterName: name,
    principalArn: entry.principalArn,
    kubernetesGroups: entry.groups,
    accessEntryArn: entry.arn,
    createdAt: new Date(entry.createdAt),
    modifiedAt: new Date(entry.modifiedAt),
    tags: entry.tags,
    username: entry.username,
    type: 'STANDARD',
  };
}
