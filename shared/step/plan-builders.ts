import type { Quota } from '../model/run-schemas.ts';
import type { Plan, StepChange, Wait } from './contract.ts';

interface Aims<Output, Notes extends object> {
  output: Output;
  /** The output once the changes are applied. @default output */
  expected?: Output;
  /** Returned if there is nothing to change. */
  warnings?: string[];
  quotas?: readonly Quota[];
  notes?: Partial<Notes>;
}

/** The plan that makes the changes, or is ready if there are none. */
export function changesOrReady<C extends StepChange, Output, Notes extends object = object>(
  changes: readonly C[],
  { output, expected = output, warnings, quotas, notes }: Aims<Output, Notes>,
): Plan<C, Output, Notes> {
  const [first, ...more] = changes;
  const limits = quotas && { quotas };
  return first
    ? { kind: 'change', changes: [first, ...more], expected, ...(notes && { notes }), ...limits }
    : { kind: 'ready', output, ...(warnings && { warnings }), ...limits };
}

/** The plan that waits. @param expected the output once the wait is over */
export function waitFor<Output, Notes extends object = object>(
  wait: Wait,
  expected: Output,
  notes?: Partial<Notes>,
): Extract<Plan<never, Output, Notes>, { kind: 'wait' }> {
  return { kind: 'wait', ...wait, expected, ...(notes && { notes }) };
}

/** A wait for other runs, or for an interval that runs share. It fails as `run-queue-overdue`. */
export function queueWait(reason: string, times: Pick<Wait, 'seconds' | 'deadlineSeconds'>): Wait {
  return { reason, ...times, overdue: 'run-queue-overdue' };
}

/** A named rule of a plan. Undefined if it does not apply. */
export type Rule<Facts, P> = (facts: Facts) => P | undefined;

/** The plan of the first rule that applies. */
export function firstOf<Facts, P>(rules: readonly Rule<Facts, P>[], facts: Facts): P | undefined {
  for (const rule of rules) {
    const plan = rule(facts);
    if (plan) return plan;
  }
  return undefined;
}
