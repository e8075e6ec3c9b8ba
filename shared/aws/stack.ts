import {
  type CloudFormationClient,
  DescribeStackEventsCommand,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
  type Stack,
  type StackEvent,
} from '@aws-sdk/client-cloudformation';
import { isAwsError } from '../errors/errors.ts';

/** CloudFormation has no exception for a missing stack, only this message. */
export async function describeStack(client: CloudFormationClient, name: string): Promise<Stack | undefined> {
  try {
    const { Stacks: stacks } = await client.send(new DescribeStacksCommand({ StackName: name }));
    return stacks?.[0];
  } catch (error) {
    if (isAwsError(error, 'ValidationError') && error.message.includes('does not exist')) return undefined;
    throw error;
  }
}

/** Physical ids by logical id. */
export async function stackResources(client: CloudFormationClient, name: string): Promise<Record<string, string>> {
  const { StackResources: resources = [] } = await client.send(new DescribeStackResourcesCommand({ StackName: name }));
  return Object.fromEntries(
    resources.map(({ LogicalResourceId = '', PhysicalResourceId = '' }) => [LogicalResourceId, PhysicalResourceId]),
  );
}

/** What failed first since the stack was last asked to do something, in CloudFormation's words; everything later is its consequence. */
export async function rootCause(
  client: CloudFormationClient,
  { StackId, StackStatus, StackStatusReason }: Stack,
): Promise<string> {
  const events: StackEvent[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(new DescribeStackEventsCommand({ StackName: StackId, NextToken: token }));
    events.push(...(page.StackEvents ?? []));
    token = page.NextToken;
  } while (token);
  const asked = events.findIndex(
    ({ ResourceType, ResourceStatusReason }) =>
      ResourceType === 'AWS::CloudFormation::Stack' && ResourceStatusReason === 'User Initiated',
  );
  const first = (asked < 0 ? events : events.slice(0, asked)).findLast(
    ({ ResourceStatus, ResourceStatusReason, ResourceType }) =>
      ResourceStatus?.endsWith('_FAILED') &&
      ResourceType !== 'AWS::CloudFormation::Stack' &&
      ResourceStatusReason !== 'Resource creation cancelled',
  );
  if (!first) return `${StackStatus ?? ''}: ${StackStatusReason ?? 'no reason given'}`;
  return `${first.LogicalResourceId ?? ''}: ${first.ResourceStatusReason ?? 'no reason given'}`;
}
