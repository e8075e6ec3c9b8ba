import { now } from '../platform/clock.ts';
import { deleteItem, putItem } from './document-table.ts';
import { absent, anyOf, equals, isBelow } from './expressions.ts';

/**
 * A lease lasts this much longer than the function that holds it, so that the last write of the holder is over before the next one starts.
 */
const graceMs = 30_000;
/** The holder starts no write in the last seconds of the lease. */
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
  const taken = await putItem(
    leaseKey(scope),
    { holder, expiresAt, ttl: Math.ceil(expiresAt / 1000) + 3600 },
    anyOf(absent('pk'), isBelow('expiresAt', now()), equals('holder', holder)),
  );
  return taken ? { scope, holder, expiresAt } : undefined;
}

export function mayWrite(lease: Lease): boolean {
  return now() < lease.expiresAt - lastCallMs;
}

/** Releases the lease if this holder still has it. */
export async function releaseLease({ scope, holder }: Lease): Promise<void> {
  await deleteItem(leaseKey(scope), equals('holder', holder));
}
