import { isAwsError, TerminalError } from '../errors/errors.ts';
import type { AnyRun } from '../model/run.ts';
import { type RunEvent, runEvent, stepEvent, type StepTransition } from '../model/run-event.ts';
import type { Change, StepRecord } from '../model/run-schemas.ts';
import type { StepName } from '../model/step-names.ts';
import { iso, now } from '../platform/clock.ts';
import { statusWrites, updateRun, whileActive } from '../runs/run-table-update.ts';
import { absent, allOf, type Condition, type Write } from '../table/expressions.ts';

/** A run that waits this long gives its place in the batch to another run. */
const idleSeconds = 300;

const freshRecord: StepRecord = { status: 'pending', invocations: 0, changes: [], warnings: [] };

/** A step's state after an invocation: how it ended, or what it waits for. */
export type StepEnd = Pick<StepRecord, 'status' | 'waiting' | 'warnings' | 'output' | 'error' | 'preview'>;

/** One step's part of a run record. Every write holds only while the run is active and this attempt is the current one. */
export class StepStore {
  readonly #runId: string;
  readonly #attempt: number;
  readonly #step: StepName;
  #run: AnyRun | undefined;

  constructor(runId: string, attempt: number, step: StepName) {
    this.#runId = runId;
    this.#attempt = attempt;
    this.#step = step;
  }

  /** The run as this store wrote it last; undefined before it began. */
  get run(): AnyRun | undefined {
    return this.#run;
  }

  /**
   * Counts the invocation and reads the run it belongs to. A step that has ended, or that an earlier attempt left, starts again.
   * @param busyUntil latest end of this invocation, milliseconds since the epoch
   * @throws TerminalError stale-attempt, also after a cancel request
   */
  async begin(busyUntil: number): Promise<AnyRun> {
    const at = iso(now());
    const run = await this.#withRecord(() =>
      this.#update(
        [
          { at: ['status'], to: 'running' },
          { at: ['startedAt'], ifAbsent: at },
          { at: this.#at('status'), to: 'running' },
          { at: this.#at('startedAt'), ifAbsent: at },
          { at: this.#at('invocations'), plus: 1 },
          { at: this.#at('busyUntil'), to: iso(busyUntil) },
        ],
        [],
        allOf(whileActive(this.#attempt), absent('cancelRequestedAt')),
      ),
    );
    const begins: Write[] =
      run.announced === this.#attempt
        ? []
        : [...statusWrites(run, 'running'), { at: ['announced'], to: this.#attempt }];
    const { endedAt, announced } = run.steps[this.#step] ?? {};
    const startsAnew: Write[] =
      endedAt === undefined && (announced === undefined || this.#isOurs(announced))
        ? []
        : [
            { at: this.#at('startedAt'), to: at },
            { at: this.#at('endedAt'), to: undefined },
            { at: this.#at('announced'), to: undefined },
            { at: this.#at('waited'), to: undefined },
          ];
    const events = begins.length > 0 ? [runEvent(run, 'running', at)] : [];
    const writes = [...begins, ...startsAnew];
    return writes.length > 0 ? this.#update(writes, events) : run;
  }

  /** A run that an earlier release created has no record of a step that is new: DynamoDB writes nothing below a missing map. */
  async #withRecord(begin: () => Promise<AnyRun>): Promise<AnyRun> {
    try {
      return await begin();
    } catch (error) {
      if (!isAwsError(error, 'ValidationException')) throw error;
      await this.#update([{ at: ['steps', this.#step], ifAbsent: freshRecord }]);
      return begin();
    }
  }

  async recordChange(change: Change): Promise<void> {
    await this.#update([{ at: this.#at('changes'), append: [change] }]);
  }

  async keepNotes(notes: Record<string, unknown>): Promise<void> {
    await this.#update([{ at: this.#at('memo'), to: notes }]);
  }

  /** Records the end or the wait of the step. What earlier invocations wrote (start, invocations, changes, notes) stays. */
  async finish(
    { status, waiting, warnings, output, error, preview }: StepEnd,
    { planned, waited }: { planned?: Change[]; waited?: StepRecord['waited'] } = {},
  ): Promise<AnyRun> {
    const at = iso(now());
    const ended = status !== 'waiting' && status !== 'running';
    const { events, announced } = this.#transitions({ status, waiting, error }, at);
    const idles = waiting && (waiting.callback ?? Date.parse(waiting.next) - now() >= idleSeconds * 1000);
    return this.#update(
      [
        ...Object.entries({ status, waiting, warnings, output, error, preview }).map(([name, to]) => ({
          at: this.#at(name),
          to,
        })),
        { at: this.#at('endedAt'), to: ended ? at : undefined },
        { at: this.#at('busyUntil'), to: undefined },
        { at: this.#at('announced'), to: announced },
        ...(planned ? [{ at: this.#at('changes'), to: planned }] : []),
        ...(waited ? [{ at: this.#at('waited'), to: waited }] : []),
        ...(idles ? [{ at: ['atWorkKey'], to: undefined }] : []),
      ],
      events,
    );
  }

  /**
   * The events that are not published yet: the start of the step, which has no write of its own, and its new status. A repeated wait for
   * the same reason and an error that the state machine retries are no transitions. A skipped step has no event.
   */
  #transitions(end: StepTransition, at: string): { events: RunEvent[]; announced: string } {
    const run = this.#run;
    const before = run?.steps[this.#step];
    if (!run || !before) throw new TerminalError('unexpected', `step ${this.#step} has not begun`);
    const { announced, startedAt = at } = before;
    const begins = announced !== undefined && this.#isOurs(announced) ? undefined : transitionOf(this.#attempt);
    const reached = end.status === 'running' ? (begins ?? announced ?? '') : transitionOf(this.#attempt, end);
    const events = [
      ...(begins ? [stepEvent(run, this.#step, { status: 'running' }, startedAt)] : []),
      ...(end.status === 'running' || announced === reached ? [] : [stepEvent(run, this.#step, end, at)]),
    ];
    return { events, announced: reached };
  }

  /** True if this attempt recorded the transition. */
  #isOurs(announced: string): boolean {
    return announced.startsWith(`${this.#attempt} `);
  }

  #at(field: string): [string, string, string] {
    return ['steps', this.#step, field];
  }

  async #update(
    writes: readonly Write[],
    events: readonly RunEvent[] = [],
    condition: Condition = whileActive(this.#attempt),
  ): Promise<AnyRun> {
    const run = await updateRun({ runId: this.#runId }, writes, condition, events);
    if (!run)
      throw new TerminalError('stale-attempt', `run ${this.#runId} is not in attempt ${this.#attempt} any more`);
    this.#run = run;
    return run;
  }
}

/** A transition in the form of the attribute `announced`: attempt, status, reason of the wait. */
function transitionOf(attempt: number, { status, waiting }: StepTransition = { status: 'running' }): string {
  return [attempt, status, ...(waiting ? [waiting.for] : [])].join(' ');
}
