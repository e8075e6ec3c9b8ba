import { isAwsError } from '../errors/errors.ts';
import type { Removal } from '../model/step-outputs.ts';
import type { Change } from '../model/run.ts';

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

/**
 * Makes a delete whose right hangs on the resource's tags (see `taggedOurs`). Sent again after its answer was lost it is denied, for the
 * tags are gone with the resource: then a look decides.
 */
export async function deleteTagged(remove: () => Promise<unknown>, isGone: () => Promise<boolean>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException') || !(await isGone())) throw error;
  }
}
