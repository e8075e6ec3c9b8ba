import { isComplete, isInProgress, type Stack } from '../aws/stack.ts';
import type { Owner } from '../model/ownership.ts';
import type { Wait } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import {
  type CrawlerStack,
  type CrawlerStackPlace,
  failsOwnTableToo,
  kindOf,
  stackFailure,
  stackOwnerProblem,
  stackWait,
  takesTooLong,
} from './crawler-stack.ts';
import type { CrawlerMode } from './crawler-way.ts';

/** What this run has done with the stack. */
export interface StackHistory {
  /** True if this attempt has created the stack. A failure of the stack then belongs to this attempt. */
  creating?: boolean | undefined;
  deleting?: boolean | undefined;
  /** When this attempt asked for the deletion, milliseconds since the epoch. */
  deletingSince?: number | undefined;
  /** AWS's message if the stack cannot be deleted. */
  notDeleted?: string | undefined;
  /** Why the run does not use AWS's template. The name is that of release 0.3.0. */
  native?: string | undefined;
}

export type StackDecision =
  | { is: 'refused'; problem: Problem }
  | { is: 'waiting'; wait: Wait }
  /** The stack's crawler is used. */
  | { is: 'used' }
  /** `why` is there if the stack has failed, and a table of our own replaces it. */
  | { is: 'remnant'; why?: string }
  /** A table of our own is used, and the stack stays. */
  | { is: 'left'; why?: string; warnings: string[] };

/** A deletion takes a minute or two, unless a custom resource does not answer for its hour. */
const deletionMs = 20 * 60_000;

/** What becomes of the stack that has the name of ours. */
export function decideStack(
  { stack, failure = '' }: CrawlerStack,
  {
    mode,
    place,
    hasCrawler,
    ownTable,
  }: { mode: CrawlerMode; place: CrawlerStackPlace; hasCrawler: boolean; ownTable: boolean },
  history: StackHistory,
  { owner, now }: { owner: Owner; now: number },
): StackDecision {
  if (mode === 'none') return { is: 'left', warnings: stillCrawls(stack, place, owner) };
  const problem = stackOwnerProblem(stack, place.stackName, owner);
  if (problem) return { is: 'refused', problem };
  const isAuto = mode === 'auto';
  const left = (why?: string): StackDecision => ({
    is: 'left',
    ...(why !== undefined && { why }),
    warnings: isComplete(stack)
      ? stillCrawls(stack, place, owner)
      : [remnantWarning(stack, place, history.notDeleted ?? failure)],
  });
  if (isAuto && ownTable) return left();
  if (isInProgress(stack)) {
    const since = history.deletingSince;
    const isOver = since === undefined ? takesTooLong(stack, now) : now - since > deletionMs;
    if (isAuto && isOver) return left(history.native ?? `CloudFormation does not finish stack ${place.stackName}`);
    return { is: 'waiting', wait: stackWait(place, stack, now) };
  }
  if (isComplete(stack)) {
    if (hasCrawler || !isAuto) return { is: 'used' };
    return left(`stack ${place.stackName} has lost its crawler`);
  }
  const isReplaced = history.creating === true && isAuto && !failsOwnTableToo(failure);
  if (history.creating && !isReplaced) return { is: 'refused', problem: stackFailure(place, failure) };
  const cannotGo = history.notDeleted !== undefined || (history.deleting && stack.status === 'DELETE_FAILED');
  if (!cannotGo) return { is: 'remnant', ...(isReplaced && { why: failure }) };
  if (!isAuto) return { is: 'refused', problem: stackFailure(place, failure) };
  return left(history.native ?? `stack ${place.stackName} of an earlier run cannot be deleted`);
}

function remnantWarning({ id, status }: Stack, { stackName }: CrawlerStackPlace, failure: string): string {
  return `stack ${stackName} is left in ${status}${failure === '' ? '' : ` (${failure})`}; delete it in the console: ${id}`;
}

function stillCrawls(stack: Stack, place: CrawlerStackPlace, owner: Owner): string[] {
  const isOurs = stackOwnerProblem(stack, place.stackName, owner) === undefined;
  if (!isOurs || !isComplete(stack) || kindOf(stack) === 'native') return [];
  return [
    `stack ${place.stackName} of AWS’s template stays and crawls at each delivery, for USD 4 to 13 a month: once no target reads its table, delete it in the console`,
  ];
}
