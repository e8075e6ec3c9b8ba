import * as z from 'zod';
import { adviceFor, type KnownError } from '../errors/errors.ts';
import { stepNames } from './step-names.ts';

export const Timestamp = z.iso.datetime().meta({ id: 'Timestamp', description: 'UTC, ISO 8601' });

/** One write: what was done to which resource. The dry run's plan and the run's log are lists of the same records. */
export const Change = z
  .object({
    do: z.string().meta({ description: 'verb-object, e.g. create-bucket' }),
    resource: z.string().meta({ description: 'ARN or name of what is changed' }),
    note: z.string().optional(),
    at: Timestamp.optional().meta({ description: 'Absent while only planned' }),
  })
  .meta({ id: 'Change' });
export type Change = z.infer<typeof Change>;

export const RunError = z
  .object({
    code: z.string().meta({ description: 'Stable; docs/errors.md lists all' }),
    step: z.string().nullable(),
    title: z.string(),
    message: z.string(),
    actor: z.string().meta({ description: 'Who acts' }),
    remedy: z.string(),
  })
  .meta({ id: 'RunError' });
export type RunError = z.infer<typeof RunError>;

/** @param step null where no step is to blame */
export function runErrorOf({ code, message }: Pick<KnownError, 'code' | 'message'>, step: string | null): RunError {
  const { title, actor, remedy } = adviceFor(code);
  return { code, step, title, message, actor, remedy };
}

export const StepNameView = z.enum(stepNames).meta({ id: 'StepName' });

export const Quota = z
  .object({
    quota: z.string(),
    used: z.int().meta({ description: 'Now' }),
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
    /** When the step looks next. */
    next: Timestamp,
  })
  .meta({ id: 'Waiting' });
export type Waiting = z.infer<typeof Waiting>;

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

/** A step as the table holds it; `memo` are the step's notes, which no API answer shows. */
export interface StepRecord {
  status: StepStatus;
  startedAt?: string;
  endedAt?: string;
  invocations: number;
  waiting?: Waiting;
  changes: Change[];
  warnings: string[];
  output?: Record<string, unknown>;
  memo?: Record<string, unknown>;
  error?: RunError;
  /** Of a dry run: what the step is for, everything it would refuse, and the limits it comes near. */
  preview?: { summary: string; refusals: RunError[]; quotas: Quota[] };
  /** While an invocation is at work: when the function's time is up at the latest. Until then it may still write. */
  busyUntil?: string;
  /** The transition that was told last, as `stepTransition` spells it. */
  announced?: string;
}

export const runStatuses = ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'planned'] as const;
export type RunStatus = (typeof runStatuses)[number];
export const endedStatuses: readonly RunStatus[] = ['succeeded', 'failed', 'cancelled', 'planned'];
