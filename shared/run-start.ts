import { ExecutionAlreadyExists, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { hubClient } from './aws/clients.ts';
import { iso, now } from './clock.ts';
import { RetryableError, TerminalError } from './errors.ts';
import { claimKey, releaseKey } from './idempotency-key.ts';
import { Refusal, runLink } from './problem.ts';
import type { OffboardingRequest, OnboardingRequest } from './request.ts';
import { targetOf, type AnyRun } from './run.ts';
import { newRunId } from './run-id.ts';
import { takeLock } from './run-lock.ts';
import { createRun, deleteQueuedRun, readRun, type NewRun } from './run-store.ts';
import type { StepName } from './step-names.ts';
import { readTargetSettings } from './target-store.ts';

/** What a run is asked to do. */
export type Assignment =
  { kind: 'onboarding'; request: OnboardingRequest } | { kind: 'offboarding'; request: OffboardingRequest };

/** What names an execution and decides its input. */
type Startable = Pick<AnyRun, 'runId' | 'attempt'> & Assignment;

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
  if (known && known.status !== 'queued') return known;
  try {
    if (!known) {
      await refuseIfTargetDiffers(run);
      await createRun(run);
    }
    const active = await completeStart(run);
    if (active) {
      throw new Refusal('run-active', `Run ${active.runId} for this payer and target is ${active.status}.`, {
        links: { run: runLink(active.runId) },
      });
    }
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
 * instead, if another one does; then this run is taken back. A dry run writes nothing and needs no lock.
 */
export async function completeStart(run: Startable): Promise<AnyRun | undefined> {
  const holder = run.request.dryRun ? 'taken' : await takeLock(run);
  if (holder === 'taken') {
    await startExecution(run);
    return undefined;
  }
  await deleteQueuedRun(run.runId);
  // Its own request may have crashed right before this call, and nobody else would notice for minutes.
  if (holder.status === 'queued') await startExecution(holder);
  return holder;
}

/**
 * The name is the run's and attempt's own: Step Functions starts it once, however often this is called.
 * @param from the step an onboarding begins with: `preflight`, or `load-proof` where only that is to be repeated
 */
export async function startExecution(run: Startable, from: StepName = 'preflight'): Promise<void> {
  const { runId, attempt } = run;
  const { stateMachineArn, input } =
    run.kind === 'onboarding'
      ? {
          stateMachineArn: process.env.PROVISION_STATE_MACHINE_ARN,
          input: { runId, attempt, identityMode: run.request.identity.mode, from },
        }
      : { stateMachineArn: process.env.OFFBOARD_STATE_MACHINE_ARN, input: { runId, attempt } };
  if (!stateMachineArn) throw new TerminalError('unexpected', `no state machine is configured for an ${run.kind}`);
  try {
    await hubClient(SFNClient).send(
      new StartExecutionCommand({ stateMachineArn, name: `${runId}-${attempt}`, input: JSON.stringify(input) }),
    );
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error;
  }
}

/**
 * The first run for a target fixed how its pod gets a role and how the file is written. A request that leaves the service account
 * or the format open agrees with any, also once the service account has followed the workload.
 */
async function refuseIfTargetDiffers(run: Assignment): Promise<void> {
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
