import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  ExecutionDoesNotExist,
  SendTaskSuccessCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import { hubClient } from '../aws/clients.ts';
import { isAwsError, TerminalError } from '../errors/errors.ts';
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
export async function stopExecution(run: Pick<AnyRun, 'kind' | 'runId' | 'attempt'>) {
  const executionArn = executionArnOf(run);
  try {
    await hubClient(SFNClient).send(new StopExecutionCommand({ executionArn, error: 'Cancelled' }));
  } catch (error) {
    if (!(error instanceof ExecutionDoesNotExist)) throw error;
  }
}

/** How the execution of the run's attempt has ended; undefined while it goes on, or if Step Functions does not know it. */
export async function readEndOfExecution(
  run: Pick<AnyRun, 'kind' | 'runId' | 'attempt'>,
): Promise<{ status: string; cause: string } | undefined> {
  try {
    const { status, error, cause } = await hubClient(SFNClient).send(
      new DescribeExecutionCommand({ executionArn: executionArnOf(run) }),
    );
    if (status === undefined || status === 'RUNNING' || status === 'PENDING_REDRIVE') return undefined;
    return { status, cause: [error, cause].filter(Boolean).join(': ') };
  } catch (error) {
    if (error instanceof ExecutionDoesNotExist) return undefined;
    throw error;
  }
}

/**
 * Ends the task that waits with this token. `over`: it has ended already, or Step Functions does not know the token. Recordings of AWS
 * have `TaskTimedOut` for a token that was used; the API reference also names `TaskDoesNotExist`.
 */
export async function callBack(taskToken: string): Promise<'called' | 'over'> {
  try {
    await hubClient(SFNClient).send(new SendTaskSuccessCommand({ taskToken, output: '{}' }));
    return 'called';
  } catch (error) {
    if (isAwsError(error, 'TaskTimedOut', 'TaskDoesNotExist', 'InvalidToken')) return 'over';
    // A ValidationException repeats the value that it rejects, and messages are logged.
    if (error instanceof Error) error.message = error.message.replaceAll(taskToken, '(token)');
    throw error;
  }
}

/** StartExecution returns an ARN of this form (API reference), so we do not store it. */
function executionArnOf({ kind, runId, attempt }: Pick<AnyRun, 'kind' | 'runId' | 'attempt'>): string {
  return `${machineArn(kind).replace(':stateMachine:', ':execution:')}:${runId}-${attempt}`;
}

function machineArn(kind: RunKind): string {
  const arn = readSettings().stateMachineArns[kind];
  if (!arn) throw new TerminalError('unexpected', `no state machine ARN is configured for an ${kind}`);
  return arn;
}
