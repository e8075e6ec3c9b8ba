import * as z from 'zod';
import { payerRoleName } from '../aws/names.ts';
import { roleArnOf } from '../aws/role.ts';
import { entryKey, type IntegrationEntry } from '../integration-file/entry.ts';
import type { Target } from '../model/target.ts';
import { deleteItem, readItem, readItems, updateItem } from '../table/document-table.ts';
import { differs, equals, exists, type Write } from '../table/expressions.ts';
import { targetKey } from './target-keys.ts';
import { listOtherTargets, readTargetSettings } from './target-settings.ts';

/**
 * One payer at one target. `granted`: its payer role belongs in the pod's policy; `proven`: its entry belongs in the file; `removing`:
 * both have to be removed. Nothing else removes them, so an empty or restored table takes no access away.
 */
export interface TargetPayer {
  payerAccountId: string;
  state: 'granted' | 'proven' | 'removing';
  payerRoleArn: string;
  /** The pod role that the payer role trusts for this target; absent where only the entry is known. */
  podRoleArn?: string;
  /** As the file should have it; absent while only granted. */
  entry?: IntegrationEntry;
  /** The key under which we last wrote it: the entry under it is ours. */
  publishedKey?: string;
  /** Whether its run may replace a hand-made entry. */
  takeOver?: boolean;
  /** While removing: true if its entry is proven to be removed, so that the payer no longer needs the pod's role. */
  unloaded?: boolean;
}

const entryItem = z.looseObject({
  payerAccountId: z.string(),
  athenaResultsLocation: z.string(),
  athenaRegion: z.string(),
  athenaDatabase: z.string(),
  athenaTable: z.string(),
  athenaWorkgroup: z.string(),
  payerRoleArn: z.string(),
}) satisfies z.ZodType<IntegrationEntry>;

export const TargetPayerItem = z.looseObject({
  payerAccountId: z.string(),
  state: z.enum(['granted', 'proven', 'removing']),
  payerRoleArn: z.string(),
  podRoleArn: z.string().exactOptional(),
  entry: entryItem.exactOptional(),
  publishedKey: z.string().exactOptional(),
  takeOver: z.boolean().exactOptional(),
  unloaded: z.boolean().exactOptional(),
}) satisfies z.ZodType<TargetPayer>;

const payerKey = (target: Target, payerAccountId: string) => ({ pk: targetKey(target), sk: `payer#${payerAccountId}` });

/** True as long as the payer may need the resources that the target's payers share. */
export function needsTarget({ state, unloaded }: TargetPayer): boolean {
  return !(state === 'removing' && unloaded);
}

/** @throws TerminalError record-unreadable: if one were missing, the access of the others would be wrong */
export function listTargetPayers(target: Target): Promise<TargetPayer[]> {
  const query = { partition: { key: 'pk', value: targetKey(target) }, sort: { key: 'sk', beginsWith: 'payer#' } };
  return readItems(query, TargetPayerItem);
}

export function readTargetPayer(target: Target, payerAccountId: string): Promise<TargetPayer | undefined> {
  return readItem(payerKey(target, payerAccountId), TargetPayerItem);
}

/**
 * Payers whose pods run as the service account: the target's own, and those of the namespace's other secrets. They share the pod's role
 * and its policies.
 */
export async function listServiceAccountPayers(
  target: Target,
  serviceAccount: string,
): Promise<(TargetPayer & { target: Target })[]> {
  const payersOf = async (one: Target) => (await listTargetPayers(one)).map((payer) => ({ ...payer, target: one }));
  const neighbours = (await listOtherTargets(target)).filter(({ namespace }) => namespace === target.namespace);
  const sharing = await Promise.all(
    neighbours.map(async (one) => ((await readTargetSettings(one))?.serviceAccount === serviceAccount ? [one] : [])),
  );
  return (await Promise.all([target, ...sharing.flat()].map(payersOf))).flat();
}

/**
 * Records that the payer's role belongs in the pod's policy, also after an offboarding has marked it `removing`; never replaces `proven`.
 */
export async function markGranted(
  target: Target,
  payerAccountId: string,
  { payerRoleArn, podRoleArn }: Required<Pick<TargetPayer, 'payerRoleArn' | 'podRoleArn'>>,
): Promise<void> {
  const key = payerKey(target, payerAccountId);
  const writes: Write[] = [
    { at: 'payerAccountId', to: payerAccountId },
    { at: 'payerRoleArn', to: payerRoleArn },
    { at: 'podRoleArn', to: podRoleArn },
    { at: 'unloaded', to: undefined },
  ];
  const isGranted = await updateItem(key, [...writes, { at: 'state', to: 'granted' }], differs('state', 'proven'));
  if (!isGranted) await updateItem(key, writes, equals('state', 'proven'));
}

/**
 * Records that the payer's entry belongs in the file, also after an offboarding has marked it `removing`. The key of the entry that we
 * wrote stays.
 */
export async function markProven(
  target: Target,
  entry: IntegrationEntry,
  { takeOver }: { takeOver: boolean },
): Promise<void> {
  await updateItem(payerKey(target, entry.payerAccountId), [
    { at: 'payerAccountId', to: entry.payerAccountId },
    { at: 'payerRoleArn', to: entry.payerRoleArn },
    { at: 'state', to: 'proven' },
    { at: 'entry', to: entry },
    { at: 'takeOver', to: takeOver },
    { at: 'unloaded', to: undefined },
  ]);
}

/** True if the item records this entry as published. */
export function isPublished(item: TargetPayer | undefined, entry: IntegrationEntry): boolean {
  const stored: Record<string, unknown> = { ...item?.entry };
  const isSame = Object.entries(entry).every(([field, value]) => stored[field] === value);
  return item?.state === 'proven' && item.publishedKey === entryKey(entry) && isSame;
}

/** Records the key of the entry in the file; does not recreate a deleted item. */
export async function markPublished(target: Target, payerAccountId: string, key: string): Promise<void> {
  await updateItem(payerKey(target, payerAccountId), [{ at: 'publishedKey', to: key }], exists('pk'));
}

/**
 * Records that role and entry have to be removed, also if the payer's item is missing because the table was emptied.
 * @param publishedKey of the entry, if the caller has it; otherwise the item keeps its own
 */
export async function markRemoving(target: Target, payerAccountId: string, publishedKey?: string): Promise<void> {
  await updateItem(payerKey(target, payerAccountId), [
    { at: 'payerAccountId', to: payerAccountId },
    { at: 'payerRoleArn', ifAbsent: roleArnOf(payerAccountId, payerRoleName) },
    { at: 'state', to: 'removing' },
    ...(publishedKey === undefined ? [] : [{ at: 'publishedKey', to: publishedKey }]),
  ]);
}

/** Records that no pod reads the entry of a departing payer any more. */
export async function markUnloaded(target: Target, payerAccountId: string): Promise<void> {
  await updateItem(payerKey(target, payerAccountId), [{ at: 'unloaded', to: true }], equals('state', 'removing'));
}

/** Deletes the item of a departing payer; an item that another run has granted again meanwhile stays. */
export async function deleteTargetPayer(target: Target, payerAccountId: string): Promise<void> {
  await deleteItem(payerKey(target, payerAccountId), equals('state', 'removing'));
}
