import { RetryableError } from '../errors/errors.ts';
import { RequestRefusal } from '../errors/request-refusal.ts';
import type { AnyRun } from '../model/run.ts';
import { newRunId } from '../model/run-id.ts';
import { runLink } from '../model/run-link.ts';
import type { OffboardingRequest, OnboardingRequest } from '../model/run-requests.ts';
import { runErrorOf } from '../model/run-schemas.ts';
import { targetOf } from '../model/target.ts';
import { iso, now } from '../platform/clock.ts';
import { readTargetSettings } from '../targets/target-settings.ts';
import { claimKey, releaseKey } from './idempotency-key.ts';
import { takeLock } from './payer-target-lock.ts';
import { endRun, isCancelling } from './record-end.ts';
import { createRun, deleteQueuedRun, type NewRun, readRun } from './run-table.ts';
import { type Startable, startExecution } from './step-functions-execution.ts';

/** The kind and the request of a run. */
export type Assignment =
  { kind: 'onboarding'; request: OnboardingRequest } | { kind: 'offboarding'; request: OffboardingRequest };

/**
 * Starts a run. Writes the idempotency key, the run item and the lock, then starts the execution, in this order. Each is written only
 * if it does not exist yet, so that a repeat with the same key continues where a crash stopped the first request.
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
    if (error instanceof RequestRefusal && idempotencyKey !== undefined) await releaseKey(idempotencyKey, run.runId);
    throw error;
  }
  const started = await readRun(run.runId);
  if (!started) throw new RetryableError('aws-unavailable', `a simultaneous request deleted run ${run.runId}`);
  return started;
}

/**
 * Takes the lock and starts the execution; also for a queued run that a crash left without them. If another run has the lock, returns
 * that run. This run is then deleted, or, if it has earlier attempts or belongs to a batch, ends as failed. A dry run writes nothing and
 * needs no lock.
 */
export async function completeStart(run: Startable): Promise<AnyRun | undefined> {
  const holder = run.request.dryRun ? 'taken' : await takeLock(run);
  if (holder === 'taken') {
    await startExecution(run);
    return undefined;
  }
  if (run.attempt === 1 && run.batchId === undefined) await deleteQueuedRun(run.runId);
  else await endAgain(run, holder);
  // The request of the other run may have crashed before this call; the sweeper would need minutes to notice.
  if (holder.status === 'queued') await startExecution(holder);
  return holder;
}

async function endAgain({ runId, attempt }: Startable, holder: AnyRun): Promise<void> {
  const run = await readRun(runId);
  if (run?.attempt !== attempt) return;
  await endRun(run, 'failed', runErrorOf({ code: 'run-active', message: runActive(holder).message }, null));
}

/** The refusal of a request whose payer and target have an active run. */
export function runActive({ runId, status }: AnyRun): RequestRefusal {
  return new RequestRefusal('run-active', `Run ${runId} for this payer and target has the status ${status}.`, {
    links: { run: runLink(runId) },
  });
}

/**
 * The first run for a target sets the identity mode, the service account and the format. A request without a service account or a
 * format accepts the stored value, also after the service account has changed with the workload.
 */
export async function refuseIfTargetDiffers(run: Assignment): Promise<void> {
  if (run.kind !== 'onboarding') return;
  const fixed = await readTargetSettings(targetOf(run.request));
  if (!fixed) return;
  const { mode, serviceAccount } = run.request.identity;
  const { format } = run.request.kubecost;
  const errors = [
    ...(mode === fixed.identityMode
      ? []
      : [{ pointer: '/identity/mode', detail: `must be ${fixed.identityMode}, as in the first run for this target` }]),
    ...(serviceAccount.name === undefined || serviceAccount.name === fixed.serviceAccount
      ? []
      : [
          {
            pointer: '/identity/serviceAccount/name',
            detail: `must be ${fixed.serviceAccount}, as in the first run for this target`,
          },
        ]),
    ...(format === 'auto' || format === fixed.format
      ? []
      : [{ pointer: '/kubecost/format', detail: `must be ${fixed.format}, as in the first run for this target` }]),
  ];
  if (errors.length > 0) {
    throw new RequestRefusal(
      'target-differs',
      'An earlier run for this cluster, namespace and secret used other settings.',
      {
        errors,
      },
    );
  }
}
