import * as z from 'zod';
import { Run } from '../../shared/runs/view.ts';

/** What every request that starts a run may carry. */
export const startHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[ -~]{1,128}$/, 'must be 1 to 128 printable ASCII characters')
    .optional()
    .meta({ description: 'Honoured for 24 hours: the same key with the same body answers the same run' }),
});

/** What it is answered with. */
export const startResponses = {
  202: {
    description: 'The run, new or of an earlier request with the same key',
    schema: Run,
    headers: { Location: 'Path of the run' },
  },
} as const;
