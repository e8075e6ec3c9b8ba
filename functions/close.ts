import middy from '@middy/core';
import * as z from 'zod';
import { classify, TerminalError } from '../shared/errors/errors.ts';
import type { RunStatus } from '../shared/model/run-schemas.ts';
import { closeRun, type Failure } from '../shared/runs/close.ts';
import { readRun } from '../shared/runs/run-table.ts';
import { failUnreadableRun, tryReadRun } from '../shared/runs/unreadable-run.ts';

/** A failure without an error or a cause has null here (LocalStack's recordings of SendTaskFailure on AWS). */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

/** The input of the last state of an execution. Catch sets `failure`. */
const MachineEvent = z.object({
  runId: z.string(),
  attempt: z.int(),
  failure: z.object({ Error: text, Cause: text }).optional(),
});

/** The event of EventBridge about an execution that was stopped, timed out, or filled its history. Its own last state does not run then. */
const StatusChangeEvent = z.object({
  detail: z.object({
    status: z.enum(['FAILED', 'TIMED_OUT', 'ABORTED']),
    input: z.string().transform((text) => MachineEvent.parse(JSON.parse(text))),
  }),
});

const LambdaFailure = z.object({ errorMessage: z.string() });

interface End {
  runId: string;
  attempt: number;
  failure?: Failure;
}

/** Ends the run of an execution. The last state of the execution or EventBridge calls it. @throws TerminalError if there is no run */
export async function close(event: unknown): Promise<{ status: RunStatus }> {
  const { runId, attempt, failure } = readEnd(event);
  const read = await tryReadRun(runId);
  if ('unreadable' in read) {
    await failUnreadableRun(runId, read.unreadable, attempt);
    return { status: 'failed' };
  }
  const { run } = read;
  if (!run) throw new TerminalError('unexpected', `run ${runId} has no record`);
  if (run.attempt !== attempt) return { status: run.status };
  await closeRun(run, failure);
  return { status: (await readRun(runId))?.status ?? run.status };
}

function readEnd(event: unknown): End {
  const fromMachine = MachineEvent.safeParse(event);
  if (fromMachine.success) {
    const { runId, attempt, failure } = fromMachine.data;
    return {
      runId,
      attempt,
      ...(failure && { failure: { code: 'step-crashed', message: messageOf(failure) } }),
    };
  }
  const { status, input } = StatusChangeEvent.parse(event).detail;
  const message = `the execution ended with the status ${status}`;
  return { runId: input.runId, attempt: input.attempt, failure: { code: 'execution-stopped', message } };
}

function messageOf({ Error: error, Cause: cause }: { Error: string; Cause: string }): string {
  const parts = [error, reasonOf(cause)].filter(Boolean);
  return parts.length > 0 ? parts.join(': ') : 'a task of the execution failed without an error or a cause';
}

/** Lambda returns errors as JSON text and other failures as plain text. */
function reasonOf(cause: string): string {
  try {
    return LambdaFailure.parse(JSON.parse(cause)).errorMessage;
  } catch {
    return cause;
  }
}

export const handler = middy<unknown, { status: RunStatus }>()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(close);
