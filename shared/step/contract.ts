import type * as z from 'zod';
import type { TargetAccount } from '../aws/target-account.ts';
import type { ErrorCode } from '../errors/catalogue.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { TableAction } from '../model/function-rights.ts';
import type { Owner } from '../model/ownership.ts';
import type { RunRecord } from '../model/run.ts';
import type { Change, Quota } from '../model/run-schemas.ts';
import type { KindOf, RunKind, StepName } from '../model/step-names.ts';
import type { Outputs } from '../model/steps-and-outputs.ts';
import type { Settings } from '../platform/settings.ts';
import type { Problem } from './problem-list.ts';

/** What a step may use in one invocation. AWS clients come from the accounts: `cx.payer.client(S3Client, region)`. */
export interface StepContext<Kind extends RunKind = 'onboarding', Notes extends object = object> {
  readonly run: RunRecord<Kind>;
  readonly deployment: Settings;
  /** The marks on what this run creates. */
  readonly owner: Owner;
  readonly payer: TargetAccount;
  readonly cluster: TargetAccount;
  /** The run's cluster; connected on first use. */
  readonly kubernetes: KubernetesClient;
  /** Virtual or real milliseconds since the epoch, read once at the start of the invocation. */
  readonly now: number;
  /** When this step first started, milliseconds since the epoch. */
  readonly since: number;
  /** The step's notes so far. */
  readonly notes: Notes;
  /** Every recorded change of this step, earlier invocations included. */
  readonly changes: readonly Change[];
}

/** What `plan` gets beside the input and the observation. Nothing in it needs a call. */
export type Situation<Kind extends RunKind = 'onboarding', Notes extends object = object> = Pick<
  StepContext<Kind, Notes>,
  'run' | 'owner' | 'now' | 'since' | 'notes' | 'changes'
>;

/** One write a step wants to make. `action`, `resource` and `note` are recorded and logged, further fields are only for `apply`. */
export interface StepChange {
  /** Verb and object in kebab-case, e.g. `create-bucket`. */
  action: string;
  resource: string;
  note?: string | undefined;
}

export interface Wait {
  /** What the step waits for, as users read it: "waits for <reason>". */
  reason: string;
  /** Until the next observation. */
  seconds: number;
  /** Counted from the first wait for this reason; then the step fails with `overdue`. */
  deadlineSeconds: number;
  expectedSeconds?: number;
  overdue: ErrorCode;
  /** The watcher looks meanwhile, by the step's `watch`, and wakes the step when there is something to see. */
  watched?: true;
}

/** The limits of a step's waits, over all settings that a request may have. The history of an execution follows from them. */
export interface DeclaredWait {
  /** The shortest interval between two observations. */
  seconds: number;
  /** The longest time that one attempt spends in them, all reasons together. */
  longestSeconds: number;
  /** Observations at the shortest interval, before it grows with the time waited. @default 1 */
  closeLooks?: number;
}

/** By the code with which the wait fails. */
export type DeclaredWaits = Partial<Record<ErrorCode, DeclaredWait>>;

/** What the watcher may use in a look at a run whose step waits. */
interface WatchContext extends Pick<StepContext, 'payer' | 'now'> {
  /** True once an hour: then the watch may make calls that cost something, although nothing says that there is news. */
  readonly hourly: boolean;
}

/**
 * How the watcher looks while a step waits for hours. It reads only, and what it returns is stored nowhere. The methods of a watch get
 * its subject as it was when the step looked last.
 */
export interface Watch<
  Kind extends RunKind = 'onboarding',
  Notes extends object = object,
  Subject extends object = object,
  Facts = unknown,
> {
  /** What the watch looks at, and what the step saw last. It is stored with the wait, so that a look need not read the run. */
  subject: z.ZodType<Subject>;
  subjectOf(run: RunRecord<Kind>, notes: Notes): Subject;
  /** A free read for all waiting runs of one payer. */
  readPayer(payer: TargetAccount): Promise<Facts>;
  /** True if the step should look for itself. */
  hasChanged(cx: WatchContext, subject: Subject, facts: Facts): Promise<boolean>;
}

export type Plan<C extends StepChange, Output, Notes extends object = object> = (
  | { kind: 'ready'; output: Output; warnings?: string[] }
  /** `expected`: the output after the changes, so that a dry run can plan the later steps. */
  | { kind: 'change'; changes: readonly [C, ...C[]]; expected: Output; notes?: Partial<Notes> | undefined }
  | ({ kind: 'wait'; expected: Output; notes?: Partial<Notes> | undefined } & Wait)
  | ({ kind: 'refuse' } & Problem & {
        /** All problems, where there are several. */
        all?: readonly Problem[];
        warnings?: string[];
        /** The output once the problem is solved, so that a dry run can plan the later steps. */
        expected?: Output;
      })
  /** In a dry run only: the step cannot read its resources before we have our rights. `changes`: the likely ones. */
  | { kind: 'not-visible'; why: string; changes?: readonly C[]; expected: Output }
) & {
  /** Limits that the step's changes count towards, as the plan of a dry run shows them. */
  quotas?: readonly Quota[];
};

/**
 * The result of a change.
 * - `changed`: AWS or the cluster accepted it. Only this is recorded.
 * - `not-changed`: AWS or the cluster refused it, and the step can continue. The engine drops the rest of the plan and observes again.
 * - `bookkeeping`: only our own table was written.
 */
