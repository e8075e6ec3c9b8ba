import { iso, now } from './clock.ts';
import { runEvent } from './run-event.ts';
import type { AnyRun, RunError, RunStatus } from './run.ts';
import { statusWrites, updateRun, whileActive } from './run-update.ts';

/** Sets the end of a run once; undefined if it had ended before or another attempt is the current one. */
export function endRun(run: AnyRun, status: RunStatus, error?: RunError): Promise<AnyRun | undefined> {
  const at = iso(now());
  return updateRun(
    run,
    [
      ...statusWrites(run, status),
      { at: ['endedAt'], to: at },
      { at: ['error'], to: error },
      { at: ['atWorkKey'], to: undefined },
    ],
    whileActive(run.attempt),
    [runEvent(run, status, at, error)],
  );
}
