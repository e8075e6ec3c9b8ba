import * as z from 'zod';
import { RetryableError } from '../errors/errors.ts';
import type { OnboardingRequest } from '../model/run-requests.ts';
import { type Target, targetId } from '../model/target.ts';
import { deleteItem, putItem, readItem, readItems, updateItem } from '../table/document-table.ts';
import { absent, isOneOf } from '../table/expressions.ts';
import { targetKey } from './target-keys.ts';

/** What the first run for a target fixes; later requests must agree. The service account follows the live workload. */
export interface TargetSettings {
  identityMode: OnboardingRequest['identity']['mode'];
  serviceAccount: string;
  /** As the first request had it; `auto` keeps the format of the file. */
  format: OnboardingRequest['kubecost']['format'];
}

export const TargetSettingsItem = z.looseObject({
  identityMode: z.enum(['irsa', 'pod-identity']),
  serviceAccount: z.string(),
  format: z.enum(['auto', 'legacy', 'configurations']),
}) satisfies z.ZodType<TargetSettings>;

/** A target in its cluster's list. */
export const ClusterTargetItem = z.looseObject({
  clusterArn: z.string(),
  namespace: z.string(),
  secretName: z.string(),
}) satisfies z.ZodType<Target>;

const settingsKey = (target: Target) => ({ pk: targetKey(target), sk: 'settings' });
const clusterPartition = ({ clusterArn }: Target) => `cluster#${clusterArn}`;
const clusterTargetKey = (target: Target) => ({ pk: clusterPartition(target), sk: targetKey(target) });

export function readTargetSettings(target: Target): Promise<TargetSettings | undefined> {
  return readItem(settingsKey(target), TargetSettingsItem);
}

/**
 * Fixes the settings if no run has yet, and returns the valid ones. The cluster's list of targets is written first, so that it misses no
 * target that has settings.
 */
export async function fixTargetSettings(target: Target, settings: TargetSettings): Promise<TargetSettings> {
  const fixed = await readTargetSettings(target);
  if (fixed) return fixed;
  await putItem(clusterTargetKey(target), target);
  const isFirst = await putItem(settingsKey(target), settings, absent('pk'));
  return isFirst ? settings : ((await readTargetSettings(target)) ?? settings);
}

/**
 * Follows a workload whose service account has changed.
 * @throws RetryableError if another run has changed the recorded service account meanwhile
 */
export async function moveServiceAccount(target: Target, from: string, to: string): Promise<void> {
  const isMoved = await updateItem(
    settingsKey(target),
    [{ at: 'serviceAccount', to }],
    isOneOf('serviceAccount', [from, to]),
  );
  if (!isMoved)
    throw new RetryableError('aws-unavailable', `another run has changed the settings of ${targetId(target)}`);
}

/** Deletes the target's own items. The settings are deleted last, because they show that there is something to delete. */
export async function deleteTargetSettings(target: Target): Promise<void> {
  await deleteItem(clusterTargetKey(target));
  await deleteItem(settingsKey(target));
}

/** The cluster's other targets. */
export async function listOtherTargets(target: Target): Promise<Target[]> {
  const query = {
    partition: { key: 'pk', value: clusterPartition(target) },
    sort: { key: 'sk', beginsWith: 'target#' },
  };
  const targets = await readItems(query, ClusterTargetItem);
  return targets
    .filter((other) => targetId(other) !== targetId(target))
    .map(({ clusterArn, namespace, secretName }) => ({ clusterArn, namespace, secretName }));
}
