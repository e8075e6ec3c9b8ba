import type { VirtualClock } from '../clock.ts';

/** When what the cluster does by itself takes effect: after its usual time or, while a story is set up, at once. */
export class Pace {
  readonly #clock: VirtualClock;
  /** Effects in their order; absent: they take their time. */
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

  /** For what nobody hurries: a deadline, a refresh. Returns its cancellation. */
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
