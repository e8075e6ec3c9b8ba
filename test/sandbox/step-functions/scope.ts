import type { Json, JsonObject } from './definition.ts';
import type { Thread } from './history.ts';

/** Unwinds what still runs when the execution has ended or a sibling branch has failed. No Retry or Catch sees it. */
export class Stopped extends Error {}

/** The scope of a state: the execution itself, a branch of a Parallel or an iteration of a Map. */
export interface Scope {
  signal: AbortSignal;
  thread: Thread;
  /** Tasks in progress in it, and in every scope around it. */
  tasks: readonly Set<Visit>[];
  /** Called with the first failure in it, before a sibling that wakes in the same instant can enter its next state. */
  fail: (failed: Thread) => void;
  /** `$$.Map` */
  map?: JsonObject;
}

/** One state being executed. */
export interface Visit {
  name: string;
  input: Json;
  scope: Scope;
  enteredAt: number;
  retryCount: number;
  /** Of a callback task. */
  token?: string;
}
