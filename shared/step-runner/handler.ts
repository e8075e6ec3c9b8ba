import { randomUUID } from 'node:crypto';
import middy from '@middy/core';
import type { Context } from 'aws-lambda';
import * as z from 'zod';
import { classify, type KnownError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { runErrorOf, type StepRecord } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { targetOf } from '../model/target.ts';
import { targetId } from '../model/target.ts';
import { now } from '../platform/clock.ts';
import { log, type LogFields } from '../platform/logger.ts';
import { hasUnpublishedEvents, publishEvents } from '../runs/publish-events.ts';
import { settleCancel } from '../runs/record-end.ts';
import type { Step, Wait } from '../step/contract.ts';
import { queueWait } from '../step/plan-builders.ts';
import { type Lease, releaseLease, takeLease } from '../table/lease.ts';
import { alreadyDone, converge, register, type StepResult } from './converge.ts';
import { type Preview, preview } from './dry-run.ts';
import { Invocation } from './invocation.ts';
import { type EngineWait, park, type Parked } from './park.ts';
import { StepStore } from './step-record.ts';

/** The input of every step: only ids. */
const StepEvent = z.object({ runId: z.string(), attempt: z.int() });
type StepEvent = z.infer<typeof StepEvent>;

/** The result of every step. The state machine reads `status`, then the fields of the wait or `outdated`. Stable across deployments. */
export interface StepAnswer extends Parked {
  status: 'succeeded' | 'planned' | 'waiting';
  /** The earlier step that has to run again because of `invalidates`; empty if none. */
  outdated: StepName | '';
}

const leaseWait: Wait = queueWait('another run to release the lock on these resources', {
  seconds: 3,
  deadlineSeconds: 4 * 3600,
});

/** IAM usually shows a change everywhere within ten seconds; a call before that is denied. */
const settlingMs = 10_000;

function settlingWait({ after = [] }: Step, { steps }: AnyRun): Wait | undefined {
  const changes = after.flatMap((name) => steps[name]?.changes ?? []);
  const last = Math.max(0, ...changes.map(({ at }) => (at ? Date.parse(at) : 0)));
  const left = last + settlingMs - now();
  if (left <= 0) return undefined;
  return {
    reason: 'IAM to show the latest changes everywhere',
    seconds: Math.ceil(left / 1000),
    deadlineSeconds: 60,
    overdue: 'aws-unavailable',
  };
}

/** Wraps a step for Lambda: throws every error under one of the three names that the state machine matches. */
export function stepHandler(step: Step) {
  return middy<unknown, StepAnswer>()
    .onError((request) => {
      request.error = classify(request.error);
    })
    .handler((event, context) => runStep(step, StepEvent.parse(event), context));
}

/** One invocation of a step. Then its events are published. */
async function runStep(
  step: Step,
  { runId, attempt }: StepEvent,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<StepAnswer> {
  const store = new StepStore(runId, attempt, step.name);
  try {
    return await takeStep(step, runId, store, context);
  } finally {
    const run = store.run && ((await endIfCancelled(store.run)) ?? store.run);
    if (run && hasUnpublishedEvents(run)) await publishEvents(run);
  }
}

/** The last invocation of a cancelled run ends it; if it cannot, the sweeper does. */
async function endIfCancelled(run: AnyRun): Promise<AnyRun | undefined> {
  try {
    return await settleCancel(run);
  } catch (error) {
    log('cancelled run not ended', { runId: run.runId, step: 'cancel', detail: classify(error).message });
    return undefined;
  }
}

/** Begins the step, converges under its lease and records the result. */
async function takeStep(
  step: Step,
  runId: string,
  store: StepStore,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<StepAnswer> {
  const run = await store.begin(now() + context.getRemainingTimeInMillis());
  const record = recordOf(run, step);
  const fields = { runId, step: step.name };
  try {
    const cx = new Invocation(step, run, record, store);
    const wait = async (planned: Wait, engineWait?: EngineWait): Promise<StepAnswer> => ({
      status: 'waiting',
      ...(await park(step, { store, record, cx }, planned, engineWait)),
      outdated: '',
    });
    if (run.request.dryRun) return await endPreview(step, run, store, await preview(step, cx));
    const settling = settlingWait(step, run);
    if (settling) return await wait(settling, 'settling');
    const gathering = await register(step, cx);
    if (gathering) return await wait(gathering);
    const lease = step.lease ? await leaseFor(step.lease, run, step, context) : undefined;
    if (lease === 'busy') {
      const done = await alreadyDone(step, cx);
      return done ? await end(step, run, store, done) : await wait(leaseWait, 'lease');
    }
    try {
      const result = await converge(step, cx, lease);
      return result.status === 'waiting'
        ? await wait(result.wait, result.engineWait)
        : await end(step, run, store, result);
    } finally {
      if (lease) await giveBack(lease, fields);
    }
  } catch (thrown) {
    const error = classify(thrown);
    log('step error', { ...fields, error: error.name, code: error.code, detail: error.message });
    if (error.code !== 'stale-attempt') await recordError(store, record, error, step);
    throw error;
  }
}

async function end(
  step: Step,
  run: AnyRun,
  store: StepStore,
  result: Exclude<StepResult, { status: 'waiting' }>,
): Promise<StepAnswer> {
  const { output, warnings } = result;
  await store.finish({ status: 'succeeded', output, warnings });
  log('step ended', { runId: run.runId, step: step.name, status: 'succeeded' });
  return { status: 'succeeded', seconds: 0, outdated: step.invalidates?.(run, output) ?? '' };
}

/** The state machine continues after any result, so that a dry run has every step. */
async function endPreview(
  step: Step,
  run: AnyRun,
  store: StepStore,
  { status, output, changes, warnings, refusals, quotas }: Preview,
): Promise<StepAnswer> {
  const [error] = refusals;
  await store.finish(
    {
      status,
      warnings,
      ...(output && { output }),
      ...(error && { error }),
      preview: { summary: step.summary, refusals, quotas },
    },
    { planned: changes },
  );
  log('step ended', { runId: run.runId, step: step.name, status });
  const outdated = (output && step.invalidates?.(run, output)) ?? '';
  // A step without an output would have none the second time either.
  const isWorthIt = outdated !== '' && run.steps[outdated]?.output !== undefined;
  return { status: 'planned', seconds: 0, outdated: isWorthIt ? outdated : '' };
}

function recordOf(run: AnyRun, step: Step): StepRecord {
  return run.steps[step.name] ?? { status: 'running', invocations: 1, changes: [], warnings: [] };
}

/** Each invocation takes the lease for itself: one that the state machine no longer waits for may still write when the next one starts. */
async function leaseFor(
  kind: NonNullable<Step['lease']>,
  run: AnyRun,
  step: Step,
  context: Pick<Context, 'getRemainingTimeInMillis'>,
): Promise<Lease | 'busy'> {
  const scope = kind === 'target' ? `target#${targetId(targetOf(run.request))}` : `payer#${run.request.payerAccountId}`;
  const holder = `${run.runId}-${run.attempt}-${step.name}-${randomUUID()}`;
  return (await takeLease(scope, holder, context.getRemainingTimeInMillis())) ?? 'busy';
}

/** A lease that cannot be released expires. The step keeps its result. */
async function giveBack(lease: Lease, fields: LogFields): Promise<void> {
  try {
    await releaseLease(lease);
  } catch (error) {
    log('lease not released', { ...fields, scope: lease.scope, detail: classify(error).message });
  }
}

/**
 * A retryable error leaves the step running: the state machine tries again, and `close` finds the error if the retries fail. The record
 * keeps the wait, because its deadline counts from the first one.
 */
async function recordError(store: StepStore, record: StepRecord, error: KnownError, step: Step): Promise<void> {
  const { warnings, waiting } = record;
  const ending: Pick<StepRecord, 'status' | 'waiting'> =
    error.name === 'RetryableError' ? { status: 'running', ...(waiting && { waiting }) } : { status: 'failed' };
  await store.finish({ ...ending, warnings, error: runErrorOf(error, step.name) });
}
