import * as z from 'zod';
import { Run } from '../../shared/runs/api-view.ts';

/** Headers of every request that starts a run. */
export const startHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[ -~]{1,128}$/, 'must be 1 to 128 printable ASCII characters')
    .optional()
    .meta({ description: 'Valid for 24 hours. A repeated request with the same key and body returns the same run' }),
});

/** Responses of every request that starts a run. */
export const startResponses = {
  202: {
    description: 'The new run, or the run of an earlier request with the same key',
    schema: Run,
    headers: { Location: 'Path of the run' },
  },
} as const;
