import type { StepName } from './step-names.ts';

/** Placeholder in the outputs of a dry run for a value that does not exist before the step has run. */
export function knownAfter(step: StepName): string {
  return `(known after ${step})`;
}

/** False for a placeholder: no API is called with it. */
export function isKnown(value: string): boolean {
  return !value.startsWith('(known after ');
}
