const minute = 60_000;

/** When the watcher looks at the run for news: every so many minutes, spread over the runs by their ids, so that nothing has to be stored. */
export function isLookMinute(runId: string, everyMinutes: number, at: number): boolean {
  return (Math.floor(at / minute) + phaseOf(runId)) % everyMinutes === 0;
}

/** The first check after `at`, milliseconds since the epoch. */
export function nextLook(runId: string, everyMinutes: number, at: number): number {
  const number = Math.floor(at / minute) + 1;
  const over = (number + phaseOf(runId)) % everyMinutes;
  return (number + (over === 0 ? 0 : everyMinutes - over)) * minute;
}

/** True for one look of each hour. */
export function isHourlyLook(runId: string, everyMinutes: number, at: number): boolean {
  const hourly = Math.max(60, everyMinutes);
  const since = (Math.floor(at / minute) + phaseOf(runId)) % (hourly - (hourly % everyMinutes));
  return since < everyMinutes;
}

/** True once an hour, however rarely the watcher looks for news: it asks then whether the execution still lives. */
export function isCheckMinute(runId: string, at: number): boolean {
  return isLookMinute(runId, 60, at);
}

function phaseOf(runId: string): number {
  return Buffer.from(runId).reduce((sum, byte) => (sum * 31 + byte) % 65_521, 7);
}
