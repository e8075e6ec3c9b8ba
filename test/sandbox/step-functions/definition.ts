export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** An Amazon States Language machine, as far as the sandbox runs it: JSONPath, inline Map, Lambda tasks. */
export interface StateMachine {
  Comment?: string;
  StartAt: string;
  States: Record<string, State>;
  TimeoutSeconds?: number;
}

export type State =
  TaskState | ParallelState | MapState | PassState | WaitState | ChoiceState | SucceedState | FailState;

interface Paths {
  Comment?: string;
  InputPath?: string | null;
  OutputPath?: string | null;
}

interface Transition {
  Next?: string;
  End?: true;
}

interface Result {
  ResultSelector?: Json;
  ResultPath?: string | null;
}

export interface Retrier {
  ErrorEquals: string[];
  IntervalSeconds?: number;
  MaxAttempts?: number;
  BackoffRate?: number;
  MaxDelaySeconds?: number;
  JitterStrategy?: 'FULL' | 'NONE';
}

interface Catcher {
  ErrorEquals: string[];
  Next: string;
  ResultPath?: string | null;
}

interface Recovery {
  Retry?: Retrier[];
  Catch?: Catcher[];
}

export interface TaskState extends Paths, Transition, Result, Recovery {
  Type: 'Task';
  Resource: string;
  Parameters?: Json;
  /** Of the whole task, whatever heartbeats came. */
  TimeoutSeconds?: number;
  TimeoutSecondsPath?: string;
  /** The longest gap between two heartbeats of a callback task. */
  HeartbeatSeconds?: number;
  HeartbeatSecondsPath?: string;
}

export interface ParallelState extends Paths, Transition, Result, Recovery {
  Type: 'Parallel';
  Branches: StateMachine[];
  Parameters?: Json;
}

export interface MapState extends Paths, Transition, Result, Recovery {
  Type: 'Map';
  ItemProcessor?: StateMachine;
  /** The older name of ItemProcessor. */
  Iterator?: StateMachine;
  ItemsPath?: string;
  ItemSelector?: Json;
  /** The older name of ItemSelector. */
  Parameters?: Json;
  MaxConcurrency?: number;
  MaxConcurrencyPath?: string;
}

interface PassState extends Paths, Transition {
  Type: 'Pass';
  Parameters?: Json;
  Result?: Json;
  ResultPath?: string | null;
}

export interface WaitState extends Paths, Transition {
  Type: 'Wait';
  Seconds?: number;
  SecondsPath?: string;
  Timestamp?: string;
  TimestampPath?: string;
}

export interface ChoiceState extends Paths {
  Type: 'Choice';
  Choices: (Rule & { Next: string })[];
  Default?: string;
}

/** `And`, `Or` and `Not`, or a `Variable` with one comparison. */
export interface Rule {
  And?: Rule[];
  Or?: Rule[];
  Not?: Rule;
  Variable?: string;
  Next?: string;
  Comment?: string;
  [comparison: string]: Json | Rule | Rule[] | undefined;
}

interface SucceedState extends Paths {
  Type: 'Succeed';
}

export interface FailState {
  Type: 'Fail';
  Comment?: string;
  Error?: string;
  ErrorPath?: string;
  Cause?: string;
  CausePath?: string;
}

const common = ['Type', 'Comment', 'InputPath', 'OutputPath'];
const transition = ['Next', 'End'];
const result = ['Parameters', 'ResultSelector', 'ResultPath', 'Retry', 'Catch'];
const timers = ['TimeoutSeconds', 'TimeoutSecondsPath', 'HeartbeatSeconds', 'HeartbeatSecondsPath'];

/** The fields of each kind of state that the interpreter carries out. */
const fields: Record<State['Type'], readonly string[]> = {
  Task: [...common, ...transition, ...result, 'Resource', ...timers],
  Parallel: [...common, ...transition, ...result, 'Branches'],
  Map: [
    ...[...common, ...transition, ...result, 'ItemProcessor', 'Iterator', 'ItemsPath', 'ItemSelector'],
    ...['MaxConcurrency', 'MaxConcurrencyPath'],
  ],
  Pass: [...common, ...transition, 'Parameters', 'Result', 'ResultPath'],
  Wait: [...common, ...transition, 'Seconds', 'SecondsPath', 'Timestamp', 'TimestampPath'],
  Choice: [...common, 'Choices', 'Default'],
  Succeed: common,
  Fail: ['Type', 'Comment', 'Error', 'ErrorPath', 'Cause', 'CausePath'],
};
const machineFields = ['Comment', 'StartAt', 'States', 'TimeoutSeconds', 'Version', 'ProcessorConfig'];
const retrierFields = [
  ...['Comment', 'ErrorEquals', 'IntervalSeconds', 'MaxAttempts', 'BackoffRate', 'MaxDelaySeconds', 'JitterStrategy'],
];
const catcherFields = ['Comment', 'ErrorEquals', 'Next', 'ResultPath'];
const invokeFields = ['FunctionName', 'FunctionName.$', 'Payload', 'Payload.$'];

/** Throws on every field that the interpreter would otherwise silently ignore. */
export function assertSupported(machine: StateMachine): void {
  assertFields('The state machine', machine, machineFields);
  for (const [name, state] of Object.entries(machine.States)) {
    assertFields(`State ${name}`, state, fields[state.Type]);
    if ('Retry' in state)
      for (const retrier of state.Retry ?? []) assertFields(`State ${name}`, retrier, retrierFields);
    if ('Catch' in state)
      for (const catcher of state.Catch ?? []) assertFields(`State ${name}`, catcher, catcherFields);
    if (state.Type === 'Task') assertTask(name, state);
    if (state.Type === 'Parallel') state.Branches.forEach(assertSupported);
    if (state.Type === 'Map') assertSupported(itemProcessor(state));
  }
}

function assertFields(where: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((field) => !known.includes(field));
  if (unknown !== undefined) throw new Error(`${where}: the sandbox does not interpret ${unknown}`);
}

function assertTask(name: string, state: TaskState): void {
  if (!isLambda(state.Resource))
    throw new Error(`State ${name}: the sandbox invokes Lambda functions only, not ${state.Resource}`);
  if (LAMBDA_INVOKE.test(state.Resource)) {
    assertFields(`State ${name}, Parameters`, (state.Parameters ?? {}) as object, invokeFields);
  }
  for (const timer of ['TimeoutSeconds', 'HeartbeatSeconds'] as const) {
    if (state[timer] !== undefined && state[`${timer}Path`] !== undefined)
      throw new Error(`State ${name}: ${timer} and ${timer}Path exclude each other`);
  }
  const { TimeoutSeconds = Infinity, HeartbeatSeconds = 0 } = state;
  if (HeartbeatSeconds >= TimeoutSeconds)
    throw new Error(`State ${name}: HeartbeatSeconds must be smaller than TimeoutSeconds`);
}

export function itemProcessor(state: MapState): StateMachine {
  const processor = state.ItemProcessor ?? state.Iterator;
  if (!processor) throw new Error('A Map state needs an ItemProcessor');
  const { ProcessorConfig } = processor as { ProcessorConfig?: { Mode?: string } };
  if (ProcessorConfig?.Mode === 'DISTRIBUTED') throw new Error('The sandbox runs inline Map states only');
  return processor;
}

export const LAMBDA_INVOKE = /^arn:aws(-[a-z]+)*:states:::lambda:(invoke(\.waitForTaskToken)?)$/;

function isLambda(resource: string): boolean {
  return LAMBDA_INVOKE.test(resource) || /^arn:aws(-[a-z]+)*:lambda:/.test(resource);
}
