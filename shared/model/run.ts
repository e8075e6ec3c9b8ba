import { TerminalError } from '../errors/errors.ts';
import type { PlanSummary } from './plan-schemas.ts';
import type { RunEvent } from './run-event.ts';
import type { OffboardingRequest, OnboardingRequest } from './run-requests.ts';
import type { RunError, RunStatus, StepRecord } from './run-schemas.ts';
import type { RunKind, StepName } from './step-names.ts';
import { type Outputs, parseOutput } from './steps-and-outputs.ts';

interface Requests {
  onboarding: OnboardingRequest;
  offboarding: OffboardingRequest;
}

/** A run in the table. */
export interface RunRecord<Kind extends RunKind = 'onboarding'> {
  runId: string;
  kind: Kind;
  attempt: number;
  /** The step that this attempt starts with, if it is not the first step. */
  from?: StepName;
  status: RunStatus;
  request: Requests[Kind];
  /** The batch of the run. */
  batchId?: string;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
  steps: Partial<Record<StepName, StepRecord>>;
  error?: RunError;
  /** Of a dry run that has ended. */
  planned?: PlanSummary;
  /** Set by a cancel request: no further step starts. */
  cancelRequestedAt?: string;
  /** Events that are not published yet, by event id. */
  outbox?: Record<string, RunEvent>;
  /** The attempt whose start was published. */
  announced?: number;
}

export type AnyRun = RunRecord | RunRecord<'offboarding'>;

/** The output of an earlier step is missing. This happens only in a dry run whose step could not see its resources. */
export class MissingOutput extends TerminalError {
  readonly step: StepName;

  constructor(runId: string, step: StepName) {
    super('unexpected', `run ${runId} has no valid output of step ${step}`);
    this.step = step;
  }
}

/**
 * Output of an earlier step. It is parsed on each read, because an execution may be older than the deployment.
 * @throws MissingOutput
 */
export function outputOf<Name extends StepName>(run: Pick<AnyRun, 'runId' | 'steps'>, name: Name): Outputs[Name] {
  const output = parseOutput(name, run.steps[name]?.output);
  if (!output) throw new MissingOutput(run.runId, name);
  return output;
}

export function podRoleOf(run: RunRecord): { podRoleArn: string; serviceAccount: string } {
  return run.request.identity.mode === 'irsa' ? outputOf(run, 'pod-role') : outputOf(run, 'pod-identity');
}

/** True for a step of the other identity mode, which this run does not need. */
export function skips(
  run: Pick<RunRecord, 'kind' | 'request'> | Pick<RunRecord<'offboarding'>, 'kind' | 'request'>,
  name: StepName,
): boolean {
  return run.kind === 'onboarding' && name === (run.request.identity.mode === 'irsa' ? 'pod-identity' : 'pod-role');
}
