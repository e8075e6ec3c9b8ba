import * as z from 'zod';
import { errorCatalogue, type ErrorCode } from './catalogue.ts';
import { KubernetesError } from './kubernetes-error.ts';

/** Three names cross the Lambda boundary (as `error.name`, which the state machine matches); see DECISIONS.md. */
export type ErrorName = 'RetryableError' | 'UserError' | 'TerminalError';

abstract class OnboardingError extends Error {
  abstract override readonly name: ErrorName;
  readonly code: ErrorCode;

  /** @param detail what happened, with names; never a document, a credential or another party's value */
  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

/** The same call may soon work: the state machine retries. */
export class RetryableError extends OnboardingError {
  readonly name = 'RetryableError';
}

/** Input, a permission or an ownership must change first; the catalogue says who changes what. */
export class UserError extends OnboardingError {
  readonly name = 'UserError';
}

/** A bug, or an answer we do not know yet. */
export class TerminalError extends OnboardingError {
  readonly name = 'TerminalError';
}

export type KnownError = RetryableError | UserError | TerminalError;

export function isKnownError(error: unknown): error is KnownError {
  return error instanceof OnboardingError;
}

/** The catalogue's advice for a code: who acts, and the way out. */
export function adviceFor(code: ErrorCode) {
  return errorCatalogue[code];
}

/** Throttling spellings of the services we call; S3 says SlowDown, IAM and CloudFormation Throttling, EKS ThrottlingException. */
const throttled = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'PriorRequestNotComplete',
  'TooManyRequestsException',
  'TooManyRequests',
  'RequestLimitExceeded',
  'ProvisionedThroughputExceededException',
  'SlowDown',
]);

/** Server-side and concurrency failures that AWS documents as worth another try. */
const transient = new Set([
  'ConcurrentModification',
  'ConcurrentModificationException',
  'EntityTemporarilyUnmodifiable',
  'EntityTemporarilyUnmodifiableException',
  'IDPCommunicationError',
  'IDPCommunicationErrorException',
  'InternalErrorException',
  'InternalServerException',
  'InternalFailure',
  'InternalError',
  'InternalServerError',
  // Reads take it for absence; a write that meets it names something IAM does not show everywhere yet.
  'NoSuchEntity',
  'NoSuchEntityException',
  'OpenIdIdpCommunicationError',
  'OpenIdIdpCommunicationErrorException',
  'OperationAborted',
  'OperationTimeoutException',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServerException',
  'ServiceException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
  'TimeoutError',
  'TransactionConflictException',
]);

const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'Forbidden',
  'AuthorizationError',
]);

const broken = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/** Gives any thrown value one of the three names. Unknown errors are terminal until this function gains a line and a test. */
export function classify(error: unknown): KnownError {
  if (isKnownError(error)) return error;
  const { name, message, code, status } = describe(error);
  const text = `${name}: ${message}`;
  if (error instanceof KubernetesError && name === 'Forbidden')
    return new UserError('cluster-rights-missing', text, { cause: error });
  // STS throttling the verifier looks like this too, and so does an access entry on its way.
  if (error instanceof KubernetesError && name === 'Unauthorized')
    return new RetryableError('cluster-rights-missing', text, { cause: error });
  if (throttled.has(name) || status === 429) return new RetryableError('throttled', text, { cause: error });
  if (denied.has(name)) return new UserError('access-denied', text, { cause: error });
  if (transient.has(name) || broken.has(code) || status >= 500)
    return new RetryableError('aws-unavailable', text, { cause: error });
  return new TerminalError('unexpected', text, { cause: error });
}

/** What Node and the SDK add to an error. */
const Details = z.object({
  code: z.string().catch(''),
  $metadata: z.object({ httpStatusCode: z.number().catch(0) }).catch({ httpStatusCode: 0 }),
});

function describe(error: unknown): { name: string; message: string; code: string; status: number } {
  if (!(error instanceof Error)) return { name: 'NonError', message: String(error), code: '', status: 0 };
  const { code, $metadata } = Details.parse(error);
  return { name: error.name, message: error.message, code, status: $metadata.httpStatusCode };
}

/** True if `error` came from AWS under one of these names (the shortest stable thing to match; see facts in DECISIONS.md). */
export function isAwsError(error: unknown, ...names: string[]): error is Error {
  return error instanceof Error && names.includes(error.name);
}

/** Runs a read and turns "not there" into undefined; every other failure is thrown: failure is never absence. */
export async function absentIf<T>(names: string[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isAwsError(error, ...names)) return undefined;
    throw error;
  }
}

/**
 * Runs a create whose name may be taken by now: by another run, or by our own first try whose answer was lost.
 * The look after it finds out whose it is.
 */
export async function unlessTaken(names: string[], write: () => Promise<unknown>): Promise<void> {
  await absentIf(names, write);
}
