import { RetryableError } from '../errors/errors.ts';
import { Refusal } from '../errors/problem.ts';
import type { AnyRun } from '../model/run.ts';
import { runEvent } from '../model/run-event.ts';
import { endedStatuses, type StepRecord } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { outputs } from '../model/step-outputs.ts';
import { iso, now } from '../platform/clock.ts';
import { allOf, equals } from '../table/expressions.ts';
import { isCancelling } from './end.ts';
import { readRival } from './lock.ts';
import { readRun } from './run-table.ts';
import { statusWrites, updateRun } from './run-table-update.ts';
import { completeStart, runActive } from './start.ts';

/**
 * A new attempt of a run that has failed, was cancelled, or ended with less than the consumer's own word: finished steps only look, the
 * others are taken. Record, lock, execution, in this order, as at a start: a repeat or the sweeper goes on where a crash stopped it.
 * @throws Refusal run-not-retryable, run-active
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
  // Asked before anything is written: the history of a run that cannot have its lock stays as it is.
  const rival = run.request.dryRun ? undefined : await readRival(run);
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
  throw new RetryableError('aws-unavailable', `run ${run.runId} changes while it is retried`);
}

/** The step a new attempt begins with; undefined for the first. @throws Refusal */
function whereFrom(run: AnyRun): StepName | undefined {
  switch (run.status) {
    case 'failed':
    case 'cancelled':
      return undefined;
    case 'succeeded': {
      if (run.kind === 'offboarding') throw notRetryable('The offboarding has succeeded: nothing is left to do.');
      const verdict = outputs['load-proof'].safeParse(run.steps['load-proof']?.output).data?.verdict;
      if (verdict === 'pending') return 'load-proof';
      // What has been installed since has to be found first.
      if (verdict === 'not-installed') return 'discovery';
      throw notRetryable(
        'The run has succeeded and the consumer says that the connection works: nothing is left to do.',
      );
    }
    case 'planned':
      throw notRetryable('The run was a dry run and has ended planned: start it again.');
    case 'queued':
    case 'running':
      throw notRetryable(
        isCancelling(run)
          ? 'The run is being cancelled: retry it when it has ended.'
          : `The run is ${run.status}: only a run that has ended can be retried.`,
      );
  }
}

function notRetryable(reason: string): Refusal {
  return new Refusal('run-not-retryable', reason);
}

/** What has succeeded stays as it is; what an attempt is to begin with, and what did not come to its end, is pending. */
function stepsAgain({ steps, request }: AnyRun, from: StepName | undefined): AnyRun['steps'] {
  const again = ([name, record]: [string, StepRecord]): [string, StepRecord] => {
    const isDone = ['succeeded', 'skipped'].includes(record.status) && (from === undefined || name !== 'load-proof');
    const { invocations, changes, output, memo } = record;
    const pending: StepRecord = {
      status: 'pending',
      invocations,
      // Of a dry run they were only planned.
      changes: request.dryRun ? [] : changes,
      warnings: [],
      ...(output && { output }),
      ...(memo && { memo }),
    };
    return [name, isDone ? record : pending];
  };
  return Object.fromEntries(Object.entries(steps).map(again));
}
