import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../shared/batches/api-view.ts';
import { runsOfBatch, untilBatchRests } from '../support/fleet-run.ts';
import { entriesOf, RunHarness, stepOf } from '../support/run-harness.ts';
import { clusters, exampleRequest } from '../support/scenario.ts';

let runHarness: RunHarness;
beforeEach(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ deliveryHours: 6 });
});
afterEach(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

const [finops] = clusters;
const secondsBetween = (one?: string | null, other?: string | null) =>
  (Date.parse(other ?? '') - Date.parse(one ?? '')) / 1000;

/** Two payers for one cluster: the first waits for AWS's delivery, the second has a report. */
const onboardings = (['new-irsa', 'adopt-report'] as const).map(exampleRequest);

const payers = onboardings.map(({ payerAccountId }) => payerAccountId);
const publishedPayers = () =>
  entriesOf(runHarness, finops)
    .flatMap(({ projectID }) => (payers.includes(String(projectID)) ? [projectID] : []))
    .sort();

function startBatch(): Promise<Batch> {
  return runHarness.api.startBatch({ onboardings, concurrency: 1 });
}

async function control({ links }: Batch, verb: 'cancel' | 'retry'): Promise<Batch> {
  const answer = await runHarness.api.fetch('POST', `${links.self}/${verb}`);
  expect(answer.status).toBe(202);
  return (await answer.json()) as Batch;
}

describe('a batch', () => {
  it('onboards the next payer while the first waits for a delivery', async () => {
    const batch = await untilBatchRests(runHarness.api, (await startBatch()).batchId);
    expect(batch).toMatchObject({ status: 'ended', percent: 100, counts: { succeeded: 2 } });
    const [second, first] = await runsOfBatch(runHarness.api, batch);
    const waits = first && stepOf(first, 'first-delivery').startedAt;
    // The event bus, not the sweeper, triggers the next run and the end of the batch.
    expect(secondsBetween(waits, second?.createdAt)).toBeLessThan(5);
    expect(secondsBetween(second?.createdAt, second?.endedAt)).toBeLessThan(600);
    expect(secondsBetween(first?.endedAt, batch.endedAt)).toBeLessThan(5);
    expect(publishedPayers()).toEqual(payers);
    expect(await runHarness.stepHarness.items('lease#')).toEqual([]);
  });

  it('can be cancelled half-way and completed by a retry', async () => {
    const started = await startBatch();
    const cancelled = await runHarness.later(67, () => control(started, 'cancel'));
    expect(cancelled).toMatchObject({ status: 'cancelled', counts: { succeeded: 1, cancelled: 1 } });
    expect(cancelled.endedAt).not.toBeNull();
    expect(await runHarness.api.batch(started.batchId)).toEqual(cancelled);
    expect(await runHarness.stepHarness.items('lock#')).toEqual([]);
    await control(cancelled, 'retry');
    const batch = await untilBatchRests(runHarness.api, started.batchId);
    expect(batch).toMatchObject({ status: 'ended', counts: { succeeded: 2, cancelled: 0 } });
    expect((await runsOfBatch(runHarness.api, batch)).map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(publishedPayers()).toEqual(payers);
  });
});
