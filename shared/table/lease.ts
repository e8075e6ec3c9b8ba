import { DeleteCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import { now } from '../platform/clock.ts';
import { readDeployment } from '../platform/settings.ts';
import { documentClient, holds } from './document-table.ts';

/** A lease outlives the function that holds it by this much, so that a dying holder's last write is over before the next one starts. */
const graceMs = 30_000;
/** The holder starts no write in the lease's last seconds. */
const lastCallMs = 10_000;

export interface Lease {
  scope: string;
  holder: string;
  expiresAt: number;
}

const leaseKey = (scope: string) => ({ pk: `lease#${scope}`, sk: 'lease' });

/**
 * Takes the lease of `scope` for one invocation; undefined while another holder has it. Never renewed.
 * @param functionTimeoutMs the holder's own time limit
 */
export async function takeLease(scope: string, holder: string, functionTimeoutMs: number): Promise<Lease | undefined> {
  const expiresAt = now() + functionTimeoutMs + graceMs;
  const taken = await holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: readDeployment().tableName,
        Item: { ...leaseKey(scope), holder, expiresAt, ttl: Math.ceil(expiresAt / 1000) + 3600 },
        ConditionExpression: 'attribute_not_exists(pk) OR expiresAt < :now OR holder = :holder',
        ExpressionAttributeValues: { ':now': now(), ':holder': holder },
      }),
    ),
  );
  return taken ? { scope, holder, expiresAt } : undefined;
}

export function mayWrite(lease: Lease): boolean {
  return now() < lease.expiresAt - lastCallMs;
}

/** Gives the lease back, if it is still this holder's. */
export async function releaseLease({ scope, holder }: Lease): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: readDeployment().tableName,
        Key: leaseKey(scope),
        ConditionExpression: 'holder = :holder',
        ExpressionAttributeValues: { ':holder': holder },
      }),
    ),
  );
}
