import {
  type CloudFormationClient,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  type StackEvent,
} from '@aws-sdk/client-cloudformation';
import { isAwsError } from '../errors/errors.ts';
import { fromTagList } from './tags.ts';

export interface Stack {
  /** ARN. */
  id: string;
  /** `CREATE_COMPLETE`, `DELETE_IN_PROGRESS` and so on. */
  status: string;
  /** CloudFormation's message about the status; empty if there is none. */
  statusReason: string;
  tags: Record<string, string>;
  /** Milliseconds since the epoch. */
  createdAt: number | undefined;
}

/** CloudFormation has no exception for a missing stack, only this message. */
export async function describeStack(client: CloudFormationClient, name: string): Promise<Stack | undefined> {
  try {
    const { Stacks: stacks } = await client.send(new DescribeStacksCommand({ StackName: name }));
    const stack = stacks?.[0];
    return (
      stack && {
        id: stack.StackId ?? name,
        status: stack.StackStatus ?? '',
        statusReason: stack.StackStatusReason ?? '',
        tags: fromTagList(stack.Tags),
        createdAt: stack.CreationTime?.getTime(),
      }
    );
  } catch (error) {
    if (isAwsError(error, 'ValidationError') && error.message.includes('does not exist')) return undefined;
    throw error;
  }
}

/** Physical ids by type of resource, of the first resource of each type; empty before the resource exists. */
export async function resourcesByType(client: CloudFormationClient, name: string): Promise<Record<string, string>> {
  const { StackResources: resources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName: name }));
  return Object.fromEntries(
    resources.toReversed().map(({ ResourceType = '', PhysicalResourceId = '' }) => [ResourceType, PhysicalResourceId]),
  );
}

/** The first failure since the latest request, with CloudFormation's message; later failures are its consequences. */
export async function rootCause(client: CloudFormationClient, { id, status, statusReason }: Stack): Promise<string> {
  const events: StackEvent[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(new DescribeStackEventsCommand({ StackName: id, NextToken: token }));
    events.push(...(page.StackEvents ?? []));
    token = page.NextToken;
  } while (token);
  const asked = events.findIndex(
    ({ ResourceType, ResourceStatusReason }) =>
      ResourceType === 'AWS::CloudFormation::Stack' && ResourceStatusReason === 'User Initiated',
  );
  const recent = asked < 0 ? events : events.slice(0, asked);
  const isStack = ({ ResourceType }: StackEvent) => ResourceType === 'AWS::CloudFormation::Stack';
  const first = recent.findLast(
    (event) =>
      event.ResourceStatus?.endsWith('_FAILED') &&
      !isStack(event) &&
      event.ResourceStatusReason !== 'Resource creation cancelled',
  );
  if (first) return `${first.LogicalResourceId ?? ''}: ${first.ResourceStatusReason ?? 'no reason given'}`;
  // A timeout fails no resource; CloudFormation gives it as the reason of the rollback.
  const rollback = recent.findLast((event) => isStack(event) && event.ResourceStatus === 'ROLLBACK_IN_PROGRESS');
  const late = recent.findLast(({ ResourceStatusReason: reason }) => reason === 'Resource creation cancelled');
  const reason = rollback?.ResourceStatusReason || statusReason || 'no reason given';
  return `${late?.LogicalResourceId ?? status}: ${reason}`;
}

/** True while CloudFormation works on the stack. */
export function isInProgress({ status }: Stack): boolean {
  return status.endsWith('_IN_PROGRESS');
}

/** True if the stack has all its resources. */
export function isComplete({ status }: Stack): boolean {
  return ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'IMPORT_COMPLETE'].includes(status);
}
