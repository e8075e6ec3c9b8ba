import type { Context } from 'aws-lambda';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RetryableError } from '../../../shared/errors/errors.ts';
import { cancelRun } from '../../../shared/runs/cancel.ts';
import { takeLock } from '../../../shared/runs/payer-target-lock.ts';
import type { Step } from '../../../shared/step/contract.ts';
import { stepHandler } from '../../../shared/step-runner/handler.ts';
import { HubServices } from '../../support/hub-services.ts';
import { logLines } from '../../support/log-lines.ts';
import { SampleStep } from '../../support/sample-step.ts';
import { givenRun, storedRun } from '../../support/stored-runs.ts';

let hub: HubServices;
let runId: string;
let lines: () => Record<string, unknown>[];
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-03-01T00:00:00Z') });
  lines = logLines();
  hub = new HubServices();
  await hub.start();
  runId = await givenRun({ status: 'queued' });
  await takeLock(await storedRun(runId));
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await hub.stop();
});

const context = { getRemainingTimeInMillis: () => 60_000 } as Context;
const take = (step: Step) => stepHandler(step)({ runId, attempt: 1 }, context);

/** A step whose run is cancelled directly before its nth write. */
function cancelledAtWrite(sample: SampleStep, n: number, then: () => void = () => undefined): Step {
  let writes = 0;
  return {
    ...sample.step,
    async apply(...parts) {
      if (++writes === n) {
        expect(await cancelRun(await storedRun(runId))).toMatchObject({ status: 'running' });
        then();
      }
      return (await sample.step.apply?.(...parts)) ?? 'not-changed';
    },
  };
}

describe('a step whose run is cancelled while it is active', () => {
  it('completes, records every write and ends the run', async () => {
    const sample = new SampleStep();
    await take(cancelledAtWrite(sample, 2));
    const run = await storedRun(runId);
    expect(run).toMatchObject({ status: 'cancelled', steps: { 'payer-policy': { status: 'succeeded' } } });
    expect(run.steps['payer-policy']?.changes.map(({ resource }) => resource)).toEqual(sample.written);
    expect(sample.written).toHaveLength(3);
    expect(await hub.items('lock#')).toEqual([]);
    expect(hub.events.at(-1)).toMatchObject({ step: null, status: 'cancelled' });
  });

  it('ends the run as cancelled even if the step fails', async () => {
    const step = cancelledAtWrite(new SampleStep(), 1, () => {
      throw new RetryableError('throttled', 'SlowDown');
    });
    await expect(take(step)).rejects.toThrow('SlowDown');
    expect(await storedRun(runId)).toMatchObject({ status: 'cancelled' });
    expect(await storedRun(runId)).not.toHaveProperty('error');
  });

  it('is not started again and writes nothing', async () => {
    await take(cancelledAtWrite(new SampleStep(), 1));
    const before = await hub.items();
    await expect(take(new SampleStep().step)).rejects.toMatchObject({ name: 'TerminalError', code: 'stale-attempt' });
    expect(await hub.items()).toEqual(before);
  });

  it('succeeds even if only the sweeper can end the run', async () => {
    const answer = await take(
      cancelledAtWrite(new SampleStep(), 1, () => {
        // Three changes and the step's end reach the table, the run's end does not.
        hub.crash({ atWrite: 5, applied: false });
      }),
    );
    hub.crash(undefined);
    expect(answer.status).toBe('succeeded');
    expect(await storedRun(runId)).toMatchObject({ status: 'running' });
    expect(lines()).toContainEqual(expect.objectContaining({ message: 'cancelled run not ended', runId }));
    expect(await cancelRun(await storedRun(runId))).toMatchObject({ status: 'cancelled' });
  });
});
