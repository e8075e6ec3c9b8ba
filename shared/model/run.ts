import * as z from 'zod';
import { outputs, type Outputs } from './step-outputs.ts';
import type { PlanSummary } from '../runs/dry-run-plan.ts';
import type { OffboardingRequest, OnboardingRequest } from './onboarding-request.ts';
import { adviceFor, TerminalError, type KnownError } from '../errors/errors.ts';
import type { RunEvent } from './run-event.ts';
import { stepNames, type RunKind, type StepName } from './step-names.ts';

export const Timestamp = z.iso.datetime().meta({ id: 'Timestamp', description: 'UTC, ISO 8601' });

/** One write: what was done to which resource. The dry run's plan and the run's log are lists of the same records. */
export const Change = z
  .object({
    do: z.string().meta({ description: 'verb-object, e.g. create-bucket' }),
    resource: z.string().meta({ description: 'ARN or name of what is changed' }),
    note: z.string().optional(),
    at: Timestamp.optional().meta({ description: 'Absent while only planned' }),
  })
  .meta({ id: 'Change' });
export type Change = z.infer<typeof Change>;

export const RunError = z
  .object({
    code: z.string().meta({ description: 'Stable; docs/errors.md lists all' }),
    step: z.string().nullable(),
    title: z.string(),
    message: z.string(),
    actor: z.string().meta({ description: 'Who acts' }),
    remedy: z.string(),
  })
  .meta({ id: 'RunError' });
export type RunError = z.infer<typeof RunError>;

/** @param step null where no step is to blame */
export function runErrorOf({ code, message }: Pick<KnownError, 'code' | 'message'>, step: string | null): RunError {
  const { title, actor, remedy } = adviceFor(code);
  return { code, step, title, message, actor, remedy };
}

export const StepNameView = z.enum(stepNames).meta({ id: 'StepName' });

export const Quota = z
  .object({
    quota: z.string(),
    used: z.int().meta({ description: 'Now' }),
    adds: z.int().meta({ description: 'What the run would add' }),
    limit: z.int(),
  })
  .meta({ id: 'Quota' });
export type Quota = z.infer<typeof Quota>;

export const Waiting = z
  .object({
    for: z.string(),
    since: Timestamp,
    expectedBy: Timestamp.nullable(),
    deadline: Timestamp,
    /** When the step looks next. */
    next: Timestamp,
  })
  .meta({ id: 'Waiting' });
export type Waiting = z.infer<typeof Waiting>;

export const stepStatuses = [
  'pending',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'skipped',
  'planned',
  'not-visible',
] as const;
type StepStatus = (typeof stepStatuses)[number];

/** A step as the table holds it; `memo` is the step's own notes and never leaves the table. */
export interface StepRecord {
  status: StepStatus;
  startedAt?: string;
  endedAt?: string;
  invocations: number;
  waiting?: Waiting;
  changes: Change[];
  warnings: string[];
  output?: Record<string, unknown>;
  memo?: Record<string, unknown>;
  error?: RunError;
  /** Of a dry run: what the step is for, everything it would refuse, and the limits it comes near. */
  preview?: { summary: string; refusals: RunError[]; quotas: Quota[] };
  /** While an invocation is at work: when the function's time is up at the latest. Until then it may still write. */
  busyUntil?: string;
  /** The transition that was told last, as `stepTransition` spells it. */
  announced?: string;
}

export const runStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'planned'] as const;
export type RunStatus = (typeof runStatuses)[number];
export const endedStatuses: readonly RunStatus[] = ['succeeded', 'failed', 'cancelled', 'planned'];

interface Requests {
  onboarding: OnboardingRequest;
  offboarding: OffboardingRequest;
}

/** A run as the table holds it. */
export interface RunRecord<Kind extends RunKind = 'onboarding'> {
  runId: string;
  kind: Kind;
  attempt: number;
  /** The step this attempt begins with, where it is not the first. */
  from?: StepName;
  status: RunStatus;
  request: Requests[Kind];
  /** The batch that started it. */
  batchId?: string;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
  steps: Partial<Record<StepName, StepRecord>>;
  error?: RunError;
  /** Of a dry run that has ended. */
  planned?: PlanSummary;
  /** Somebody asked for its end: no step begins any more. */
  cancelRequestedAt?: string;
  /** Transitions that are still to be told to the event bus, by event id. */
  outbox?: Record<string, RunEvent>;
  /** The attempt whose begin was told. */
  announced?: number;
}

export type AnyRun = RunRecord | RunRecord<'offboarding'>;

/** A step has left nothing to go on from: in a dry run where it could not tell, else never. */
export class MissingOutput extends TerminalError {
  readonly step: StepName;

  constructor(runId: string, step: StepName) {
    super('unexpected', `step ${step} has left no readable output in run ${runId}`);
    this.step = step;
  }
}

/**
 * Output of an earlier step, parsed again at this edge: executions outlive deployments.
 * @throws MissingOutput
 */
export function outputOf<Name extends StepName>(run: Pick<AnyRun, 'runId' | 'steps'>, name: Name): Outputs[Name] {
  const parsed = outputs[name].safeParse(run.steps[name]?.output);
  if (!parsed.success) throw new MissingOutput(run.runId, name);
  return parsed.data as Outputs[Name];
}

export function podRoleOf(run: RunRecord): { podRoleArn: string; serviceAccount: string } {
  return run.request.identity.mode === 'irsa' ? outputOf(run, 'pod-role') : outputOf(run, 'pod-identity');
}

/** Where an entry is published: what runs for it share is leased and recorded under this name. */
export interface Target {
  clusterArn: string;
  namespace: string;
  secretName: string;
}

export function clusterArnOf({ cluster }: Pick<OffboardingRequest, 'cluster'>): string {
  return `arn:aws:eks:${cluster.region}:${cluster.accountId}:cluster/${cluster.name}`;
}

export function targetOf(request: Pick<OffboardingRequest, 'cluster' | 'kubecost'>): Target {
  return {
    clusterArn: clusterArnOf(request),
    namespace: request.kubecost.namespace,
    secretName: request.kubecost.secretName,
  };
}

/** Steps this run does not take: the other identity mode's. */
export function skips(
  run: Pick<RunRecord, 'kind' | 'request'> | Pick<RunRecord<'offboarding'>, 'kind' | 'request'>,
  name: StepName,
): boolean {
  return run.kind === 'onboarding' && name === (run.request.identity.mode === 'irsa' ? 'pod-identity' : 'pod-role');
}
