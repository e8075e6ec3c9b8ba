import type { Batch } from '../batches/api-view.ts';
import type { BatchRequestInput } from '../batches/request.ts';
import { adviceFor } from '../errors/errors.ts';
import type { RunRecord } from '../model/run.ts';
import {
  OffboardingRequest,
  type OffboardingRequestInput,
  OnboardingRequest,
  type OnboardingRequestInput,
} from '../model/run-requests.ts';
import type { StepRecord } from '../model/run-schemas.ts';
import { listedRun, runView } from '../runs/api-view.ts';

const request: OnboardingRequestInput = {
  payerAccountId: '111122223333',
  cluster: { accountId: '222233334444', region: 'eu-west-1', name: 'finops' },
};

const done = (changes: StepRecord['changes'], output?: StepRecord['output']): StepRecord => ({
  status: 'succeeded',
  startedAt: '2026-03-02T09:00:05.000Z',
  endedAt: '2026-03-02T09:00:11.000Z',
  invocations: 1,
  changes,
  warnings: [],
  ...(output && { output }),
});

/** A run that waits for the first delivery. */
const waitingRun: RunRecord = {
  runId: '01kjq3w5e8f2c9m4x7v1t6s0rz',
  kind: 'onboarding',
  attempt: 1,
  status: 'running',
  request: OnboardingRequest.parse(request),
  createdAt: '2026-03-02T09:00:00.000Z',
  startedAt: '2026-03-02T09:00:01.000Z',
  steps: {
    'cur-bucket': done(
      [
        {
          do: 'create-bucket',
          resource: 'arn:aws:s3:::kubecost-cur-111122223333-us-east-1',
          at: '2026-03-02T09:00:07.000Z',
        },
      ],
      { bucket: 'kubecost-cur-111122223333-us-east-1', region: 'us-east-1', adopted: false, kmsKeyArn: null },
    ),
    'first-delivery': {
      status: 'waiting',
      startedAt: '2026-03-02T09:00:12.000Z',
      invocations: 9,
      changes: [],
      warnings: [],
      waiting: {
        for: 'the first delivery of the report',
        since: '2026-03-02T09:00:12.000Z',
        expectedBy: '2026-03-03T09:00:12.000Z',
        deadline: '2026-03-04T09:00:12.000Z',
        next: '2026-03-02T11:15:12.000Z',
      },
    },
  },
};

const offboardingRequest: OffboardingRequestInput = { ...request, purge: ['report'] };

/** A run that has removed the entry from the file and waits until the consumer has unloaded it. */
const offboardingRun: RunRecord<'offboarding'> = {
  runId: '01kjq7d2n4z8b6h3k5w9y1p0sq',
  kind: 'offboarding',
  attempt: 1,
  status: 'running',
  request: OffboardingRequest.parse(offboardingRequest),
  createdAt: '2026-03-02T10:00:00.000Z',
  startedAt: '2026-03-02T10:00:01.000Z',
  steps: {
    'remove-entry': done(
      [
        {
          do: 'update-secret',
          resource: 'kubecost/cloud-integration',
          at: '2026-03-02T10:00:07.000Z',
        },
      ],
      {
        removed: ['111122223333/s3://kubecost-athena-results-111122223333-us-east-1'],
        kept: [],
        otherKeys: ['444455556666/s3://kubecost-athena-results-444455556666-us-east-1'],
      },
    ),
    'unload-proof': {
      status: 'running',
      startedAt: '2026-03-02T10:00:12.000Z',
      invocations: 1,
      changes: [],
      warnings: [],
    },
  },
};

const shown = runView(waitingRun, Date.parse('2026-03-02T11:00:12.000Z'));

/** A retried run: its delivery had failed, and its succeeded steps stay as they are. */
const retriedRun: RunRecord = {
  ...waitingRun,
  attempt: 2,
  status: 'queued',
  steps: { ...waitingRun.steps, 'first-delivery': { status: 'pending', invocations: 34, changes: [], warnings: [] } },
};

const cancellingRun: RunRecord = { ...waitingRun, cancelRequestedAt: '2026-03-02T11:00:12.000Z' };

const batchRequest: BatchRequestInput = {
  defaults: { cluster: request.cluster, wait: { deadlineHours: 72 } },
  onboardings: [
    { payerAccountId: '111122223333' },
    { payerAccountId: '444455556666', existing: 'take-over' },
    { payerAccountId: '777788889999', cluster: { name: 'platform' } },
  ],
  canary: 1,
};

const batch: Batch = {
  batchId: '01kjq3w5e8f2c9m4x7v1t6s0rw',
  status: 'held',
  heldBecause: '1 run has failed; the limit is 0 for the canaries',
  dryRun: false,
  createdAt: '2026-03-02T09:00:00.000Z',
  endedAt: null,
  options: { canary: 1, concurrency: 25, failureTolerance: '10%' },
  size: 3,
  counts: { notStarted: 1, queued: 0, running: 0, succeeded: 1, failed: 1, cancelled: 0, planned: 0 },
  percent: 66,
  eta: null,
  failed: [
    {
      runId: '01kjq3w5e8f2c9m4x7v1t6s001',
      payerAccountId: '444455556666',
      link: '/v1/runs/01kjq3w5e8f2c9m4x7v1t6s001',
      error: { code: 'payer-access-denied', ...adviceFor('payer-access-denied') },
    },
  ],
  slowest: [],
  plan: null,
  links: {
    self: '/v1/batches/01kjq3w5e8f2c9m4x7v1t6s0rw',
    runs: '/v1/runs?batchId=01kjq3w5e8f2c9m4x7v1t6s0rw',
    failed: '/v1/runs?batchId=01kjq3w5e8f2c9m4x7v1t6s0rw&status=failed',
    running: '/v1/runs?batchId=01kjq3w5e8f2c9m4x7v1t6s0rw&status=running',
  },
};
const runningBatch: Batch = { ...batch, status: 'running', heldBecause: null, eta: '2026-03-03T09:30:00.000Z' };

/** Bodies by operation; a test checks them against the schemas. */
export const examples: Record<string, { request?: unknown; response?: unknown }> = {
  createOnboarding: { request, response: shown },
  createOffboarding: {
    request: offboardingRequest,
    response: runView(offboardingRun, Date.parse('2026-03-02T10:00:13.000Z')),
  },
  retryRun: { response: runView(retriedRun) },
  cancelRun: { response: runView(cancellingRun) },
  getRun: { response: shown },
  listRuns: { response: { runs: [listedRun(waitingRun)], nextCursor: null } },
  createBatch: {
    request: batchRequest,
    response: {
      ...runningBatch,
      counts: { ...batch.counts, notStarted: 2, queued: 1, succeeded: 0, failed: 0 },
      percent: 0,
      failed: [],
    },
  },
  getBatch: { response: batch },
  pauseBatch: { response: { ...batch, status: 'paused', heldBecause: null } },
  resumeBatch: { response: runningBatch },
  cancelBatch: { response: { ...batch, status: 'cancelled', heldBecause: null, endedAt: '2026-03-02T11:00:12.000Z' } },
  retryBatch: {
    response: { ...runningBatch, counts: { ...batch.counts, queued: 1, failed: 0 }, percent: 33, failed: [] },
  },
  getHealth: { response: { status: 'ok' } },
};
