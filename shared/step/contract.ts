import type { TargetAccount } from '../aws/target-account.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import type { Owner } from '../model/ownership.ts';
import type { TableAction } from '../model/rights.ts';
import type { RunRecord } from '../model/run.ts';
import type { Change, Quota } from '../model/run-schemas.ts';
import type { KindOf, RunKind, StepName } from '../model/step-names.ts';
import type { Outputs } from '../model/step-outputs.ts';
import type { Deployment } from '../platform/settings.ts';
import type { Problem } from './problem-list.ts';

/** What a step may use. Clients come from the accounts: `cx.payer.client(S3Client, region)`. */
export interface StepContext<Kind extends RunKind = 'onboarding'> {
  run: RunRecord<Kind>;
  deployment: Deployment;
  /** Marks of what this run makes. */
  owner: Owner;
  payer: TargetAccount;
  cluster: TargetAccount;
  /** Virtual or real milliseconds since the epoch, read once at the start of the invocation. */
  now: number;
  /** When this step first started, milliseconds since the epoch. */
  since: number;
  /** The step's own notes from earlier invocations: ids of things on their way, a snapshot to restore. */
  memo: Record<string, unknown>;
  /** Every write of this step that was recorded, those of earlier invocations included. */
  changes: readonly Change[];
  remember(memo: Record<string, unknown>): Promise<void>;
}

/** What `plan` may know beside what was seen: nothing that needs a call. */
export type Situation<Kind extends RunKind = 'onboarding'> = Pick<
  StepContext<Kind>,
  'run' | 'owner' | 'now' | 'since' | 'memo' | 'changes'
>;

/** What `apply` answers when AWS did not take the write, or when the only one was to our own table. */
export const rejected = Symbol('rejected');

/** What the step wants to write: `do` and `resource` are recorded and logged, further fields are only for `apply`. */
export type StepChange = Pick<Change, 'do' | 'resource' | 'note'>;

export interface Wait {
  /** What for, as the run shows it. */
  reason: string;
  /** Until the next look. */
  seconds: number;
  /** Counted from the first wait for this reason; then the step fails with `overdue`. */
  deadlineSeconds: number;
  expectedSeconds?: number;
  overdue: ErrorCode;
}

export type Plan<C extends StepChange, Output> = (
  | { kind: 'ready'; output: Output; warnings?: string[] }
  /** `expected`: the output once applied, so that a dry run can plan the later steps. */
  | { kind: 'change'; changes: readonly [C, ...C[]]; expected: Output }
  | ({ kind: 'wait'; expected: Output } & Wait)
  | ({ kind: 'refuse' } & Problem & {
        /** Each of several problems on its own. */
        all?: readonly Problem[];
        warnings?: string[];
        /** The output once the problem is solved, so that a dry run can plan the later steps. */
        expected?: Output;
      })
  /** Of a dry run only: what decides cannot be looked at before we have our rights. `changes`: what is likely. */
  | { kind: 'not-visible'; why: string; changes?: readonly C[]; expected: Output }
) & {
  /** Limits that the step's changes count towards, as the plan of a dry run shows them. */
  quotas?: readonly Quota[];
};

/** IAM actions a step needs in an account; `resources` are CloudFormation Sub strings (see functions/deployment/access-templates.ts for the parameters). */
export interface Permission {
  actions: readonly [string, ...string[]];
  resources: readonly [string, ...string[]];
  /** IAM condition block. */
  condition?: Record<string, Record<string, string | string[]>>;
}

/** A Kubernetes RBAC rule a step needs in the target namespace. */
export interface KubernetesRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}

export interface Step<
  Name extends StepName = StepName,
  Input = unknown,
  Seen = unknown,
  C extends StepChange = StepChange,
> {
  name: Name;
  /** One sentence in the present tense: README, API description. */
  summary: string;
  permissions: {
    payer?: readonly Permission[];
    cluster?: readonly Permission[];
    /** Present if the step calls the cluster's own API; empty if it needs no right there. */
    kubernetes?: readonly KubernetesRule[];
    /** What the step itself does to the hub's table, beside what its wrapper does. */
    table?: readonly TableAction[];
    /** True if it queries the table's indexes. */
    indexes?: true;
  };
  /** Serialises runs that share what this step writes. */
  lease?: 'target' | 'payer';
  /** Steps whose IAM changes this one relies on: it looks only once these have had the time to show everywhere. */
  after?: readonly StepName[];
  /** Names of the step's notes that a later attempt of the run still has; all others belong to the attempt that made them. */
  keeps?: readonly string[];
  /** True for proofs: they write nothing and mean nothing while earlier steps are only planned, so a dry run leaves them out. */
  proof?: boolean;
  input(cx: StepContext<KindOf<Name>>): Input;
  /**
   * Writes down in the hub's table, before the lease is asked for, what the lease's holder may then do for this run as well.
   * Answers a wait where it pays to let others enlist first. Not called in a dry run.
   */
  enlist?(cx: StepContext<KindOf<Name>>, input: Input): Promise<Wait | undefined>;
  /** Looks at the world. Absence is undefined; a failure is thrown, never taken for absence. */
  observe(cx: StepContext<KindOf<Name>>, input: Input): Promise<Seen>;
  /** Pure. */
  plan(input: Input, seen: Seen, situation: Situation<KindOf<Name>>): Plan<C, Outputs[Name]>;
  /** One write. Answers `rejected` where AWS did not take it and the step knows how to go on: then nothing was changed. */
  apply(cx: StepContext<KindOf<Name>>, change: C, input: Input): Promise<unknown>;
  /** The earlier step that what this one found calls for once more. From the record alone: an answer may get lost and be asked for again. */
  outdates?(run: RunRecord<KindOf<Name>>, output: Outputs[Name]): StepName | undefined;
}

/** Keeps the step's own types inside it; the registry and the loop see the erased shape. */
export function defineStep<Name extends StepName, Input, Seen, C extends StepChange>(
  step: Step<Name, Input, Seen, C>,
): Step<Name> {
  return step;
}
