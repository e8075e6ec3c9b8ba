import { DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { targetId } from './aws/names.ts';
import { readDeployment } from './deployment.ts';
import type { IntegrationEntry } from './cloud-integration.ts';
import { RetryableError } from './errors.ts';
import type { OnboardingRequest } from './request.ts';
import type { Target } from './run.ts';
import { documentClient, holds } from './table.ts';

const tableName = () => readDeployment().tableName;
const targetKey = (target: Target) => `target#${targetId(target)}`;

/** What the first run for a target fixes; later requests must agree. */
export interface TargetSettings {
  identityMode: OnboardingRequest['identity']['mode'];
  serviceAccount: string;
}

/**
 * One payer at one target. `granted`: its payer role belongs in the pod's policy; `proven`: its entry belongs in the file;
 * `removing`: both are to go. Nothing else removes anything: an empty or restored table revokes nobody.
 */
export interface TargetPayer {
  payerAccountId: string;
  state: 'granted' | 'proven' | 'removing';
  payerRoleArn: string;
  /** As the file is to hold it; absent while only granted. */
  entry?: IntegrationEntry;
  /** The key under which we last wrote it: what stands there is ours. */
  publishedKey?: string;
  /** Whether its run may replace a hand-made entry. */
  takeOver?: boolean;
}

/** One pod role that a payer's role has to trust. */
export interface PayerTarget {
  targetId: string;
  podRoleArn: string;
  state: 'active' | 'removing';
}

export async function readTargetSettings(target: Target): Promise<TargetSettings | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: { pk: targetKey(target), sk: 'settings' }, ConsistentRead: true }),
  );
  return Item as TargetSettings | undefined;
}

/** Fixes the settings if nobody has yet. */
export async function fixTargetSettings(target: Target, settings: TargetSettings): Promise<void> {
  await holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        Item: { pk: targetKey(target), sk: 'settings', ...settings },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
}

export async function listTargetPayers(target: Target): Promise<TargetPayer[]> {
  return (await queryAll(targetKey(target), 'payer#')) as unknown as TargetPayer[];
}

/** Records that the payer's role belongs in the pod's policy, also if it was to be removed; never takes `proven` back. */
export async function markGranted(target: Target, payerAccountId: string, payerRoleArn: string): Promise<void> {
  const write = (granted: boolean) =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: { pk: targetKey(target), sk: `payer#${payerAccountId}` },
        UpdateExpression: `SET payerAccountId = :payer, payerRoleArn = :role${granted ? ', #state = :granted' : ''}`,
        ConditionExpression: granted ? 'attribute_not_exists(#state) OR #state <> :proven' : '#state = :proven',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: {
          ':payer': payerAccountId,
          ':role': payerRoleArn,
          ':proven': 'proven',
          ...(granted && { ':granted': 'granted' }),
        },
      }),
    );
  if (!(await holds(() => write(true)))) await write(false);
}

export async function markProven(target: Target, entry: IntegrationEntry): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: { pk: targetKey(target), sk: `payer#${entry.payerAccountId}` },
      UpdateExpression: 'SET payerAccountId = :payer, payerRoleArn = :role, #state = :proven, entry = :entry',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: {
        ':payer': entry.payerAccountId,
        ':role': entry.payerRoleArn,
        ':proven': 'proven',
        ':entry': entry,
      },
    }),
  );
}

export async function listPayerTargets(payerAccountId: string): Promise<PayerTarget[]> {
  return (await queryAll(`payer#${payerAccountId}`, 'target#')) as unknown as PayerTarget[];
}

export async function addPayerTarget(payerAccountId: string, target: Target, podRoleArn: string): Promise<void> {
  const item: PayerTarget = { targetId: targetId(target), podRoleArn, state: 'active' };
  await documentClient().send(
    new PutCommand({ TableName: tableName(), Item: { pk: `payer#${payerAccountId}`, sk: targetKey(target), ...item } }),
  );
}

/** A cluster-admin window that is open: written before the right is taken, deleted after it is proven gone. */
export interface AdminWindow {
  clusterAccountId: string;
  region: string;
  clusterName: string;
  principalArn: string;
  runId: string;
  openedAt: number;
}

const windowKey = (clusterArn: string) => ({ pk: 'windows', sk: clusterArn });

/** @throws RetryableError while another run's window is open: its mark must not be lost */
export async function markWindowOpen(clusterArn: string, window: AdminWindow): Promise<void> {
  const marked = await holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...windowKey(clusterArn), ...window },
        ConditionExpression: 'attribute_not_exists(pk) OR runId = :own',
        ExpressionAttributeValues: { ':own': window.runId },
      }),
    ),
  );
  if (!marked) throw new RetryableError('aws-unavailable', `another run is administrator of ${clusterArn}`);
}

/** Only this run's own mark: another run may have opened the window again by now. */
export async function markWindowShut(clusterArn: string, runId: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: windowKey(clusterArn),
        ConditionExpression: 'runId = :own',
        ExpressionAttributeValues: { ':own': runId },
      }),
    ),
  );
}

export async function readWindow(clusterArn: string): Promise<AdminWindow | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: windowKey(clusterArn), ConsistentRead: true }),
  );
  return Item as AdminWindow | undefined;
}

export async function listOpenWindows(): Promise<(AdminWindow & { clusterArn: string })[]> {
  const items = await queryAll('windows', 'arn:');
  return items.map((item) => ({ ...(item as unknown as AdminWindow), clusterArn: String(item.sk) }));
}

async function queryAll(pk: string, skPrefix: string): Promise<Record<string, unknown>[]> {
  const items: Record<string, unknown>[] = [];
  let start: Record<string, unknown> | undefined;
  do {
    const page = await documentClient().send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :sk)',
        ExpressionAttributeValues: { ':pk': pk, ':sk': skPrefix },
        ConsistentRead: true,
        ExclusiveStartKey: start,
      }),
    );
    items.push(...(page.Items ?? []));
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}
