import {
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { hubClient } from '../aws/clients.ts';
import { TerminalError } from '../errors/errors.ts';
import type { OffboardingRequest, OnboardingRequest } from '../model/onboarding-request.ts';
import type { AnyRun } from '../model/run.ts';
import type { RunKind } from '../model/step-names.ts';
import { readSettings } from '../platform/settings.ts';

/** What names an execution and decides its input. */
export type Startable = Pick<AnyRun, 'runId' | 'attempt' | 'from' | 'batchId'> &
  ({ kind: 'onboarding'; request: OnboardingRequest } | { kind: 'offboarding'; request: OffboardingRequest });

/** The name is the run's and attempt's own: Step Functions starts it once, however often this is called. */
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
 * Nothing begins any more; an invocation that is at work goes on to its end. One that was never started, or ended long ago (Step Functions
 * forgets after 90 days), needs no stopping, and one that has ended stays as it is.
 */
export async function stopExecution({ kind, runId, attempt }: Pick<AnyRun, 'kind' | 'runId' | 'attempt'>) {
  // StartExecution answers an ARN of this form (API reference); nothing else would have to remember it.
  const executionArn = `${machineArn(kind).replace(':stateMachine:', ':execution:')}:${runId}-${attempt}`;
  try {
    await hubClient(SFNClient).send(new StopExecutionCommand({ executionArn, error: 'Cancelled' }));
  } catch (error) {
    if (!(error instanceof ExecutionDoesNotExist)) throw error;
  }
}

function machineArn(kind: RunKind): string {
  const arn = readSettings().stateMachineArns[kind];
  if (!arn) throw new TerminalError('unexpected', `no state machine is configured for an ${kind}`);
  return arn;
}
