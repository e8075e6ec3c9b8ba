import type { StepChange } from './contract.ts';

/** A change in plain words: `create bucket arn:aws:s3:::bill (30-day expiry)`. */
export function sentenceOf({ action, resource, note }: StepChange): string {
  return `${action.replaceAll('-', ' ')} ${resource}${note ? ` (${note})` : ''}`;
}
