import {
  GetBucketNotificationConfigurationCommand,
  type LambdaFunctionConfiguration,
  type NotificationConfiguration,
  PutBucketNotificationConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import * as z from 'zod';
import { absentIf } from '../errors/errors.ts';
import type { TargetAccount } from './target-account.ts';

/** The notification rules of a bucket. */
export type Notifications = Pick<
  NotificationConfiguration,
  'EventBridgeConfiguration' | 'LambdaFunctionConfigurations' | 'QueueConfigurations' | 'TopicConfigurations'
>;

interface Place {
  bucket: string;
  region: string;
}

const lists = ['LambdaFunctionConfigurations', 'QueueConfigurations', 'TopicConfigurations'] as const;

/** For a step's notes: in S3's own format, which is checked at the top level only. */
export const SavedNotifications = z.custom<Notifications>(
  (saved) =>
    z
      .looseObject(Object.fromEntries(lists.map((list) => [list, z.array(z.looseObject({})).optional()])))
      .safeParse(saved).success,
);

export async function readNotifications(payer: TargetAccount, { bucket, region }: Place): Promise<Notifications> {
  const answer = await absentIf(['NoSuchBucket'], () =>
    payer
      .client(S3Client, region)
      .send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket, ExpectedBucketOwner: payer.accountId })),
  );
  const { EventBridgeConfiguration: eventBridge } = answer ?? {};
  return {
    ...(eventBridge && { EventBridgeConfiguration: eventBridge }),
    ...Object.fromEntries(lists.flatMap((list) => (answer?.[list]?.length ? [[list, answer[list]]] : []))),
  };
}

/** Without the rules of our own stack. Its functions have no names in the template, so CloudFormation names them after the stack. */
export function othersAmong(all: Notifications): Notifications {
  const { LambdaFunctionConfigurations: lambdas = [], ...rest } = all;
  const others = lambdas.filter(({ LambdaFunctionArn: arn }) => !arn?.includes(':function:kubecost-crawler-'));
  return { ...rest, ...(others.length > 0 && { LambdaFunctionConfigurations: others }) };
}

export function isEmpty(notifications: Notifications): boolean {
  return Object.keys(notifications).length === 0;
}

/** The saved rules that are missing now. */
export function lostAmong(saved: Notifications, now: Notifications): Notifications {
  return {
    ...(saved.EventBridgeConfiguration && !now.EventBridgeConfiguration && { EventBridgeConfiguration: {} }),
    ...Object.fromEntries(
      lists.flatMap((list) => {
        const present = new Set((now[list] ?? []).map(({ Id }) => Id));
        const rules: Rule[] = saved[list] ?? [];
        const lost = rules.filter(({ Id }) => !present.has(Id));
        return lost.length > 0 ? [[list, lost]] : [];
      }),
    ),
  };
}

/** Ids of rules that S3 would refuse beside the rule of AWS's template: same event, overlapping prefixes. */
export function overlapping(others: Notifications, dataPath: string): string[] {
  return rulesOf(others)
    .filter(({ Events = [], Filter }) => {
      const prefix = Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === 'prefix')?.Value ?? '';
      const creation = Events.some((event) => event.startsWith('s3:ObjectCreated:'));
      return creation && (prefix.startsWith(dataPath) || dataPath.startsWith(prefix));
    })
    .map(({ Id = '' }) => Id);
}

type Rule = Pick<LambdaFunctionConfiguration, 'Id' | 'Events' | 'Filter'>;

function rulesOf(notifications: Notifications): Rule[] {
  return lists.flatMap((list): Rule[] => notifications[list] ?? []);
}

/** Does not validate the destinations: S3 has accepted them before, and their owner is responsible for them. */
export async function putNotifications(
  payer: TargetAccount,
  { bucket, region }: Place,
  now: Notifications,
  added: Notifications,
): Promise<void> {
  const eventBridge = now.EventBridgeConfiguration ?? added.EventBridgeConfiguration;
  await payer.client(S3Client, region).send(
    new PutBucketNotificationConfigurationCommand({
      Bucket: bucket,
      ExpectedBucketOwner: payer.accountId,
      SkipDestinationValidation: true,
      NotificationConfiguration: {
        LambdaFunctionConfigurations: joined(now.LambdaFunctionConfigurations, added.LambdaFunctionConfigurations),
        QueueConfigurations: joined(now.QueueConfigurations, added.QueueConfigurations),
        TopicConfigurations: joined(now.TopicConfigurations, added.TopicConfigurations),
        ...(eventBridge && { EventBridgeConfiguration: eventBridge }),
      },
    }),
  );
}

function joined<Item>(present: readonly Item[] = [], added: readonly Item[] = []): Item[] | undefined {
  const all = [...present, ...added];
  return all.length > 0 ? all : undefined;
}
