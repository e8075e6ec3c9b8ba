import * as z from 'zod';
import { StoredOnboardingRequest } from '../model/stored-request.ts';
import { jsonText, withoutKeys } from '../table/item-parser.ts';
import { BatchOptions } from './request.ts';

export const batchStates = ['running', 'paused', 'held', 'cancelled', 'ended'] as const;
type BatchState = (typeof batchStates)[number];

/** A batch in the table. Its onboardings are in chunks beside it until they are started as runs. */
export interface BatchRecord {
  batchId: string;
  createdAt: string;
  endedAt?: string;
  state: BatchState;
  /** Why no further run is started. */
  held?: string;
  cancelledAt?: string;
  /** Number of onboardings. */
  size: number;
  options: BatchOptions;
  dryRun: boolean;
  /** Place of the onboarding that is started next; those before it are runs. */
  next: number;
  /** Places before this one may be started: the canaries at first, then all. */
  gate: number;
  /** Failed runs beyond which no further run is started. */
  failureLimit: number;
  /** Runs that were started recently, because the indexes show them late; `at` in milliseconds since the epoch. */
  recent: { runId: string; at: number }[];
  /** Set during a round of retries, which retries the runs that had failed or were cancelled by then. */
  retryBefore?: string;
  /** List key of the last run of that round that is done. */
  retryAfter?: string;
  /** Set while the sweeper has to check the batch. */
  pendingKey?: 'batches';
  /** Counts requests to dispatch that came while another caller was dispatching. */
  knocks: number;
}

const fields = z.looseObject({
  pk: z.string().startsWith('batch#'),
  createdAt: z.string(),
  endedAt: z.string().exactOptional(),
  state: z.enum(batchStates),
  held: z.string().exactOptional(),
  cancelledAt: z.string().exactOptional(),
  size: z.int(),
  options: BatchOptions.loose(),
  dryRun: z.boolean(),
  next: z.int(),
  gate: z.int(),
  failureLimit: z.int(),
  recent: z.array(z.looseObject({ runId: z.string(), at: z.number() })),
  retryBefore: z.string().exactOptional(),
  retryAfter: z.string().exactOptional(),
  pendingKey: z.literal('batches').exactOptional(),
  knocks: z.int(),
});

export const BatchItem: z.ZodType<BatchRecord> = withoutKeys(
  ['sk', 'listKey'],
  fields.transform(({ pk, ...batch }) => ({ batchId: batchIdOf(pk), ...batch })),
);

/** The id of a batch, from an index that has only keys. */
export const BatchKeyItem = fields.pick({ pk: true }).transform(({ pk }) => batchIdOf(pk));

/** Onboardings that are still to be started, as JSON: a thousand requests as attributes take DynamoDB's client a tenth of a second. */
export const BatchChunkItem = z.looseObject({ requests: jsonText(z.array(StoredOnboardingRequest)) });

function batchIdOf(pk: string): string {
  return pk.slice('batch#'.length);
}
