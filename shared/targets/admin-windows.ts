import * as z from 'zod';
import { RetryableError } from '../errors/errors.ts';
import { deleteItem, listItems, putItem, readItem } from '../table/document-table.ts';
import { absent, anyOf, equals } from '../table/expressions.ts';

/** The mark of an open administrator's window: written before we become administrator, deleted once that is proven over. */
export interface AdminWindow {
  clusterAccountId: string;
  region: string;
  clusterName: string;
  principalArn: string;
  runId: string;
  /** Milliseconds since the epoch. */
  openedAt: number;
}

export const AdminWindowItem = z.looseObject({
  /** ARN of the cluster. */
  sk: z.string(),
  clusterAccountId: z.string(),
  region: z.string(),
  clusterName: z.string(),
  principalArn: z.string(),
  runId: z.string(),
  openedAt: z.number(),
}) satisfies z.ZodType<AdminWindow>;

const partition = 'windows';
const windowKey = (clusterArn: string) => ({ pk: partition, sk: clusterArn });

/** @throws RetryableError while another run's window is open: its mark must not be lost */
export async function markWindowOpen(clusterArn: string, window: AdminWindow): Promise<void> {
  const isMarked = await putItem(windowKey(clusterArn), window, anyOf(absent('pk'), equals('runId', window.runId)));
  if (!isMarked) throw new RetryableError('aws-unavailable', `another run is administrator of ${clusterArn}`);
}

/** Only this run's own mark: another run may have opened the window again by now. */
export async function deleteWindowMark(clusterArn: string, runId: string): Promise<void> {
  await deleteItem(windowKey(clusterArn), equals('runId', runId));
}

export function readWindow(clusterArn: string): Promise<AdminWindow | undefined> {
  return readItem(windowKey(clusterArn), AdminWindowItem);
}

export async function listOpenWindows(): Promise<(AdminWindow & { clusterArn: string })[]> {
  const query = { partition: { key: 'pk', value: partition }, sort: { key: 'sk', beginsWith: 'arn:' } };
  const windows = await listItems(query, AdminWindowItem);
  return windows.map((window) => ({ ...window, clusterArn: window.sk }));
}
