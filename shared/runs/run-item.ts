import * as z from 'zod';
import { PlanSummary } from '../model/plan-schemas.ts';
import type { AnyRun, RunRecord } from '../model/run.ts';
import { RunEvent } from '../model/run-event.ts';
import { Change, Quota, RunError, runStatuses, type StepRecord, stepStatuses, Waiting } from '../model/run-schemas.ts';
import { stepNames } from '../model/step-names.ts';
import { StoredOffboardingRequest, StoredOnboardingRequest } from '../model/stored-request.ts';
import { withoutKeys } from '../table/item-parser.ts';

/** Attributes that place a run in the table and its indexes. */
const keys = [
  'pk',
  'sk',
  'allKey',
  'payerKey',
  'clusterKey',
  'listKey',
  'batchStatusKey',
  'atWorkKey',
  'pendingKey',
] as const;

const looseError = RunError.loose();

/** Outputs and notes are parsed where they are used: each step has a schema of its own. */
const stepItem = z.looseObject({
  status: z.enum(stepStatuses),
  startedAt: z.string().exactOptional(),
  endedAt: z.string().exactOptional(),
  invocations: z.number(),
  waiting: Waiting.extend({
    name: z.string().exactOptional(),
    at: z.string().exactOptional(),
    callback: z.literal(true).exactOptional(),
    watchMinutes: z.number().exactOptional(),
    subject: z.record(z.string(), z.unknown()).exactOptional(),
    newsFrom: z.string().exactOptional(),
  })
    .loose()
    .exactOptional(),
  waited: z.record(z.string(), z.object({ seconds: z.number(), looks: z.number() })).exactOptional(),
  changes: z.array(Change.loose()),
  warnings: z.array(z.string()),
  output: z.record(z.string(), z.unknown()).exactOptional(),
  memo: z.record(z.string(), z.unknown()).exactOptional(),
  error: looseError.exactOptional(),
  preview: z
    .looseObject({ summary: z.string(), refusals: z.array(looseError), quotas: z.array(Quota.loose()) })
    .exactOptional(),
  busyUntil: z.string().exactOptional(),
  announced: z.string().exactOptional(),
}) satisfies z.ZodType<StepRecord>;

export const summaryFields = {
  runId: z.string(),
  attempt: z.int(),
  from: z.enum(stepNames).exactOptional(),
  status: z.enum(runStatuses),
  batchId: z.string().exactOptional(),
  createdAt: z.string(),
  startedAt: z.string().exactOptional(),
  endedAt: z.string().exactOptional(),
  error: looseError.exactOptional(),
  planned: PlanSummary.loose().exactOptional(),
  cancelRequestedAt: z.string().exactOptional(),
  outbox: z.record(z.string(), RunEvent.loose()).exactOptional(),
  announced: z.int().exactOptional(),
};
const onboarding = { kind: z.literal('onboarding'), request: StoredOnboardingRequest };
const offboarding = { kind: z.literal('offboarding'), request: StoredOffboardingRequest };
const steps = z.record(z.string(), stepItem);

/** A run as the table holds it. */
export const RunItem: z.ZodType<AnyRun> = withoutKeys(
  keys,
  z.discriminatedUnion('kind', [
    z.looseObject({ ...summaryFields, ...onboarding, steps }),
    z.looseObject({ ...summaryFields, ...offboarding, steps }),
  ]),
);

/** What a list shows of a run. */
export type RunSummary = Omit<RunRecord, 'steps'> | Omit<RunRecord<'offboarding'>, 'steps'>;

/** A run as the indexes hold it. */
export const RunSummaryItem: z.ZodType<RunSummary> = withoutKeys(
  keys,
  z.discriminatedUnion('kind', [
    z.looseObject({ ...summaryFields, ...onboarding }),
    z.looseObject({ ...summaryFields, ...offboarding }),
  ]),
);

/** The fields that are read of a run whose record cannot be read as a whole. */
export const RunHead = z.looseObject({
  attempt: z.int(),
  status: z.enum(runStatuses),
  batchId: z.string().exactOptional(),
});

/** The id of a run, from an index that has only keys. */
export const RunKeyItem = z
  .looseObject({ pk: z.string().startsWith('run#') })
  .transform(({ pk }) => pk.slice('run#'.length));
