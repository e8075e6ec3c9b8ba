import * as z from 'zod';
import {
  type RunError,
  type RunStatus,
  runStatuses,
  StepNameView,
  type StepRecord,
  stepStatuses,
  Timestamp,
} from './run-schemas.ts';
import { type RunKind, runKinds, type StepName } from './step-names.ts';
import { clusterArnOf } from './target.ts';

/** How EventBridge files the events; rules match on both. */
export const eventSource = 'kubecost-payer-onboarding';
export const detailTypes = { run: 'Run Status Change', step: 'Step Status Change' } as const;

/** One transition of a run or of one of its steps, as the event bus carries it: ids, states and codes, never a document. */
export const RunEvent = z
  .object({
    id: z.string().meta({ description: 'The same each time this transition is delivered' }),
    at: Timestamp.meta({ description: 'When the transition happened: UTC, ISO 8601' }),
    runId: z.string(),
    attempt: z.int(),
    kind: z.enum(runKinds),
    batchId: z.string().nullable().meta({ description: 'Null for a run that was started by itself' }),
    payerAccountId: z.string(),
    cluster: z.string().meta({ description: 'ARN of the EKS cluster' }),
    step: StepNameView.nullable().meta({ description: 'Null for a transition of the run itself' }),
    status: z.enum([...new Set([...runStatuses, ...stepStatuses])]),
    waitingFor: z.string().nullable().meta({ description: 'Of a step that waits' }),
    error: z
      .object({
        code: z.string().meta({ description: 'Stable; docs/errors.md lists all' }),
        step: z.string().nullable().meta({ description: 'Null where no step is to blame' }),
        title: z.string(),
        actor: z.string().meta({ description: 'Who acts' }),
        remedy: z.string(),
      })
      .nullable()
      .meta({ description: 'Of a failure; the run itself has the details' }),
  })
  .meta({ id: 'RunEvent' });
export type RunEvent = z.infer<typeof RunEvent>;

/** What every event says of its run. */
export interface Subject {
  runId: string;
  attempt: number;
  kind: RunKind;
  batchId?: string;
  request: { payerAccountId: string; cluster: Parameters<typeof clusterArnOf>[0]['cluster'] };
}

/** What a step has come to. */
export interface StepTransition {
  status: StepRecord['status'];
  waiting?: StepRecord['waiting'] | undefined;
  error?: StepRecord['error'] | undefined;
}

export function runEvent(run: Subject, status: RunStatus, at: string, error?: RunError): RunEvent {
  return event(run, { step: null, status, at, waitingFor: null, error });
}

export function stepEvent(
  run: Subject,
  step: StepName,
  { status, waiting, error }: StepTransition,
  at: string,
): RunEvent {
  return event(run, { step, status, at, waitingFor: (status === 'waiting' && waiting?.for) || null, error });
}

function event(
  { runId, attempt, kind, batchId, request }: Subject,
  { error, ...what }: Pick<RunEvent, 'step' | 'status' | 'at' | 'waitingFor'> & { error: RunError | undefined },
): RunEvent {
  const { step, status, at } = what;
  return {
    // A run comes to each status once in an attempt; a step may be taken again, or wait again.
    id: [runId, attempt, ...(step ? [step, status, at] : ['run', status])].join('/'),
    runId,
    attempt,
    kind,
    batchId: batchId ?? null,
    payerAccountId: request.payerAccountId,
    cluster: clusterArnOf(request),
    ...what,
    error: error
      ? { code: error.code, step: error.step, title: error.title, actor: error.actor, remedy: error.remedy }
      : null,
  };
}
