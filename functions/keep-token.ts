import middy from '@middy/core';
import * as z from 'zod';
import { classify, TerminalError } from '../shared/errors/errors.ts';
import { endedStatuses } from '../shared/model/run-schemas.ts';
import { stepNames } from '../shared/model/step-names.ts';
import { iso, now } from '../shared/platform/clock.ts';
import { readRun } from '../shared/runs/run-table.ts';
import { keepToken } from '../shared/runs/waiting-task.ts';

/** The input of a task that waits for a callback. The state machine gives the token to nobody else. */
const TokenEvent = z.object({ runId: z.string(), attempt: z.int(), step: z.enum(stepNames), token: z.string() });

/** Stores the token for the watcher. Nothing of it is logged or returned. @throws TerminalError stale-attempt */
async function keep(event: unknown): Promise<void> {
  const { runId, attempt, step, token } = TokenEvent.parse(event);
  const run = await readRun(runId);
  const isCurrent = run?.attempt === attempt && !endedStatuses.includes(run.status);
  if (!isCurrent || run.cancelRequestedAt !== undefined)
    throw new TerminalError('stale-attempt', `run ${runId} is not in attempt ${attempt} any more`);
  const waiting = run.steps[step]?.waiting;
  if (!waiting) throw new TerminalError('unexpected', `step ${step} of run ${runId} does not wait`);
  const { at = waiting.since, next, watchMinutes, newsFrom, subject } = waiting;
  const { payerAccountId } = run.request;
  const keptAt = iso(now());
  const watched = {
    ...(watchMinutes !== undefined && { watchMinutes }),
    ...(newsFrom !== undefined && { newsFrom }),
    ...(subject && { subject }),
  };
  await keepToken({ runId, attempt, step, payerAccountId, at, keptAt, next, ...watched }, token);
}

export const handler = middy<unknown, undefined>()
  .onError((request) => {
    request.error = classify(request.error);
  })
  .handler(async (event) => {
    await keep(event);
    return undefined;
  });
