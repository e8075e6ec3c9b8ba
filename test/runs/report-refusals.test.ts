import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { deployProvisioner } from '../support/provisioners.ts';
import { minutesOf, RunHarness } from '../support/run-harness.ts';

let runHarness: RunHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open();
});
afterEach(() => {
  runHarness.stepHarness.world.faults.splice(0);
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

let payers = 0;
async function onboard(...answers: { code: string; message: string; times?: number }[]) {
  const { world } = runHarness.stepHarness;
  const payerAccountId = String(444500000000 + ++payers);
  deployProvisioner(world, 'payer', payerAccountId);
  world.cur.firstDeliveryHours.set(payerAccountId, 0.25);
  for (const { code, message, times = Infinity } of answers)
    world.faults.push({ kind: { code, message, status: 400 }, operation: 'PutReportDefinition', times });
  return runHarness.onboard('new-irsa', { payerAccountId });
}

const invalid = (message: string, times?: number) => ({
  code: 'ValidationException',
  message,
  ...(times !== undefined && { times }),
});

describe('a run whose report AWS refuses', () => {
  it('succeeds if AWS sees the bucket’s policy later', async () => {
    const run = await onboard(invalid('', 4));
    expect(run.error).toBeNull();
    expect(run.status).toBe('succeeded');
  });

  it('fails within minutes if AWS never sees the policy', async () => {
    const run = await onboard(invalid(''));
    expect(run.error).toMatchObject({ code: 'bucket-policy-rejected', actor: 'payer account owner' });
    expect(minutesOf(run)).toBeLessThan(6);
  });

  it('fails at once if AWS names a field', async () => {
    const text = "Value 'x' at 'reportDefinition.s3Prefix' failed to satisfy constraint";
    const run = await onboard(invalid(text));
    expect(run.error).toMatchObject({ code: 'report-arguments-rejected', actor: 'caller' });
    expect(run.error?.message).toContain(text);
    expect(minutesOf(run)).toBeLessThan(3);
  });

  it('fails at once if AWS does not let the payer have reports', async () => {
    const run = await onboard({ code: 'AccessDeniedException', message: 'New customers use data exports' });
    expect(run.error).toMatchObject({ code: 'report-not-allowed', actor: 'payer account owner' });
    expect(run.error?.remedy).toContain('AWS Support');
    expect(minutesOf(run)).toBeLessThan(3);
  });
});
