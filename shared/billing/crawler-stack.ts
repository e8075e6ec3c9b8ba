import { CloudFormationClient, CreateStackCommand, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { crawlerStackName } from '../aws/names.ts';
import { describeStack, isComplete, isInProgress, resourcesByType, rootCause, type Stack } from '../aws/stack.ts';
import { ownership, ownerTags, toTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { isAwsError, UserError } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { crawlerDatabase, crawlerName } from './report-location.ts';

/** `template`: AWS's own, with two Lambda functions; `native`: that of release 0.3.0, without. No run makes a native one any more. */
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

/** A stack that exists. */
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
    resourcesByType(client, stackName),
    isComplete(stack) ? undefined : rootCause(client, stack),
  ]);
  return {
    stack,
    names: {
      crawlerName: resources['AWS::Glue::Crawler'] || usual.crawlerName,
      athenaDatabase: resources['AWS::Glue::Database'] || usual.athenaDatabase,
    },
    failure,
  };
}

/** True if a table of our own would fail for the same reason: Lake Formation, or a denial of new databases and tables. */
export function failsOwnTableToo(failure: string): boolean {
  return /Lake Formation|not authorized to perform: glue:Create(Database|Table)\b/.test(failure);
}

/** A failure that only the payer account's owner can repair. */
export function stackFailure({ stackName }: CrawlerStackPlace, failure: string): Problem {
  const code = failure.includes('Lake Formation') ? 'lake-formation-locked' : 'crawler-stack-failed';
  return { code, detail: `stack ${stackName}: ${failure}` };
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
/** A rollback takes minutes, unless a custom resource does not answer for its hour. */
const patienceMs = (createMinutes + 15) * 60_000;

/** True if a run that has another way waits no longer. */
export function takesTooLong({ createdAt }: Stack, now: number): boolean {
  return now - (createdAt ?? now) > patienceMs;
}

/** AWS's template takes some three minutes; the step observes often towards the end only. */
export function stackWait({ stackName }: CrawlerStackPlace, stack: Stack, now: number): Wait {
  const age = (now - (stack.createdAt ?? now)) / 1000;
  return {
    reason: `CloudFormation to finish stack ${stackName}`,
    seconds: Math.max(15, Math.ceil(150 - age)),
    deadlineSeconds: (createMinutes + 30) * 60,
    expectedSeconds: 180,
    overdue: 'crawler-stack-failed',
  };
}

export async function createCrawlerStack(
  payer: TargetAccount,
  { region, stackName }: CrawlerStackPlace,
  { body, token }: { body: string; token: string },
  owner: Owner,
): Promise<void> {
  const create = new CreateStackCommand({
    StackName: stackName,
    TemplateBody: body,
    Capabilities: ['CAPABILITY_IAM'],
    TimeoutInMinutes: createMinutes,
    ClientRequestToken: token,
    Tags: toTagList({ ...ownerTags(owner), crawler: 'template' }),
  });
  try {
    await payer.client(CloudFormationClient, region).send(create);
  } catch (error) {
    if (!isAwsError(error, 'AlreadyExistsException')) throw error;
  }
}

/**
 * Why a removal has to keep the stack; empty if it may delete it.
 * @param purge true if the request names the stack, and so accepts the loss of foreign tables in its database
 * @param shared why other targets still need the stack
 */
export function reasonsToKeepStack(
  { tags }: Stack,
  { owner, purge, shared, foreignTables }: { owner: Owner; purge: boolean; shared: string[]; foreignTables: string[] },
): string[] {
  const owned = ownership(tags, owner);
  if (owned === 'other-deployment') return ['it belongs to another deployment'];
  if (shared.length > 0 || purge) return shared;
  if (owned === 'foreign') return ['adopted: kept unless purge names crawler-stack'];
  return foreignTables.map((name) => `its database holds ${name}, which does not belong to the report`);
}

const overdue = 'crawler-stack-not-removed';

/** The wait until the stack can be deleted, or until it is deleted. Glue does not delete a crawler during a crawl. */
export function deletionWait({ stackName }: CrawlerStackPlace, stack: Stack, isCrawling: boolean): Wait | undefined {
  if (isInProgress(stack)) {
    const reason = `CloudFormation to delete stack ${stackName}`;
    return { reason, seconds: 15, deadlineSeconds: 3600, expectedSeconds: 60, overdue };
  }
  if (!isCrawling) return undefined;
  const reason = 'the crawler to finish its crawl';
  return { reason, seconds: 30, deadlineSeconds: 4 * 3600, expectedSeconds: 300, overdue };
}

/** Why CloudFormation cannot delete the stack; a crawl that has begun meanwhile is no reason. */
export function deletionProblem({ stackName }: CrawlerStackPlace, found: CrawlerStack): Problem | undefined {
  const { stack, failure = '' } = found;
  if (stack.status !== 'DELETE_FAILED' || failure.includes('CrawlerRunningException')) return undefined;
  return { code: overdue, detail: `stack ${stackName}: ${failure}` };
}

/**
 * @throws UserError crawler-stack-not-removed if somebody has protected the stack from deletion, access-parameter-differs if our role may
 * not delete it
 */
export async function deleteCrawlerStack(
  payer: TargetAccount,
  { region, stackName }: CrawlerStackPlace,
): Promise<void> {
  try {
    await payer.client(CloudFormationClient, region).send(new DeleteStackCommand({ StackName: stackName }));
  } catch (error) {
    if (isAwsError(error, 'AccessDenied', 'AccessDeniedException')) {
      const detail = `our role may not delete stack ${stackName}: set parameter Crawler of its access template to remove (${error.message})`;
      throw new UserError('access-parameter-differs', detail, { cause: error });
    }
    if (!isAwsError(error, 'ValidationError') || !error.message.includes('TerminationProtection')) throw error;
    throw new UserError(overdue, error.message, { cause: error });
  }
}

/** CloudFormation's message if it refuses to create or delete the stack; undefined for any other error. */
export function refusalOfStack(error: unknown): string | undefined {
  if (error instanceof UserError && [overdue, 'access-parameter-differs'].includes(error.code)) return error.message;
  const refusals = [
    'AccessDenied',
    'AccessDeniedException',
    'InsufficientCapabilitiesException',
    'LimitExceededException',
    'ValidationError',
  ];
  return isAwsError(error, ...refusals) ? error.message : undefined;
}
