import type { ErrorCode } from '../errors/catalogue.ts';
import { adviceFor, classify } from '../errors/errors.ts';
import { MissingOutput } from '../model/run.ts';
import { type Change, type Quota, type RunError, runErrorOf } from '../model/run-schemas.ts';
import type { RunKind, StepName } from '../model/step-names.ts';
import type { Plan, Step, StepChange, StepContext } from '../step/contract.ts';
import type { Problem } from '../step/problem-list.ts';

/** What a step comes to in a dry run. */
export interface Preview {
  status: 'succeeded' | 'planned' | 'not-visible' | 'failed';
  /** What the step would leave, as far as anybody can tell now. */
  output?: object;
  changes: Change[];
  warnings: string[];
  /** Everything that would end the run. */
  refusals: RunError[];
  quotas: Quota[];
}

/** Nobody has opened these doors yet: what lies behind them cannot be looked at, which is no refusal. */
const shutDoors: readonly ErrorCode[] = ['payer-access-denied', 'cluster-access-denied'];

/**
 * Looks and plans, and writes nothing. A refusal does not end a dry run: the next steps go on from what this one would leave.
 * @throws RetryableError
 */
export async function preview(step: Step, cx: StepContext<RunKind>): Promise<Preview> {
  if (step.proof) return seen('planned', ['comes once what it proves is there; a dry run leaves it out']);
  try {
    const input = step.input(cx);
    const plan = step.plan(input, await step.observe(cx, input), cx);
    return { ...previewOf(plan, step.name), quotas: [...(plan.quotas ?? [])] };
  } catch (thrown) {
    if (thrown instanceof MissingOutput) return seen('not-visible', [`${thrown.step} could not tell what this needs`]);
    const error = classify(thrown);
    if (shutDoors.includes(error.code)) return seen('not-visible', [adviceFor(error.code).title]);
    // Thrown by the API server, not planned: it does not know us yet, or lets us see less than we will.
    if (error.code === 'cluster-rights-missing') return seen('not-visible', [adviceFor(error.code).title]);
    if (error.name === 'RetryableError') throw error;
    return refused(step.name, { code: error.code, detail: error.message });
  }
}

function previewOf(plan: Plan<StepChange, object>, step: StepName): Preview {
  switch (plan.kind) {
    case 'ready':
      return { ...seen('succeeded', plan.warnings), output: plan.output };
    case 'change':
      return { ...seen('planned'), output: plan.expected, changes: plan.changes.map(recorded) };
    case 'wait':
      return { ...seen('planned', [`will wait for ${plan.reason}`]), output: plan.expected };
    case 'not-visible':
      return { ...seen('not-visible', [plan.why]), output: plan.expected, changes: (plan.changes ?? []).map(recorded) };
    case 'refuse':
      return refused(step, plan, plan);
  }
}

function seen(status: Preview['status'], warnings: string[] = []): Preview {
  return { status, changes: [], warnings, refusals: [], quotas: [] };
}

function recorded({ do: what, resource, note }: StepChange): Change {
  return { do: what, resource, ...(note && { note }) };
}

function refused(
  step: StepName,
  { code, detail }: Problem,
  {
    all = [{ code, detail }],
    warnings = [],
    expected,
  }: Partial<Extract<Plan<StepChange, object>, { kind: 'refuse' }>> = {},
): Preview {
  const isShut = (problem: Problem) => shutDoors.includes(problem.code);
  const notes = all.filter(isShut).map((problem) => {
    const { title, remedy } = adviceFor(problem.code);
    return `${title}: ${problem.detail}. ${remedy}`;
  });
  const refusals = all
    .filter((problem) => !isShut(problem))
    .map((problem) => runErrorOf({ code: problem.code, message: problem.detail }, step));
  return {
    ...seen(refusals.length > 0 ? 'failed' : 'not-visible', [...notes, ...warnings]),
    refusals,
    ...(expected && { output: expected }),
  };
}
