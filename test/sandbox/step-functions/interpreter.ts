import type { VirtualClock } from '../clock.ts';
import { applyPath, applyResultPath, assertSize, clone } from './data-flow.ts';
import type {
  Json,
  JsonObject,
  MapState,
  ParallelState,
  Retrier,
  State,
  StateMachine,
  TaskState,
} from './definition.ts';
import { assertSupported, itemProcessor, LAMBDA_INVOKE } from './definition.ts';
import { matches, runtimeError, StatesError, taskError } from './errors.ts';
import type { HistoryEvent } from './history.ts';
import { History } from './history.ts';
import { isObject, require } from './jsonpath.ts';
import { choose, failure, mapConcurrency, retryDelay, waitUntil } from './states.ts';
import type { Environment } from './templates.ts';
import { fillIn } from './templates.ts';

export interface ExecutionOptions {
  /** Runs a function; `functionArn` is whatever the definition names. What it throws becomes the task's error. */
  invoke: (functionArn: string, payload: Json) => Promise<unknown>;
  clock: VirtualClock;
  /** For jitter and States.MathRandom: from 0 up to, but not including, 1. */
  random?: () => number;
  name: string;
  arn: string;
  stateMachineArn?: string;
  /** Virtual seconds that pass after each handler, because time does not advance within it. @default 1 */
  taskSeconds?: number;
  onTransition?: (stateName: string) => void;
}

export interface ExecutionResult {
  status: 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT' | 'ABORTED';
  output?: Json;
  error?: string;
  cause?: string;
}

export interface Execution {
  /** Rejects only if the interpreter itself breaks. */
  done: Promise<ExecutionResult>;
  abort(error?: string, cause?: string): void;
  /** States entered and retries made: what AWS bills. */
  transitions(): number;
  events(): number;
  history(): readonly HistoryEvent[];
}

/** Starts an execution; it enters its first state after the held work of the caller ends. */
export function interpret(definition: StateMachine, input: Json, options: ExecutionOptions): Execution {
  assertSupported(definition);
  const interpreter = new Interpreter(input, options);
  interpreter.start(definition);
  return {
    done: interpreter.done.promise,
    abort: (error, cause) => {
      interpreter.finish({
        status: 'ABORTED',
        ...(error !== undefined && { error }),
        ...(cause !== undefined && { cause }),
      });
    },
    transitions: () => interpreter.transitions,
    events: () => interpreter.history.events.length,
    history: () => interpreter.history.events,
  };
}

/** Unwinds what still runs when the execution has ended or a sibling branch has failed. No Retry or Catch sees it. */
class Stopped extends Error {}

/** The scope of a state: the execution itself, a branch of a Parallel or an iteration of a Map. */
interface Scope {
  signal: AbortSignal;
  /** Called with the first failure in it, before a sibling that wakes in the same instant can enter its next state. */
  fail: () => void;
  /** `$$.Map` */
  map?: JsonObject;
}

/** One state being executed. */
interface Visit {
  name: string;
  input: Json;
  scope: Scope;
  enteredAt: number;
  retryCount: number;
}

interface Step {
  output: Json;
  /** Absent at the end of the machine or branch. */
  next?: string | undefined;
}

class Interpreter {
  readonly done = Promise.withResolvers<ExecutionResult>();
  readonly history: History;
  transitions = 0;
  readonly #options: ExecutionOptions;
  readonly #clock: VirtualClock;
  readonly #random: () => number;
  readonly #input: Json;
  readonly #startedAt: number;
  readonly #ended = new AbortController();
  #cancelTimeout = () => {};

