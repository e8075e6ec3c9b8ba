import type { Change } from '../model/run-schemas.ts';
import type { Removal } from '../model/step-outputs.ts';
import type { StepChange } from '../step/contract.ts';

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
