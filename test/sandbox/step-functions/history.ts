import type { Json } from './definition.ts';

/** One line of an execution's history; the inputs and outputs of states are left out to keep a fleet of executions small. */
export interface HistoryEvent {
  id: number;
  /** 0 for the first two events, and for the end of an execution from outside. */
  previous: number;
  /** Virtual milliseconds since the epoch. */
  at: number;
  /** As in GetExecutionHistory, e.g. `TaskStateEntered`. */
  type: string;
  stateName?: string;
  /** As in GetExecutionHistory under the name of the type. */
  details?: Details;
}

export type Details = Record<string, Json | undefined>;

/** Where an execution is: the last event of one branch, iteration or of the execution itself. */
export interface Thread {
  last: number;
}

/** A standard execution fails when its history is full: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
const MAX_EVENTS = 25_000;

export class History {
  readonly events: HistoryEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Adds the next event of a thread; without a thread, an event from outside. */
  add(type: string, { thread, ...more }: { thread?: Thread; stateName?: string; details?: Details } = {}): number {
    const id = this.events.length + 1;
    this.events.push({ id, previous: thread?.last ?? 0, at: this.#now(), type, ...more });
    // The event after ExecutionStarted has the previous event 0 (recorded from AWS), so the first one does not count.
    if (thread) thread.last = id;
    return id;
  }

  /** True if only the event that ends the execution still fits. */
  get full(): boolean {
    return this.events.length >= MAX_EVENTS - 1;
  }
}
