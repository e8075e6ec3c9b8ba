import { classify } from '../../shared/errors/errors.ts';
import { type RunError, runErrorOf, type StepRecord } from '../../shared/model/run-schemas.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { readRun } from '../../shared/runs/run-table.ts';
import type { StepAnswer } from '../../shared/step-runner/handler.ts';
import { functionKey, stepStates } from '../../state-machines/states.ts';
import { type CallRecord, interpret, type StateMachine } from '../sandbox/index.ts';
import { type DeployedSandbox, functionArn, hubAccountId, hubRegion, machineArn } from './deployed-sandbox.ts';

export interface TakeOptions {
  /** Lower bound of each wait, for waits that only a deadline ends. @default 0 */
  leastSeconds?: number;
  /** Runs after each invocation. */
  afterInvocation?: () => void;
}

/** How a step ended. */
export interface StepOutcome {
  status: StepRecord['status'];
  record: StepRecord;
  /** What the step did, in order. */
  done: string[];
  /** Requests of any service meanwhile, also of the watcher, except events and callbacks of the run. */
  calls: CallRecord[];
  /** Virtual seconds. */
  seconds: number;
  /** Of the last invocation, unless it threw. */
  answer?: StepAnswer;
  /** What the last invocation threw. */
  thrown?: Error;
  /** The same as the run shows it. */
  error?: RunError;
}

/** One invocation of the deployed function, with its deployed timeout. @throws what the handler throws */
export async function invokeStep(sandbox: DeployedSandbox, runId: string, name: StepName): Promise<StepAnswer> {
  return (await sandbox.invoke(functionKey(name), { runId, attempt: 1 })) as StepAnswer;
}

/** Takes a step to its end through the states that the state machines have for it, with their retries and waits. */
export async function takeStep(
  sandbox: DeployedSandbox,
  runId: string,
  name: StepName,
  { leastSeconds = 0, afterInvocation }: TakeOptions = {},
): Promise<StepOutcome> {
  const { clock, calls, states } = sandbox.world;
  const [started, before] = [clock.now(), calls.length];
  let answer: StepAnswer | undefined;
  let thrown: Error | undefined;
  const invoke = async (arn: string, payload: unknown) => {
    if (arn === functionArn('keepToken')) return sandbox.invoke('keepToken', payload);
    answer = thrown = undefined;
    try {
      answer = await invokeStep(sandbox, runId, name);
      return answer.status === 'waiting' ? { ...answer, seconds: Math.max(leastSeconds, answer.seconds) } : answer;
    } catch (error) {
      thrown = classify(error);
      throw error;
    } finally {
      afterInvocation?.();
    }
  };
  const execution = interpret(
    statesOf(name),
    { runId, attempt: 1 },
    {
      invoke,
      clock,
      // The longest pause that the jitter allows, so every run of a test takes the same time.
      random: () => 1,
      taskSeconds: 0,
      tokens: states.tokens({ accountId: hubAccountId, region: hubRegion }),
      name: runId,
      arn: `${machineArn('one-step')}:${runId}`,
    },
  );
  await execution.done;
  const record = (await readRun(runId))?.steps[name];
  if (!record) throw thrown ?? new Error(`run ${runId} has no step ${name}`);
  return {
    status: record.status,
    record,
    done: record.changes.map((change) => change.do),
    calls: calls.slice(before).filter(({ service }) => service !== 'events' && service !== 'states'),
    seconds: (clock.now() - started) / 1000,
    ...(answer && { answer }),
    ...(thrown && { thrown, error: runErrorOf(classify(thrown), name) }),
  };
}

function statesOf(name: StepName): StateMachine {
  const definition = JSON.stringify({ StartAt: name, States: stepStates(name, { End: true }) });
  return JSON.parse(definition.replaceAll(/\$\{(\w+)Arn\}/g, (_, key: string) => functionArn(key))) as StateMachine;
}
