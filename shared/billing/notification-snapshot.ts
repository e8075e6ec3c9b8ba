import { AccountBucket } from '../aws/bucket.ts';
import {
  isEmpty,
  lostAmong,
  type Notifications,
  othersAmong,
  putNotifications,
  readNotifications,
} from '../aws/bucket-notifications.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import type { StepChange } from '../step/contract.ts';
import { bucketArn } from './managed-bucket.ts';

/**
 * AWS's template replaces all notifications of the CUR bucket, and the deletion of its stack erases them. So a step saves the other
 * rules in its notes before such a write, and restores what is lost after it.
 */
export type RestoreNotifications = StepChange & {
  action: 'restore-notifications';
  present: Notifications;
  lost: Notifications;
};

/** The note that saves the bucket's other rules; empty if there are none, or if they are saved already. */
export function snapshot(present: Notifications, saved: Notifications | undefined): { saved?: Notifications } {
  const others = othersAmong(present);
  return saved || isEmpty(others) ? {} : { saved: others };
}

/** Undefined if no saved rule is lost. */
export function restoration(
  bucket: string,
  present: Notifications,
  saved: Notifications | undefined,
): RestoreNotifications | undefined {
  const lost = saved ? lostAmong(saved, present) : {};
  if (isEmpty(lost)) return undefined;
  return { action: 'restore-notifications', resource: bucketArn(bucket), present, lost };
}

export function restoreNotifications(
  payer: TargetAccount,
  place: { bucket: string; region: string },
  { present, lost }: RestoreNotifications,
): Promise<void> {
  return putNotifications(payer, place, present, lost);
}

/** A bucket that does not exist any more cannot get its notifications back. */
export async function readPresentNotifications(
  payer: TargetAccount,
  place: { bucket: string; region: string },
  saved: Notifications = {},
): Promise<Notifications> {
  const location = await new AccountBucket(payer, place.bucket).locate();
  return location === undefined || location === 'taken' ? saved : readNotifications(payer, place);
}
