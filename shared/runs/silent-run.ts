import type { AnyRun } from '../model/run.ts';
import type { StepRecord } from '../model/run-schemas.ts';
import { closeRun } from './close.ts';
import { readEndOfExecution } from './step-functions-execution.ts';

const minute = 60_000;
/** Longer than all retries of one step, which take some minutes. */
const silenceMs = 20 * minute;

/**
 * True if the run should have made progress long ago.
 * @param run without a waiting task: a step that waits for a callback must have its token by now, or have been called back
 */
export function isSilent({ steps, startedAt, createdAt }: AnyRun, at: number): boolean {
  const signs = Object.values(steps).flatMap(signsOf);
  return at > Math.max(Date.parse(startedAt ?? createdAt), ...signs) + silenceMs;
}

/** When the step did something, or will do something at the latest. */
function signsOf({ status, startedAt, endedAt, busyUntil, waiting }: StepRecord): number[] {
  const times = [startedAt, endedAt, busyUntil].flatMap((time) => (time === undefined ? [] : [Date.parse(time)]));
  if (status !== 'waiting' || !waiting) return times;
  return [...times, Date.parse(waiting.callback ? (waiting.at ?? waiting.since) : waiting.next)];
}

/**
 * Ends the run if its execution has ended: Step Functions sends its status events at best effort, so `close` may never have been called.
 * @param run as read before this
 */
export async function closeIfDead(run: AnyRun): Promise<boolean> {
  const end = await readEndOfExecution(run);
  if (!end) return false;
  const cause = end.cause && `: ${end.cause}`;
  const message = `the execution ended with the status ${end.status}, and no event said so${cause}`;
  await closeRun(run, { code: 'execution-stopped', message });
  return true;
}
