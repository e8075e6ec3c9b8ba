import * as z from 'zod';
import { adviceFor, type KnownError } from '../errors/errors.ts';
import { stepNames } from './step-names.ts';

export const Timestamp = z.iso.datetime().meta({ id: 'Timestamp', description: 'UTC, ISO 8601' });

/** One change of one resource. The plan of a dry run and the log of a run are lists of these records. */
export const Change = z
  .object({
    do: z.string().meta({ description: 'Verb and object, e.g. create-bucket' }),
    resource: z.string().meta({ description: 'ARN or name of the changed resource' }),
    note: z.string().optional(),
    at: Timestamp.optional().meta({ description: 'Time of the change; absent in a plan' }),
  })
  .meta({ id: 'Change' });
export type Change = z.infer<typeof Change>;

export const RunError = z
  .object({
    code: z.string().meta({ description: 'Stable code; docs/errors.md lists all codes' }),
    step: z.string().nullable(),
    title: z.string(),
    message: z.string(),
    actor: z.string().meta({ description: 'Who acts' }),
    remedy: z.string(),
  })
  .meta({ id: 'RunError' });
export type RunError = z.infer<typeof RunError>;

/** @param step the step that failed; null if no step failed */
export function runErrorOf({ code, message }: Pick<KnownError, 'code' | 'message'>, step: string | null): RunError {
  const { title, actor, remedy } = adviceFor(code);
  return { code, step, title, message, actor, remedy };
}

export const StepNameView = z.enum(stepNames).meta({ id: 'StepName' });

export const Quota = z
  .object({
    quota: z.string(),
    used: z.int().meta({ description: 'Current usage' }),
    adds: z.int().meta({ description: 'What the run would add' }),
    limit: z.int(),
  })
  .meta({ id: 'Quota' });
export type Quota = z.infer<typeof Quota>;

export const Waiting = z
  .object({
    for: z.string(),
    since: Timestamp,
    expectedBy: Timestamp.nullable(),
    deadline: Timestamp,
    /** When the step checks next. */
    next: Timestamp,
  })
  .meta({ id: 'Waiting' });
export type Waiting = z.infer<typeof Waiting>;

/** A wait as the table holds it. The further fields are those of the current release. */
export interface StoredWait extends Waiting {
  /** The declaration that the wait counts towards. */
  name?: string;
  /** When the step looked last. */
  at?: string;
  /** True while a task of the state machine waits for the watcher. */
  callback?: true;
  /** Minutes between two looks of the watcher, if it looks for news itself, and what it looks at. */
  watchMinutes?: number;
  subject?: Record<string, unknown>;
  /** The watcher does not wake the step for news before. */
  newsFrom?: string;
}

export const stepStatuses = [
  'pending',
  'running',
  'waiting',
  'succeeded',
  'failed',
  'skipped',
  'planned',
  'not-visible',
] as const;
type StepStatus = (typeof stepStatuses)[number];

/** A step in the table; `memo` holds the step's own notes, which the API never shows. */
export interface StepRecord {
  status: StepStatus;
  startedAt?: string;
  endedAt?: string;
  invocations: number;
  waiting?: StoredWait;
  /** What the attempt has spent in waits, by the name of their declaration. */
  waited?: Record<string, { seconds: number; looks: number }>;
  changes: Change[];
  warnings: string[];
  output?: Record<string, unknown>;
  memo?: Record<string, unknown>;
  error?: RunError;
  /** Of a dry run: the purpose of the step, every refusal, and the quotas that its changes count towards. */
  preview?: { summary: string; refusals: RunError[]; quotas: Quota[] };
  /** Set while an invocation is active: the time at which the function times out. Until then it may still write. */
  busyUntil?: string;
  /** The last published status change, in the form of `stepTransition`. */
  announced?: string;
}

export const runStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'planned'] as const;
export type RunStatus = (typeof runStatuses)[number];
export const endedStatuses: readonly RunStatus[] = ['succeeded', 'failed', 'cancelled', 'planned'];
