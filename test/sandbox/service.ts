import type { World } from './world.ts';

/** The caller of a request, read from its credentials. */
export interface Caller {
  accountId: string;
  /** Account root for a 12-digit access key, else `arn:aws:sts::<account>:assumed-role/<role name>/<session name>`. */
  arn: string;
  /** `arn:aws:iam::<account>:role/<path><name>`: the value of `aws:PrincipalArn`. Absent for the account root. */
  roleArn?: string;
  /** The role's unique id (`AROA…`); a re-created role of the same name has another one. */
  roleId?: string;
  /** The session policy of an assumed-role session, if any: permissions are the intersection with it. */
  sessionPolicy?: string;
  /** Transitive session tags, as EKS Pod Identity attaches them. */
  sessionTags?: Record<string, string>;
}

export interface CallContext {
  world: World;
  caller: Caller;
  /** Region of the request's signing scope. */
  region: string;
  /** Virtual milliseconds since the epoch. */
  now: number;
}

/** The permission that IAM checks before an operation; `action` as in a policy (`s3:PutObject`), resources as ARNs or `*`. */
export interface Permission {
  action: string;
  resources: readonly string[];
  /** Extra condition keys of this request, e.g. `iam:PassedToService`. */
  context?: Record<string, string | readonly string[]>;
}

export interface Operation<Input = never, Output = unknown> {
  /** True if the call changes something: tests and the bench count these as writes. */
  writes: boolean;
  /** Every permission that must be granted; empty for calls that need none (GetCallerIdentity). */
  permissions(input: Input, cx: CallContext): readonly Permission[];
  run(input: Input, cx: CallContext): Output | Promise<Output>;
}

/** One AWS service of the sandbox: its signing name and its operations by API name, typed by the SDK's own inputs and outputs. */
export interface Service {
  /** SigV4 signing name: `iam`, `s3`, `cur`, `cloudformation`, `glue`, `athena`, `eks`, `events`, `kms`, `lambda`, `lakeformation`, `organizations`, `states`, `sts`. */
  signingName: string;
  /** The SDK client module, whose exported operation schemas drive the codec; absent for CUR (JSON 1.1 passed through as is). */
  sdk?: Record<string, unknown>;
  operations: Record<string, Operation>;
}

export function operation<Input, Output>(definition: Operation<Input, Output>): Operation {
  return definition;
}

/** An error answer of AWS. `code` is the SDK's exception name or the wire code; status from the model where the model has one. */
export class AwsError extends Error {
  readonly code: string;
  readonly status: number | undefined;
  /** Headers that a client reads, such as `x-amz-bucket-region`. */
  headers?: Record<string, string>;
  constructor(code: string, message: string, status?: number) {
    super(message);
    this.name = code;
    this.code = code;
    this.status = status;
  }
}
