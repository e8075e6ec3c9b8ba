import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { foreignThings } from '../support/foreign-resources.ts';
import { type OneRun, Stage, stepsOf } from '../support/step-harness.ts';
import { landscape } from '../support/world-snapshot.ts';

let stage: Stage;
/** Takes over what it finds, and so arrives at every step. */
let main: OneRun;

beforeAll(async () => {
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  stage = await Stage.open({ deliveryHours: 0.25 });
  main = await stage.begin('new-irsa', { existing: 'take-over' });
});
afterAll(async () => {
  await stage.close();
  vi.restoreAllMocks();
});

/** Accounts and clusters: in its own table a run enlists before it looks. */
async function accountsAndClusters(): Promise<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(await landscape(stage)).filter(([name]) => !name.startsWith('item ')));
}

describe('what is somebody else’s', () => {
  for (const name of stepsOf('new-irsa')) {
    for (const { step, what, code, plant, remove } of foreignThings.filter((one) => one.step === name)) {
      it(`stops ${step} before it writes anything: ${what}`, async () => {
        await plant(stage);
        try {
          const refused = await stage.begin('new-irsa');
          await refused.follow(main, step);
          const before = await accountsAndClusters();
          await expect(refused.take(step)).rejects.toMatchObject({ name: 'UserError', code });
          expect((await refused.record(step)).error).toMatchObject({ code, step });
          expect(await accountsAndClusters()).toEqual(before);
        } finally {
          await remove?.(stage);
        }
      });
    }

    it(`lets ${name} succeed under take-over, beside what it found or once that is gone`, async () => {
      expect((await main.take(name)).answer.status).toBe('succeeded');
      for (const { step, kept } of foreignThings) if (step === name) kept?.(stage);
      const again = await stage.begin('new-irsa', { existing: 'take-over' });
      await again.follow(main, name);
      expect((await again.take(name)).record.changes).toEqual([]);
    });
  }
});
