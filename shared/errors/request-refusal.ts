import * as z from 'zod';
import type { ErrorCode } from './catalogue.ts';
import { UserError } from './errors.ts';

/** One problem of a request. It is located by a JSON pointer into the body, a parameter or a header. */
export const FieldError = z
  .object({
    pointer: z.string().optional().meta({ description: 'JSON pointer into the body' }),
    parameter: z.string().optional().meta({ description: 'Name of a query or path parameter' }),
    header: z.string().optional().meta({ description: 'Name of a header' }),
    detail: z.string(),
  })
  .meta({ id: 'FieldError', description: 'One problem of the request, and its location' });
export type FieldError = z.infer<typeof FieldError>;

export const ProblemDocument = z
  .object({
    type: z.string().meta({ description: 'Link to the description of the code' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable code; docs/errors.md lists all codes' }),
    instance: z.string().meta({ description: 'Path of the request' }),
    actor: z.string().meta({ description: 'Who acts' }),
    remedy: z.string(),
    errors: z.array(FieldError).optional().meta({ description: 'Every problem of the request' }),
    links: z.object({ run: z.string() }).optional().meta({ description: 'The active run' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type ProblemDocument = z.infer<typeof ProblemDocument>;

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

export type RequestRefusalCode = keyof typeof refusalStatus;

/** The HTTP status of each code that a request can be answered with. */
export const problemStatus = {
  ...refusalStatus,
  throttled: 503,
  'aws-unavailable': 503,
  'record-unreadable': 500,
  unexpected: 500,
} as const satisfies Partial<Record<ErrorCode, number>>;

/** We refuse the request. The response shows every detail of this error to the caller. */
export class RequestRefusal extends UserError {
  readonly status: number;
  readonly errors: readonly FieldError[] | undefined;
  readonly links: ProblemDocument['links'];

  constructor(
    code: RequestRefusalCode,
    detail: string,
    more: { status?: 413 | 415; errors?: readonly FieldError[]; links?: ProblemDocument['links'] } = {},
  ) {
    super(code, detail);
    this.status = more.status ?? problemStatus[code];
    this.errors = more.errors;
    this.links = more.links;
  }
}
