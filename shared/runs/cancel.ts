import { TerminalError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { settleCancel } from './record-end.ts';
import { pendingIndex, readRun } from './run-table.ts';
import { updateRun, whileActive } from './run-table-update.ts';
import { stopExecution } from './step-functions-execution.ts';

/**
 * Cancels a run. After the first write no further step starts. The status becomes `cancelled` when the active steps have recorded their
 * changes, which takes up to a minute. Safe to repeat: a repeat or the sweeper completes what a crash left out.
 * @throws RequestRefusal run-ended
 */
export async function cancelRun(run: AnyRun): Promise<AnyRun> {
  const asked = await askForEnd(run);
  if (asked.status === 'cancelled') return asked;
  await stopExecution(asked);
  return (await settleCancel(asked)) ?? (await readAgain(asked));
}

async function askForEnd(run: AnyRun): Promise<AnyRun> {
  if (run.status === 'cancelled') return run;
  if (endedStatuses.includes(run.status))
    throw new RequestRefusal('run-ended', `The run has already ended with the status ${run.status}.`);
  if (run.cancelRequestedAt !== undefined) return run;
  const asked = await updateRun(
    run,
    [
      { at: 'cancelRequestedAt', to: iso(now()) },
      { at: pendingIndex.key, to: pendingIndex.value },
    ],
    whileActive(run.attempt),
  );
  // The run has ended or started another attempt since it was read.
  return asked ?? askForEnd(await readAgain(run));
}

async function readAgain({ runId }: AnyRun): Promise<AnyRun> {
  const run = await readRun(runId);
  if (!run) throw new TerminalError('unexpected', `run ${runId} is missing in the table`);
  return run;
}
