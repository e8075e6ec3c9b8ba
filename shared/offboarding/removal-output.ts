import type { Change } from '../model/run-schemas.ts';
import type { Removal } from '../model/steps-and-outputs.ts';
import type { Plan, StepChange } from '../step/contract.ts';
import { changesOrReady } from '../step/plan-builders.ts';
import { combined, type RemovalDecision } from '../step/removal-decision.ts';

/** The plan of a removal from its decisions, in this order. @param made the recorded changes */
export function removalPlan<C extends StepChange>(
  made: readonly Change[],
  decisions: readonly RemovalDecision<C>[],
  warnings: string[] = [],
): Plan<C, Removal> {
  const { changes, kept } = combined(decisions);
  const expected = removalOf(made, kept, changes);
  return changesOrReady(changes, { output: removalOf(made, kept), expected, warnings });
}

/**
 * The output of a removal: the resources that its recorded changes have deleted so far, and those that it keeps.
 * @param planned changes that are still to be made, for a plan's `expected`
 */
export function removalOf(
  recorded: readonly Change[],
  kept: Removal['kept'],
  planned: readonly StepChange[] = [],
): Removal {
  const changes = [...recorded.map((change) => ({ action: change.do, resource: change.resource })), ...planned];
  const deletions = changes.filter(({ action }) => action.startsWith('delete-') && action !== 'delete-policy-version');
  return { removed: [...new Set(deletions.map(({ resource }) => resource))], kept };
}
