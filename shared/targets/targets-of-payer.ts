import * as z from 'zod';
import { type Target, targetId } from '../model/target.ts';
import { deleteItem, readItems, updateItem } from '../table/document-table.ts';
import { equals } from '../table/expressions.ts';
import { targetKey } from './target-keys.ts';

/** What a payer's role has to trust for one target. */
export interface PayerTarget {
  targetId: string;
  /** More than one if the workload has changed its service account, because pods of the former one may still run. */
  podRoleArns: string[];
  state: 'active' | 'removing';
}

export const PayerTargetItem = z.looseObject({
  targetId: z.string(),
  state: z.enum(['active', 'removing']),
  podRoleArns: z.set(z.string()).exactOptional(),
});

const partition = (payerAccountId: string) => `payer#${payerAccountId}`;
const payerTargetKey = (payerAccountId: string, target: Target) => ({
  pk: partition(payerAccountId),
  sk: targetKey(target),
});

/** @throws TerminalError record-unreadable: if one were missing, the resources that the payer's targets share would be removed too early */
export async function listPayerTargets(payerAccountId: string): Promise<PayerTarget[]> {
  const query = {
    partition: { key: 'pk', value: partition(payerAccountId) },
    sort: { key: 'sk', beginsWith: 'target#' },
  };
  const items = await readItems(query, PayerTargetItem);
  return items.map(({ targetId, state, podRoleArns = [] }) => ({
    targetId,
    state,
    podRoleArns: [...podRoleArns].sort(),
  }));
}

/** Records that the target needs the resources that the payer's targets share, before its pod role is known. */
export async function claimPayer(payerAccountId: string, target: Target): Promise<void> {
  await updateItem(payerTargetKey(payerAccountId, target), [
    { at: 'targetId', to: targetId(target) },
    { at: 'state', to: 'active' },
  ]);
}

/** Adds the pod role to those that earlier runs recorded for the target. */
export function addPayerTarget(payerAccountId: string, target: Target, podRoleArn: string): Promise<void> {
  return recordPodRole(payerAccountId, target, podRoleArn, 'active');
}

/** Records that the payer's role has to stop trusting the target's pods, also if the item is missing because the table was emptied. */
export function markPayerTargetRemoving(payerAccountId: string, target: Target, podRoleArn: string): Promise<void> {
  return recordPodRole(payerAccountId, target, podRoleArn, 'removing');
}

async function recordPodRole(
  payerAccountId: string,
  target: Target,
  podRoleArn: string,
  state: PayerTarget['state'],
): Promise<void> {
  await updateItem(payerTargetKey(payerAccountId, target), [
    { at: 'targetId', to: targetId(target) },
    { at: 'state', to: state },
    { at: 'podRoleArns', include: new Set([podRoleArn]) },
  ]);
}

/** Deletes the item of a target that was marked `removing`; one that is in use again stays. */
export async function deletePayerTarget(payerAccountId: string, target: Target): Promise<void> {
  await deleteItem(payerTargetKey(payerAccountId, target), equals('state', 'removing'));
}
