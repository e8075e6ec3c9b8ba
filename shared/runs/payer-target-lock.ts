import * as z from 'zod';
import { RetryableError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import { targetId, targetOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { deleteItem, putItem, readItem } from '../table/document-table.ts';
import { absent, allOf, anyOf, equals, isAtMost } from '../table/expressions.ts';
import { readRun, readRunHead } from './run-table.ts';

type Locked = Pick<AnyRun, 'runId' | 'attempt' | 'request'>;

const lockKey = ({ request }: Locked) => ({
  pk: `lock#${request.payerAccountId}#${targetId(targetOf(request))}`,
  sk: 'lock',
});

export const LockItem = z.looseObject({ runId: z.string() });

/** Gives a payer and target to one run at a time. Returns the other run if it has the lock. Safe to repeat. */
export async function takeLock(run: Locked): Promise<'taken' | AnyRun> {
  let replaceable = run.runId;
  for (let round = 0; round < 5; round++) {
    if (await putLock(run, replaceable)) return 'taken';
    const holderId = await readHolderId(run);
    if (holderId === undefined) continue;
    const holder = await readActive(holderId);
    if (holder) return holder;
    replaceable = holderId;
  }
  throw new RetryableError(
    'aws-unavailable',
    `other runs take and release the lock of run ${run.runId} at the same time`,
  );
}

/** Another active run for the same payer and target; undefined if there is none. */
export async function readOtherActive(run: Locked): Promise<AnyRun | undefined> {
  const holderId = await readHolderId(run);
  return holderId === undefined || holderId === run.runId ? undefined : readActive(holderId);
}

async function readHolderId(run: Locked): Promise<string | undefined> {
  return (await readItem(lockKey(run), LockItem))?.runId;
}

async function readActive(runId: string): Promise<AnyRun | undefined> {
  // An ended run must not keep the lock because the rest of its record cannot be read.
  const head = await readRunHead(runId);
  return head && !endedStatuses.includes(head.status) ? readRun(runId) : undefined;
}

/** Releases the lock if this run has it and no later attempt has taken it, because the end of an attempt may arrive late. */
export async function releaseLock(run: Locked): Promise<void> {
  await deleteItem(lockKey(run), allOf(equals('runId', run.runId), isAtMost('attempt', run.attempt)));
}

/** @param replaceable the run itself, or an ended run that did not release its lock */
function putLock(run: Locked, replaceable: string): Promise<boolean> {
  return putItem(
    lockKey(run),
    { runId: run.runId, attempt: run.attempt, takenAt: iso(now()) },
    anyOf(absent('pk'), equals('runId', run.runId), equals('runId', replaceable)),
  );
}
