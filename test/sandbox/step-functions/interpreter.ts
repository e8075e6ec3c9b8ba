import type { VirtualClock } from '../clock.ts';
import { applyPath, applyResultPath, assertSize } from './data-flow.ts';
import type { Json, MapState, ParallelState, Retrier, State, StateMachine, TaskState } from './definition.ts';
import { assertSupported, itemProcessor } from './definition.ts';
import { caughtOutput, matches, runtimeError, StatesError } from './errors.ts';
import type { Details, HistoryEvent, Thread } from './history.ts';
import { History } from './history.ts';
import { isObject, require } from './jsonpath.ts';
import { type Scope, Stopped, type Visit } from './scope.ts';
import { choose, failure, mapConcurrency, retryDelay, waitUntil } from './states.ts';
import type { TaskTokens } from './task-tokens.ts';
import { Tasks } from './tasks.ts';
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
  /** Virtual seconds that each handler takes. They pass after it, because time does not advance within it. @default 1 */
  taskSeconds?: number;
  /** Where the tokens of callback tasks are known. @default tokens that only the execution knows */
  tokens?: TaskTokens;
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
  readonly #tasks: Tasks;
  readonly #thread: Thread = { last: 0 };
  readonly #ended = new AbortController();
  #cancelTimeout = () => {};

  constructor(input: Json, options: ExecutionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#input = input;
    this.#startedAt = this.#clock.now();
    this.#tasks = new Tasks(
      {
        record: (type, scope, more) => this.#record(type, scope, more),
        sleep: (ms, scope) => this.#sleep(ms, scope),
        effectiveInput: (state, visit) => this.#effectiveInput(state, visit),
      },
      options,
    );
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
    const scope = { signal: this.#ended.signal, thread: this.#thread, tasks: [], fail: () => {} };
    try {
      await this.#sleep(0, scope);
      this.finish({ status: 'SUCCEEDED', output: await this.#runMachine(machine, this.#input, scope) });
    } catch (thrown) {
      if (thrown instanceof StatesError)
        this.finish({
          status: 'FAILED',
          ...(thrown.error !== undefined && { error: thrown.error }),
          ...(thrown.detail !== undefined && { cause: thrown.detail }),
        });
      else if (!(thrown instanceof Stopped)) throw thrown;
    }
  }

  finish(result: ExecutionResult): void {
    if (this.#ended.signal.aborted) return;
    const [first = '', ...rest] = result.status === 'TIMED_OUT' ? 'TimedOut' : result.status.toLowerCase();
    const isFromOutside = result.status === 'TIMED_OUT' || result.status === 'ABORTED';
    const type = `Execution${first.toUpperCase()}${rest.join('')}`;
    this.history.add(type, isFromOutside ? {} : { thread: this.#thread });
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
      if (!this.#ended.signal.aborted) scope.fail(scope.thread);
      throw thrown;
    }
  }

  async #enter(name: string, state: State, input: Json, scope: Scope): Promise<Step> {
    const eventId = this.#record(`${state.Type}StateEntered`, scope, { stateName: name });
    this.#countTransition(name);
    const visit: Visit = { name, input, scope, enteredAt: this.#clock.now(), retryCount: 0 };
    try {
      const step = await this.#execute(state, visit);
      assertSize(step.output, `The state '${name}'`);
      this.#record(`${state.Type}StateExited`, scope, { stateName: name });
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
      const retrier = state.Retry?.find(({ ErrorEquals }) => matches(ErrorEquals, outcome));
      const attempt = (retrier && attempts.get(retrier)) ?? 0;
      if (retrier && attempt < (retrier.MaxAttempts ?? 3)) {
        attempts.set(retrier, attempt + 1);
        await this.#sleep(retryDelay(retrier, attempt, this.#random), visit.scope);
        visit.retryCount++;
        this.#countTransition(visit.name);
        continue;
      }
      // Only the last attempt of a Parallel or Map has an event of its failure (recorded from AWS).
      if (state.Type !== 'Task') this.#record(`${state.Type}StateFailed`, visit.scope);
      const catcher = state.Catch?.find(({ ErrorEquals }) => matches(ErrorEquals, outcome));
      if (!catcher) throw outcome;
      return { output: applyResultPath(catcher.ResultPath, visit.input, caughtOutput(outcome)), next: catcher.Next };
    }
  }

  async #attempt(state: TaskState | ParallelState | MapState, visit: Visit): Promise<{ output: Json }> {
    if (state.Type === 'Task') return this.#result(state, visit, await this.#tasks.run(state, visit));
    const { data, environment } = this.#effectiveInput(state, visit);
    if (state.Type === 'Map') return this.#result(state, visit, await this.#map(state, visit, environment));
    const parameters = state.Parameters === undefined ? data : fillIn(state.Parameters, environment);
    assertSize(parameters, `The state '${visit.name}'`);
    return this.#result(state, visit, await this.#parallel(state, visit, parameters));
  }

  #parallel(state: ParallelState, visit: Visit, input: Json): Promise<Json> {
    return this.#together('ParallelState', visit, (scope) =>
      Promise.all(
        state.Branches.map((branch) => this.#runMachine(branch, input, { ...scope, thread: { ...scope.thread } })),
      ),
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
          const details = { name: visit.name, index };
          const fail = (failed: Thread) => {
            // What comes next points at the last event inside the iteration, as this does (recorded from AWS).
            if (!scope.signal.aborted) this.#record('MapIterationFailed', { thread: { ...failed } }, { details });
            scope.fail(failed);
          };
          const map = { Item: { Index: index, Value: value } };
          const iteration = { ...scope, fail, thread: { ...scope.thread }, map };
          const selected = this.#environment({ ...visit, scope: iteration }, environment.data);
          const input = selector === undefined ? value : fillIn(selector, selected);
          this.#record('MapIterationStarted', iteration, { details });
          results[index] = await this.#runMachine(processor, input, iteration);
          this.#record('MapIterationSucceeded', iteration, { details });
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
    const { thread } = visit.scope;
    const tasks = new Set<Visit>();
    this.#record(`${event}Started`, visit.scope);
    const fail = (failed: Thread) => {
      if (over.signal.aborted) return;
      over.abort();
      thread.last = failed.last;
      for (const { name, scope } of tasks) {
        this.#record('TaskStateAborted', { ...scope, thread: { ...failed } });
        const index = isObject(scope.map?.Item) ? scope.map.Item.Index : undefined;
        if (event === 'MapState') this.#record('MapIterationAborted', scope, { details: { name, index } });
      }
    };
    const results = await work({
      ...visit.scope,
      signal,
      fail,
      thread: { ...thread },
      tasks: [...visit.scope.tasks, tasks],
    });
    thread.last = this.history.events.length;
    this.#record(`${event}Succeeded`, visit.scope);
    return results;
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
  #context({ name, enteredAt, retryCount, scope, token }: Visit): Json {
    const { arn, name: executionName, stateMachineArn = '' } = this.#options;
    const iso = (at: number) => new Date(at).toISOString();
    return {
      Execution: { Id: arn, Name: executionName, StartTime: iso(this.#startedAt), Input: this.#input, RedriveCount: 0 },
      State: { Name: name, EnteredTime: iso(enteredAt), RetryCount: retryCount },
      ...(token !== undefined && { Task: { Token: token } }),
      StateMachine: { Id: stateMachineArn, Name: stateMachineArn.split(':').at(-1) ?? '' },
      ...(scope.map && { Map: scope.map }),
    };
  }

  async #sleep(ms: number, { signal }: Scope): Promise<void> {
    await this.#clock.sleep(ms, signal);
    if (signal.aborted) throw new Stopped();
  }

  #record(
    type: string,
    { thread }: Pick<Scope, 'thread'>,
    more: { stateName?: string; details?: Details } = {},
  ): number {
    if (this.#ended.signal.aborted) throw new Stopped();
    if (this.history.full) {
      this.finish({
        status: 'FAILED',
        error: 'States.Runtime',
        cause: 'The execution reached the maximum number of history events (25000).',
      });
      throw new Stopped();
    }
    return this.history.add(type, { thread, ...more });
  }

  #countTransition(stateName: string): void {
    this.transitions++;
    this.#options.onTransition?.(stateName);
  }
}
