/** One line of an execution's history; what AWS stores besides (inputs, outputs) is left out to keep a fleet of executions small. */
export interface HistoryEvent {
  id: number;
  /** Virtual milliseconds since the epoch. */
  at: number;
  /** As in GetExecutionHistory, e.g. `TaskStateEntered`. */
  type: string;
  stateName?: string;
}

/** A standard execution fails when its history is full: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html */
const MAX_EVENTS = 25_000;

export class History {
  readonly events: HistoryEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(type: string, stateName?: string): number {
    const id = this.events.length + 1;
    this.events.push({ id, at: this.#now(), type, ...(stateName !== undefined && { stateName }) });
    return id;
  }

  /** True if only the event that ends the execution still fits. */
  get full(): boolean {
    return this.events.length >= MAX_EVENTS - 1;
  }
}
