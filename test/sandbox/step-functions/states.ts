import { matches, timestamp } from './choice.ts';
import type { ChoiceState, FailState, Json, MapState, Retrier, TaskState, WaitState } from './definition.ts';
import { runtimeError, StatesError } from './errors.ts';
import { require } from './jsonpath.ts';
import type { Environment } from './templates.ts';
import { evaluate } from './templates.ts';

export function choose(state: ChoiceState, environment: Environment, name: string): string {
  const next = state.Choices.find((rule) => matches(rule, environment))?.Next ?? state.Default;
  if (next === undefined)
    throw new StatesError('States.NoChoiceMatched', `State '${name}': no choice rule matched and there is no Default`);
  return next;
}

/** Virtual milliseconds since the epoch at which the Wait state ends. */
export function waitUntil(state: WaitState, environment: Environment, from: number): number {
  if (state.Timestamp !== undefined) return instant(state.Timestamp);
  if (state.TimestampPath !== undefined) return instant(require(state.TimestampPath, environment));
  const seconds = state.Seconds ?? require(state.SecondsPath ?? '$', environment);
  // 99,999,999 is the documented maximum; AWS refuses fractions and negative numbers.
  if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 0 || seconds > 99_999_999) {
    throw runtimeError(`Cannot wait ${JSON.stringify(seconds)} seconds`);
  }
  return from + seconds * 1000;
}

/** The timers of a task in seconds; an absent one never ends. */
export interface TaskTimers {
  TimeoutSeconds?: number;
  HeartbeatSeconds?: number;
}

export function timersOf(state: TaskState, environment: Environment): TaskTimers {
  const timer = (name: keyof TaskTimers): TaskTimers => {
    const path = state[`${name}Path`];
    const seconds = path === undefined ? state[name] : require(path, environment);
    if (seconds === undefined) return {};
    if (typeof seconds !== 'number' || !Number.isInteger(seconds) || seconds < 1 || seconds > 99_999_999)
      throw runtimeError(`${name} is ${JSON.stringify(seconds)}, not a whole number from 1 to 99999999`);
    return { [name]: seconds };
  };
  return { ...timer('TimeoutSeconds'), ...timer('HeartbeatSeconds') };
}

function instant(value: Json): number {
  const at = timestamp(value);
  if (at === undefined)
    throw runtimeError(`Cannot wait until ${JSON.stringify(value)}: it is not a timestamp with an offset`);
  return at;
}

/** Milliseconds before the next attempt; `attempt` counts from 0. */
export function retryDelay(retrier: Retrier, attempt: number, random: () => number): number {
  const { IntervalSeconds = 1, BackoffRate = 2, MaxDelaySeconds = Infinity, JitterStrategy } = retrier;
  const seconds = Math.min(IntervalSeconds * BackoffRate ** attempt, MaxDelaySeconds);
  return seconds * 1000 * (JitterStrategy === 'FULL' ? random() : 1);
}

/** An inline Map without MaxConcurrency runs this many iterations at a time. */
const MAP_CONCURRENCY = 40;

export function mapConcurrency(state: MapState, environment: Environment): number {
  const { MaxConcurrency = 0, MaxConcurrencyPath: path } = state;
  const wanted = path === undefined ? MaxConcurrency : require(path, environment);
  if (typeof wanted !== 'number' || !Number.isInteger(wanted) || wanted < 0) {
    throw runtimeError(`MaxConcurrency is ${JSON.stringify(wanted)}, not a whole number from 0 up`);
  }
  return wanted === 0 ? MAP_CONCURRENCY : wanted;
}

export function failure(state: FailState, environment: Environment): StatesError {
  const error = state.ErrorPath === undefined ? state.Error : text('ErrorPath', evaluate(state.ErrorPath, environment));
  const cause = state.CausePath === undefined ? state.Cause : text('CausePath', evaluate(state.CausePath, environment));
  return new StatesError(error, cause);
}

function text(field: string, value: Json): string {
  if (typeof value !== 'string') throw runtimeError(`${field} must give a string, not ${JSON.stringify(value)}`);
  return value;
}
