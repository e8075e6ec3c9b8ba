import middy from '@middy/core';
import * as z from 'zod';
import { closeAdminWindow } from '../shared/admin-window.ts';
import { clusterAccount } from '../shared/accounts.ts';
import { classify, TerminalError } from '../shared/errors.ts';
import { log } from '../shared/logger.ts';
import { clusterArnOf, endedStatuses, runErrorOf, type AnyRun, type RunError, type RunStatus } from '../shared/run.ts';
import { releaseLock } from '../shared/run-lock.ts';
import { endRun } from '../shared/run-end.ts';
import { readRun } from '../shared/run-store.ts';
import { stepNames } from '../shared/step-names.ts';
import { readWindow } from '../shared/target-store.ts';

/** The state machine's own state at its end; `failure` as Catch leaves it. */
const MachineEvent = z.object({
  runId: z.string(),
  attempt: z.int(),
  failure: z.object({ Error: z.string(), Cause: z.string().default('') }).optional(),
});

/** EventBridge: an execution ended in a way its own states cannot see (stopped, timed out, history full). */
const StatusChangeEvent = z.object({
  detail: z.object({
    status: z.enum(['FAILED', 'TIMED_OUT', 'ABORTED']),
    input: z.string().transform((text) => MachineEvent.parse(JSON.parse(text))),
  }),
});

interface End {
  runId: string;
  attempt: number;
  failure?: { code: 'step-crashed' | 'execution-stopped'; message: string };
}

/** The one way a run ends: an open admin window shut, status set once, lock released. Safe to repeat. */
export async function close(event: unknown): Promise<{ status: RunStatus }> {
  const end = readEnd(event);
  const run = await readRun(end.runId);
  if (!run) throw new TerminalError('unexpected', `run ${end.runId} has no record`);
  if (run.attempt !== end.attempt) return { status: run.status };
  try {
    await shutWindow(run);
  } finally {
    // A cluster that does not answer must not keep the run from ending.
    await setEnd(run, end);
    await releaseLock(run);
  }
  return { status: (await readRun(run.runId))?.status ?? run.status };
}

async function setEnd(run: AnyRun, { failure }: End): Promise<void> {
  if (endedStatuses.includes(run.status)) return;
  const error = failure && failureOf(run, failure);
  const status = error ? 'failed' : run.request.dryRun ? 'planned' : 'succeeded';
  if (await endRun(run, status, error))
    log('run ended', { runId: run.runId, step: 'close', status, code: error?.code });
}

function readEnd(event: unknown): End {
  const fromMachine = MachineEvent.safeParse(event);
  if (fromMachine.success) {
    const { runId, attempt, failure } = fromMachine.data;
    return {
      runId,
      attempt,
      ...(failure && { failure: { code: 'step-crashed', message: `${failure.Error}: ${messageOf(failure.Cause)}` } }),
    };
  }
  const { status, input } = StatusChangeEvent.parse(event).detail;
  const message = `the execution ended ${status}`;
  return { runId: input.runId, attempt: input.attempt, failure: { code: 'execution-stopped', message } };
}

/** Lambda hands errors on as JSON text, other failures as plain text. */
function messageOf(cause: string): string {
  try {
    return (JSON.parse(cause) as { errorMessage?: string }).errorMessage ?? cause;
  } catch {
    return cause;
  }
}

/**
 * What the failing step recorded; else the error that was retried in vain, which the state machine quotes, for another branch's step may
 * hold one that is about to pass; else what the state machine saw, of the step that was running.
 */
function failureOf(run: AnyRun, failure: NonNullable<End['failure']>): RunError {
  const records = stepNames.flatMap((name) => run.steps[name] ?? []);
  const failed =
    records.find(({ status }) => status === 'failed') ??
    records.find(({ error }) => error && failure.message.endsWith(`: ${error.message}`));
  if (failed?.error) return failed.error;
  const [running, ...others] = stepNames.filter((name) => run.steps[name]?.status === 'running');
  return runErrorOf(failure, failure.code === 'step-crashed' && others.length === 0 ? (running ?? null) : null);
}

/** A cluster we can no longer enter keeps its mark: the sweeper tries again. What may soon work the state machine tries again. */
async function shutWindow(run: AnyRun): Promise<void> {
  const clusterArn = clusterArnOf(run.request);
  const window = await readWindow(clusterArn);
  if (window?.runId !== run.runId) return;
  try {
    await closeAdminWindow(clusterAccount(window.clusterAccountId, run.runId), clusterArn, window);
  } catch (thrown) {
    const error = classify(thrown);
    if (error.name === 'RetryableError') throw error;
    log('admin window still open', { runId: run.runId, step: 'close', cluster: clusterArn, detail: error.message });
  }
}

export const handler = middy<unknown, { status: RunStatus }>()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(close);
