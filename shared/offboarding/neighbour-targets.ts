import type { Target } from '../model/target.ts';
import { listTargetPayers, needsTarget } from '../targets/payers-of-target.ts';
import { listOtherTargets, readTargetSettings } from '../targets/target-settings.ts';

/** Another target of the same cluster that a payer still needs. */
export interface Neighbour extends Target {
  serviceAccount: string | undefined;
}

export async function listNeighbours(target: Target): Promise<Neighbour[]> {
  const others = await listOtherTargets(target);
  const neighbours = await Promise.all(
    others.map(async (other) => {
      const [payers, settings] = await Promise.all([listTargetPayers(other), readTargetSettings(other)]);
      return payers.some(needsTarget) ? [{ ...other, serviceAccount: settings?.serviceAccount }] : [];
    }),
  );
  return neighbours.flat();
}
