import * as z from 'zod';
import { errorCatalogue, type ErrorCode } from './catalogue.ts';
import { KubernetesError } from './kubernetes-error.ts';

/** Three error names cross the Lambda boundary: the state machine matches `error.name`. See DECISIONS.md. */
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

/** The same call may succeed soon: the state machine retries it. */
export class RetryableError extends OnboardingError {
  readonly name = 'RetryableError';
}

/** The input, a permission or the owner of a resource must change first. The catalogue says who acts and how. */
export class UserError extends OnboardingError {
  readonly name = 'UserError';
}

/** A bug, or a response that `classify` does not know yet. */
export class TerminalError extends OnboardingError {
  readonly name = 'TerminalError';
}

export type KnownError = RetryableError | UserError | TerminalError;

export function isKnownError(error: unknown): error is KnownError {
  return error instanceof OnboardingError;
}

/** Title, actor and remedy of a code. */
export function adviceFor(code: ErrorCode) {
  return errorCatalogue[code];
}

/** Names of throttling errors: SlowDown in S3, Throttling in IAM and CloudFormation, ThrottlingException in EKS. */
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

/** Server-side and concurrency errors that AWS documents as retryable. */
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
  // A read treats it as absence. In a write it means that IAM does not show a new resource everywhere yet.
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
  // S3's code for a bucket that AWS has shut down.
  'AllAccessDisabled',
  'UnauthorizedOperation',
  'Forbidden',
  'AuthorizationError',
]);

/** A KMS key that a service needs for its caller is denied, disabled or gone. Glue has one name for all of it; S3 names a denial AccessDenied. */
const keyErrors = new Set([
  'GlueEncryptionException',
  'KMS.DisabledException',
  'KMS.InvalidStateException',
  'KMS.KMSInvalidStateException',
  'KMS.NotFoundException',
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

/** Any thrown value as one of the three errors. An unknown error is terminal until this function has a line and a test for it. */
export function classify(error: unknown): KnownError {
  if (isKnownError(error)) return error;
  const { name, message, code, status } = describe(error);
  const text = `${name}: ${message}`;
  if (error instanceof KubernetesError && name === 'Forbidden')
    return new UserError('cluster-rights-missing', text, { cause: error });
  // It also occurs when STS throttles the verifier, and while a new access entry is not effective yet.
  if (error instanceof KubernetesError && name === 'Unauthorized')
    return new RetryableError('cluster-rights-missing', text, { cause: error });
  if (throttled.has(name) || status === 429) return new RetryableError('throttled', text, { cause: error });
  if (keyErrors.has(name) || (denied.has(name) && /\bkms:/.test(message)))
    return new UserError('key-denied', text, { cause: error });
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

/** The HTTP status of an AWS error; 0 for every other error. */
export function httpStatus(error: unknown): number {
  return describe(error).status;
}

/** True if `error` is an AWS error with one of these names. Names are stable; messages are not. */
export function isAwsError(error: unknown, ...names: string[]): error is Error {
  return error instanceof Error && names.includes(error.name);
}

/** Runs a read. Returns undefined for an error with one of these names, which mean absence; throws every other error. */
export async function absentIf<T>(names: string[], read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (isAwsError(error, ...names)) return undefined;
    throw error;
  }
}

/**
 * Runs a create call and ignores an error with one of these names, which mean that the resource exists: another run created it, or our
 * own first call did and its response was lost. The next observation finds its owner.
 */
export async function unlessTaken(names: string[], write: () => Promise<unknown>): Promise<void> {
  await absentIf(names, write);
}
