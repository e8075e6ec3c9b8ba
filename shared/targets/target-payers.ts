import { DeleteCommand, GetCommand, PutCommand, QueryCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { payerRoleName } from '../aws/names.ts';
import { roleArnOf } from '../aws/role.ts';
import { RetryableError } from '../errors/errors.ts';
import type { IntegrationEntry } from '../integration-file/merge.ts';
import type { OnboardingRequest } from '../model/onboarding-request.ts';
import type { Target } from '../model/target.ts';
import { targetId } from '../model/target.ts';
import { readDeployment } from '../platform/settings.ts';
import { documentClient, holds } from '../table/document-table.ts';

const tableName = () => readDeployment().tableName;
const targetKey = (target: Target) => `target#${targetId(target)}`;
const clusterKey = ({ clusterArn }: Pick<Target, 'clusterArn'>) => `cluster#${clusterArn}`;
const payerKey = (target: Target, payerAccountId: string) => ({ pk: targetKey(target), sk: `payer#${payerAccountId}` });

/** What the first run for a target fixes; later requests must agree. The service account follows the live workload. */
export interface TargetSettings {
  identityMode: OnboardingRequest['identity']['mode'];
  serviceAccount: string;
  /** As first asked for: `auto` keeps whatever the file has. */
  format: OnboardingRequest['kubecost']['format'];
}

/**
 * One payer at one target. `granted`: its payer role belongs in the pod's policy; `proven`: its entry belongs in the file;
 * `removing`: both are to go. Nothing else removes anything: an empty or restored table revokes nobody.
 */
export interface TargetPayer {
  payerAccountId: string;
  state: 'granted' | 'proven' | 'removing';
  payerRoleArn: string;
  /** The pod role that the payer role trusts for this target; absent where only the entry is known. */
  podRoleArn?: string;
  /** As the file is to hold it; absent while only granted. */
  entry?: IntegrationEntry;
  /** The key under which we last wrote it: what stands there is ours. */
  publishedKey?: string;
  /** Whether its run may replace a hand-made entry. */
  takeOver?: boolean;
  /** While removing: its entry is proven gone, so that nothing of it needs the pod's role any more. */
  unloaded?: boolean;
}

/** True as long as pods may use what the target's payers share on this payer's behalf. */
export function needsTarget({ state, unloaded }: TargetPayer): boolean {
  return !(state === 'removing' && unloaded);
}

/** What a payer's role has to trust for one target. */
export interface PayerTarget {
  targetId: string;
  /** More than one where the service account has moved: pods of the former one may still run. */
  podRoleArns: string[];
  state: 'active' | 'removing';
}

export async function readTargetSettings(target: Target): Promise<TargetSettings | undefined> {
  const { Item } = await documentClient().send(
    new GetCommand({ TableName: tableName(), Key: { pk: targetKey(target), sk: 'settings' }, ConsistentRead: true }),
  );
  return Item as TargetSettings | undefined;
}

/** Fixes the settings if nobody has yet, and answers those that hold. The cluster's list of targets comes first: it must miss none. */
export async function fixTargetSettings(target: Target, settings: TargetSettings): Promise<TargetSettings> {
  const fixed = await readTargetSettings(target);
  if (fixed) return fixed;
  await documentClient().send(
    new PutCommand({ TableName: tableName(), Item: { pk: clusterKey(target), sk: targetKey(target), ...target } }),
  );
  const first = await holds(() =>
    documentClient().send(
      new PutCommand({
        TableName: tableName(),
        Item: { pk: targetKey(target), sk: 'settings', ...settings },
        ConditionExpression: 'attribute_not_exists(pk)',
      }),
    ),
  );
  return first ? settings : ((await readTargetSettings(target)) ?? settings);
}

/**
 * Follows a workload whose service account is another one now.
 * @throws RetryableError if another run has moved it from there meanwhile
 */
export async function moveServiceAccount(target: Target, from: string, to: string): Promise<void> {
  const moved = await holds(() =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: { pk: targetKey(target), sk: 'settings' },
        UpdateExpression: 'SET serviceAccount = :to',
        ConditionExpression: 'serviceAccount IN (:from, :to)',
        ExpressionAttributeValues: { ':from': from, ':to': to },
      }),
    ),
  );
  if (!moved)
    throw new RetryableError('aws-unavailable', `another run has changed the settings of ${targetId(target)}`);
}

