import { RetryableError, TerminalError, UserError } from '../errors/errors.ts';
import type { RunKind } from '../model/step-names.ts';
import type { Plan, Step, StepChange, StepContext, Wait } from '../step/contract.ts';
import { rejected } from '../step/contract.ts';
import { type Lease, mayWrite } from '../table/lease.ts';

export type StepResult =
  { status: 'succeeded'; output: object; warnings: string[] } | { status: 'waiting'; plan: Wait };

export interface Recorder {
  /** Called after every write that was made. */
  changed(change: StepChange): Promise<void>;
}

/** IAM propagation is bounded by two minutes in the field (terraform-provider-aws uses the same bound); twice that is generous. */
const visibilityDeadlineSeconds = 240;
const maxRounds = 8;

/**
 * Look, plan, apply, look again: the second look decides. Changes may come in rounds (a bucket first, then its policy);
 * changes that are planned again after they were made have not become visible yet, so the step waits.
 */
export async function converge(
  step: Step,
  cx: StepContext<RunKind>,
  recorder: Recorder,
  lease?: Lease,
): Promise<StepResult> {
  const input = step.input(cx);
  const look = async () => step.plan(input, await step.observe(cx, input), cx);
  let plan = await look();
  const applied = new Set<string>();
  for (let round = 0; plan.kind === 'change'; round++) {
    const wanted = JSON.stringify(plan.changes);
    if (applied.has(wanted) || round === maxRounds) return { status: 'waiting', plan: untilVisible(plan) };
    for (const change of plan.changes) {
      if (lease && !mayWrite(lease))
        throw new RetryableError('aws-unavailable', `the lease ${lease.scope} is about to end`);
      if ((await step.apply(cx, change, input)) !== rejected) await recorder.changed(change);
    }
    applied.add(wanted);
    plan = await look();
  }
  switch (plan.kind) {
    case 'ready':
      return succeeded(plan);
    case 'wait':
      return { status: 'waiting', plan };
    case 'refuse':
      throw new UserError(plan.code, plan.detail);
    case 'not-visible':
      throw new TerminalError('unexpected', `step ${step.name} cannot see what it is to change: ${plan.why}`);
  }
}

/** The result if there is nothing to do: another holder of the lease may have done this run's part. */
export async function alreadyDone(
  step: Step,
  cx: StepContext<RunKind>,
): Promise<Extract<StepResult, { status: 'succeeded' }> | undefined> {
  const input = step.input(cx);
  const plan = step.plan(input, await step.observe(cx, input), cx);
  return plan.kind === 'ready' ? succeeded(plan) : undefined;
}

function succeeded({ output, warnings = [] }: Extract<Plan<StepChange, object>, { kind: 'ready' }>) {
  return { status: 'succeeded', output, warnings } as const;
}

function untilVisible(plan: Extract<Plan<StepChange, object>, { kind: 'change' }>): Wait {
  const [{ do: what, resource }] = plan.changes;
  return {
    reason: `${what} ${resource} to take effect`,
    seconds: 5,
    deadlineSeconds: visibilityDeadlineSeconds,
    overdue: 'change-does-not-hold',
  };
}
