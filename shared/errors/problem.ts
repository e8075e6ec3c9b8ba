import * as z from 'zod';
import type { ErrorCode } from './catalogue.ts';
import { UserError } from './errors.ts';

/** Where a problem lies in the request: a JSON pointer into the body, a query parameter or a header. */
export const FieldError = z
  .object({
    pointer: z.string().optional().meta({ description: 'JSON pointer into the body' }),
    parameter: z.string().optional().meta({ description: 'Name of a query parameter' }),
    header: z.string().optional().meta({ description: 'Name of a header' }),
    detail: z.string(),
  })
  .meta({ id: 'FieldError', description: 'One problem of the request, and where it lies' });
export type FieldError = z.infer<typeof FieldError>;

export const Problem = z
  .object({
    type: z.string().meta({ description: 'Link to the code’s description' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable, from the error catalogue' }),
    instance: z.string().meta({ description: 'Path of the request' }),
    actor: z.string().meta({ description: 'Who acts' }),
    remedy: z.string(),
    errors: z.array(FieldError).optional().meta({ description: 'Every problem of the request' }),
    links: z.object({ run: z.string() }).optional().meta({ description: 'The active run' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type Problem = z.infer<typeof Problem>;

/** The HTTP status of each code that refuses a request as it is. */
const refusalStatus = {
  'invalid-request': 400,
  'run-not-found': 404,
  'run-active': 409,
  'run-not-retryable': 409,
  'run-ended': 409,
  'batch-not-found': 404,
  'batch-ended': 409,
  'batch-not-retryable': 409,
  'target-differs': 409,
  'idempotency-key-reused': 422,
} as const satisfies Partial<Record<ErrorCode, number>>;

export type RefusalCode = keyof typeof refusalStatus;

/** The HTTP status of each code that a request can be answered with. */
export const problemStatus = {
  ...refusalStatus,
  throttled: 503,
  'aws-unavailable': 503,
  'record-unreadable': 500,
  unexpected: 500,
} as const satisfies Partial<Record<ErrorCode, number>>;

/** The request cannot be served as it is; the caller sees everything in here. */
export class Refusal extends UserError {
  readonly status: number;
  readonly errors: readonly FieldError[] | undefined;
  readonly links: Problem['links'];

  constructor(
    code: RefusalCode,
    detail: string,
    more: { status?: 413 | 415; errors?: readonly FieldError[]; links?: Problem['links'] } = {},
  ) {
    super(code, detail);
    this.status = more.status ?? problemStatus[code];
    this.errors = more.errors;
    this.links = more.links;
  }
}
