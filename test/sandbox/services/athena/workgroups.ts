import type {
  CreateWorkGroupCommandInput,
  DeleteWorkGroupCommandInput,
  GetWorkGroupCommandInput,
  ListTagsForResourceCommandInput,
  ListWorkGroupsCommandInput,
  ResultConfiguration,
  ResultConfigurationUpdates,
  TagResourceCommandInput,
  UntagResourceCommandInput,
  UpdateWorkGroupCommandInput,
  WorkGroupConfiguration,
} from '@aws-sdk/client-athena';
import { AwsError, type CallContext, operation, type Permission } from '../../service.ts';
import { findWorkgroup, invalidRequest, onWorkgroup, type Workgroup } from './state.ts';

export const workgroupOperations = {
  GetWorkGroup: operation<GetWorkGroupCommandInput, object>({
    writes: false,
    permissions: ({ WorkGroup }, cx) => [onWorkgroup(cx, 'GetWorkGroup', WorkGroup)],
    run({ WorkGroup }, cx) {
      const { name, description, configuration, createdAt } = findWorkgroup(cx, WorkGroup);
      return {
        WorkGroup: {
          Name: name,
          State: 'ENABLED',
          Description: description,
          Configuration: configuration,
          CreationTime: new Date(createdAt),
        },
      };
    },
  }),

  CreateWorkGroup: operation<CreateWorkGroupCommandInput, object>({
    writes: true,
    permissions: ({ Name, Tags }, cx) => [
      onWorkgroup(cx, 'CreateWorkGroup', Name),
      ...(Tags?.length ? [onWorkgroup(cx, 'TagResource', Name)] : []),
    ],
    run({ Name: name = '', Description = '', Configuration = {}, Tags = [] }, cx) {
      if (!/^[a-zA-Z0-9._-]{1,128}$/.test(name)) throw invalidRequest(`Invalid workGroup name: ${name}`);
      const workgroups = cx.world.athena.workgroups(cx.caller.accountId, cx.region);
      if (workgroups.has(name)) throw invalidRequest('WorkGroup is already created');
      checkLocation(Configuration.ResultConfiguration?.OutputLocation);
      workgroups.set(name, {
        name,
        description: Description,
        configuration: { EnforceWorkGroupConfiguration: true, ...Configuration },
        tags: Tags,
        createdAt: cx.now,
      });
      return {};
    },
  }),

  UpdateWorkGroup: operation<UpdateWorkGroupCommandInput, object>({
    writes: true,
    permissions: ({ WorkGroup }, cx) => [onWorkgroup(cx, 'UpdateWorkGroup', WorkGroup)],
    run({ WorkGroup, Description, ConfigurationUpdates: updates }, cx) {
      const workgroup = findWorkgroup(cx, WorkGroup);
      const {
        ResultConfigurationUpdates: results,
        ManagedQueryResultsConfigurationUpdates: managed,
        ...rest
      } = updates ?? {};
      checkLocation(results?.OutputLocation);
      const configuration: WorkGroupConfiguration = { ...workgroup.configuration };
      if (rest.EnforceWorkGroupConfiguration !== undefined)
        configuration.EnforceWorkGroupConfiguration = rest.EnforceWorkGroupConfiguration;
      if (results) configuration.ResultConfiguration = updatedResults(workgroup, results);
      if (managed) configuration.ManagedQueryResultsConfiguration = { Enabled: managed.Enabled ?? false };
      workgroup.configuration = configuration;
      workgroup.description = Description ?? workgroup.description;
      return {};
    },
  }),

  ListWorkGroups: operation<ListWorkGroupsCommandInput, object>({
    writes: false,
    permissions: () => [{ action: 'athena:ListWorkGroups', resources: ['*'] }],
    run({ MaxResults = 50, NextToken = '0' }, { world, caller, region }) {
      const all = [...world.athena.workgroups(caller.accountId, region).values()];
      const end = Number(NextToken) + MaxResults;
      return {
        WorkGroups: all.slice(Number(NextToken), end).map(({ name, description, createdAt }) => ({
          Name: name,
          State: 'ENABLED',
          Description: description,
          CreationTime: new Date(createdAt),
        })),
        ...(end < all.length && { NextToken: String(end) }),
      };
    },
  }),

  DeleteWorkGroup: operation<DeleteWorkGroupCommandInput, object>({
    writes: true,
    permissions: ({ WorkGroup }, cx) => [onWorkgroup(cx, 'DeleteWorkGroup', WorkGroup)],
    run({ WorkGroup, RecursiveDeleteOption }, cx) {
      const { name } = findWorkgroup(cx, WorkGroup);
      if (name === 'primary') throw invalidRequest('The primary WorkGroup cannot be deleted.');
      const { accountId } = cx.caller;
      const used = cx.world.athena.queriesOf(accountId, cx.region).some(({ workgroup }) => workgroup === name);
      if (used && !RecursiveDeleteOption) throw invalidRequest(`WorkGroup ${name} is not empty`);
      cx.world.athena.workgroups(accountId, cx.region).delete(name);
      return {};
    },
  }),

  TagResource: operation<TagResourceCommandInput, object>({
    writes: true,
    permissions: ({ ResourceARN }) => onArn('TagResource', ResourceARN),
    run({ ResourceARN, Tags = [] }, cx) {
      const workgroup = byArn(cx, ResourceARN);
      workgroup.tags = [...workgroup.tags.filter(({ Key }) => !Tags.some((tag) => tag.Key === Key)), ...Tags];
      return {};
    },
  }),

  UntagResource: operation<UntagResourceCommandInput, object>({
    writes: true,
    permissions: ({ ResourceARN }) => onArn('UntagResource', ResourceARN),
    run({ ResourceARN, TagKeys = [] }, cx) {
      const workgroup = byArn(cx, ResourceARN);
      workgroup.tags = workgroup.tags.filter(({ Key = '' }) => !TagKeys.includes(Key));
      return {};
    },
  }),

  ListTagsForResource: operation<ListTagsForResourceCommandInput, object>({
    writes: false,
    permissions: ({ ResourceARN }) => onArn('ListTagsForResource', ResourceARN),
    run: ({ ResourceARN }, cx) => ({ Tags: byArn(cx, ResourceARN).tags }),
  }),
};

