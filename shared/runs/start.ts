import { RetryableError } from '../errors/errors.ts';
import { Refusal } from '../errors/problem.ts';
import { runLink } from '../model/links.ts';
import type { OffboardingRequest, OnboardingRequest } from '../model/onboarding-request.ts';
import type { AnyRun } from '../model/run.ts';
import { newRunId } from '../model/run-id.ts';
import { runErrorOf } from '../model/run-schemas.ts';
import { targetOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { readTargetSettings } from '../targets/target-settings.ts';
import { endRun, isCancelling } from './end.ts';
import { type Startable, startExecution } from './execution.ts';
import { claimKey, releaseKey } from './idempotency-key.ts';
import { takeLock } from './lock.ts';
import { createRun, deleteQueuedRun, type NewRun, readRun } from './run-table.ts';

/** What a run is asked to do. */
export type Assignment =
  { kind: 'onboarding'; request: OnboardingRequest } | { kind: 'offboarding'; request: OffboardingRequest };

/**
 * Starts a run: idempotency key, run item, lock, execution, in this order. Each is written only if it is not there yet, so a repeat
 * with the same key goes on wherever a crash stopped the first request.
 */
export async function startRun(assignment: Assignment, idempotencyKey?: string): Promise<AnyRun> {
  const at = now();
  const fresh = { runId: newRunId(at), createdAt: iso(at) };
  const claim = idempotencyKey === undefined ? fresh : await claimKey(idempotencyKey, assignment.request, fresh);
  const run: NewRun = { ...claim, attempt: 1, status: 'queued', ...assignment };
  const known = claim === fresh ? undefined : await readRun(run.runId);
  if (known && (known.status !== 'queued' || isCancelling(known))) return known;
  try {
    if (!known) {
      await refuseIfTargetDiffers(run);
      await createRun(run);
    }
    const active = await completeStart(known ?? run);
    if (active) throw runActive(active);
  } catch (error) {
    if (error instanceof Refusal && idempotencyKey !== undefined) await releaseKey(idempotencyKey, run.runId);
    throw error;
  }
  const started = await readRun(run.runId);
  if (!started)
    throw new RetryableError('aws-unavailable', `run ${run.runId} was taken back by a simultaneous request`);
  return started;
}

/**
 * The second half of a start, also for a queued run that a crash left without lock or execution. Answers the run that has the lock
 * instead, if another one does; then this run is taken back, or, if it has a history or counts in a batch, ends failed. A dry run writes
 * nothing and needs no lock.
 */
export async function completeStart(run: Startable): Promise<AnyRun | undefined> {
  const holder = run.request.dryRun ? 'taken' : await takeLock(run);
  if (holder === 'taken') {
    await startExecution(run);
    return undefined;
  }
  if (run.attempt === 1 && run.batchId === undefined) await deleteQueuedRun(run.runId);
  else await endAgain(run, holder);
  // Its own request may have crashed right before this call, and nobody else would notice for minutes.
  if (holder.status === 'queued') await startExecution(holder);
  return holder;
}

async function endAgain({ runId, attempt }: Startable, holder: AnyRun): Promise<void> {
  const run = await readRun(runId);
  if (run?.attempt !== attempt) return;
  await endRun(run, 'failed', runErrorOf({ code: 'run-active', message: runActive(holder).message }, null));
}

/** The request is refused for the sake of the run that works on its payer and target. */
export function runActive({ runId, status }: AnyRun): Refusal {
  return new Refusal('run-active', `Run ${runId} for this payer and target is ${status}.`, {
    links: { run: runLink(runId) },
  });
}

/**
 * The first run for a target fixed how its pod gets a role and how the file is written. A request that leaves the service account
 * or the format open agrees with any, also once the service account has followed the workload.
 */
export async function refuseIfTargetDiffers(run: Assignment): Promise<void> {
  if (run.kind !== 'onboarding') return;
  const fixed = await readTargetSettings(targetOf(run.request));
  if (!fixed) return;
  const { mode, serviceAccount } = run.request.identity;
  const { format } = run.request.kubecost;
  const errors = [
    ...(mode === fixed.identityMode ? [] : [{ pointer: '/identity/mode', detail: `is ${fixed.identityMode} here` }]),
    ...(serviceAccount.name === undefined || serviceAccount.name === fixed.serviceAccount
      ? []
      : [{ pointer: '/identity/serviceAccount/name', detail: `is ${fixed.serviceAccount} here` }]),
    ...(format === 'auto' || format === fixed.format
      ? []
      : [{ pointer: '/kubecost/format', detail: `is ${fixed.format} here` }]),
  ];
  if (errors.length > 0) {
    throw new Refusal('target-differs', 'An earlier run for this cluster, namespace and secret used other settings.', {
      errors,
    });
  }
}
