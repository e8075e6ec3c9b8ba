import { OnboardingRequest, type OnboardingRequestInput } from '../../shared/request.ts';
import type { RunRecord } from '../../shared/run.ts';
import { createRun } from '../../shared/run-store.ts';
import { newRunId } from '../../shared/run-id.ts';

export const smallest: OnboardingRequestInput = {
  payerAccountId: '111122223333',
  cluster: { accountId: '222233334444', region: 'eu-west-1', name: 'finops' },
};

/** Puts a run straight into the table, as an earlier request left it. */
export async function givenRun(
  fields: Partial<Pick<RunRecord, 'status' | 'createdAt'>> & { request?: OnboardingRequestInput } = {},
): Promise<string> {
  const { status = 'succeeded', createdAt = '2026-03-01T00:00:00.000Z', request = smallest } = fields;
  const runId = newRunId(Date.parse(createdAt));
  await createRun({ runId, attempt: 1, status, createdAt, request: OnboardingRequest.parse(request) });
  return runId;
}
