import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { RetryableError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import { targetId } from '../model/target.ts';
import { targetOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { readDeployment } from '../platform/settings.ts';
import { documentClient, holds } from '../table/document-table.ts';
import { readRun } from './run-table.ts';

type Locked = Pick<AnyRun, 'runId' | 'attempt' | 'request'>;

const tableName = () => readDeployment().tableName;
const lockKey = ({ request }: Locked) => ({
  pk: `lock#${request.payerAccountId}#${targetId(targetOf(request))}`,
  sk: 'lock',
});

/** Lets one run at a time work on a payer and target; otherwise answers the run that does. Safe to repeat. */
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

/** Another run that works on the same payer and target now; undefined if there is none. */
export async function readRival(run: Locked): Promise<AnyRun | undefined> {
  const holderId = await readHolderId(run);
  return holderId === undefined || holderId === run.runId ? undefined : readActive(holderId);
}

async function readHolderId(run: Locked): Promise<string | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: lockKey(run), ConsistentRead: true }),
  );
  return Item && String(Item.runId);
}

async function readActive(runId: string): Promise<AnyRun | undefined> {
  const run = await readRun(runId);
  return run && !endedStatuses.includes(run.status) ? run : undefined;
}

/** Gives the lock back, if it is still this run's and no later attempt has taken it: the end of an attempt may be told late. */
export async function releaseLock(run: Locked): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: lockKey(run),
        // Locks of releases before 0.3 name no attempt: a run had one.
        ConditionExpression: 'runId = :runId AND (attribute_not_exists(attempt) OR attempt <= :attempt)',
        ExpressionAttributeValues: { ':runId': run.runId, ':attempt': run.attempt },
      }),
    ),
  );
}

/** @param replaceable the run itself, or an ended run that did not get to give its lock back */
function putLock(run: Locked, replaceable: string): Promise<boolean> {
  return holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...lockKey(run), runId: run.runId, attempt: run.attempt, takenAt: iso(now()) },
        ConditionExpression: 'attribute_not_exists(pk) OR runId = :own OR runId = :replaceable',
        ExpressionAttributeValues: { ':own': run.runId, ':replaceable': replaceable },
      }),
    ),
  );
}