  constructor(input: Json, options: ExecutionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#input = input;
    this.#startedAt = this.#clock.now();
    this.history = new History(() => this.#clock.now());
  }

  start(machine: StateMachine): void {
    this.history.add('ExecutionStarted');
    if (machine.TimeoutSeconds !== undefined) {
      this.#cancelTimeout = this.#clock.after(machine.TimeoutSeconds * 1000, () => {
        this.finish({ status: 'TIMED_OUT', error: 'States.Timeout' });
      });
    }
    this.#run(machine).catch(this.done.reject);
  }

  async #run(machine: StateMachine): Promise<void> {
    const scope = { signal: this.#ended.signal, fail: () => {} };
    try {
      await this.#sleep(0, scope);
      this.finish({ status: 'SUCCEEDED', output: await this.#runMachine(machine, this.#input, scope) });
    } catch (thrown) {
      if (thrown instanceof StatesError)
        this.finish({
          status: 'FAILED',
          error: thrown.error,
          ...(thrown.detail !== undefined && { cause: thrown.detail }),
        });
      else if (!(thrown instanceof Stopped)) throw thrown;
    }
  }

  finish(result: ExecutionResult): void {
    if (this.#ended.signal.aborted) return;
    const [first = '', ...rest] = result.status === 'TIMED_OUT' ? 'TimedOut' : result.status.toLowerCase();
    this.history.add(`Execution${first.toUpperCase()}${rest.join('')}`);
    this.#cancelTimeout();
    this.#ended.abort();
    this.done.resolve(result);
  }

  async #runMachine(machine: StateMachine, input: Json, scope: Scope): Promise<Json> {
    try {
      let step: Step = { output: input, next: machine.StartAt };
      while (step.next !== undefined) {
        if (scope.signal.aborted) throw new Stopped();
        const state = machine.States[step.next];
        if (!state) throw runtimeError(`There is no state '${step.next}'`);
        step = await this.#enter(step.next, state, step.output, scope);
      }
      return step.output;
    } catch (thrown) {
      scope.fail();
      throw thrown;
    }
  }

  async #enter(name: string, state: State, input: Json, scope: Scope): Promise<Step> {
    const eventId = this.#record(`${state.Type}StateEntered`, name);
    this.#countTransition(name);
    const visit = { name, input, scope, enteredAt: this.#clock.now(), retryCount: 0 };
    try {
      const step = await this.#execute(state, visit);
      assertSize(step.output, `The state '${name}'`);
      this.#record(`${state.Type}StateExited`, name);
      return step;
    } catch (thrown) {
      if (!(thrown instanceof StatesError) || thrown.error !== 'States.Runtime' || thrown.located) throw thrown;
      throw thrown.locate(
        `An error occurred while executing the state '${name}' (entered at the event id #${eventId}).`,
      );
    }
  }

  async #execute(state: State, visit: Visit): Promise<Step> {
    switch (state.Type) {
      case 'Task':
      case 'Parallel':
      case 'Map':
        return this.#recoverable(state, visit);
      case 'Pass': {
        const { data, environment } = this.#effectiveInput(state, visit);
        const parameters = state.Parameters === undefined ? data : fillIn(state.Parameters, environment);
        const output = applyResultPath(
          state.ResultPath,
          visit.input,
          state.Result === undefined ? parameters : state.Result,
        );
        return { output: this.#outputPath(state, visit, output), next: state.Next };
      }
      case 'Wait': {
        const { data, environment } = this.#effectiveInput(state, visit);
        await this.#sleep(waitUntil(state, environment, visit.enteredAt) - visit.enteredAt, visit.scope);
        return { output: this.#outputPath(state, visit, data), next: state.Next };
      }
      case 'Choice': {
        const { data, environment } = this.#effectiveInput(state, visit);
        return { output: this.#outputPath(state, visit, data), next: choose(state, environment, visit.name) };
      }
      case 'Succeed':
        return { output: this.#outputPath(state, visit, this.#effectiveInput(state, visit).data) };
      case 'Fail':
        throw failure(state, this.#environment(visit, visit.input));
    }
  }

  /** Task, Parallel and Map: first Retry, then Catch. */
  async #recoverable(state: TaskState | ParallelState | MapState, visit: Visit): Promise<Step> {
    const attempts = new Map<Retrier, number>();
    for (;;) {
      const outcome = await this.#attempt(state, visit).catch((thrown: unknown) => {
        if (thrown instanceof StatesError) return thrown;
        throw thrown;
      });
      // Outside Retry and Catch: AWS was recorded failing the execution here although the state catches States.Runtime.
      if (!(outcome instanceof StatesError))
        return { output: this.#outputPath(state, visit, outcome.output), next: state.Next };
      const retrier = state.Retry?.find(({ ErrorEquals }) => matches(ErrorEquals, outcome.error));
      const attempt = (retrier && attempts.get(retrier)) ?? 0;
      if (retrier && attempt < (retrier.MaxAttempts ?? 3)) {
        attempts.set(retrier, attempt + 1);
        await this.#sleep(retryDelay(retrier, attempt, this.#random), visit.scope);
        visit.retryCount++;
        this.#countTransition(visit.name);
        continue;
      }
      const catcher = state.Catch?.find(({ ErrorEquals }) => matches(ErrorEquals, outcome.error));
      if (!catcher) throw outcome;
      const caught = { Error: outcome.error, Cause: outcome.detail ?? '' };
      return { output: applyResultPath(catcher.ResultPath, visit.input, caught), next: catcher.Next };
    }
  }

  async #attempt(state: TaskState | ParallelState | MapState, visit: Visit): Promise<{ output: Json }> {
    const { data, environment } = this.#effectiveInput(state, visit);
    if (state.Type === 'Map') return this.#result(state, visit, await this.#map(state, visit, environment));
    const parameters = state.Parameters === undefined ? data : fillIn(state.Parameters, environment);
    assertSize(parameters, `The state '${visit.name}'`);
    const work =
      state.Type === 'Task' ? this.#task(state, visit, parameters) : this.#parallel(state, visit, parameters);
    return this.#result(state, visit, await work);
  }

  async #task(state: TaskState, visit: Visit, parameters: Json): Promise<Json> {
    if (!LAMBDA_INVOKE.test(state.Resource)) return this.#invoke('LambdaFunction', state.Resource, parameters, visit);
    const { FunctionName: functionName, Payload: payload = {} } = isObject(parameters) ? parameters : {};
    if (typeof functionName !== 'string') throw runtimeError('lambda:invoke needs a FunctionName');
    const result = await this.#invoke('Task', functionName, payload, visit);
    return { ExecutedVersion: '$LATEST', Payload: result, StatusCode: 200 };
  }

  async #invoke(event: 'LambdaFunction' | 'Task', functionArn: string, payload: Json, visit: Visit): Promise<Json> {
    this.#record(`${event}Scheduled`);
    this.#record(`${event}Started`);
    const answer = await this.#clock
      .hold(() => this.#options.invoke(functionArn, clone(payload)), `${visit.name} of ${this.#options.name}`)
      .then((result) => ({ result: clone(result) }))
      .catch(taskError);
    await this.#sleep((this.#options.taskSeconds ?? 1) * 1000, visit.scope);
    this.#record(`${event}${answer instanceof StatesError ? 'Failed' : 'Succeeded'}`);
    if (answer instanceof StatesError) throw answer;
    assertSize(answer.result, `The task '${visit.name}'`);
    return answer.result;
  }

  #parallel(state: ParallelState, visit: Visit, input: Json): Promise<Json> {
    return this.#together('ParallelState', visit, (scope) =>
      Promise.all(state.Branches.map((branch) => this.#runMachine(branch, input, scope))),
    );
  }

  #map(state: MapState, visit: Visit, environment: Environment): Promise<Json> {
    const items = state.ItemsPath === undefined ? environment.data : require(state.ItemsPath, environment);
    if (!Array.isArray(items)) throw runtimeError(`The items of the Map state '${visit.name}' are not an array`);
    const selector = state.ItemSelector ?? state.Parameters;
    const processor = itemProcessor(state);
    return this.#together('MapState', visit, async (scope) => {
      const results: Json[] = [];
      const queue = items.entries();
      const worker = async () => {
        for (const [index, value] of queue) {
          const iteration = { ...scope, map: { Item: { Index: index, Value: value } } };
          const selected = this.#environment({ ...visit, scope: iteration }, environment.data);
          const input = selector === undefined ? value : fillIn(selector, selected);
          this.#record('MapIterationStarted', visit.name);
          results[index] = await this.#runMachine(processor, input, iteration);
          this.#record('MapIterationSucceeded', visit.name);
        }
      };
      await Promise.all(Array.from({ length: Math.min(items.length, mapConcurrency(state, environment)) }, worker));
      return results;
    });
  }

  /** Runs branches under a scope of their own: when one fails, the waits of its siblings end. A sibling's handler in flight may still finish. */
  async #together(event: string, visit: Visit, work: (scope: Scope) => Promise<Json[]>): Promise<Json> {
    const over = new AbortController();
    const signal = AbortSignal.any([visit.scope.signal, over.signal]);
    this.#record(`${event}Started`);
    try {
      const fail = () => {
        over.abort();
      };
      const results = await work({ ...visit.scope, signal, fail });
      this.#record(`${event}Succeeded`);
      return results;
    } catch (thrown) {
      if (thrown instanceof StatesError) this.#record(`${event}Failed`);
      throw thrown;
    }
  }

  #effectiveInput(state: { InputPath?: string | null }, visit: Visit): { data: Json; environment: Environment } {
    const data = applyPath(state.InputPath, this.#environment(visit, visit.input));
    return { data, environment: this.#environment(visit, data) };
  }

  #result(state: TaskState | ParallelState | MapState, visit: Visit, result: Json): { output: Json } {
    const { ResultSelector: selector, ResultPath } = state;
    const selected = selector === undefined ? result : fillIn(selector, this.#environment(visit, result));
    return { output: applyResultPath(ResultPath, visit.input, selected) };
  }

  #outputPath(state: { OutputPath?: string | null }, visit: Visit, data: Json): Json {
    return applyPath(state.OutputPath, this.#environment(visit, data));
  }

  #environment(visit: Visit, data: Json): Environment {
    return { data, context: () => this.#context(visit), random: this.#random };
  }

  /** The context object, `$$`. */
  #context({ name, enteredAt, retryCount, scope }: Visit): Json {
    const { arn, name: executionName, stateMachineArn = '' } = this.#options;
    const iso = (at: number) => new Date(at).toISOString();
    return {
      Execution: { Id: arn, Name: executionName, StartTime: iso(this.#startedAt), Input: this.#input, RedriveCount: 0 },
      State: { Name: name, EnteredTime: iso(enteredAt), RetryCount: retryCount },
      StateMachine: { Id: stateMachineArn, Name: stateMachineArn.split(':').at(-1) ?? '' },
      ...(scope.map && { Map: scope.map }),
    };
  }

  async #sleep(ms: number, { signal }: Scope): Promise<void> {
    await this.#clock.sleep(ms, signal);
    if (signal.aborted) throw new Stopped();
  }

  #record(type: string, stateName?: string): number {
    if (this.#ended.signal.aborted) throw new Stopped();
    if (this.history.full) {
      this.finish({
        status: 'FAILED',
        error: 'States.Runtime',
        cause: 'The execution reached the maximum number of history events (25000).',
      });
      throw new Stopped();
    }
    return this.history.add(type, stateName);
  }

  #countTransition(stateName: string): void {
    this.transitions++;
    this.#options.onTransition?.(stateName);
  }
}
