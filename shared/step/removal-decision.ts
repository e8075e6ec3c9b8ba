import type { Removal } from '../model/steps-and-outputs.ts';
import type { StepChange } from './contract.ts';

/** What a removal changes, and what it keeps with the reason. */
export interface RemovalDecision<C extends StepChange> {
  changes: C[];
  kept: Removal['kept'];
}

/** Keeps every resource for all the reasons. */
export function keepAll(resources: readonly string[], reasons: readonly string[]): RemovalDecision<never> {
  return { changes: [], kept: resources.flatMap((resource) => reasons.map((why) => ({ resource, why }))) };
}

/** One decision on several resources, in their order. */
export function combined<C extends StepChange>(
  decisions: readonly (RemovalDecision<C> | undefined)[],
): RemovalDecision<C> {
  return {
    changes: decisions.flatMap((decision) => decision?.changes ?? []),
    kept: decisions.flatMap((decision) => decision?.kept ?? []),
  };
}
