import { RetryableError, TerminalError, UserError } from '../errors/errors.ts';
import type { RunKind, StepName } from '../model/step-names.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import { sentenceOf } from '../step/change-sentence.ts';
import type { Applied, Plan, Step, StepChange, StepContext, Wait } from '../step/contract.ts';
import { type Lease, mayWrite } from '../table/lease.ts';

export type StepResult =
  | { status: 'succeeded'; output: Outputs[StepName]; warnings: string[] }
  /** `engineWait`: the wait is not one of the step's own. */
  | { status: 'waiting'; wait: Wait; engineWait?: 'effect' };

/** An invocation for the engine: the step's context, and the functions that store changes and notes. */
export interface EngineContext extends StepContext<RunKind> {
  /** Adds a change that was made to `changes`, and stores it. */
  record(change: StepChange): Promise<void>;
  /** Merges into `notes`, and stores them. */
  keep(notes: object): Promise<void>;
}

/** IAM propagation is bounded by two minutes in the field (terraform-provider-aws uses the same bound); twice that is generous. */
const visibilityDeadlineSeconds = 240;
const maxRounds = 8;

/**
 * Observe, plan, apply, observe again: the second observation decides. Changes may come in rounds (a bucket first, then its policy);
 * changes that are planned again after they were made are not visible yet, so the step waits.
 */
export async function converge(step: Step, cx: EngineContext, lease?: Lease): Promise<StepResult> {
  const input = step.input(cx);
  const observe = async () => {
    const seen = await step.observe(cx, input);
    return { basis: { input, seen }, plan: step.plan(input, seen, cx) };
  };
  let { basis, plan } = await observe();
  const applied = new Set<string>();
  for (let round = 0; plan.kind === 'change'; round++) {
    const wanted = JSON.stringify(plan.changes);
    if (applied.has(wanted) || round === maxRounds)
      return { status: 'waiting', wait: untilVisible(plan.changes[0]), engineWait: 'effect' };
    if (plan.notes) await cx.keep(plan.notes);
    for (const change of plan.changes) {
      if (lease && !mayWrite(lease))
        throw new RetryableError('aws-unavailable', `the lease ${lease.scope} is about to end`);
      if ((await applyOne(step, cx, change, basis)) === 'not-changed') break;
    }
    applied.add(wanted);
    ({ basis, plan } = await observe());
  }
  switch (plan.kind) {
    case 'ready':
      return succeeded(plan);
    case 'wait':
      if (plan.notes) await cx.keep(plan.notes);
      return { status: 'waiting', wait: plan };
    case 'refuse':
      throw new UserError(plan.code, plan.detail);
    case 'not-visible':
      throw new TerminalError('unexpected', `step ${step.name} cannot read what it has to change: ${plan.why}`);
  }
}

/** The result if there is nothing to do: another holder of the lease may have made this run's changes. */
export async function alreadyDone(
  step: Step,
  cx: EngineContext,
): Promise<Extract<StepResult, { status: 'succeeded' }> | undefined> {
  const input = step.input(cx);
  const plan = step.plan(input, await step.observe(cx, input), cx);
  return plan.kind === 'ready' ? succeeded(plan) : undefined;
}

/** Records this run's part for the holder of the lease. Returns a wait if other runs should register first. */
export async function register(step: Step, cx: EngineContext): Promise<Wait | undefined> {
  const input = step.input(cx);
  const first = await step.register?.(cx, input);
  if (!first?.notes) return first?.wait;
  await cx.keep(first.notes);
  return first.wait ?? (await step.register?.(cx, input))?.wait;
}

async function applyOne(
  step: Step,
  cx: EngineContext,
  change: StepChange,
  basis: { input: unknown; seen: unknown },
): Promise<Extract<Applied, string>> {
  if (!step.apply) throw new TerminalError('unexpected', `step ${step.name} plans changes and cannot apply any`);
  const applied = await step.apply(cx, change, basis);
  const { outcome, notes } = typeof applied === 'string' ? { outcome: applied } : applied;
  if (notes) await cx.keep(notes);
  if (outcome === 'changed') await cx.record(change);
  return outcome;
}

function succeeded({ output, warnings = [] }: Extract<Plan<StepChange, Outputs[StepName]>, { kind: 'ready' }>) {
  return { status: 'succeeded', output, warnings } as const;
}

function untilVisible(change: StepChange): Wait {
  return {
    reason: `the change to take effect: ${sentenceOf({ ...change, note: undefined })}`,
    seconds: 5,
    deadlineSeconds: visibilityDeadlineSeconds,
    overdue: 'change-does-not-hold',
  };
}
