import { quietly } from '../support/mute-logs.ts';
import { keyOf, PublicationHarness } from '../support/publication-harness.ts';
import type { Tally } from '../support/publication-tally.ts';

export interface MeasuredPublication extends Tally {
  /** Runs for one target that start publish, evenly within this number of simulated seconds. */
  runs: number;
  spreadSeconds: number;
  failed: number;
  /** Published entries that are missing from the file. */
  lost: number;
  /** Calls to AWS and the cluster, reads included. */
  calls: number;
  /** Seconds until the last run has published. */
  simulatedSeconds: number;
  wallMs: number;
}

const payerOf = (index: number) => String(300_000_000_000 + index);

/** Runs with recorded earlier steps, at a cluster with Kubecost 3.x, which reads the file only at its start. */
export async function measurePublication(runs: number, spreadSeconds = 0): Promise<MeasuredPublication> {
  return quietly(async () => {
    const world = await PublicationHarness.start('3.x');
    try {
      const payers = Array.from({ length: runs }, (_, index) => payerOf(index));
      const runIds = await Promise.all(payers.map((payer) => world.newRun(payer)));
      const { calls, clock } = world.access.world;
      const [callsBefore, startedAt, wallStart] = [calls.length, clock.now(), performance.now()];
      const taken = await Promise.all(
        runIds.map(async (runId, index) => {
          await clock.sleep((index / runs) * spreadSeconds * 1000);
          return world.access.take(runId, 'publish');
        }),
      );
      const keys = new Set(world.keys());
      return {
        runs,
        spreadSeconds,
        ...world.tally,
        failed: taken.filter(({ status }) => status !== 'succeeded').length,
        lost: payers.filter((payer) => !keys.has(keyOf(payer))).length,
        calls: calls.length - callsBefore,
        simulatedSeconds: (clock.now() - startedAt) / 1000,
        wallMs: performance.now() - wallStart,
      };
    } finally {
      await world.close();
    }
  });
}
