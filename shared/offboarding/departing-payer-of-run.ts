import { outputOf, type RunRecord } from '../model/run.ts';
import { type Target, targetOf } from '../model/target.ts';

/** A payer whose entry is removed from a target's file. */
export interface DepartingPayer {
  target: Target;
  payerAccountId: string;
  /** Null if no run has published an entry: an entry in the file is then not ours. */
  publishedKey: string | null;
  clusterExists: boolean;
}

export function departingPayerOf(run: RunRecord<'offboarding'>): DepartingPayer {
  const { cluster, publishedKey } = outputOf(run, 'inventory');
  const { payerAccountId } = run.request;
  return { target: targetOf(run.request), payerAccountId, publishedKey, clusterExists: cluster !== null };
}
