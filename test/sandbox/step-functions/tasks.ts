import type { VirtualClock } from '../clock.ts';
import { assertSize, clone } from './data-flow.ts';
import { type Json, LAMBDA_INVOKE, type TaskState } from './definition.ts';
import { runtimeError, StatesError, taskError, timeoutError } from './errors.ts';
import type { Details } from './history.ts';
import type { ExecutionOptions } from './interpreter.ts';
import { isObject } from './jsonpath.ts';
import type { Scope, Visit } from './scope.ts';
import { type TaskTimers, timersOf } from './states.ts';
import { type Callback, type CallbackTask, TaskTokens } from './task-tokens.ts';
import { type Environment, fillIn } from './templates.ts';

/** What a task uses of its execution. */
export interface Engine {
  record(type: string, scope: Pick<Scope, 'thread'>, more?: { details?: Details }): number;
  sleep(ms: number, scope: Scope): Promise<void>;
  effectiveInput(state: TaskState, visit: Visit): { data: Json; environment: Environment };
}

/** A function call of a task. */
interface Call {
  functionArn: string;
  payload: Json;
  timers: TaskTimers;
  /** How history names it: `LambdaFunction` for the function's own ARN, else `Task`. */
  event: 'LambdaFunction' | 'Task';
  scheduled: Details;
  /** On every further event. */
  details: Details;
}

/** Runs the tasks of one execution: calls of functions, callbacks, and their timers. */
export class Tasks {
  readonly #engine: Engine;
  readonly #options: ExecutionOptions;
  readonly #clock: VirtualClock;
  readonly #tokens: TaskTokens;

  constructor(engine: Engine, options: ExecutionOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#clock = options.clock;
    this.#tokens = options.tokens ?? new TaskTokens();
  }

