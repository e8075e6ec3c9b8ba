import * as z from 'zod';
import type { AnyRun } from '../model/run.ts';
import { type StepName, stepNames } from '../model/step-names.ts';
import { deleteItem, listItems, putItem, readItem } from '../table/document-table.ts';
import { equals } from '../table/expressions.ts';

const partition = 'waits';
/** An item that everybody has forgotten leaves the table a week after its task must have ended. */
const keptSeconds = 7 * 24 * 3600;

/** A task of a state machine that waits for the watcher. Its token is read only to be used. */
const WaitingTask = z.looseObject({
  runId: z.string(),
  attempt: z.int(),
  step: z.enum(stepNames),
  payerAccountId: z.string(),
  /** When the step looked last, as its record has it. */
  at: z.string(),
  /** When the token was stored. */
  keptAt: z.string(),
  /** The step looks at the latest then. */
  next: z.string(),
  watchMinutes: z.number().exactOptional(),
  subject: z.record(z.string(), z.unknown()).exactOptional(),
  newsFrom: z.string().exactOptional(),
});
export type WaitingTask = z.infer<typeof WaitingTask>;

const Token = z.looseObject({ token: z.string() });

const keyOf = ({ runId, step }: Pick<WaitingTask, 'runId' | 'step'>) => ({ pk: partition, sk: `${runId}#${step}` });

/** Stores the token in an item of its own. A later task of the step replaces it. */
export async function keepToken(task: WaitingTask, token: string): Promise<void> {
  const ttl = Math.ceil(Date.parse(task.next) / 1000) + keptSeconds;
  await putItem(keyOf(task), { ...task, token, ttl });
}

/** Every waiting task, without tokens. */
export function listWaitingTasks(): Promise<WaitingTask[]> {
  const fields = Object.keys(WaitingTask.shape);
  return listItems({ partition: { key: 'pk', value: partition }, fields }, WaitingTask);
}

export async function readToken(task: Pick<WaitingTask, 'runId' | 'step'>): Promise<string | undefined> {
  return (await readItem(keyOf(task), Token))?.token;
}

/** Deletes the item, unless a later task of the step has replaced it. */
export async function forgetTask(task: Pick<WaitingTask, 'runId' | 'step' | 'keptAt'>): Promise<void> {
  await deleteItem(keyOf(task), equals('keptAt', task.keptAt));
}

/** Deletes the tokens of a run that ends. The watcher deletes one that is stored after this. */
export async function forgetTasks({ runId, steps }: Pick<AnyRun, 'runId' | 'steps'>): Promise<void> {
  const waits = (step: StepName) => steps[step]?.waiting?.callback === true;
  await Promise.all(stepNames.filter(waits).map((step) => deleteItem(keyOf({ runId, step }))));
}
