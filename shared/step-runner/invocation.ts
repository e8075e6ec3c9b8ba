import type { TargetAccount } from '../aws/target-account.ts';
import { connectKubernetes } from '../cluster/connection.ts';
import { TerminalError } from '../errors/errors.ts';
import type { KubernetesClient } from '../kubernetes/client.ts';
import type { Owner } from '../model/ownership.ts';
import type { AnyRun } from '../model/run.ts';
import type { Change, StepRecord } from '../model/run-schemas.ts';
import { iso, now } from '../platform/clock.ts';
import { log } from '../platform/logger.ts';
import { readSettings, type Settings } from '../platform/settings.ts';
import { sentenceOf } from '../step/change-sentence.ts';
import type { Step, StepChange } from '../step/contract.ts';
import { clusterAccount, payerAccount } from '../targets/provisioner-accounts.ts';
import type { EngineContext } from './converge.ts';
import type { StepStore } from './step-record.ts';

/** One invocation of a step: what the step may use, and where the engine keeps its changes and notes. */
export class Invocation implements EngineContext {
  readonly run: AnyRun;
  readonly deployment: Settings;
  readonly owner: Owner;
  readonly payer: TargetAccount;
  readonly cluster: TargetAccount;
  readonly now: number;
  readonly since: number;
  notes: object;
  changes: readonly Change[];
  readonly #step: Step;
  readonly #store: StepStore;
  #kubernetes: KubernetesClient | undefined;

  /** @throws TerminalError if the step's stored notes cannot be read */
  constructor(step: Step, run: AnyRun, record: StepRecord, store: StepStore) {
    const { payerAccountId, cluster } = run.request;
    this.run = run;
    this.deployment = readSettings();
    this.owner = { deploymentId: this.deployment.deploymentId, runId: run.runId };
    this.payer = payerAccount(payerAccountId, run.runId);
    this.cluster = clusterAccount(cluster.accountId, run.runId);
    this.now = now();
    this.since = record.startedAt ? Date.parse(record.startedAt) : this.now;
    this.notes = notesOf(record, step, run);
    this.changes = record.changes;
    this.#step = step;
    this.#store = store;
  }

  get kubernetes(): KubernetesClient {
    return (this.#kubernetes ??= connectKubernetes(this.run, this.cluster));
  }

  async record(change: StepChange): Promise<void> {
    const { action, resource } = change;
    log(sentenceOf(change), { runId: this.run.runId, step: this.#step.name, change: action, resource });
    // A proof records no changes: its writes, such as the start of a query, leave nothing that anybody has to maintain.
    if (this.#step.proof) return;
    const made = { ...recordedChange(change), at: iso(now()) };
    this.changes = [...this.changes, made];
    await this.#store.recordChange(made);
  }

  async keep(notes: object): Promise<void> {
    this.notes = { ...this.notes, ...notes };
    await this.#store.keepNotes({ ...this.notes, attempt: this.run.attempt });
  }
}

/** A change as runs and plans show it. */
export function recordedChange({ action, resource, note }: StepChange): Change {
  return { do: action, resource, ...(note && { note }) };
}

/** Notes belong to the attempt that made them, except those that the step keeps. */
function notesOf({ memo: notes = {} }: StepRecord, step: Step, run: AnyRun): object {
  const { attempt, ...stored } = notes;
  const { keeps = [] } = step;
  const current =
    attempt === run.attempt
      ? stored
      : Object.fromEntries(Object.entries(stored).filter(([name]) => keeps.includes(name)));
  const parsed = step.notes?.safeParse(current);
  if (parsed?.success === false)
    throw new TerminalError('unexpected', `the notes of step ${step.name} cannot be read: ${parsed.error.message}`);
  return parsed?.data ?? {};
}
