import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Run } from '../../shared/runs/api-view.ts';
import { deployProvisioner } from '../support/provisioners.ts';
import { RunHarness, stepOf } from '../support/run-harness.ts';

let runHarness: RunHarness;
beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  runHarness = await RunHarness.open({ start: '2026-12-31T20:00:00Z' });
});
afterAll(async () => {
  await runHarness.close();
  vi.restoreAllMocks();
});

/** A payer whose first delivery comes after this many hours. */
function newPayer(accountId: string, hours = 7.5): string {
  const { world } = runHarness.stepHarness;
  deployProvisioner(world, 'payer', accountId, { CurBucket: '*' });
  world.cur.firstDeliveryHours.set(accountId, hours);
  return accountId;
}

const warningsOf = (run: Run) => run.steps.flatMap(({ warnings }) => warnings).join('\n');

describe('a run from the 31st to the 1st', () => {
  let usual: Run;
  let empty: Run;
  let quiet: Run;
  beforeAll(async () => {
    const { bills } = runHarness.stepHarness.world.cur;
    bills.set('444400000032', { emptyMonths: ['2027-01'] });
    bills.set('444400000033', { quietDays: ['2026-12-30', '2026-12-31', '2027-01-01'] });
    const onboard = (payer: string) => runHarness.onboard('new-irsa', { payerAccountId: newPayer(payer) });
    [usual, empty, quiet] = await Promise.all([
      onboard('444400000031'),
      onboard('444400000032'),
      onboard('444400000033'),
    ]);
  });

  it('ends right and says which days are missing', () => {
    expect(usual.error).toBeNull();
    expect(stepOf(usual, 'cur-report').output).toMatchObject({ dataSince: '2026-12-01' });
    expect(warningsOf(usual)).toContain('costs from 2026-12-01 on at the earliest');
    expect(usual.endedAt?.slice(0, 10)).toBe('2027-01-01');
    expect(usual.evidence?.query.rowCount).toBeGreaterThan(0);
  });

  it('uses the month with data if the new one is empty', () => {
    expect(empty.error).toBeNull();
    expect(stepOf(empty, 'first-delivery').output).toMatchObject({ newestPartition: { year: '2026', month: '12' } });
    expect(empty.evidence?.query.rowCount).toBeGreaterThan(0);
  });

  it('succeeds with a warning on a day without data', () => {
    expect(quiet.error).toBeNull();
    expect(warningsOf(quiet)).toMatch(/no cost on 202[67]-\d\d-\d\d/);
  });
});

describe('a run on the 1st', () => {
  it('waits for data if the first delivery is empty', async () => {
    const { cur, clock } = runHarness.stepHarness.world;
    await clock.sleep(Math.max(0, Date.parse('2027-01-01T00:05:00Z') - clock.now()));
    const payerAccountId = newPayer('444400000034');
    cur.bills.set(payerAccountId, { emptyMonths: ['2027-01'] });
    clock.after(20 * 3_600_000, () => {
      cur.bills.delete(payerAccountId);
    });
    const run = await runHarness.onboard('new-irsa', { payerAccountId });
    expect(run.error).toBeNull();
    expect(stepOf(run, 'first-delivery').output).toMatchObject({ newestPartition: { year: '2027', month: '1' } });
    expect(run.evidence?.query.rowCount).toBeGreaterThan(0);
  });
});

describe('names as long as AWS allows them', () => {
  it.each(['none', 'auto'] as const)('work for an adopted report with crawler %s', async (crawler) => {
    const { world } = runHarness.stepHarness;
    const payerAccountId = newPayer(crawler === 'none' ? '444400000035' : '444400000036');
    const place = {
      ReportName: `Acme-${'r'.repeat(251)}`,
      S3Bucket: `${crawler}-${'b'.repeat(58)}`,
      S3Prefix: `billing/${'p'.repeat(120)}`,
      S3Region: 'ap-southeast-3',
    };
    const deliveredSince = world.clock.now() - 20 * 86_400_000;
    world.cur.seedReport({ accountId: payerAccountId, definition: place, deliveredSince });
    const run = await runHarness.onboard('new-irsa', { payerAccountId, crawler });
    expect(run.error).toBeNull();
    expect(stepOf(run, 'cur-bucket').output).toMatchObject({ bucket: expect.stringMatching(/^.{63}$/) as string });
    const table = Object.values(stepOf(run, 'crawler-table').output ?? {}).map((text) => String(text).length);
    expect(Math.max(...table)).toBe(255);
  });
});