/** Forgets the target, for whose next run everything is open again. The settings go last: they tell that there is something to forget. */
export async function deleteTargetSettings(target: Target): Promise<void> {
  for (const Key of [
    { pk: clusterKey(target), sk: targetKey(target) },
    { pk: targetKey(target), sk: 'settings' },
  ])
    await documentClient().send(new DeleteCommand({ TableName: tableName(), Key }));
}

/** The cluster's other targets, without those whose settings a release before 0.3 has fixed. */
export async function listOtherTargets(target: Target): Promise<Target[]> {
  const items = (await queryAll(clusterKey(target), 'target#')) as unknown as Target[];
  return items
    .filter((other) => targetId(other) !== targetId(target))
    .map(({ clusterArn, namespace, secretName }) => ({ clusterArn, namespace, secretName }));
}

export async function listTargetPayers(target: Target): Promise<TargetPayer[]> {
  return (await queryAll(targetKey(target), 'payer#')) as unknown as TargetPayer[];
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

/** Records that the payer's role belongs in the pod's policy, also if it was to be removed; never takes `proven` back. */
export async function markGranted(
  target: Target,
  payerAccountId: string,
  { payerRoleArn, podRoleArn }: Required<Pick<TargetPayer, 'payerRoleArn' | 'podRoleArn'>>,
): Promise<void> {
  const write = (granted: boolean) =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: payerKey(target, payerAccountId),
        UpdateExpression: `SET payerAccountId = :payer, payerRoleArn = :role, podRoleArn = :podRole${granted ? ', #state = :granted' : ''} REMOVE unloaded`,
        ConditionExpression: granted ? 'attribute_not_exists(#state) OR #state <> :proven' : '#state = :proven',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: {
          ':payer': payerAccountId,
          ':role': payerRoleArn,
          ':podRole': podRoleArn,
          ':proven': 'proven',
          ...(granted && { ':granted': 'granted' }),
        },
      }),
    );
  if (!(await holds(() => write(true)))) await write(false);
}

/**
 * Records that the payer's entry belongs in the file, also if it was to be removed. The key it stands under stays: what is there is
 * ours to replace.
 */
export async function markProven(
  target: Target,
  entry: IntegrationEntry,
  { takeOver }: { takeOver: boolean },
): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: payerKey(target, entry.payerAccountId),
      UpdateExpression:
        'SET payerAccountId = :payer, payerRoleArn = :role, #state = :proven, entry = :entry, takeOver = :takeOver REMOVE unloaded',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: {
        ':payer': entry.payerAccountId,
        ':role': entry.payerRoleArn,
        ':proven': 'proven',
        ':entry': entry,
        ':takeOver': takeOver,
      },
    }),
  );
}

/** Records the key under which the entry now stands; nothing where the payer is no longer known: a lost item must not come back as a half one. */
export async function markPublished(target: Target, payerAccountId: string, key: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: payerKey(target, payerAccountId),
        UpdateExpression: 'SET publishedKey = :key',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: { ':key': key },
      }),
    ),
  );
}

/**
 * Records that role and entry are to go, also where a table that was emptied no longer knows the payer.
 * @param publishedKey of the entry, where the caller knows it; else the item's own counts
 */
export async function markRemoving(target: Target, payerAccountId: string, publishedKey?: string): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: payerKey(target, payerAccountId),
      UpdateExpression: `SET payerAccountId = :payer, payerRoleArn = if_not_exists(payerRoleArn, :role), #state = :removing${publishedKey === undefined ? '' : ', publishedKey = :key'}`,
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: {
        ':payer': payerAccountId,
        ':role': roleArnOf(payerAccountId, payerRoleName),
        ':removing': 'removing',
        ':key': publishedKey,
      },
    }),
  );
}

