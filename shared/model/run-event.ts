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

/** Source and detail types of our events; EventBridge rules match on them. */
export const eventSource = 'kubecost-payer-onboarding';
export const detailTypes = { run: 'Run Status Change', step: 'Step Status Change' } as const;

/** One status change of a run or of one of its steps. An event has ids, statuses and codes, never a document. */
export const RunEvent = z
  .object({
    id: z.string().meta({ description: 'Id of the status change; the same each time the event is delivered' }),
    at: Timestamp.meta({ description: 'Time of the status change: UTC, ISO 8601' }),
    runId: z.string(),
    attempt: z.int(),
    kind: z.enum(runKinds),
    batchId: z.string().nullable().meta({ description: 'Null for a run outside a batch' }),
    payerAccountId: z.string(),
    cluster: z.string().meta({ description: 'ARN of the EKS cluster' }),
    step: StepNameView.nullable().meta({ description: 'Null for a status change of the run itself' }),
    status: z.enum([...new Set([...runStatuses, ...stepStatuses])]),
    waitingFor: z.string().nullable().meta({ description: 'What the step waits for; null unless it waits' }),
    error: z
      .object({
        code: z.string().meta({ description: 'Stable code; docs/errors.md lists all codes' }),
        step: z.string().nullable().meta({ description: 'The step that failed; null if no step failed' }),
        title: z.string(),
        actor: z.string().meta({ description: 'Who acts' }),
        remedy: z.string(),
      })
      .nullable()
      .meta({ description: 'Set after a failure; the run has the details' }),
  })
  .meta({ id: 'RunEvent' });
export type RunEvent = z.infer<typeof RunEvent>;

/** The fields of a run that every event has. */
export interface Subject {
  runId: string;
  attempt: number;
  kind: RunKind;
  batchId?: string;
  request: { payerAccountId: string; cluster: Parameters<typeof clusterArnOf>[0]['cluster'] };
}

/** The new status of a step. */
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
    // A run has each status once per attempt; a step may run or wait several times.
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
