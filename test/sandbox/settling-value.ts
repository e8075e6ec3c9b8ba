/** A value with its history: IAM answers with the newest while other services still apply an older one. */
export class SettlingValue<T> {
  #entries: { at: number; value: T }[];

  constructor(value: T, at: number) {
    this.#entries = [{ at, value }];
  }

  set(value: T, at: number): void {
    this.#entries.push({ at, value });
  }

  get current(): T | undefined {
    return this.#entries.at(-1)?.value;
  }

  /** The value at that time; undefined before the first value. */
  at(time: number): T | undefined {
    return this.#entries.findLast((entry) => entry.at <= time)?.value;
  }
}
