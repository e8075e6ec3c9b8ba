import { randomUUID } from 'node:crypto';
import * as sdk from '@aws-sdk/client-cloudformation';
import { AwsError, type CallContext, type Caller, operation, type Permission, type Service } from '../../service.ts';
import type { World } from '../../world.ts';
import { type LambdaFunction, startCrawlerByFunction } from './custom-resource-functions.ts';
import { createStack, deleteStack } from './deploy.ts';
import type { PlantedFailure } from './planted-failures.ts';
import { parseTemplate, type Properties, type TemplateResource, usesMacros } from './template.ts';

export interface StackResource {
  logicalId: string;
  type: string;
  physicalId?: string;
  properties: Properties;
  attributes: Record<string, string>;
  status: sdk.ResourceStatus;
  reason?: string | undefined;
  updatedAt: number;
  deletionPolicy: string;
}

export interface Stack {
  id: string;
  name: string;
  accountId: string;
  region: string;
  /** The caller whose permissions create and delete the resources. */
  caller: Caller;
  template: string;
  tags: sdk.Tag[];
  capabilities: sdk.Capability[];
  onFailure: sdk.OnFailure;
  timeoutMinutes: number | undefined;
  token: string | undefined;
  status: sdk.StackStatus;
  reason?: string | undefined;
  failure?: string;
  createdAt: number;
  updatedAt: number;
  deletedAt?: number;
  /** Insertion order is creation order. */
  resources: Map<string, StackResource>;
  /** Oldest first. */
  events: sdk.StackEvent[];
  /** Counts creations, rollbacks and deletions: timers of an older one do nothing. */
  activity: number;
}

