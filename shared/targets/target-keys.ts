import { type Target, targetId } from '../model/target.ts';

/** The partition of a target's items, and the sort key of the target in the lists of its cluster and its payers. */
export const targetKey = (target: Target) => `target#${targetId(target)}`;
