/** How a step watches a workload load or unload an entry: closely at first, for 30 minutes in all. */
import type { ErrorCode } from '../errors/catalogue.ts';
import type { Wait } from '../step/contract.ts';

const watchMs = 30 * 60_000;
/** Most workloads get there within the first minutes. */
export const closelyMs = 5 * 60_000;
const [closeSeconds, calmSeconds] = [15, 150];

/** The looks of one watch: twenty closely, ten calmly. */
export const watchWaits = { seconds: closeSeconds, longestSeconds: (2 * watchMs) / 1000, closeLooks: 31 };

/** Undefined once the watch is over. @param elapsedMs since the watch began */
export function watchWait(reason: string, elapsedMs: number, overdue: ErrorCode): Wait | undefined {
  if (elapsedMs >= watchMs) return undefined;
  const seconds = elapsedMs < closelyMs ? closeSeconds : calmSeconds;
  // The deadline never passes: the watch ends first.
  return { reason, seconds, deadlineSeconds: (2 * watchMs) / 1000, overdue };
}

export const watchedInVain = (reason: string) => `after 30 minutes still waiting for ${reason}`;
