import { createHash } from 'node:crypto';
import * as z from 'zod';
import { RetryableError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import type { AnyRun } from '../model/run.ts';
import { now } from '../platform/clock.ts';
import { deleteItem, putItem, readItem } from '../table/document-table.ts';
import { absent, anyOf, equals, isAtMost } from '../table/expressions.ts';

const honouredMs = 24 * 60 * 60 * 1000;

/** The run of a key; it may not be written yet. */
export type Claim = Pick<AnyRun, 'runId' | 'createdAt'>;

const itemKey = (key: string) => ({ pk: `key#${key}`, sk: 'key' });

export const KeyItem = z.looseObject({ runId: z.string(), createdAt: z.string(), requestHash: z.string() });

/** Binds the key to `fresh`, or returns the run of an earlier request with this key and body. @throws RequestRefusal */
export async function claimKey(key: string, request: object, fresh: Claim): Promise<Claim> {
  const requestHash = hashOf(request);
  const at = now();
  const expiresAt = at + honouredMs;
  for (let round = 0; round < 5; round++) {
    const claimed = await putItem(
      itemKey(key),
      { ...fresh, requestHash, expiresAt, ttl: Math.ceil(expiresAt / 1000) },
      // DynamoDB may delete an expired item days late.
      anyOf(absent('pk'), isAtMost('expiresAt', at)),
    );
    if (claimed) return fresh;
    const item = await readItem(itemKey(key), KeyItem);
    if (!item) continue;
    if (item.requestHash !== requestHash) {
      throw new RequestRefusal(
        'idempotency-key-reused',
        'This Idempotency-Key was sent with another body in the last 24 hours.',
      );
    }
    return { runId: item.runId, createdAt: item.createdAt };
  }
  throw new RetryableError('aws-unavailable', 'other requests claim and release the idempotency key at the same time');
}

/** Deletes the key of a refused run, so that the same request may be sent again. */
export async function releaseKey(key: string, runId: string): Promise<void> {
  await deleteItem(itemKey(key), equals('runId', runId));
}

/** A parsed request has its fields in the schema's order and every default filled in: equal requests are equal texts. */
function hashOf(request: object): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex');
}
