import type { DeclaredWait } from './contract.ts';

/** A step that has waited this long is called back by the watcher. Until then the state machine waits and looks again. */
export const callbackAfterSeconds = 15 * 60;

/**
 * After the first observations, an interval is at least this share of the time that the step has waited in all, so that the number of looks
 * grows with the logarithm of the time. `test/state-machines/history.test.ts` adds them all up.
 */
const share = 0.6;
const usualCloseLooks = 1;

/** What an attempt has spent in the waits of one declaration. */
export interface Spent {
  seconds: number;
  looks: number;
}

/**
 * Seconds until the next observation.
 * @param looks of this wait so far
 * @param waitedSeconds that the step has waited so far: in this wait, if the watcher looks meanwhile, else in all others
 * @param wanted by the step
 */
export function secondsToNextLook(
  { seconds, closeLooks = usualCloseLooks }: DeclaredWait,
  looks: number,
  waitedSeconds: number,
  wanted = seconds,
): number {
  const least = Math.max(seconds, wanted);
  return Math.ceil(looks < closeLooks ? least : Math.max(least, waitedSeconds * share));
}