export class CloudFormationState {
  /** By stack id; includes deleted stacks, which are still described by id. */
  readonly stacks = new Map<string, Stack>();
  /** By ARN. */
  readonly functions = new Map<string, LambdaFunction>();
  /** Resources that CloudFormation cannot create or delete in an account. */
  readonly plantedFailures: PlantedFailure[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** The existing stack with that name, or any stack by its id. */
  find(accountId: string, region: string, nameOrId: string): Stack | undefined {
    return [...this.stacks.values()].find(
      (stack) =>
        stack.accountId === accountId &&
        stack.region === region &&
        (stack.id === nameOrId || (stack.name === nameOrId && stack.status !== 'DELETE_COMPLETE')),
    );
  }

  /** S3 invokes a function for a new object. Errors of the function are ignored. */
  runFunction(arn: string): void {
    const made = this.functions.get(arn);
    if (!made?.openToS3) return;
    try {
      startCrawlerByFunction(this.#world, made);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
    }
  }
}

function onStack({ world, caller, region }: CallContext, action: string, nameOrId = '*'): Permission {
  const arn = nameOrId.startsWith('arn:')
    ? nameOrId
    : `arn:aws:cloudformation:${region}:${caller.accountId}:stack/${nameOrId}/*`;
  const tags = world.cloudformation.find(caller.accountId, region, nameOrId)?.tags ?? [];
  const context = Object.fromEntries(tags.map(({ Key = '', Value = '' }) => [`aws:ResourceTag/${Key}`, Value]));
  return { action: `cloudformation:${action}`, resources: [arn], context };
}

function existing({ world, caller, region }: CallContext, nameOrId = ''): Stack {
  const stack = world.cloudformation.find(caller.accountId, region, nameOrId);
  if (!stack) throw new AwsError('ValidationError', `Stack with id ${nameOrId} does not exist`, 400);
  return stack;
}

const invalid = (message: string) => new AwsError('ValidationError', message, 400);

function checkedTemplate(input: sdk.CreateStackCommandInput, cx: CallContext): TemplateResource[] {
  const { StackName: name = '', TemplateBody: body, Capabilities: capabilities = [] } = input;
  if (!/^[a-zA-Z][-a-zA-Z0-9]{0,127}$/.test(name))
    throw invalid(
      `1 validation error detected: Value '${name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*`,
    );
  if (!body) throw invalid('Either Template URL or Template Body must be specified.');
  if (Buffer.byteLength(body) > 51_200)
    throw invalid(
      "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
    );
  if (input.OnFailure && input.DisableRollback !== undefined)
    throw invalid('Either DisableRollback or OnFailure can be specified, not both.');
  if (usesMacros(body) && !capabilities.includes('CAPABILITY_AUTO_EXPAND'))
    throw new AwsError('InsufficientCapabilitiesException', 'Requires capabilities : [CAPABILITY_AUTO_EXPAND]');
  const pseudo = { 'AWS::AccountId': cx.caller.accountId, 'AWS::Region': cx.region, 'AWS::StackName': name };
  const template = parseTemplate(body, { ...pseudo, 'AWS::Partition': 'aws', 'AWS::URLSuffix': 'amazonaws.com' });
  const roles = template.filter(({ type }) => type.startsWith('AWS::IAM::'));
  const named = roles.some(({ properties }) => properties.RoleName !== undefined);
  const wanted = named ? 'CAPABILITY_NAMED_IAM' : 'CAPABILITY_IAM';
  if (roles.length > 0 && !capabilities.includes(wanted) && !capabilities.includes('CAPABILITY_NAMED_IAM'))
    throw new AwsError('InsufficientCapabilitiesException', `Requires capabilities : [${wanted}]`);
  return template;
}

export const cloudformationService: Service = {
  signingName: 'cloudformation',
  sdk,
  operations: {
    CreateStack: operation<sdk.CreateStackCommandInput, object>({
      writes: true,
      permissions: ({ StackName, Tags }, cx) => [
        onStack(cx, 'CreateStack', StackName),
        ...(Tags?.length ? [onStack(cx, 'TagResource', StackName)] : []),
      ],
      run(input, cx) {
        const { world, caller, region } = cx;
        const { StackName: name = '', TemplateBody: body = '', ClientRequestToken: token } = input;
        const template = checkedTemplate(input, cx);
        const present = world.cloudformation.find(caller.accountId, region, name);
        if (present && token !== undefined && present.token === token) return { StackId: present.id };
        if (present) throw new AwsError('AlreadyExistsException', `Stack [${name}] already exists`);
        const stack: Stack = {
          id: `arn:aws:cloudformation:${region}:${caller.accountId}:stack/${name}/${randomUUID()}`,
          name,
          accountId: caller.accountId,
          region,
          caller,
          template: body,
          tags: input.Tags ?? [],
          capabilities: input.Capabilities ?? [],
          onFailure: input.DisableRollback ? 'DO_NOTHING' : (input.OnFailure ?? 'ROLLBACK'),
          timeoutMinutes: input.TimeoutInMinutes,
          token,
          status: 'CREATE_IN_PROGRESS',
          createdAt: cx.now,
          updatedAt: cx.now,
          resources: new Map(),
          events: [],
          activity: 0,
        };
        world.cloudformation.stacks.set(stack.id, stack);
        createStack(world, stack, template);
        return { StackId: stack.id };
      },
    }),

    DescribeStacks: operation<sdk.DescribeStacksCommandInput, object>({
      writes: false,
      permissions: ({ StackName }, cx) => [onStack(cx, 'DescribeStacks', StackName)],
      run({ StackName }, cx) {
        const { accountId } = cx.caller;
        const all = [...cx.world.cloudformation.stacks.values()].filter(
          (stack) => stack.accountId === accountId && stack.region === cx.region && stack.status !== 'DELETE_COMPLETE',
        );
        return { Stacks: (StackName === undefined ? all : [existing(cx, StackName)]).map(describedStack) };
      },
    }),

    DescribeStackEvents: operation<sdk.DescribeStackEventsCommandInput, object>({
      writes: false,
      permissions: ({ StackName }, cx) => [onStack(cx, 'DescribeStackEvents', StackName)],
      run({ StackName, NextToken = '0' }, cx) {
        const newestFirst = existing(cx, StackName).events.toReversed();
        const end = Number(NextToken) + 20;
        return {
          StackEvents: newestFirst.slice(Number(NextToken), end),
          ...(end < newestFirst.length && { NextToken: String(end) }),
        };
      },
    }),

    DescribeStackResource: operation<sdk.DescribeStackResourceCommandInput, object>({
      writes: false,
      permissions: ({ StackName }, cx) => [onStack(cx, 'DescribeStackResource', StackName)],
      run({ StackName = '', LogicalResourceId = '' }, cx) {
        const stack = existing(cx, StackName);
        const resource = stack.resources.get(LogicalResourceId);
        if (!resource) throw invalid(`Resource ${LogicalResourceId} does not exist for stack ${StackName}`);
        return { StackResourceDetail: describedResource(resource, stack) };
      },
    }),

    DescribeStackResources: operation<sdk.DescribeStackResourcesCommandInput, object>({
      writes: false,
      permissions: ({ StackName }, cx) => [onStack(cx, 'DescribeStackResources', StackName)],
      run({ StackName, LogicalResourceId }, cx) {
        const stack = existing(cx, StackName);
        return {
          StackResources: [...stack.resources.values()]
            .filter(({ logicalId }) => LogicalResourceId === undefined || logicalId === LogicalResourceId)
            .map((resource) => describedResource(resource, stack)),
        };
      },
    }),

    DeleteStack: operation<sdk.DeleteStackCommandInput, object>({
      writes: true,
      permissions: ({ StackName }, cx) => [onStack(cx, 'DeleteStack', StackName)],
      run({ StackName = '' }, cx) {
        const stack = cx.world.cloudformation.find(cx.caller.accountId, cx.region, StackName);
        // Deleting a deleted stack, or one in deletion, is no error.
        if (stack && stack.status !== 'DELETE_COMPLETE' && stack.status !== 'DELETE_IN_PROGRESS')
          deleteStack(cx.world, stack, cx.caller);
        return {};
      },
    }),

    GetTemplate: operation<sdk.GetTemplateCommandInput, object>({
      writes: false,
      permissions: ({ StackName }, cx) => [onStack(cx, 'GetTemplate', StackName)],
      run: ({ StackName }, cx) => ({
        TemplateBody: existing(cx, StackName).template,
        StagesAvailable: ['Original', 'Processed'],
      }),
    }),
  },
};

function describedStack(stack: Stack): sdk.Stack {
  return {
    StackId: stack.id,
    StackName: stack.name,
    CreationTime: new Date(stack.createdAt),
    LastUpdatedTime: new Date(stack.updatedAt),
    ...(stack.deletedAt !== undefined && { DeletionTime: new Date(stack.deletedAt) }),
    StackStatus: stack.status,
    ...(stack.reason !== undefined && { StackStatusReason: stack.reason }),
    DisableRollback: stack.onFailure === 'DO_NOTHING',
    ...(stack.timeoutMinutes !== undefined && { TimeoutInMinutes: stack.timeoutMinutes }),
    Capabilities: stack.capabilities,
    Tags: stack.tags,
  };
}

function describedResource(resource: StackResource, stack: Stack): sdk.StackResource & sdk.StackResourceDetail {
  return {
    StackId: stack.id,
    StackName: stack.name,
    LogicalResourceId: resource.logicalId,
    ...(resource.physicalId !== undefined && { PhysicalResourceId: resource.physicalId }),
    ResourceType: resource.type,
    ResourceStatus: resource.status,
    ...(resource.reason !== undefined && { ResourceStatusReason: resource.reason }),
    Timestamp: new Date(resource.updatedAt),
    LastUpdatedTimestamp: new Date(resource.updatedAt),
  };
}
