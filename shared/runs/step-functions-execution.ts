import {
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { hubClient } from '../aws/clients.ts';
import { TerminalError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import type { OffboardingRequest, OnboardingRequest } from '../model/run-requests.ts';
import type { RunKind } from '../model/step-names.ts';
import { readSettings } from '../platform/settings.ts';

/** The fields that give an execution its name and input. */
export type Startable = Pick<AnyRun, 'runId' | 'attempt' | 'from' | 'batchId'> &
  ({ kind: 'onboarding'; request: OnboardingRequest } | { kind: 'offboarding'; request: OffboardingRequest });

/** Each attempt has its own execution name, so Step Functions starts it once even if this is called several times. */
export async function startExecution(run: Startable): Promise<void> {
  const { runId, attempt, from = 'preflight' } = run;
  const input =
    run.kind === 'onboarding' ? { runId, attempt, identityMode: run.request.identity.mode, from } : { runId, attempt };
  try {
    await hubClient(SFNClient).send(
      new StartExecutionCommand({
        stateMachineArn: machineArn(run.kind),
        name: `${runId}-${attempt}`,
        input: JSON.stringify(input),
      }),
    );
  } catch (error) {
    if (!(error instanceof ExecutionAlreadyExists)) throw error;
  }
}

/**
 * No further invocation starts; an active one continues to its end. Does nothing for an execution that has ended, was never started, or
 * was deleted (Step Functions keeps executions for 90 days).
 */
export async function stopExecution({ kind, runId, attempt }: Pick<AnyRun, 'kind' | 'runId' | 'attempt'>) {
  // StartExecution returns an ARN of this form (API reference), so we do not store it.
  const executionArn = `${machineArn(kind).replace(':stateMachine:', ':execution:')}:${runId}-${attempt}`;
  try {
    await hubClient(SFNClient).send(new StopExecutionCommand({ executionArn, error: 'Cancelled' }));
  } catch (error) {
    if (!(error instanceof ExecutionDoesNotExist)) throw error;
  }
}

function machineArn(kind: RunKind): string {
  const arn = readSettings().stateMachineArns[kind];
  if (!arn) throw new TerminalError('unexpected', `no state machine ARN is configured for an ${kind}`);
  return arn;
}
