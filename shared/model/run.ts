import { TerminalError } from '../errors/errors.ts';
import type { OffboardingRequest, OnboardingRequest } from './onboarding-request.ts';
import type { PlanSummary } from './plan-schemas.ts';
import type { RunEvent } from './run-event.ts';
import type { RunError, RunStatus, StepRecord } from './run-schemas.ts';
import type { RunKind, StepName } from './step-names.ts';
import { type Outputs, outputs } from './step-outputs.ts';

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

/** Steps this run does not take: the other identity mode's. */
export function skips(
  run: Pick<RunRecord, 'kind' | 'request'> | Pick<RunRecord<'offboarding'>, 'kind' | 'request'>,
  name: StepName,
): boolean {
  return run.kind === 'onboarding' && name === (run.request.identity.mode === 'irsa' ? 'pod-identity' : 'pod-role');
}
