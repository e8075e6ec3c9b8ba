import { classify } from '../errors/errors.ts';
import { now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { listRunningIds, readRun } from '../runs/run-table.ts';
import { closeIfDead, isSilent } from '../runs/silent-run.ts';
import { listWaitingTasks, type WaitingTask } from '../runs/waiting-task.ts';
import { WaitWatch, type Watches } from './watch-waits.ts';

export interface WatchLimits {
  /** Looks at the same time. */
  concurrency: number;
  /** Of one look, milliseconds. */
  lookMs: number;
  /** No look starts later, milliseconds since the epoch. */
  untilMs: number;
}

/** Minutes between two searches for runs whose execution may have died. */
const searchMinutes = 10;
/** Runs that one search reads. */
const readsPerSearch = 100;
const minute = 60_000;

/** Looks after every step that waits for a callback, and now and then after the runs that show no sign of life. */
export async function watchRuns(watches: Watches, tickAt: number, limits: WatchLimits): Promise<void> {
  const tick = Math.floor(tickAt / minute);
  const tasks = await listWaitingTasks();
  const watch = new WaitWatch(watches, tickAt, limits.lookMs);
  const due = tasks.filter((task) => watch.isDue(task));
  const left = await inParallel(rotated(due, tick * prime), limits, (task) => watch.look(task));
  if (left > 0) log('not yet: waiting steps looked after', { step: 'watch', left });
  if (tick % searchMinutes === 0) await closeDeadRuns(tasks, tick, limits);
}

/** A run with a waiting task is looked after with its task. */
async function closeDeadRuns(tasks: readonly WaitingTask[], tick: number, limits: WatchLimits): Promise<void> {
  const waiting = new Set(tasks.map(({ runId }) => runId));
  const others = (await listRunningIds()).filter((runId) => !waiting.has(runId));
  const begin = (tick / searchMinutes) * readsPerSearch;
  await inParallel(rotated(others, begin).slice(0, readsPerSearch), limits, async (runId) => {
    try {
      const run = await readRun(runId);
      if (run?.status === 'running' && isSilent(run, now())) await closeIfDead(run);
    } catch (thrown) {
      log('not yet: silent run looked after', { runId, step: 'watch', detail: classify(thrown).message });
    }
  });
}

/** Ticks begin at different places, so that a tick that ends early leaves out other items than the last one. */
const prime = 7919;

/** The items from place `begin` on, then those before it. */
function rotated<T>(items: readonly T[], begin: number): T[] {
  const place = items.length === 0 ? 0 : begin % items.length;
  return [...items.slice(place), ...items.slice(0, place)];
}

/** @returns how many items were left out because the time was over */
async function inParallel<T>(
  items: readonly T[],
  { concurrency, untilMs }: WatchLimits,
  work: (item: T) => Promise<void>,
): Promise<number> {
  const queue = items.values();
  let done = 0;
  const worker = async () => {
    while (now() < untilMs) {
      const { value, done: isOver } = queue.next();
      if (isOver) return;
      done++;
      await work(value);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return items.length - done;
}