export type Outcome = 'changed' | 'not-changed' | 'bookkeeping';

/** The outcome, with notes if the write returned an id or a fact that the next observation cannot find. */
export type Applied<Notes extends object = object> = Outcome | { outcome: Outcome; notes: Partial<Notes> };

/** What `register` returns to the engine. The engine stores notes without a wait, then calls `register` once more. */
interface Registration<Notes extends object = object> {
  notes?: Partial<Notes>;
  wait?: Wait;
}

/** IAM actions a step needs in an account; `resources` are CloudFormation Sub strings (see functions/deployment/access-templates.ts for the parameters). */
export interface Permission {
  actions: readonly [string, ...string[]];
  resources: readonly [string, ...string[]];
  /** IAM condition block. */
  condition?: Record<string, Record<string, string | string[]>>;
  /** Only in an access template whose parameter Crawler is at least this: none < remove < full. */
  crawler?: 'remove' | 'full';
}

/** A Kubernetes RBAC rule a step needs in the target namespace. */
export interface KubernetesRule {
  apiGroups: readonly string[];
  resources: readonly string[];
  verbs: readonly string[];
  resourceNames?: readonly string[];
}

/**
 * One step of a run. The engine (shared/step-runner/converge.ts) registers, observes, plans, applies and observes again, until the plan
 * says `ready`, `wait` or `refuse`. The second observation decides whether a step has succeeded, never the answer of a write.
 *
 * The promises of a step:
 * - Any invocation may die after any write, and its answer may get lost. The next invocation starts from what it observes, so every write
 *   is idempotent: creating an existing resource or deleting a missing one is no error.
 * - `input` derives what the step needs from the run's record alone. It makes no call.
 * - `register` writes to our own table what the holder of the lease may then do for this run too. The engine calls it before it takes the
 *   lease, and may call it again at any time. A dry run does not call it.
 * - `observe` reads and never writes, neither AWS nor the cluster nor our table. Absence is undefined; a failure is thrown and is never
 *   taken for absence. What it returns is plain JSON data: no Map, Date, class instance, function or client.
 * - `plan` is pure: the same arguments give the same plan. It changes only what has our marks or what the request allows us to take over;
 *   it refuses everything else, with a text that says what the user can do.
 * - `apply` makes one write, from its arguments alone: `change`, and `input` and `seen` as they were planned from. It keeps nothing for a
 *   later call. An error it throws ends the invocation; nothing of that change is recorded.
 * - Notes have only what no observation can find: the id of a started query, a snapshot to restore, the start of a denial. Only the engine
 *   changes them: it merges what `register`, `plan` and `apply` return into what is stored. Notes of a plan are stored before its changes
 *   are applied, and notes of a wait before the step waits. They belong to the attempt that made them, unless `keeps` names them.
 */
export interface Step<
  Name extends StepName = StepName,
  Input = unknown,
  Observation = unknown,
  C extends StepChange = StepChange,
  Notes extends object = object,
> {
  name: Name;
  /** One sentence in the present tense: README, API description. */
  summary: string;
  permissions: {
    payer?: readonly Permission[];
    cluster?: readonly Permission[];
    /** Present if the step calls the cluster's own API; empty if it needs no right there. */
    kubernetes?: readonly KubernetesRule[];
    /** What the step itself does to the hub's table, beside what the engine does. */
    table?: readonly TableAction[];
    /** True if it queries the table's indexes. */
    indexes?: true;
  };
  /** Serialises runs that share what this step writes. */
  lease?: 'target' | 'payer';
  /** Steps whose IAM changes this one relies on: it starts only once IAM has had the time to show them everywhere. */
  after?: readonly StepName[];
  /** The step's notes, all optional. Reads what earlier releases stored; a note that may be lost has `.catch(undefined)`. */
  notes?: z.ZodType<Notes>;
  /** Names of the notes that a later attempt of the run still has. */
  keeps?: readonly string[];
  /** Every wait that the step plans or registers. The engine refuses any other. */
  waits?: DeclaredWaits;
  /** The same for waits that are `watched`. */
  watchedWaits?: DeclaredWaits;
  watch?: Watch<KindOf<Name>, Notes>;
  /** True for proofs: they record no changes, and a dry run leaves them out because earlier steps are only planned. */
  proof?: boolean;
  input(cx: StepContext<KindOf<Name>, Notes>): Input;
  register?(cx: StepContext<KindOf<Name>, Notes>, input: Input): Promise<Registration<Notes> | undefined>;
  observe(cx: StepContext<KindOf<Name>, Notes>, input: Input): Promise<Observation>;
  plan(input: Input, seen: Observation, situation: Situation<KindOf<Name>, Notes>): Plan<C, Outputs[Name], Notes>;
  /** Absent if the step plans no changes. */
  apply?(
    cx: StepContext<KindOf<Name>, Notes>,
    change: C,
    basis: { input: Input; seen: Observation },
  ): Promise<Applied<Notes>>;
  /**
   * The earlier step that has to run again because of this step's output. Computed from the record alone, so that it may be called twice.
   */
  invalidates?(run: RunRecord<KindOf<Name>>, output: Outputs[Name]): StepName | undefined;
}

/** Keeps the step's own types inside it; the registry and the engine see the erased shape. */
export function defineStep<
  Name extends StepName,
  Input,
  Observation,
  C extends StepChange = never,
  Notes extends object = object,
>(step: Step<Name, Input, Observation, C, Notes>): Step<Name> {
  return step;
}