  async run(state: TaskState, visit: Visit): Promise<Json> {
    const resource = LAMBDA_INVOKE.exec(state.Resource)?.[2];
    if (resource !== 'invoke.waitForTaskToken')
      return this.#tracked(visit, () => this.#plainTask(state, visit, resource));
    // Each attempt has a token of its own.
    const task = this.#tokens.issue(this.#clock.now());
    visit.token = task.token;
    const { signal } = visit.scope;
    const close = () => {
      this.#tokens.close(task);
    };
    signal.addEventListener('abort', close);
    try {
      return await this.#tracked(visit, () => this.#callbackTask(state, visit, task));
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  async #plainTask(state: TaskState, visit: Visit, resource: string | undefined): Promise<Json> {
    const call = this.#callOf(state, visit, resource);
    const { event, details } = call;
    const answer = await this.#invoke(call, visit);
    await this.#passTime(call, visit);
    if (answer instanceof StatesError) throw this.#failed('Failed', call, answer, visit);
    this.#engine.record(`${event}Succeeded`, visit.scope, {
      details: { ...details, output: JSON.stringify(answer.result) },
    });
    if (event === 'LambdaFunction') return answer.result;
    return { ExecutedVersion: '$LATEST', Payload: answer.result, StatusCode: 200 };
  }

  /** The function's answer only ends the submission; the task ends with a callback or a timer. */
  async #callbackTask(state: TaskState, visit: Visit, task: CallbackTask): Promise<Json> {
    const call = this.#callOf(state, visit, 'invoke.waitForTaskToken');
    const { details } = call;
    const startedAt = this.#clock.now();
    const answer = await this.#invoke(call, visit);
    await this.#passTime(call, visit);
    if (answer instanceof StatesError) throw this.#failed('Failed', call, answer, visit);
    const submitted = {
      ...{ ExecutedVersion: '$LATEST', Payload: answer.result },
      ...{ SdkHttpMetadata: { HttpStatusCode: 200 }, StatusCode: 200 },
    };
    this.#engine.record('TaskSubmitted', visit.scope, { details: { ...details, output: JSON.stringify(submitted) } });
    const callback = await this.#untilCalledBack(task, { call, startedAt }, visit);
    if (callback instanceof StatesError) throw this.#failed('Failed', call, callback, visit);
    this.#engine.record('TaskSucceeded', visit.scope, {
      details: { ...details, output: JSON.stringify(callback.output) },
    });
    assertSize(callback.output, `The task '${visit.name}'`);
    return callback.output;
  }

  async #untilCalledBack(
    task: CallbackTask,
    { call, startedAt }: { call: Call; startedAt: number },
    visit: Visit,
  ): Promise<Callback> {
    const { TimeoutSeconds = Infinity, HeartbeatSeconds = Infinity } = call.timers;
    while (!task.callback) {
      const timeoutAt = startedAt + TimeoutSeconds * 1000;
      const heartbeatAt = task.lastSign + HeartbeatSeconds * 1000;
      const left = Math.min(timeoutAt, heartbeatAt) - this.#clock.now();
      const timer = heartbeatAt < timeoutAt ? 'HeartbeatSeconds' : 'TimeoutSeconds';
      if (left <= 0) throw this.#failed('TimedOut', call, timeoutError(timer), visit);
      const notified = new AbortController();
      task.notify = () => {
        notified.abort();
      };
      const signal = AbortSignal.any([visit.scope.signal, notified.signal]);
      if (left === Infinity) await aborted(signal);
      else await this.#clock.sleep(left, signal);
      // Not within the call that brings the callback.
      await this.#engine.sleep(0, visit.scope);
    }
    return task.callback;
  }

  #callOf(state: TaskState, visit: Visit, resource: string | undefined): Call {
    const { data, environment } = this.#engine.effectiveInput(state, visit);
    const parameters = state.Parameters === undefined ? data : fillIn(state.Parameters, environment);
    assertSize(parameters, `The state '${visit.name}'`);
    const timers = timersOf(state, environment);
    const limits = {
      ...(timers.TimeoutSeconds !== undefined && { timeoutInSeconds: timers.TimeoutSeconds }),
      ...(timers.HeartbeatSeconds !== undefined && { heartbeatInSeconds: timers.HeartbeatSeconds }),
    };
    if (resource === undefined) {
      const functionArn = state.Resource;
      const scheduled = { resource: functionArn, input: JSON.stringify(parameters), ...limits };
      return { functionArn, payload: parameters, timers, event: 'LambdaFunction', scheduled, details: {} };
    }
    const { FunctionName: functionArn, Payload: payload = {} } = isObject(parameters) ? parameters : {};
    if (typeof functionArn !== 'string') throw runtimeError('lambda:invoke needs a FunctionName');
    const details = { resourceType: 'lambda', resource };
    const region = this.#options.arn.split(':')[3];
    const scheduled = { ...details, region, parameters: JSON.stringify(parameters), ...limits };
    return { functionArn, payload, timers, event: 'Task', scheduled, details };
  }

  async #invoke(call: Call, visit: Visit): Promise<{ result: Json } | StatesError> {
    const { functionArn, payload, event, scheduled, details } = call;
    this.#engine.record(`${event}Scheduled`, visit.scope, { details: scheduled });
    this.#engine.record(`${event}Started`, visit.scope, { details });
    const answer = await this.#clock
      .hold(() => this.#options.invoke(functionArn, clone(payload)), `${visit.name} of ${this.#options.name}`)
      .then((result) => ({ result: clone(result) }))
      .catch(taskError);
    if (!(answer instanceof StatesError)) assertSize(answer.result, `The task '${visit.name}'`);
    return answer;
  }

  /** The time that the handler takes. What it has done stays if the task is over before its end. */
  async #passTime(call: Call, visit: Visit): Promise<void> {
    const seconds = this.#options.taskSeconds ?? 1;
    const { TimeoutSeconds = Infinity, HeartbeatSeconds = Infinity } = call.timers;
    const limit = Math.min(TimeoutSeconds, HeartbeatSeconds);
    await this.#engine.sleep(Math.min(seconds, limit) * 1000, visit.scope);
    if (seconds <= limit) return;
    const timer = HeartbeatSeconds < TimeoutSeconds ? 'HeartbeatSeconds' : 'TimeoutSeconds';
    throw this.#failed('TimedOut', call, timeoutError(timer), visit);
  }

  #failed(how: 'Failed' | 'TimedOut', { event, details }: Call, failure: StatesError, visit: Visit): StatesError {
    const { error, detail: cause } = failure;
    const why = { ...(error !== undefined && { error }), ...(cause !== undefined && { cause }) };
    this.#engine.record(`${event}${how}`, visit.scope, { details: { ...details, ...why } });
    return failure;
  }

  /** Notes the task as in progress, so that the failure of a sibling can abort it. */
  async #tracked<T>(visit: Visit, work: () => Promise<T>): Promise<T> {
    const { tasks } = visit.scope;
    for (const inProgress of tasks) inProgress.add(visit);
    try {
      return await work();
    } finally {
      for (const inProgress of tasks) inProgress.delete(visit);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else
      signal.addEventListener(
        'abort',
        () => {
          resolve();
        },
        { once: true },
      );
  });
}
