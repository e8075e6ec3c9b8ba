import { outputOf, type RunRecord } from '../model/run.ts';
import { type Target, targetOf } from '../model/target.ts';

/** A payer whose entry leaves a target's file. */
export interface Leaver {
  target: Target;
  payerAccountId: string;
  /** Null where no run has published an entry: what stands in the file is then somebody else's. */
  publishedKey: string | null;
  clusterExists: boolean;
}

export function leaverOf(run: RunRecord<'offboarding'>): Leaver {
  const { cluster, publishedKey } = outputOf(run, 'inventory');
  const { payerAccountId } = run.request;
  return { target: targetOf(run.request), payerAccountId, publishedKey, clusterExists: cluster !== null };
}
