import type { Change } from '../model/run-schemas.ts';
import type { Removal } from '../model/step-outputs.ts';
import type { Plan, StepChange } from '../step/contract.ts';
import { changesOrReady } from '../step/plan-builders.ts';

/** What a removal decides about one resource. */
export interface RemovalPart<C extends StepChange> {
  changes: C[];
  kept: Removal['kept'];
}

/** A removal's plan: what it decides about each resource, in this order. @param made the recorded changes */
export function removalPlan<C extends StepChange>(
  made: readonly Change[],
  parts: readonly RemovalPart<C>[],
  warnings: string[] = [],
): Plan<C, Removal> {
  const changes = parts.flatMap((part) => part.changes);
  const kept = parts.flatMap((part) => part.kept);
  const expected = removalOf(made, kept, changes);
  return changesOrReady(changes, { output: removalOf(made, kept), expected, warnings });
}

/**
 * A removal's output: what its recorded changes have deleted so far, and what it leaves.
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
