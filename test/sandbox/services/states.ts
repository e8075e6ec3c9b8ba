import { randomUUID } from 'node:crypto';
import * as sdk from '@aws-sdk/client-sfn';
import { AwsError, type CallContext, operation, type Service } from '../service.ts';
import { MAX_PAYLOAD_BYTES } from '../step-functions/data-flow.ts';
import { assertSupported, type Json, type StateMachine } from '../step-functions/definition.ts';
import { StatesError } from '../step-functions/errors.ts';
import type { Details, HistoryEvent } from '../step-functions/history.ts';
import {
  type Execution,
  type ExecutionOptions,
  type ExecutionResult,
  interpret,
} from '../step-functions/interpreter.ts';
import { type Callback, TaskTokens, type TokenAnswer } from '../step-functions/task-tokens.ts';
import type { World } from '../world.ts';

/** The event that EventBridge passes to a rule's target. */
export interface ExecutionStatusChange {
  version: '0';
  id: string;
  'detail-type': 'Step Functions Execution Status Change';
  source: 'aws.states';
  account: string;
  time: string;
  region: string;
  resources: string[];
  detail: {
    executionArn: string;
    stateMachineArn: string;
    name: string;
    status: sdk.ExecutionStatus;
    /** Milliseconds since the epoch, unlike the dates of the API. */
    startDate: number;
    stopDate: number | null;
    input: string;
    output: string | null;
  };
}

interface NewStateMachine extends Pick<ExecutionOptions, 'invoke' | 'random' | 'taskSeconds'> {
  accountId: string;
  region: string;
  name: string;
  definition: object;
  onStatusChange?: (event: ExecutionStatusChange) => void;
}

interface Machine extends NewStateMachine {
  arn: string;
  createdAt: number;
}

interface ExecutionRecord {
  arn: string;
  machine: Machine;
  name: string;
  input: string;
  startedAt: number;
  stoppedAt?: number;
  result?: ExecutionResult;
  execution: Execution;
}

const DAY = 86_400_000;
/** A name can be used again this long after its execution closed. */
const NAME_KEPT = 90 * DAY;
const EVENT_DELIVERY = 500;

