import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { foreignResources } from '../support/foreign-resources.ts';
import { type OneRun, StepHarness, stepsOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

let stepHarness: StepHarness;
/** Takes over what it finds, and so arrives at every step. */
let main: OneRun;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stepHarness = await StepHarness.open({ deliveryHours: 0.25 });
  main = await stepHarness.begin('new-irsa', { existing: 'take-over' });
});
afterAll(async () => {
  await stepHarness.close();
  vi.restoreAllMocks();
});

/** Accounts and clusters: in its own table a run enlists before it looks. */
async function accountsAndClusters(): Promise<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(await worldSnapshot(stepHarness)).filter(([name]) => !name.startsWith('item ')),
  );
}

describe('what is somebody else’s', () => {
  for (const name of stepsOf('new-irsa')) {
    for (const { step, what, code, plant, remove } of foreignResources.filter((one) => one.step === name)) {
      it(`stops ${step} before it writes anything: ${what}`, async () => {
        await plant(stepHarness);
        try {
          const refused = await stepHarness.begin('new-irsa');
          await refused.follow(main, step);
          const before = await accountsAndClusters();
          await expect(refused.take(step)).rejects.toMatchObject({ name: 'UserError', code });
          expect((await refused.record(step)).error).toMatchObject({ code, step });
          expect(await accountsAndClusters()).toEqual(before);
        } finally {
          await remove?.(stepHarness);
        }
      });
    }

    it(`lets ${name} succeed under take-over, beside what it found or once that is gone`, async () => {
      expect((await main.take(name)).answer?.status).toBe('succeeded');
      for (const { step, kept } of foreignResources) if (step === name) kept?.(stepHarness);
      const again = await stepHarness.begin('new-irsa', { existing: 'take-over' });
      await again.follow(main, name);
      expect((await again.take(name)).record.changes).toEqual([]);
    });
  }
});
