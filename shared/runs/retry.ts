import { RetryableError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import type { AnyRun } from '../model/run.ts';
import { runEvent } from '../model/run-event.ts';
import { endedStatuses, type StepRecord } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { parseOutput } from '../model/steps-and-outputs.ts';
import { iso, now } from '../platform/clock.ts';
import { allOf, equals } from '../table/expressions.ts';
import { readOtherActive } from './payer-target-lock.ts';
import { isCancelling } from './record-end.ts';
import { readRun } from './run-table.ts';
import { statusWrites, updateRun } from './run-table-update.ts';
import { completeStart, runActive } from './start.ts';

/**
 * Starts a new attempt of a run that has failed, was cancelled, or succeeded without a connection status of the consumer. Finished steps
 * only check their resources. Writes the record and the lock, then starts the execution, in this order as in `startRun`: a repeat or the
 * sweeper continues where a crash stopped it.
 * @throws RequestRefusal run-not-retryable, run-active
 */
export async function retryRun(run: AnyRun): Promise<AnyRun> {
  const isRetried = run.attempt > 1 && !endedStatuses.includes(run.status) && !isCancelling(run);
  const current = isRetried ? run : await queueAgain(run);
  if (current.status !== 'queued') return current;
  const rival = await completeStart(current);
  if (rival) throw runActive(rival);
  return (await readRun(run.runId)) ?? current;
}

async function queueAgain(run: AnyRun): Promise<AnyRun> {
  const from = whereFrom(run);
  // Checked before anything is written: a run that cannot get its lock keeps its history.
  const rival = run.request.dryRun ? undefined : await readOtherActive(run);
  if (rival) throw runActive(rival);
  const attempt = run.attempt + 1;
  const queued = await updateRun(
    run,
    [
      ...statusWrites(run, 'queued'),
      { at: 'attempt', to: attempt },
      { at: 'from', to: from },
      { at: 'steps', to: stepsAgain(run, from) },
      ...['startedAt', 'endedAt', 'error', 'cancelRequestedAt'].map((field) => ({ at: field, to: undefined })),
      ...(run.batchId === undefined ? [] : [{ at: 'atWorkKey', to: run.batchId }]),
    ],
    allOf(equals('attempt', run.attempt), equals('status', run.status)),
    [runEvent({ ...run, attempt }, 'queued', iso(now()))],
  );
  if (queued) return queued;
  const current = await readRun(run.runId);
  if (current && current.attempt > run.attempt && !endedStatuses.includes(current.status)) return current;
  throw new RetryableError('aws-unavailable', `run ${run.runId} changed during the retry`);
}

/** The step that the new attempt starts with; undefined for the first step. @throws RequestRefusal */
function whereFrom(run: AnyRun): StepName | undefined {
  switch (run.status) {
    case 'failed':
    case 'cancelled':
      return undefined;
    case 'succeeded': {
      if (run.kind === 'offboarding') throw notRetryable('The offboarding has succeeded. There is nothing to retry.');
      const connection = parseOutput('load-proof', run.steps['load-proof']?.output);
      if (connection?.verdict === 'pending') return 'load-proof';
      // A workload may have been installed since then.
      if (connection?.verdict === 'not-installed') return 'discovery';
      throw notRetryable(
        'The run has succeeded and the consumer reports that the connection works. There is nothing to retry.',
      );
    }
    case 'planned':
      throw notRetryable('The run is a dry run and has ended with the status planned. Start a new run.');
    case 'queued':
    case 'running':
      throw notRetryable(
        isCancelling(run)
          ? 'The run is being cancelled. Retry it when its status is cancelled.'
          : `The run has the status ${run.status}. Only a run that has ended can be retried.`,
      );
  }
}

function notRetryable(reason: string): RequestRefusal {
  return new RequestRefusal('run-not-retryable', reason);
}

/** Succeeded steps stay as they are. The step that the attempt starts with, and every unfinished step, become pending. */
function stepsAgain({ steps, request }: AnyRun, from: StepName | undefined): AnyRun['steps'] {
  const again = ([name, record]: [string, StepRecord]): [string, StepRecord] => {
    const isDone = ['succeeded', 'skipped'].includes(record.status) && (from === undefined || name !== 'load-proof');
    const { invocations, changes, output, memo: notes } = record;
    const pending: StepRecord = {
      status: 'pending',
      invocations,
      // The changes of a dry run were only planned.
      changes: request.dryRun ? [] : changes,
      warnings: [],
      ...(output && { output }),
      ...(notes && { memo: notes }),
    };
    return [name, isDone ? record : pending];
  };
  return Object.fromEntries(Object.entries(steps).map(again));
}
