import { TerminalError, UserError } from '../errors/errors.ts';
import type { StepRecord, StoredWait } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import type { DeclaredWait, Step, Wait } from '../step/contract.ts';
import { callbackAfterSeconds, secondsToNextLook, type Spent } from '../step/look-times.ts';
import type { EngineContext } from './converge.ts';
import type { StepStore } from './step-record.ts';

/** The waits that the engine itself plans, beside those of a step. */
export const engineWaits = {
  /** Hundreds of runs may queue for one lease. */
  lease: { seconds: 5, longestSeconds: 4 * 3600 },
  /** For IAM to show the changes of earlier steps. */
  settling: { seconds: 3, longestSeconds: 60 },
  /** For a change of the step to take effect; a step may make several, one after the other. */
  effect: { seconds: 5, longestSeconds: 600 },
} as const satisfies Record<string, DeclaredWait>;
export type EngineWait = keyof typeof engineWaits;

/** Until the deadline of a wait has passed, its task must not end; then it must, whatever became of the watcher. */
const afterDeadlineSeconds = 3600;

/** What the answer of a step says about its wait. */
export interface Parked {
  seconds: number;
  /** The state machine waits for a callback instead of `seconds`. A definition of 0.3.0 knows only `seconds`. */
  callback?: true;
  timeoutSeconds?: number;
}

/**
 * Records that the step waits.
 * @throws UserError with the wait's `overdue` code once its deadline has passed
 */
export async function park(
  step: Step,
  { store, record, cx }: { store: StepStore; record: StepRecord; cx: Pick<EngineContext, 'run' | 'notes'> },
  wait: Wait,
  engineWait?: EngineWait,
): Promise<Parked> {
  const at = now();
  const since = record.waiting?.for === wait.reason ? Date.parse(record.waiting.since) : at;
  const deadline = since + wait.deadlineSeconds * 1000;
  const { name, declared } = declarationOf(step, wait, engineWait);
  const waited = withElapsed(record, at);
  const spent = waited[name] ?? { seconds: 0, looks: 0 };
  const inAll = wait.watched ? spent.seconds : unwatchedSeconds(waited);
  if (at >= deadline || spent.seconds >= declared.longestSeconds)
    throw new UserError(wait.overdue, `waited ${Math.round((at - since) / 1000)} s for ${wait.reason}`);
  const left = Math.ceil((deadline - at) / 1000);
  const seconds = Math.max(1, Math.min(secondsToNextLook(declared, spent.looks, inAll, wait.seconds), left));
  const callback = wait.watched ?? (inAll >= callbackAfterSeconds || undefined);
  await store.finish(
    {
      status: 'waiting',
      waiting: {
        for: wait.reason,
        since: iso(since),
        expectedBy: wait.expectedSeconds === undefined ? null : iso(since + wait.expectedSeconds * 1000),
        deadline: iso(deadline),
        // The step looks then at the latest.
        next: wait.watched ? iso(deadline) : iso(at + seconds * 1000),
        name,
        at: iso(at),
        ...(callback && { callback }),
        ...(callback && watchOf(step, cx, wait, at + secondsToNextLook(declared, spent.looks, inAll) * 1000)),
      },
      warnings: [],
    },
    { waited: { ...waited, [name]: { ...spent, looks: spent.looks + 1 } } },
  );
  if (!callback) return { seconds };
  return { seconds: secondsOfPolls(wait, seconds), callback, timeoutSeconds: left + afterDeadlineSeconds };
}

/** @throws TerminalError if the step has not declared the wait */
function declarationOf(
  step: Step,
  wait: Wait,
  engineWait: EngineWait | undefined,
): { name: string; declared: DeclaredWait } {
  if (engineWait) return { name: engineWait, declared: engineWaits[engineWait] };
  const declared = (wait.watched ? step.watchedWaits : step.waits)?.[wait.overdue];
  if (!declared)
    throw new TerminalError('unexpected', `step ${step.name} has not declared its wait for ${wait.reason}`);
  if (wait.deadlineSeconds > declared.longestSeconds)
    throw new TerminalError(
      'unexpected',
      `step ${step.name} waits ${wait.deadlineSeconds} s for ${wait.reason}, longer than the ${declared.longestSeconds} s that it declares`,
    );
  return { name: wait.watched ? `${wait.overdue}${watchedSuffix}` : wait.overdue, declared };
}

/** What the attempt has waited, with the time since it was parked last. */
function withElapsed({ waiting, waited = {} }: StepRecord, at: number): Record<string, Spent> {
  if (!waiting?.name || !waiting.at) return waited;
  const { seconds, looks } = waited[waiting.name] ?? { seconds: 0, looks: 0 };
  return { ...waited, [waiting.name]: { seconds: seconds + (at - Date.parse(waiting.at)) / 1000, looks } };
}

const watchedSuffix = ' watched';

function unwatchedSeconds(waited: Record<string, Spent>): number {
  const unwatched = Object.entries(waited).filter(([name]) => !name.endsWith(watchedSuffix));
  return unwatched.reduce((sum, [, { seconds }]) => sum + seconds, 0);
}

/** AWS shows that it has delivered some time after it has, so that looks come more often for news within the step's interval. */
const shareOfInterval = 0.8;

/** How the watcher looks for news meanwhile. @param restedAt from then on it may wake the step, if the step has looked often in vain */
function watchOf(
  { watch }: Step,
  { run, notes }: Pick<EngineContext, 'run' | 'notes'>,
  { seconds }: Wait,
  restedAt: number,
): Pick<StoredWait, 'watchMinutes' | 'newsFrom' | 'subject'> | undefined {
  if (!watch) return undefined;
  const mayWakeAtOnce = restedAt <= now() + seconds * 1000;
  return {
    watchMinutes: Math.max(1, Math.round((seconds / 60) * shareOfInterval)),
    newsFrom: iso(mayWakeAtOnce ? now() : restedAt),
    subject: { ...watch.subjectOf(run, notes) },
  };
}

/** A history has room for 25,000 events, and each look of a definition of 0.3.0 adds nine. */
const mostPolls = 2000;

function secondsOfPolls({ watched, deadlineSeconds }: Wait, seconds: number): number {
  return watched ? Math.max(seconds, Math.ceil(deadlineSeconds / mostPolls)) : seconds;
}
