import type { RunRecord } from '../../shared/model/run.ts';
import { newRunId } from '../../shared/model/run-id.ts';
import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/model/run-requests.ts';
import type { StepName } from '../../shared/model/step-names.ts';
import { createRun, readRun } from '../../shared/runs/run-table.ts';
import { StepStore } from '../../shared/step-runner/step-record.ts';

export const smallest: OnboardingRequestInput = {
  payerAccountId: '111122223333',
  cluster: { accountId: '222233334444', region: 'eu-west-1', name: 'finops' },
};

/** Puts a run into the table. */
export async function givenRun(
  fields: Partial<Pick<RunRecord, 'status' | 'createdAt' | 'batchId'>> & { request?: OnboardingRequestInput } = {},
): Promise<string> {
  const { status = 'succeeded', createdAt = '2026-03-01T00:00:00.000Z', request = smallest, batchId } = fields;
  const runId = newRunId(Date.parse(createdAt));
  await createRun({
    runId,
    kind: 'onboarding',
    attempt: 1,
    status,
    createdAt,
    request: OnboardingRequest.parse(request),
    ...(batchId !== undefined && { batchId }),
  });
  return runId;
}

/** An onboarding as the table holds it. */
export async function storedRun(runId: string): Promise<RunRecord> {
  const run = await readRun(runId);
  if (run?.kind !== 'onboarding') throw new Error(`onboarding ${runId} is gone`);
  return run;
}

/** Records a step as succeeded with this output. */
export async function endStep(runId: string, name: StepName, output: Record<string, unknown>): Promise<void> {
  const store = new StepStore(runId, 1, name);
  await store.begin(Date.now() + 60_000);
  await store.finish({ status: 'succeeded', output, warnings: [] });
}
