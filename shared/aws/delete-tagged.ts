import { isAwsError } from '../errors/errors.ts';

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
