import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { foreignResources } from '../support/foreign-resources.ts';
import { type OneRun, StepHarness, stepsOf } from '../support/step-harness.ts';
import { worldSnapshot } from '../support/world-snapshot.ts';

let stepHarness: StepHarness;
/** A run that takes over what it finds, so it completes every step. */
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

/** The accounts and clusters, without our own table, which a run may write before it observes. */
async function accountsAndClusters(): Promise<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(await worldSnapshot(stepHarness)).filter(([name]) => !name.startsWith('item ')),
  );
}

describe('a resource of somebody else', () => {
  for (const name of stepsOf('new-irsa')) {
    for (const { step, what, code, plant, remove } of foreignResources.filter((one) => one.step === name)) {
      it(`makes ${step} refuse before any write: ${what}`, async () => {
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

    it(`does not prevent ${name} under take-over`, async () => {
      expect((await main.take(name)).answer?.status).toBe('succeeded');
      for (const { step, kept } of foreignResources) if (step === name) kept?.(stepHarness);
      const again = await stepHarness.begin('new-irsa', { existing: 'take-over' });
      await again.follow(main, name);
      expect((await again.take(name)).record.changes).toEqual([]);
    });
  }
});
