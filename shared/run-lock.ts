import { DeleteCommand, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { targetId } from './aws/names.ts';
import { iso, now } from './clock.ts';
import { readDeployment } from './deployment.ts';
import { RetryableError } from './errors.ts';
import { endedStatuses, targetOf, type AnyRun } from './run.ts';
import { readRun } from './run-store.ts';
import { documentClient, holds } from './table.ts';

type Locked = Pick<AnyRun, 'runId' | 'request'>;

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
    const { Item } = await documentClient().send(
      new GetCommand({ TableName: tableName(), Key: lockKey(run), ConsistentRead: true }),
    );
    if (!Item) continue;
    const holder = await readRun(String(Item.runId));
    if (holder && !endedStatuses.includes(holder.status)) return holder;
    replaceable = String(Item.runId);
  }
  throw new RetryableError('aws-unavailable', `the lock of run ${run.runId} changes hands too quickly`);
}

/** Gives the lock back, if it is still this run's. */
export async function releaseLock(run: Locked): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: lockKey(run),
        ConditionExpression: 'runId = :runId',
        ExpressionAttributeValues: { ':runId': run.runId },
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
        Item: { ...lockKey(run), runId: run.runId, takenAt: iso(now()) },
        ConditionExpression: 'attribute_not_exists(pk) OR runId = :own OR runId = :replaceable',
        ExpressionAttributeValues: { ':own': run.runId, ':replaceable': replaceable },
      }),
    ),
  );
}