export class StatesState {
  readonly machines = new Map<string, Machine>();
  /** By ARN, oldest first. */
  readonly executions = new Map<string, ExecutionRecord>();
  readonly #tokens = new Map<string, TaskTokens>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  /** Returns the ARN. */
  createStateMachine(machine: NewStateMachine): string {
    assertSupported(machine.definition as StateMachine);
    const arn = `arn:aws:states:${machine.region}:${machine.accountId}:stateMachine:${machine.name}`;
    this.machines.set(arn, { ...machine, arn, createdAt: this.#world.clock.now() });
    return arn;
  }

  tokens({ accountId, region }: Pick<Machine, 'accountId' | 'region'>): TaskTokens {
    const place = `${accountId} ${region}`;
    const tokens = this.#tokens.get(place) ?? new TaskTokens();
    this.#tokens.set(place, tokens);
    return tokens;
  }

  startExecution(machine: Machine, name: string, input: string): ExecutionRecord {
    const arn = `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;
    const { invoke, random, taskSeconds } = machine;
    const options = { ...(random && { random }), ...(taskSeconds !== undefined && { taskSeconds }) };
    const { clock } = this.#world;
    const execution = interpret(machine.definition as StateMachine, JSON.parse(input) as Json, {
      ...{ invoke, clock, name, arn, stateMachineArn: machine.arn, tokens: this.tokens(machine) },
      ...options,
    });
    const record: ExecutionRecord = { arn, machine, name, input, startedAt: clock.now(), execution };
    // A name that is used again after 90 days moves to the end.
    this.executions.delete(arn);
    this.executions.set(arn, record);
    this.#publishStatus(record);
    void this.#settle(record);
    return record;
  }

  async #settle(record: ExecutionRecord): Promise<void> {
    const result = await record.execution.done;
    record.result = result;
    record.stoppedAt = record.execution.history().at(-1)?.at ?? this.#world.clock.now();
    this.#publishStatus(record);
  }

  /** A sleep instead of a timer, so that the event is delivered even if no other sleep advances time. */
  #publishStatus(record: ExecutionRecord): void {
    const { onStatusChange } = record.machine;
    if (!onStatusChange) return;
    const event = statusChange(record, this.#world.clock.now());
    void this.#world.clock.sleep(EVENT_DELIVERY).then(() => {
      onStatusChange(event);
    });
  }
}

function statusOf(record: ExecutionRecord): sdk.ExecutionStatus {
  return record.result?.status ?? 'RUNNING';
}

function outputOf(record: ExecutionRecord): string | undefined {
  return record.result?.output === undefined ? undefined : JSON.stringify(record.result.output);
}

function statusChange(record: ExecutionRecord, now: number): ExecutionStatusChange {
  const { arn, machine, name, input, startedAt, stoppedAt } = record;
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Step Functions Execution Status Change',
    source: 'aws.states',
    account: machine.accountId,
    time: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z'),
    region: machine.region,
    resources: [arn],
    detail: {
      executionArn: arn,
      stateMachineArn: machine.arn,
      name,
      status: statusOf(record),
      startDate: startedAt,
      stopDate: stoppedAt ?? null,
      input,
      output: outputOf(record) ?? null,
    },
  };
}

function machineAt(arn: string | undefined, { world }: CallContext): Machine {
  if (!arn?.startsWith('arn:')) throw new AwsError('InvalidArn', `Invalid Arn: '${arn ?? ''}'`);
  const machine = world.states.machines.get(arn);
  if (!machine) throw new AwsError('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
  return machine;
}

function executionAt(arn: string | undefined, { world }: CallContext): ExecutionRecord {
  if (!arn?.startsWith('arn:')) throw new AwsError('InvalidArn', `Invalid Arn: '${arn ?? ''}'`);
  const record = world.states.executions.get(arn);
  if (!record) throw new AwsError('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
  return record;
}

function startExecution(input: sdk.StartExecutionCommandInput, cx: CallContext): sdk.StartExecutionOutput {
  const { name = randomUUID(), input: text = '{}' } = input;
  // White space, brackets, wildcards, `"#%\^|~`$&,;:/` and control characters are refused.
  // eslint-disable-next-line no-control-regex
  if (!/^[^\s<>{}[\]?*"#%\\^|~`$&,;:/\u0000-\u001f\u007f-\u009f]{1,80}$/.test(name)) {
    throw new AwsError('InvalidName', `Invalid Name: '${name}'`);
  }
  if (Buffer.byteLength(text) > MAX_PAYLOAD_BYTES) {
    throw new AwsError('ValidationException', `The input is longer than ${MAX_PAYLOAD_BYTES} bytes`);
  }
  assertJson(text);
  const machine = machineAt(input.stateMachineArn, cx);
  const executionArn = `${machine.arn.replace(':stateMachine:', ':execution:')}:${name}`;
  const earlier = cx.world.states.executions.get(executionArn);
  if (earlier && !earlier.result && earlier.input === text)
    return { executionArn, startDate: new Date(earlier.startedAt) };
  if (earlier && (earlier.stoppedAt ?? cx.now) + NAME_KEPT > cx.now) {
    throw new AwsError('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
  }
  const { startedAt } = cx.world.states.startExecution(machine, name, text);
  return { executionArn, startDate: new Date(startedAt) };
}

function assertJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new AwsError('InvalidExecutionInput', 'Invalid State Machine Execution Input: the input is not JSON');
  }
}

function listed(record: ExecutionRecord) {
  const { arn, machine, name, startedAt, stoppedAt } = record;
  return {
    executionArn: arn,
    stateMachineArn: machine.arn,
    name,
    status: statusOf(record),
    startDate: new Date(startedAt),
    ...(stoppedAt !== undefined && { stopDate: new Date(stoppedAt) }),
    redriveCount: 0,
  };
}

function described(record: ExecutionRecord): sdk.DescribeExecutionOutput {
  const { error, cause } = record.result ?? {};
  const output = outputOf(record);
  return {
    ...listed(record),
    input: record.input,
    inputDetails: { included: true },
    ...(output !== undefined && { output, outputDetails: { included: true } }),
    // An execution over its own time has neither (recorded from AWS).
    ...(record.result?.status === 'TIMED_OUT'
      ? { redriveStatus: 'REDRIVABLE' as const }
      : { ...(error !== undefined && { error }), ...(cause !== undefined && { cause }) }),
  };
}

function historyEvent(record: ExecutionRecord, event: HistoryEvent): sdk.HistoryEvent {
  const { id, previous, at, type, stateName: name, details } = event;
  const { error, cause } = record.result ?? {};
  const output = outputOf(record);
  const failed = { error, cause };
  return {
    id,
    previousEventId: previous,
    timestamp: new Date(at),
    type: type as sdk.HistoryEventType,
    ...(details && { [`${type.charAt(0).toLowerCase()}${type.slice(1)}EventDetails`]: withOutputDetails(details) }),
    ...(name !== undefined && type.endsWith('StateEntered') && { stateEnteredEventDetails: { name } }),
    ...(name !== undefined && type.endsWith('StateExited') && { stateExitedEventDetails: { name } }),
    ...(type === 'ExecutionStarted' && { executionStartedEventDetails: { input: record.input } }),
    ...(type === 'ExecutionSucceeded' && { executionSucceededEventDetails: { output } }),
    ...(type === 'ExecutionFailed' && { executionFailedEventDetails: failed }),
    ...(type === 'ExecutionAborted' && { executionAbortedEventDetails: failed }),
    ...(type === 'ExecutionTimedOut' && { executionTimedOutEventDetails: failed }),
  };
}

function withOutputDetails(details: Details): object {
  return {
    ...details,
    ...(details.output !== undefined && { outputDetails: { truncated: false } }),
    ...(details.input !== undefined && { inputDetails: { truncated: false } }),
  };
}

/** Accepts a callback. The errors and their texts are recorded from AWS. */
function callBack(cx: CallContext, send: (tokens: TaskTokens) => TokenAnswer): Record<string, never> {
  const answer = send(cx.world.states.tokens({ accountId: cx.caller.accountId, region: cx.region }));
  if (answer === 'unknown') throw new AwsError('InvalidToken', "Invalid Token: 'Invalid token'");
  if (answer === 'closed') throw new AwsError('TaskTimedOut', "Task Timed Out: 'Provided task does not exist anymore'");
  return {};
}

/** @throws AwsError InvalidOutput */
function callbackOf(output: string | undefined): Callback {
  try {
    return { output: JSON.parse(output ?? '') as Json };
  } catch {
    throw new AwsError('InvalidOutput', 'Invalid Output: the output is not JSON');
  }
}

interface PageRequest {
  maxResults?: number | undefined;
  nextToken?: string | undefined;
}

/** In a list with the newest first, the token counts the remaining items, because new items are inserted before them. Else it counts the returned items. */
function page<T>(items: readonly T[], { maxResults, nextToken }: PageRequest, newestFirst: boolean) {
  if (nextToken !== undefined && !/^\d+$/.test(nextToken))
    throw new AwsError('InvalidToken', `Invalid Token: '${nextToken}'`);
  const counted = Number(nextToken ?? (newestFirst ? items.length : 0));
  const from = newestFirst ? items.length - counted : counted;
  // 0 and absent both mean the default.
  const to = from + (maxResults === undefined || maxResults === 0 ? 100 : maxResults);
  const token = String(newestFirst ? items.length - to : to);
  return { items: items.slice(from, to), ...(to < items.length && { nextToken: token }) };
}

const onMachine = (action: string) => (input: { stateMachineArn?: string | undefined }) => [
  { action: `states:${action}`, resources: [input.stateMachineArn ?? '*'] },
];
const onExecution = (action: string) => (input: { executionArn?: string | undefined }) => [
  { action: `states:${action}`, resources: [input.executionArn ?? '*'] },
];

/** A token is no resource of IAM (Service Authorization Reference, Step Functions). */
const onToken = (action: string) => () => [{ action: `states:${action}`, resources: ['*'] }];

export const statesService: Service = {
  signingName: 'states',
  sdk,
  operations: {
    StartExecution: operation<sdk.StartExecutionCommandInput, sdk.StartExecutionOutput>({
      writes: true,
      permissions: onMachine('StartExecution'),
      run: startExecution,
    }),
    StopExecution: operation<sdk.StopExecutionCommandInput, sdk.StopExecutionOutput>({
      writes: true,
      permissions: onExecution('StopExecution'),
      run: (input, cx) => {
        const record = executionAt(input.executionArn, cx);
        record.execution.abort(input.error, input.cause);
        return { stopDate: new Date(record.stoppedAt ?? cx.now) };
      },
    }),
    SendTaskSuccess: operation<sdk.SendTaskSuccessCommandInput, sdk.SendTaskSuccessOutput>({
      writes: true,
      permissions: onToken('SendTaskSuccess'),
      run: ({ taskToken = '', output }, cx) => {
        const callback = callbackOf(output);
        return callBack(cx, (tokens) => tokens.send(taskToken, callback));
      },
    }),
    SendTaskFailure: operation<sdk.SendTaskFailureCommandInput, sdk.SendTaskFailureOutput>({
      writes: true,
      permissions: onToken('SendTaskFailure'),
      run: ({ taskToken = '', error, cause }, cx) =>
        callBack(cx, (tokens) => tokens.send(taskToken, new StatesError(error, cause))),
    }),
    SendTaskHeartbeat: operation<sdk.SendTaskHeartbeatCommandInput, sdk.SendTaskHeartbeatOutput>({
      writes: true,
      permissions: onToken('SendTaskHeartbeat'),
      run: ({ taskToken = '' }, cx) => callBack(cx, (tokens) => tokens.heartbeat(taskToken, cx.now)),
    }),
    DescribeExecution: operation<sdk.DescribeExecutionCommandInput, sdk.DescribeExecutionOutput>({
      writes: false,
      permissions: onExecution('DescribeExecution'),
      run: (input, cx) => described(executionAt(input.executionArn, cx)),
    }),
    GetExecutionHistory: operation<sdk.GetExecutionHistoryCommandInput, sdk.GetExecutionHistoryOutput>({
      writes: false,
      permissions: onExecution('GetExecutionHistory'),
      run: (input, cx) => {
        const record = executionAt(input.executionArn, cx);
        const events = record.execution.history();
        const { items, ...next } = page(
          input.reverseOrder ? events.toReversed() : events,
          input,
          input.reverseOrder ?? false,
        );
        return { events: items.map((event) => historyEvent(record, event)), ...next };
      },
    }),
    ListExecutions: operation<sdk.ListExecutionsCommandInput, sdk.ListExecutionsOutput>({
      writes: false,
      permissions: onMachine('ListExecutions'),
      run: (input, cx) => {
        const machine = machineAt(input.stateMachineArn, cx);
        const records = [...cx.world.states.executions.values()].reverse();
        const wanted = records.filter(
          (record) => record.machine === machine && statusOf(record) === (input.statusFilter ?? statusOf(record)),
        );
        const { items, ...next } = page(wanted, input, true);
        return { executions: items.map(listed), ...next };
      },
    }),
    DescribeStateMachine: operation<sdk.DescribeStateMachineCommandInput, sdk.DescribeStateMachineOutput>({
      writes: false,
      permissions: onMachine('DescribeStateMachine'),
      run: (input, cx) => {
        const { arn, name, definition, accountId, createdAt } = machineAt(input.stateMachineArn, cx);
        return {
          stateMachineArn: arn,
          name,
          status: 'ACTIVE',
          type: 'STANDARD',
          definition: JSON.stringify(definition),
          roleArn: `arn:aws:iam::${accountId}:role/${name}`,
          creationDate: new Date(createdAt),
        };
      },
    }),
  },
};
