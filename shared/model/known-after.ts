import type { StepName } from './step-names.ts';

/** Stands in the outputs of a dry run for what nobody can tell before that step has done its work. */
export function knownAfter(step: StepName): string {
  return `(known after ${step})`;
}

/** Names with this mark are never asked for. */
export function isKnown(value: string): boolean {
  return !value.startsWith('(known after ');
}