/** Records that no pod reads the entry of a payer any more that is to go. */
export async function markUnloaded(target: Target, payerAccountId: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new UpdateCommand({
        TableName: tableName(),
        Key: payerKey(target, payerAccountId),
        UpdateExpression: 'SET unloaded = :true',
        ConditionExpression: '#state = :removing',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':true': true, ':removing': 'removing' },
      }),
    ),
  );
}

/** Forgets a payer that was to go; one that a run has brought back meanwhile stays. */
export async function deleteTargetPayer(target: Target, payerAccountId: string): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: payerKey(target, payerAccountId),
        ConditionExpression: '#state = :removing',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':removing': 'removing' },
      }),
    ),
  );
}

export async function listPayerTargets(payerAccountId: string): Promise<PayerTarget[]> {
  const items = await queryAll(`payer#${payerAccountId}`, 'target#');
  return items.map((item) => {
    const { targetId: id, state, podRoleArns = [] } = item as unknown as PayerTargetItem;
    return { targetId: id, state, podRoleArns: [...podRoleArns].sort() };
  });
}

type PayerTargetItem = Omit<PayerTarget, 'podRoleArns'> & { podRoleArns?: Set<string> };

const payerTargetKey = (payerAccountId: string, target: Target) => ({
  pk: `payer#${payerAccountId}`,
  sk: targetKey(target),
});

/** Records that the target needs what the payer's targets share, before its pod role is known. */
export async function claimPayer(payerAccountId: string, target: Target): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: payerTargetKey(payerAccountId, target),
      UpdateExpression: 'SET targetId = :target, #state = :active',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: { ':target': targetId(target), ':active': 'active' },
    }),
  );
}

/** Records that the payer's role is to let the target's pods in no more, also where an emptied table no longer knows the target. */
export async function markPayerTargetRemoving(
  payerAccountId: string,
  target: Target,
  podRoleArn: string,
): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: payerTargetKey(payerAccountId, target),
      UpdateExpression: 'SET targetId = :target, #state = :removing ADD podRoleArns :roles',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: {
        ':target': targetId(target),
        ':removing': 'removing',
        ':roles': new Set([podRoleArn]),
      },
    }),
  );
}

/** Forgets a target that was marked `removing`; nothing where it is in use again. */
export async function deletePayerTarget(payerAccountId: string, target: Target): Promise<void> {
  await holds(() =>
    documentClient().send(
      new DeleteCommand({
        TableName: tableName(),
        Key: payerTargetKey(payerAccountId, target),
        ConditionExpression: '#state = :removing',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: { ':removing': 'removing' },
      }),
    ),
  );
}

/** Names of reports that were purged: AWS warns against a new overwrite report under one of them (CUR User Guide, "Edit"). */
export async function listPurgedReports(payerAccountId: string): Promise<string[]> {
  const items = await queryAll(`payer#${payerAccountId}`, 'purged-report#');
  return items.map(({ sk }) => String(sk).replace('purged-report#', ''));
}

export async function markReportPurged(payerAccountId: string, reportName: string): Promise<void> {
  await documentClient().send(
    new PutCommand({
      TableName: tableName(),
      Item: { pk: `payer#${payerAccountId}`, sk: `purged-report#${reportName}` },
    }),
  );
}

/** Adds to what earlier runs registered for the target. */
export async function addPayerTarget(payerAccountId: string, target: Target, podRoleArn: string): Promise<void> {
  await documentClient().send(
    new UpdateCommand({
      TableName: tableName(),
      Key: payerTargetKey(payerAccountId, target),
      UpdateExpression: 'SET targetId = :target, #state = :active ADD podRoleArns :roles',
      ExpressionAttributeNames: { '#state': 'state' },
      ExpressionAttributeValues: {
        ':target': targetId(target),
        ':active': 'active',
        ':roles': new Set([podRoleArn]),
      },
    }),
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
