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
  /** Not simulated, because time does not advance in a handler. Let the handler throw `States.Timeout` instead. */
  TimeoutSeconds?: number;
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

/** Throws on language features that the interpreter would otherwise silently ignore. */
export function assertSupported(machine: StateMachine): void {
  for (const [name, state] of Object.entries(machine.States)) {
    for (const field of [
      'QueryLanguage',
      'Assign',
      'Arguments',
      'Output',
      'ItemReader',
      'ItemBatcher',
      'ResultWriter',
    ]) {
      if (field in state) throw new Error(`State ${name}: the sandbox does not interpret ${field}`);
    }
    if (state.Type === 'Task' && !isLambda(state.Resource)) {
      throw new Error(`State ${name}: the sandbox invokes Lambda functions only, not ${state.Resource}`);
    }
    if (state.Type === 'Parallel') state.Branches.forEach(assertSupported);
    if (state.Type === 'Map') assertSupported(itemProcessor(state));
  }
}

export function itemProcessor(state: MapState): StateMachine {
  const processor = state.ItemProcessor ?? state.Iterator;
  if (!processor) throw new Error('A Map state needs an ItemProcessor');
  const { ProcessorConfig } = processor as { ProcessorConfig?: { Mode?: string } };
  if (ProcessorConfig?.Mode === 'DISTRIBUTED') throw new Error('The sandbox runs inline Map states only');
  return processor;
}

export const LAMBDA_INVOKE = /^arn:aws(-[a-z]+)*:states:::lambda:invoke$/;

function isLambda(resource: string): boolean {
  return LAMBDA_INVOKE.test(resource) || /^arn:aws(-[a-z]+)*:lambda:/.test(resource);
}
