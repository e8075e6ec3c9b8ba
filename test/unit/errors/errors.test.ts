import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Actor, errorCatalogue } from '../../../shared/errors/catalogue.ts';
import {
  absentIf,
  classify,
  type ErrorName,
  RetryableError,
  TerminalError,
  UserError,
} from '../../../shared/errors/errors.ts';
import { KubernetesError } from '../../../shared/errors/kubernetes-error.ts';

/** An error in the form that the SDK throws. */
function awsError(name: string, status = 400): Error {
  return Object.assign(new Error('in AWS’s words'), { name, $metadata: { httpStatusCode: status } });
}

const throttling = [
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
];
const transient = [
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
];
const denied = ['AccessDenied', 'AccessDeniedException', 'UnauthorizedOperation', 'Forbidden', 'AuthorizationError'];
const broken = [
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
];

describe('a thrown value', () => {
  const cases: [what: string, thrown: unknown, name: ErrorName, code: string][] = [
    ...throttling.map((name): (typeof cases)[number] => [name, awsError(name), 'RetryableError', 'throttled']),
    ...transient.map((name): (typeof cases)[number] => [name, awsError(name), 'RetryableError', 'aws-unavailable']),
    ...denied.map((name): (typeof cases)[number] => [name, awsError(name, 403), 'UserError', 'access-denied']),
    ...broken.map((code): (typeof cases)[number] => [
      code,
      Object.assign(new Error('socket'), { code }),
      'RetryableError',
      'aws-unavailable',
    ]),
    ['a 429 of any name', awsError('Busy', 429), 'RetryableError', 'throttled'],
    ['a 5xx of any name', awsError('Odd', 502), 'RetryableError', 'aws-unavailable'],
    ['an unknown AWS error', awsError('BrandNewException'), 'TerminalError', 'unexpected'],
    ['a validation error', awsError('ValidationException'), 'TerminalError', 'unexpected'],
    ['a bug', new TypeError('undefined is not a function'), 'TerminalError', 'unexpected'],
    ['text', 'boom', 'TerminalError', 'unexpected'],
    ['nothing', undefined, 'TerminalError', 'unexpected'],
    ['a cluster’s Forbidden', new KubernetesError(403, 'Forbidden', 'no'), 'UserError', 'cluster-rights-missing'],
    [
      'a cluster’s Unauthorized',
      new KubernetesError(401, 'Unauthorized', 'who?'),
      'RetryableError',
      'cluster-rights-missing',
    ],
    ['a busy API server', new KubernetesError(429, 'TooManyRequests', 'later'), 'RetryableError', 'throttled'],
    ['a broken API server', new KubernetesError(500, 'InternalError', 'etcd'), 'RetryableError', 'aws-unavailable'],
    ['a cluster’s Conflict', new KubernetesError(409, 'Conflict', 'newer'), 'TerminalError', 'unexpected'],
  ];

  it.each(cases)('is converted to one of three errors: %s', (_, thrown, name, code) => {
    expect(classify(thrown)).toMatchObject({ name, code });
  });

  it('keeps its name, code and message when converted again', () => {
    for (const Known of [RetryableError, UserError, TerminalError]) {
      const error = new Known('run-active', 'already');
      expect(classify(error)).toBe(error);
      expect(error.name).toBe(Known.name);
    }
  });

  it('contains the AWS error’s name and keeps it as cause', () => {
    const thrown = awsError('BrandNewException');
    expect(classify(thrown)).toMatchObject({ message: 'BrandNewException: in AWS’s words', cause: thrown });
  });
});

describe('absentIf', () => {
  it('returns undefined only for the named errors', async () => {
    const read = (name: string) => absentIf(['NoSuchEntity'], () => Promise.reject(awsError(name)));
    await expect(read('NoSuchEntity')).resolves.toBeUndefined();
    await expect(read('AccessDenied')).rejects.toThrow('in AWS’s words');
  });
});

describe('the error catalogue', () => {
  const actors: Actor[] = ['nobody', 'caller', 'payer account owner', 'cluster owner', 'operator'];

  it.each(Object.entries(errorCatalogue))('gives for %s title, actor and remedy', (code, advice) => {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(advice.title).toMatch(/^\S.*[^.]$/);
    expect(actors).toContain(advice.actor);
    expect(advice.remedy).toMatch(/^[A-Z].*\.$/);
  });

  it('contains no unused code', () => {
    const source = ['shared', 'functions']
      .flatMap((folder) =>
        readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`),
      )
      .filter((file) => file.endsWith('.ts') && file !== 'shared/errors/catalogue.ts')
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    expect(Object.keys(errorCatalogue).filter((code) => !source.includes(`'${code}'`))).toEqual([]);
  });
});
