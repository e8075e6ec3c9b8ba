import type { DeclaredWait } from './contract.ts';

/** A step that has waited this long is called back by the watcher. Until then the state machine waits and looks again. */
export const callbackAfterSeconds = 15 * 60;

/** After the first looks, an interval is at least this share of the time waited: looks grow with its logarithm. */
const share = 1 / 4;
const usualCloseLooks = 4;

/** The time and the looks that an attempt has spent in the waits of one declaration. */
export interface Spent {
  seconds: number;
  looks: number;
}

export const nothingSpent: Spent = { seconds: 0, looks: 0 };

/** Seconds until the next look. @param wanted by the step */
export function secondsToNextLook(
  { seconds, closeLooks = usualCloseLooks }: DeclaredWait,
  spent: Spent,
  wanted = seconds,
): number {
  const least = Math.max(seconds, wanted);
  return Math.ceil(spent.looks < closeLooks ? least : Math.max(least, spent.seconds * share));
}