/** @throws AwsError InvalidRequestException */
export function checkLocation(location: string | undefined): void {
  if (location !== undefined && !/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?$/.test(location))
    throw invalidRequest('outputLocation is not a valid S3 path.');
}

function updatedResults({ configuration }: Workgroup, updates: ResultConfigurationUpdates): ResultConfiguration {
  const results = { ...configuration.ResultConfiguration };
  if (updates.RemoveOutputLocation) delete results.OutputLocation;
  if (updates.RemoveEncryptionConfiguration) delete results.EncryptionConfiguration;
  if (updates.RemoveExpectedBucketOwner) delete results.ExpectedBucketOwner;
  if (updates.OutputLocation !== undefined) results.OutputLocation = updates.OutputLocation;
  if (updates.EncryptionConfiguration) results.EncryptionConfiguration = updates.EncryptionConfiguration;
  if (updates.ExpectedBucketOwner !== undefined) results.ExpectedBucketOwner = updates.ExpectedBucketOwner;
  return results;
}

function onArn(action: string, arn = ''): Permission[] {
  return [{ action: `athena:${action}`, resources: [arn] }];
}

function byArn(cx: CallContext, arn = ''): Workgroup {
  const { world, caller, region } = cx;
  const prefix = `arn:aws:athena:${region}:${caller.accountId}:workgroup/`;
  const workgroup = arn.startsWith(prefix)
    ? world.athena.workgroups(caller.accountId, region).get(arn.slice(prefix.length))
    : undefined;
  if (!workgroup) throw new AwsError('ResourceNotFoundException', `Resource ${arn} is not found`);
  return workgroup;
}
