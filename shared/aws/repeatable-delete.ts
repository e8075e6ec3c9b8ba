import { isAwsError } from '../errors/errors.ts';

/**
 * Deletes a resource whose permission depends on the resource's tags (see `taggedOurs`). If the first answer was lost, AWS denies the
 * second request, because the tags were deleted with the resource. Then `isGone` decides.
 */
export async function deleteTagged(remove: () => Promise<unknown>, isGone: () => Promise<boolean>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isAwsError(error, 'AccessDenied', 'AccessDeniedException') || !(await isGone())) throw error;
  }
}
