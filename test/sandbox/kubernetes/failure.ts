import type { ResourceType } from './objects.ts';

interface Details {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: { reason: string; message: string; field?: string }[];
}

/** An error as the API server answers it: an object of kind Status. */
export class KubernetesFailure extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Details | undefined;

  constructor(code: number, reason: string, message: string, details?: Details) {
    super(message);
    this.name = reason;
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  get body(): object {
    const { code, reason, message, details } = this;
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason };
    return { ...status, ...(details && { details }), code };
  }
}

type Named = Pick<ResourceType, 'group' | 'resource'>;

function qualified({ group, resource }: Named): string {
  return group === '' ? resource : `${resource}.${group}`;
}

function detailsOf({ group, resource }: Named, name: string): Details {
  return { ...(name && { name }), ...(group && { group }), kind: resource };
}

export const unauthorized = () => new KubernetesFailure(401, 'Unauthorized', 'Unauthorized');

export const badRequest = (message: string) => new KubernetesFailure(400, 'BadRequest', message);

export const unknownPath = () =>
  new KubernetesFailure(404, 'NotFound', 'the server could not find the requested resource', {});

export const methodNotAllowed = () =>
  new KubernetesFailure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const notFound = (type: Named, name: string) =>
  new KubernetesFailure(404, 'NotFound', `${qualified(type)} "${name}" not found`, detailsOf(type, name));

export const alreadyExists = (type: Named, name: string) =>
  new KubernetesFailure(409, 'AlreadyExists', `${qualified(type)} "${name}" already exists`, detailsOf(type, name));

export const conflict = (type: Named, name: string, why: string) =>
  new KubernetesFailure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(type)} "${name}": ${why}`,
    detailsOf(type, name),
  );

export const modified = (type: Named, name: string) =>
  conflict(type, name, 'the object has been modified; please apply your changes to the latest version and try again');

export const forbidden = (type: Named, name: string | undefined, why: string) =>
  new KubernetesFailure(
    403,
    'Forbidden',
    `${qualified(type)} ${name ? `"${name}" ` : ''}is forbidden: ${why}`,
    detailsOf(type, name ?? ''),
  );

/** @param problem in the words of Kubernetes: `Invalid value`, `Required value`, `Forbidden`, ... */
export function invalid(
  { group, kind }: { group: string; kind: string },
  name: string,
  field: string,
  problem: string,
): KubernetesFailure {
  const subject = group === '' ? kind : `${kind}.${group}`;
  return new KubernetesFailure(422, 'Invalid', `${subject} "${name}" is invalid: ${field}: ${problem}`, {
    ...(name && { name }),
    ...(group && { group }),
    kind,
    causes: [{ reason: causeOf(problem), message: problem, field }],
  });
}

function causeOf(problem: string): string {
  return `FieldValue${(/^\w+(?: \w+)?(?=:)/.exec(problem)?.[0] ?? 'Invalid')
    .replace(' value', '')
    .replace('Too long', 'TooLong')}`;
}
