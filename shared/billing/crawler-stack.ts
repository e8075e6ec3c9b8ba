import { CloudFormationClient, CreateStackCommand, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { crawlerStackName } from '../aws/names.ts';
import { describeStack, isComplete, isInProgress, rootCause, type Stack, stackResources } from '../aws/stack.ts';
import { ownership, ownerTags, toTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { isAwsError, UserError } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { crawlerDatabase, crawlerName } from './report-location.ts';

/** `template`: AWS's own, with two Lambda functions; `native`: ours, without. */
export type CrawlerKind = 'template' | 'native';

/** The stack with the crawler of a report. */
export interface CrawlerStackPlace {
  reportName: string;
  region: string;
  stackName: string;
}

export function crawlerStackPlace({ reportName, region }: Omit<CrawlerStackPlace, 'stackName'>): CrawlerStackPlace {
  return { reportName, region, stackName: crawlerStackName(reportName) };
}

export interface CrawlerNames {
  crawlerName: string;
  athenaDatabase: string;
}

/** The names that AWS's template gives. */
export function usualNames(reportName: string): CrawlerNames {
  return { crawlerName: crawlerName(reportName), athenaDatabase: crawlerDatabase(reportName) };
}

export interface CrawlerStack {
  stack: Stack;
  names: CrawlerNames;
  /** Why CloudFormation could not complete or delete the stack; undefined while it is in progress or complete. */
  failure: string | undefined;
}

export async function findCrawlerStack(
  payer: TargetAccount,
  { reportName, region, stackName }: CrawlerStackPlace,
): Promise<CrawlerStack | undefined> {
  const client = payer.client(CloudFormationClient, region);
  const stack = await describeStack(client, stackName);
  const usual = usualNames(reportName);
  if (!stack || isInProgress(stack)) return stack && { stack, names: usual, failure: undefined };
  const [resources, failure] = await Promise.all([
    stackResources(client, stackName),
    isComplete(stack) ? undefined : rootCause(client, stack),
  ]);
  return {
    stack,
    names: {
      crawlerName: resources.AWSCURCrawler || usual.crawlerName,
      athenaDatabase: resources.AWSCURDatabase || usual.athenaDatabase,
    },
    failure,
  };
}

export function kindOf({ tags }: Stack): CrawlerKind {
  return tags.crawler === 'native' ? 'native' : 'template';
}

/** Why a run may not use or change a stack of this name. */
export function stackOwnerProblem({ tags }: Stack, stackName: string, owner: Owner): Problem | undefined {
  const owned = ownership(tags, owner);
  if (owned === 'ours') return undefined;
  const code = owned === 'other-deployment' ? 'owned-by-another-deployment' : 'crawler-stack-not-ours';
  return { code, detail: `stack ${stackName}` };
}

const createMinutes = 30;

/** AWS's template takes some three minutes, our own stack one; the step looks often towards the end only. */
export function stackWait({ stackName }: CrawlerStackPlace, stack: Stack, now: number): Wait {
  const age = (now - (stack.createdAt ?? now)) / 1000;
  const usualSeconds = kindOf(stack) === 'native' ? 60 : 150;
  return {
    reason: `CloudFormation to finish stack ${stackName}`,
    seconds: Math.max(15, Math.ceil(usualSeconds - age)),
    deadlineSeconds: (createMinutes + 30) * 60,
    expectedSeconds: 180,
    overdue: 'crawler-stack-failed',
  };
}

export async function createCrawlerStack(
  payer: TargetAccount,
  { region, stackName }: CrawlerStackPlace,
  { kind, body, token }: { kind: CrawlerKind; body: string; token: string },
  owner: Owner,
): Promise<void> {
  const create = new CreateStackCommand({
    StackName: stackName,
    TemplateBody: body,
    Capabilities: ['CAPABILITY_IAM'],
    TimeoutInMinutes: createMinutes,
    ClientRequestToken: token,
    Tags: toTagList({ ...ownerTags(owner), crawler: kind }),
  });
  try {
    await payer.client(CloudFormationClient, region).send(create);
  } catch (error) {
    if (!isAwsError(error, 'AlreadyExistsException')) throw error;
  }
}

/** @throws UserError crawler-stack-not-removed if somebody has protected the stack from deletion */
export async function deleteCrawlerStack(
  payer: TargetAccount,
  { region, stackName }: CrawlerStackPlace,
): Promise<void> {
  try {
    await payer.client(CloudFormationClient, region).send(new DeleteStackCommand({ StackName: stackName }));
  } catch (error) {
    if (!isAwsError(error, 'ValidationError') || !error.message.includes('TerminationProtection')) throw error;
    throw new UserError('crawler-stack-not-removed', error.message, { cause: error });
  }
}
