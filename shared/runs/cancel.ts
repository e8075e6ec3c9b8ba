import { TerminalError } from '../errors/errors.ts';
import { Refusal } from '../errors/problem.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { settleCancel } from './end.ts';
import { stopExecution } from './execution.ts';
import { pendingIndex, readRun } from './run-table.ts';
import { updateRun, whileActive } from './run-table-update.ts';

/**
 * Stops a run for good. From the first write on no step begins any more; the run is `cancelled` once the steps that are at work have
 * recorded what they did, which may be a minute later. Safe to repeat: whatever a crash leaves out, a repeat or the sweeper does.
 * @throws Refusal run-ended
 */
export async function cancelRun(run: AnyRun): Promise<AnyRun> {
  const asked = await askForEnd(run);
  if (asked.status === 'cancelled') return asked;
  await stopExecution(asked);
  return (await settleCancel(asked)) ?? (await readAgain(asked));
}

async function askForEnd(run: AnyRun): Promise<AnyRun> {
  if (run.status === 'cancelled') return run;
  if (endedStatuses.includes(run.status)) throw new Refusal('run-ended', `The run has ended ${run.status}.`);
  if (run.cancelRequestedAt !== undefined) return run;
  const asked = await updateRun(
    run,
    [
      { at: 'cancelRequestedAt', to: iso(now()) },
      { at: pendingIndex.key, to: pendingIndex.value },
    ],
    whileActive(run.attempt),
  );
  // It has ended, or begun another attempt, since it was read.
  return asked ?? askForEnd(await readAgain(run));
}

async function readAgain({ runId }: AnyRun): Promise<AnyRun> {
  const run = await readRun(runId);
  if (!run) throw new TerminalError('unexpected', `run ${runId} is gone`);
  return run;
}
