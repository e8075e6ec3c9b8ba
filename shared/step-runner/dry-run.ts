import type { ErrorCode } from '../errors/catalogue.ts';
import { adviceFor, classify } from '../errors/errors.ts';
import { MissingOutput } from '../model/run.ts';
import { type Change, type Quota, type RunError, runErrorOf } from '../model/run-schemas.ts';
import type { RunKind, StepName } from '../model/step-names.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Plan, Step, StepChange, StepContext } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';
import { recordedChange } from './invocation.ts';

/** A step's result in a dry run. */
export interface Preview {
  status: 'succeeded' | 'planned' | 'not-visible' | 'failed';
  /** The step's expected output, as far as it is known now. */
  output?: Outputs[StepName];
  changes: Change[];
  warnings: string[];
  /** Everything that would end the run. */
  refusals: RunError[];
  quotas: Quota[];
}

/** Access has not been granted yet. A step that cannot read its resources does not refuse. */
const accessDeniedCodes: readonly ErrorCode[] = ['payer-access-denied', 'cluster-access-denied'];

/**
 * Observes and plans, and writes nothing. A refusal does not end a dry run: the next steps continue from the expected output.
 * @throws RetryableError
 */
export async function preview(step: Step, cx: StepContext<RunKind>): Promise<Preview> {
  if (step.proof)
    return previewWith('planned', ['a dry run skips this check, because it needs resources that earlier steps create']);
  try {
    const input = step.input(cx);
    const plan = step.plan(input, await step.observe(cx, input), cx);
    return { ...previewOf(plan, step.name), quotas: [...(plan.quotas ?? [])] };
  } catch (thrown) {
    if (thrown instanceof MissingOutput)
      return previewWith('not-visible', [`step ${thrown.step} could not find what this step needs`]);
    const error = classify(thrown);
    if (accessDeniedCodes.includes(error.code)) return previewWith('not-visible', [adviceFor(error.code).title]);
    // From the API server: our access entry or our Role is still missing, both of which an earlier step makes.
    if (error.code === 'cluster-rights-missing') return previewWith('not-visible', [adviceFor(error.code).title]);
    if (error.name === 'RetryableError') throw error;
    return refused(step.name, { code: error.code, detail: error.message });
  }
}

function previewOf(plan: Plan<StepChange, Outputs[StepName]>, step: StepName): Preview {
  switch (plan.kind) {
    case 'ready':
      return { ...previewWith('succeeded', plan.warnings), output: plan.output };
    case 'change':
      return { ...previewWith('planned'), output: plan.expected, changes: plan.changes.map(recordedChange) };
    case 'wait':
      return { ...previewWith('planned', [`will wait for ${plan.reason}`]), output: plan.expected };
    case 'not-visible':
      return {
        ...previewWith('not-visible', [plan.why]),
        output: plan.expected,
        changes: (plan.changes ?? []).map(recordedChange),
      };
    case 'refuse':
      return refused(step, plan, plan);
  }
}

function previewWith(status: Preview['status'], warnings: string[] = []): Preview {
  return { status, changes: [], warnings, refusals: [], quotas: [] };
}

function refused(
  step: StepName,
  { code, detail }: Problem,
  {
    all = [{ code, detail }],
    warnings = [],
    expected,
  }: Partial<Extract<Plan<StepChange, Outputs[StepName]>, { kind: 'refuse' }>> = {},
): Preview {
  const isDenied = (problem: Problem) => accessDeniedCodes.includes(problem.code);
  const notes = all.filter(isDenied).map((problem) => {
    const { title, remedy } = adviceFor(problem.code);
    return `${title}: ${problem.detail}. ${remedy}`;
  });
  const refusals = all
    .filter((problem) => !isDenied(problem))
    .map((problem) => runErrorOf({ code: problem.code, message: problem.detail }, step));
  return {
    ...previewWith(refusals.length > 0 ? 'failed' : 'not-visible', [...notes, ...warnings]),
    refusals,
    ...(expected && { output: expected }),
  };
}
