import type { VirtualClock } from '../clock.ts';

/** When changes by the cluster's controllers take effect: after their usual time or, while a scenario is prepared, at once. */
export class Pace {
  readonly #clock: VirtualClock;
  /** Pending effects in order; absent if effects take their usual time. */
  #due: (() => void)[] | undefined;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  after(seconds: number, effect: () => void): void {
    if (this.#due) this.#due.push(effect);
    else this.#clock.after(seconds * 1000, effect);
  }

  /** For events that are never immediate: a deadline, a refresh. Returns the cancellation. */
  always(seconds: number, effect: () => void): () => void {
    return this.#clock.after(seconds * 1000, effect);
  }

  instantly(work: () => void): void {
    const due: (() => void)[] = [];
    this.#due = due;
    try {
      work();
      for (let effect = due.shift(); effect; effect = due.shift()) effect();
    } finally {
      this.#due = undefined;
    }
  }
}
