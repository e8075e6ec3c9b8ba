import { type Target, targetId } from '../model/target.ts';

/** Partition of what is recorded of a target, and the sort key under which clusters and payers list it. */
export const targetKey = (target: Target) => `target#${targetId(target)}`;
