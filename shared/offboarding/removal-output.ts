import type { Change } from '../model/run-schemas.ts';
import type { Removal } from '../model/step-outputs.ts';

/**
 * A removal's output: what its recorded changes have deleted so far, and what it leaves.
 * @param planned changes that are still to be made, for a plan's `expected`
 */
export function removalOf(changes: readonly Change[], kept: Removal['kept'], planned: readonly Change[] = []): Removal {
  const deleted = [...changes, ...planned].filter(
    ({ do: what }) => what.startsWith('delete-') && what !== 'delete-policy-version',
  );
  return { removed: [...new Set(deleted.map(({ resource }) => resource))], kept };
}
