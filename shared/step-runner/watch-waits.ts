import type { TargetAccount } from '../aws/target-account.ts';
import { classify, RetryableError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { endedStatuses } from '../model/run-schemas.ts';
import type { RunKind } from '../model/step-names.ts';
import { isCheckMinute, isHourlyLook, isLookMinute } from '../model/watch-times.ts';
import { now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { readRun } from '../runs/run-table.ts';
import { closeIfDead } from '../runs/silent-run.ts';
import { callBack } from '../runs/step-functions-execution.ts';
import { forgetTask, readToken, type WaitingTask } from '../runs/waiting-task.ts';
import type { Watch } from '../step/contract.ts';
import { payerAccount } from '../targets/provisioner-accounts.ts';

/** The watches of the steps that have one, by the name of the step. */
export type Watches = Partial<Record<string, Watch<RunKind>>>;

/** A function has stored the token and must have answered, so that Step Functions accepts the token whenever it does so. */
const restMs = 90_000;

/** One tick of the watcher: which tasks are due, and what the looks at one payer share. */
export class WaitWatch {
  readonly #watches: Watches;
  readonly #tickAt: number;
  readonly #lookMs: number;
  readonly #payers = new Map<string, { account: TargetAccount; facts: Map<string, Promise<unknown>> }>();

  /**
   * @param tickAt time of the schedule, milliseconds since the epoch
   * @param lookMs time limit of one look, so that one payer that does not answer holds up no other
   */
  constructor(watches: Watches, tickAt: number, lookMs: number) {
    this.#watches = watches;
    this.#tickAt = tickAt;
    this.#lookMs = lookMs;
  }

  isDue(task: WaitingTask): boolean {
    if (now() - Date.parse(task.keptAt) < restMs) return false;
    return Date.parse(task.next) <= now() || isCheckMinute(task.runId, this.#tickAt) || this.#looksForNews(task);
  }

  #looksForNews({ runId, watchMinutes, newsFrom }: WaitingTask): boolean {
    if (watchMinutes === undefined || !isLookMinute(runId, watchMinutes, this.#tickAt)) return false;
    return newsFrom === undefined || Date.parse(newsFrom) <= now();
  }

  /** Looks after one task. Never throws, because one run must not keep the others waiting. */
  async look(task: WaitingTask): Promise<void> {
    const fields = { runId: task.runId, step: task.step };
    try {
      await within(this.#lookMs, this.#lookAt(task));
    } catch (thrown) {
      log('not yet: waiting step looked after', { ...fields, detail: classify(thrown).message });
    }
  }

  async #lookAt(task: WaitingTask): Promise<void> {
    if (Date.parse(task.next) <= now()) return wake(task);
    if (isCheckMinute(task.runId, this.#tickAt)) {
      const run = await readWaitingRun(task);
      if (!run) return forgetTask(task);
      if (await closeIfDead(run)) return;
    }
    if (!this.#looksForNews(task)) return;
    const hourly = isHourlyLook(task.runId, task.watchMinutes ?? 1, this.#tickAt);
    if (await this.#hasChanged(task, hourly)) await wake(task);
  }

  /** A look that fails for a reason that the step would report is news, and so is a subject that cannot be read. */
  async #hasChanged(task: WaitingTask, hourly: boolean): Promise<boolean> {
    const watch = this.#watches[task.step];
    if (!watch) return false;
    const subject = watch.subject.safeParse(task.subject);
    if (!subject.success) return true;
    const { account: payer, facts } = this.#payer(task);
    try {
      const known = facts.get(task.step) ?? watch.readPayer(payer);
      facts.set(task.step, known);
      return await watch.hasChanged({ payer, now: now(), hourly }, subject.data, await known);
    } catch (thrown) {
      const error = classify(thrown);
      if (error.name === 'RetryableError') throw error;
      return true;
    }
  }

  #payer({ payerAccountId, runId }: WaitingTask) {
    const payer = this.#payers.get(payerAccountId) ?? {
      account: payerAccount(payerAccountId, runId),
      facts: new Map<string, Promise<unknown>>(),
    };
    this.#payers.set(payerAccountId, payer);
    return payer;
  }
}

/** Has the step look. A second call with the same token is `over`, so a callback whose answer was lost does no harm. */
async function wake(task: WaitingTask): Promise<void> {
  const token = await readToken(task);
  if (token === undefined) return;
  if ((await callBack(token)) === 'called') {
    await forgetTask(task);
    log('step called back', { runId: task.runId, step: task.step });
    return;
  }
  const run = await readWaitingRun(task);
  if (!run) await forgetTask(task);
  else await closeIfDead(run);
}

/** The run if the task's step still waits as it did; undefined if the task has been forgotten. */
async function readWaitingRun({ runId, attempt, step, at }: WaitingTask): Promise<AnyRun | undefined> {
  const run = await readRun(runId);
  if (run?.attempt !== attempt || endedStatuses.includes(run.status)) return undefined;
  const { status, waiting } = run.steps[step] ?? {};
  return status === 'waiting' && (waiting?.at ?? waiting?.since) === at ? run : undefined;
}

/** The work continues in the background if it takes longer. @throws RetryableError */
async function within(ms: number, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new RetryableError('aws-unavailable', `no answer within ${ms / 1000} s`));
  }, ms);
  try {
    await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
