import * as z from 'zod';
import { callJson } from './json-call.ts';
import type { TargetAccount } from './target-account.ts';

const Settings = z.object({
  AccountLimit: z
    .object({ ConcurrentExecutions: z.number().catch(0), UnreservedConcurrentExecutions: z.number().catch(0) })
    .catch({ ConcurrentExecutions: 0, UnreservedConcurrentExecutions: 0 }),
});

/** Concurrent executions of Lambda functions that the account may have in the region, and those that no function reserves. */
export async function readConcurrency(
  account: TargetAccount,
  region: string,
): Promise<{ total: number; unreserved: number }> {
  const call = { service: 'lambda', region, method: 'GET', path: '/2016-08-19/account-settings' } as const;
  const { AccountLimit: limit } = await callJson(account, call, {}, Settings);
  return { total: limit.ConcurrentExecutions, unreserved: limit.UnreservedConcurrentExecutions };
}
