import * as z from 'zod';

/** An error of the API server; `name` is its reason: Unauthorized, Forbidden, NotFound, AlreadyExists, Conflict, ... */
export class KubernetesError extends Error {
  readonly $metadata: { httpStatusCode: number };

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = reason;
    this.$metadata = { httpStatusCode: status };
  }
}

const reasons: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  409: 'Conflict',
  422: 'Invalid',
  429: 'TooManyRequests',
};

/**
 * True if an admission policy of the cluster rejected a write, with any status: `admission webhook "..." denied the request: ...`, or
 * `ValidatingAdmissionPolicy '...' with binding '...' denied request: ...` (k8s.io/apiserver, plugin/webhook/errors and
 * policy/validating).
 */
export function isDeniedByPolicy(error: unknown): error is KubernetesError {
  return error instanceof KubernetesError && /denied (the )?request/.test(error.message);
}

/** @param body a `Status` object, or the response of a proxy in between */
export function kubernetesError(request: string, status: number, body: string): KubernetesError {
  const { reason, message } = readStatus(body);
  return new KubernetesError(
    status,
    reason ?? reasons[status] ?? `Http${status}`,
    `${request}: ${message ?? `HTTP ${status}`}`,
  );
}

const Status = z.object({
  kind: z.literal('Status'),
  reason: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
});

function readStatus(body: string): { reason?: string; message?: string } {
  try {
    const { data } = Status.safeParse(JSON.parse(body));
    return {
      ...(data?.reason && { reason: data.reason }),
      ...(data?.message !== undefined && { message: data.message }),
    };
  } catch {
    return {};
  }
}
