import { randomBytes } from 'node:crypto';
import type { Json } from './definition.ts';
import type { StatesError } from './errors.ts';

/** How a callback task ended: the output of SendTaskSuccess, or a failure. */
export type Callback = { output: Json } | StatesError;

/** A callback task from its token to its end. */
export class CallbackTask {
  readonly token: string;
  /** Set by the first callback. */
  callback: Callback | undefined;
  /** Of its start or its last heartbeat, virtual milliseconds since the epoch. */
  lastSign: number;
  /** Called at each callback and heartbeat. */
  notify: () => void = () => undefined;

  constructor(token: string, now: number) {
    this.token = token;
    this.lastSign = now;
  }
}

/** `closed`: the task is over, by a callback, a timer, a failure or the end of its execution. */
export type TokenAnswer = 'accepted' | 'closed' | 'unknown';

/** The task tokens of one account and region. A token outlives its task, because AWS tells a closed one from an unknown one. */
export class TaskTokens {
  readonly #tasks = new Map<string, CallbackTask | 'closed'>();

  issue(now: number): CallbackTask {
    const task = new CallbackTask(`AQC${randomBytes(120).toString('base64')}`, now);
    this.#tasks.set(task.token, task);
    return task;
  }

  close({ token }: CallbackTask): void {
    this.#tasks.set(token, 'closed');
  }

  /** A token is used once: a second callback finds it closed, also while the first one still travels to its execution. */
  send(token: string, callback: Callback): TokenAnswer {
    return this.#withOpen(token, (task) => {
      task.callback = callback;
      this.close(task);
    });
  }

  heartbeat(token: string, now: number): TokenAnswer {
    return this.#withOpen(token, (task) => {
      task.lastSign = now;
    });
  }

  #withOpen(token: string, act: (task: CallbackTask) => void): TokenAnswer {
    const task = this.#tasks.get(token);
    if (task === undefined) return 'unknown';
    if (task === 'closed') return 'closed';
    act(task);
    task.notify();
    return 'accepted';
  }
}
