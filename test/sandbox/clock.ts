interface Timer {
  at: number;
  /** Insertion order: timers of one instant fire first in, first out. */
  seq: number;
  fire: () => void;
  /** True for a sleep, to which time may jump; false for an event such as a delivery. */
  awaited: boolean;
  cancelled: boolean;
}

const WATCHDOG_MS = 30_000;

/**
 * Simulated time. It advances only when no held work is left and one `setImmediate` turn has passed: between a handler's end and the
 * next parked timer a state machine runs on microtasks, and those are drained before `setImmediate`.
 *
 * Without `speed`, time jumps from timer to timer while a sleep is pending. Timers set with `after` fire in between but never advance
 * time: otherwise a daily delivery would advance time by years while a test reads the world.
 */
export class VirtualClock {
  readonly #timers = new TimerHeap();
  #now: number;
  #seq = 0;
  #sleepers = 0;
  #held = 0;
  #speed: number | undefined;
  /** Real time at which `#now` was set; with a `speed`, virtual time is computed from it. */
  #flowingSince = performance.now();
  #turn: NodeJS.Immediate | undefined;
  #timeout: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(startMs: number) {
    this.#now = startMs;
  }

  /** Virtual milliseconds since the epoch. */
  now(): number {
    return Math.floor(Math.min(this.#flow(), this.#timers.next()?.at ?? Infinity));
  }

  /** Simulated seconds per real second; undefined jumps from timer to timer. */
  get speed(): number | undefined {
    return this.#speed;
  }

  set speed(speed: number | undefined) {
    this.#settle();
    this.#speed = speed;
    this.#poke();
  }

  /** Time does not advance while `work` runs. The work must not wait for virtual time: after 30 real seconds, an error names it. */
  async hold<T>(work: () => Promise<T>, name = 'unnamed work'): Promise<T> {
    this.#settle();
    this.#held++;
    const watchdog = setTimeout(() => {
      console.error(
        `clock: ${name} has been holding virtual time for ${WATCHDOG_MS / 1000} s; does it wait for virtual time?`,
      );
    }, WATCHDOG_MS).unref();
    try {
      return await work();
    } finally {
      clearTimeout(watchdog);
      this.#held--;
      this.#flowingSince = performance.now();
      this.#poke();
    }
  }

  /** Resolves at virtual now + ms. An abort ends the sleep early; it still resolves. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        cancel();
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const cancel = this.#set(ms, wake, true);
      signal?.addEventListener('abort', wake);
    });
  }

  /** Sets a timer for an event, such as a delivery; returns its cancellation. */
  after(ms: number, fire: () => void): () => void {
    return this.#set(ms, fire, false);
  }

  /** Stops time: no timer fires any more and no pending sleep resolves. */
  stop(): void {
    this.#settle();
    this.#stopped = true;
    clearImmediate(this.#turn);
    clearTimeout(this.#timeout);
  }

  /** Resolves when no held work is left, or after ten real seconds, so that work ends before the services that it calls. */
  async drained(): Promise<void> {
    const deadline = performance.now() + 10_000;
    for (let quiet = 0; quiet < 3 && performance.now() < deadline;) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      quiet = this.#held > 0 ? 0 : quiet + 1;
    }
  }

  #set(ms: number, fire: () => void, awaited: boolean): () => void {
    if (Number.isNaN(ms)) throw new RangeError('A timer needs a number of milliseconds');
    this.#settle();
    const timer: Timer = { at: this.#now + Math.max(0, ms), seq: this.#seq++, fire, awaited, cancelled: false };
    this.#timers.add(timer);
    if (awaited) this.#sleepers++;
    this.#poke();
    return () => {
      if (timer.cancelled) return;
      timer.cancelled = true;
      if (awaited) this.#sleepers--;
    };
  }

  /** The time if no timer were due before. While a turn is pending, the code that a timer woke still runs, so time does not advance. */
  #flow(): number {
    if (this.#speed === undefined || this.#held > 0 || this.#turn || this.#stopped) return this.#now;
    return this.#now + (performance.now() - this.#flowingSince) * this.#speed;
  }

  #settle(): void {
    this.#now = Math.min(this.#flow(), this.#timers.next()?.at ?? Infinity);
    this.#flowingSince = performance.now();
  }

  #poke(): void {
    if (this.#stopped) return;
    this.#settle();
    clearImmediate(this.#turn);
    clearTimeout(this.#timeout);
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      this.#flowingSince = performance.now();
      this.#step();
    });
  }

  #step(): void {
    const next = this.#timers.next();
    if (this.#held > 0 || !next) return;
    if (this.#speed === undefined) {
      if (this.#sleepers === 0 && next.at > this.#now) return;
      this.#now = next.at;
    } else {
      const missing = next.at - this.#flow();
      if (missing > 0) {
        this.#timeout = setTimeout(() => {
          this.#step();
        }, missing / this.#speed);
        return;
      }
    }
    this.#poke();
    this.#fireDue(next.at);
  }

  #fireDue(instant: number): void {
    const upTo = this.#seq;
    for (
      let timer = this.#timers.next();
      timer && timer.at <= instant && timer.seq < upTo;
      timer = this.#timers.next()
    ) {
      this.#timers.take();
      if (timer.awaited) this.#sleepers--;
      timer.cancelled = true;
      timer.fire();
    }
  }
}

/** Binary heap of timers by instant, then order of insertion. Cancelled timers are removed when they reach the top. */
class TimerHeap {
  readonly #items: Timer[] = [];

  add(timer: Timer): void {
    let index = this.#items.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) break;
      index = parent;
    }
  }

  next(): Timer | undefined {
    while (this.#items[0]?.cancelled) this.take();
    return this.#items[0];
  }

  take(): void {
    const last = this.#items.pop();
    if (!last || this.#items.length === 0) return;
    this.#items[0] = last;
    for (let index = 0; ;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const smaller = this.#before(right, left) ? right : left;
      if (!this.#swapIfBefore(smaller, index)) break;
      index = smaller;
    }
  }

  #before(a: number, b: number): boolean {
    const [first, second] = [this.#items[a], this.#items[b]];
    return !!first && !!second && (first.at - second.at || first.seq - second.seq) < 0;
  }

  #swapIfBefore(a: number, b: number): boolean {
    if (!this.#before(a, b)) return false;
    const [first, second] = [this.#items[a], this.#items[b]];
    if (first && second) [this.#items[a], this.#items[b]] = [second, first];
    return true;
  }
}

/** Replaces the global `Date` by the clock's time; returns the undo. */
export function installVirtualDate(clock: VirtualClock): () => void {
  const real = globalThis.Date;
  const now = () => clock.now();
  // A Proxy, not a subclass: with a subclass the dates of fs.stat and structuredClone would fail `instanceof Date`.
  globalThis.Date = new Proxy(real, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length > 0 ? args : [now()], newTarget) as Date,
    apply: (target) => new target(now()).toString(),
    get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
  });
  return () => {
    globalThis.Date = real;
  };
}
