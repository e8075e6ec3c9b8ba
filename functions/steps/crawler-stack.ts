import { CloudFormationClient, CreateStackCommand, DeleteStackCommand } from '@aws-sdk/client-cloudformation';
import { GetCrawlerCommand, GlueClient } from '@aws-sdk/client-glue';
import { GetAccountSettingsCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import * as z from 'zod';
import {
  isEmpty,
  lostAmong,
  type Notifications,
  othersAmong,
  overlapping,
  putNotifications,
  readNotifications,
  SavedNotifications,
} from '../../shared/aws/bucket-notifications.ts';
import { crawlerStackName } from '../../shared/aws/names.ts';
import { describeStack, isMoving, rootCause, type Stack, stackResources } from '../../shared/aws/stack.ts';
import { ownership, ownerTags, toTagList } from '../../shared/aws/tags.ts';
import { crawlerStackPermissions } from '../../shared/billing/crawler-permissions.ts';
import { inspectCrawlerTemplate, type Inspection, isRetiredRuntime } from '../../shared/billing/crawler-template.ts';
import { nativeCrawlerTemplate } from '../../shared/billing/own-crawler-template.ts';
import { crawlerDatabase, crawlerName, dataPath } from '../../shared/billing/report-location.ts';
import { databaseNames, type ReportTable, tablesOfReport } from '../../shared/billing/report-table.ts';
import { absentIf, isAwsError } from '../../shared/errors/errors.ts';
import { knownAfter } from '../../shared/model/known-after.ts';
import type { OnboardingRequest } from '../../shared/model/onboarding-request.ts';
import { outputOf } from '../../shared/model/run.ts';
import type { Outputs } from '../../shared/model/step-outputs.ts';
import {
  defineStep,
  type Plan,
  type Situation,
  type StepChange,
  type StepContext,
} from '../../shared/step/contract.ts';
import { waitFor } from '../../shared/step/plans.ts';
import { stepHandler } from '../../shared/step-runner/handler.ts';

type Output = Outputs['crawler-stack'];
type Kind = 'template' | 'native';

interface Input {
  accountId: string;
  report: Outputs['cur-report'];
  templateKey: string;
  mode: OnboardingRequest['crawler'];
  kmsKeyArn: string | null;
  stackName: string;
}

interface Observation {
  stack?: { found: Stack; resources: Record<string, string>; failure: string | undefined };
  /** Tables that hold the report already, whoever made them; the crawler AWS's template would have made. */
  tables: ReportTable[];
  crawler: string | null;
  /** AWS's template, unless it is not needed. */
  template?: { body: string; inspection: Inspection } | undefined;
  /** How many more executions could be reserved in this account and region. */
  reservable: number;
  notifications: Notifications;
}

type Change = StepChange &
  (
    | { action: 'create-stack'; kind: Kind; body: string }
    | { action: 'delete-stack-remnant' }
    | { action: 'restore-notifications'; present: Notifications; lost: Notifications }
  );

const Notes = z.object({
  /** True: a failed stack is this attempt's own. */
  creating: z.boolean().optional(),
  deleting: z.boolean().optional(),
  /** Why AWS's template was given up. */
  native: z.string().optional(),
  /** The bucket's other notifications: AWS's template, and the deletion of its stack, erase every one. */
  saved: SavedNotifications.optional(),
});
type Notes = z.infer<typeof Notes>;

type StackPlan = Plan<Change, Output, Notes>;
type StackSituation = Situation<'onboarding', Notes>;

const createMinutes = 30;

export const crawlerStack = defineStep<'crawler-stack', Input, Observation, Change, Notes>({
  name: 'crawler-stack',
  summary: 'Deploys the crawler that makes the report a table: AWS’s template once inspected, or our own stack',
  permissions: crawlerStackPermissions,
  lease: 'payer',
  notes: Notes,
  keeps: ['native', 'saved'],

  input({ run }) {
    const report = outputOf(run, 'cur-report');
    return {
      accountId: run.request.payerAccountId,
      report,
      templateKey: outputOf(run, 'first-delivery').templateKey,
      mode: run.request.crawler,
      kmsKeyArn: outputOf(run, 'cur-bucket').kmsKeyArn,
      stackName: crawlerStackName(report.reportName),
    };
  },

  async observe(cx, input) {
    const client = cx.payer.client(CloudFormationClient, input.report.region);
    const nothing = { tables: [], crawler: null, reservable: 0, notifications: {} };
    const found = await describeStack(client, input.stackName);
    if (!found) return { ...nothing, ...(await observeWithoutStack(cx, input)) };
    if (isMoving(found)) return { ...nothing, stack: { found, resources: {}, failure: undefined } };
    const complete = isComplete(found);
    const [resources, failure, notifications] = await Promise.all([
      complete ? stackResources(client, input.stackName) : {},
      complete ? undefined : rootCause(client, found),
      complete && !cx.notes.saved ? {} : readNotifications(cx.payer, input.report),
    ]);
    return { ...nothing, stack: { found, resources, failure }, notifications };
  },

  plan(input, seen, situation): StackPlan {
    if (seen.stack) return planWithStack(input, seen, seen.stack, situation);
    if (seen.tables.length > 0) return planAdopted(seen);
    return planCreation(input, seen, situation);
  },

  async apply(cx, change, { input: { report, stackName } }) {
    const client = cx.payer.client(CloudFormationClient, report.region);
    switch (change.action) {
      case 'restore-notifications':
        await putNotifications(cx.payer, report, change.present, change.lost);
        break;
      case 'delete-stack-remnant':
        await client.send(new DeleteStackCommand({ StackName: stackName }));
        break;
      case 'create-stack':
        await createStack(cx, client, stackName, change);
    }
    return 'changed';
  },
});

async function observeWithoutStack(
  cx: StepContext<'onboarding', Notes>,
  { report, templateKey, mode }: Input,
): Promise<Partial<Observation>> {
  const glue = cx.payer.client(GlueClient, report.region);
  const expected = crawlerDatabase(report.reportName);
  const tables = await tablesOfReport(glue, expected, report);
  if (tables.length === 0 && report.adopted)
    for (const database of await databaseNames(glue))
      if (database !== expected) tables.push(...(await tablesOfReport(glue, database, report)));
  if (tables.length > 0) {
    const name = crawlerName(report.reportName);
    const answer = await absentIf(['EntityNotFoundException'], () => glue.send(new GetCrawlerCommand({ Name: name })));
    return { tables, crawler: answer?.Crawler ? name : null };
  }
  if (mode === 'native' || cx.notes.native) return {};
  const [body, reservable, notifications] = await Promise.all([
    readTemplate(cx, report, templateKey),
    readReservable(cx, report.region),
    readNotifications(cx.payer, report),
  ]);
  return {
    reservable,
    notifications,
    template: body === undefined ? undefined : { body, inspection: inspectCrawlerTemplate(body, report) },
  };
}

async function readTemplate(
  cx: StepContext,
  { bucket, region }: Input['report'],
  key: string,
): Promise<string | undefined> {
  const named = { Bucket: bucket, ExpectedBucketOwner: cx.payer.accountId, Key: key };
  const answer = await absentIf(['NoSuchKey', 'NoSuchBucket'], () =>
    cx.payer.client(S3Client, region).send(new GetObjectCommand(named)),
  );
  return answer?.Body?.transformToString();
}

/** Lambda keeps 100 executions unreserved; 10 were seen in accounts whose whole limit is below that. */
async function readReservable(cx: StepContext, region: string): Promise<number> {
  const { AccountLimit: limit } = await cx.payer.client(LambdaClient, region).send(new GetAccountSettingsCommand({}));
  const floor = (limit?.ConcurrentExecutions ?? 0) < 100 ? 10 : 100;
  return (limit?.UnreservedConcurrentExecutions ?? 0) - floor;
}

/** AWS's template takes some three minutes, our own stack one; looking often pays only towards the end. */
function secondsUntilLook({ createdAt }: Stack, kind: Output['kind'], now: number): number {
  const age = (now - (createdAt ?? now)) / 1000;
  return Math.max(15, Math.ceil((kind === 'native' ? 60 : 150) - age));
}

function planWithStack(
  { report, mode, stackName }: Input,
  { notifications }: Observation,
  { found, resources, failure = '' }: NonNullable<Observation['stack']>,
  situation: StackSituation,
): StackPlan {
  const { id: resource, tags } = found;
  const { notes } = situation;
  const owned = ownership(tags, situation.owner);
  if (owned === 'other-deployment')
    return { kind: 'refuse', code: 'owned-by-another-deployment', detail: `stack ${stackName}` };
  if (owned === 'foreign') return { kind: 'refuse', code: 'crawler-stack-not-ours', detail: `stack ${stackName}` };

  const output: Output = {
    kind: tags.crawler === 'native' ? 'native' : 'template',
    stackId: found.id,
    crawlerName: resources.AWSCURCrawler ?? crawlerName(report.reportName),
    athenaDatabase: resources.AWSCURDatabase ?? crawlerDatabase(report.reportName),
  };
  if (isMoving(found))
    return waitFor(
      {
        reason: `CloudFormation to finish stack ${stackName}`,
        seconds: secondsUntilLook(found, output.kind, situation.now),
        deadlineSeconds: (createMinutes + 30) * 60,
        expectedSeconds: 180,
        overdue: 'crawler-stack-failed',
      },
      output,
    );
  const lost = notes.saved ? lostAmong(notes.saved, notifications) : {};
  if (!isEmpty(lost)) {
    const restore: Change = {
      action: 'restore-notifications',
      resource: `arn:aws:s3:::${report.bucket}`,
      present: notifications,
      lost,
    };
    return { kind: 'change', changes: [restore], expected: output };
  }
  if (isComplete(found)) return { kind: 'ready', output };

  const unusable = /runtime parameter of \S+ is no longer supported|decreases account's Unreserved/.test(failure);
  const fallBack = notes.creating && unusable && mode === 'auto';
  if ((notes.creating && !fallBack) || (notes.deleting && found.status === 'DELETE_FAILED'))
    return {
      kind: 'refuse',
      code: failure.includes('Lake Formation') ? 'lake-formation-locked' : 'crawler-stack-failed',
      detail: `stack ${stackName}: ${failure}`,
    };
  return {
    kind: 'change',
    changes: [{ action: 'delete-stack-remnant', resource }],
    expected: output,
    notes: {
      creating: false,
      deleting: true,
      ...(fallBack && { native: failure }),
      ...snapshot(notifications, notes),
    },
  };
}

function planAdopted({ tables, crawler }: Observation): StackPlan {
  const [table, ...others] = tables;
  if (!table || others.length > 0)
    return {
      kind: 'refuse',
      code: 'table-ambiguous',
      detail: tables.map(({ database, name }) => `${database}.${name}`).join(', '),
    };
  return {
    kind: 'ready',
    output: { kind: 'adopted-table', stackId: null, crawlerName: crawler, athenaDatabase: table.database },
  };
}

function planCreation(input: Input, seen: Observation, situation: StackSituation): StackPlan {
  const { report, mode, stackName, accountId } = input;
  const { notes } = situation;
  const resource = `arn:aws:cloudformation:${report.region}:${accountId}:stack/${stackName}`;
  const inspection = seen.template?.inspection;
  if (inspection?.trusted === false)
    return {
      kind: 'refuse',
      code: 'crawler-template-not-trusted',
      detail: `s3://${report.bucket}/${input.templateKey}: ${inspection.reason}`,
    };
  const obstacle = mode === 'native' ? 'as requested' : (notes.native ?? obstacleTo(seen, report));
  const databaseOf = (kind: Kind) => {
    if (kind === 'native') return crawlerDatabase(report.reportName);
    return inspection ? inspection.database : knownAfter('crawler-stack');
  };
  const expected = (kind: Kind): Output => ({
    kind,
    stackId: knownAfter('crawler-stack'),
    crawlerName: crawlerName(report.reportName),
    athenaDatabase: databaseOf(kind),
  });
  if (obstacle === undefined || (situation.run.request.dryRun && !seen.template && mode !== 'native')) {
    const create: Change = { action: 'create-stack', resource, kind: 'template', body: seen.template?.body ?? '' };
    const quotas = [
      {
        quota: 'Lambda executions that the payer account can reserve',
        used: 0,
        adds: inspection ? inspection.reservedConcurrency : reservedByTemplate,
        limit: Math.max(0, seen.reservable),
      },
    ];
    return {
      kind: 'change',
      changes: [create],
      expected: expected('template'),
      notes: { creating: true, ...snapshot(seen.notifications, notes) },
      quotas,
    };
  }
  if (mode === 'template') return { kind: 'refuse', code: 'crawler-template-unusable', detail: obstacle };
  const body = nativeCrawlerTemplate({ ...report, accountId, kmsKeyArn: input.kmsKeyArn });
  const create: Change = {
    action: 'create-stack',
    resource,
    note: `without Lambda: ${obstacle}`,
    kind: 'native',
    body,
  };
  return { kind: 'change', changes: [create], expected: expected('native'), notes: { creating: true } };
}

/** AWS's template reserves one execution for each of its two functions. */
const reservedByTemplate = 2;

/** Why AWS's template cannot be deployed here, if so. */
function obstacleTo({ template, reservable, notifications }: Observation, report: Input['report']): string | undefined {
  if (!template?.inspection.trusted) return 'the template is not there';
  const { runtimes, reservedConcurrency } = template.inspection;
  const retired = runtimes.find(isRetiredRuntime);
  if (retired) return `Lambda creates no functions on ${retired} any more`;
  if (reservedConcurrency > reservable)
    return `it reserves ${reservedConcurrency} Lambda executions and the account can spare ${Math.max(0, reservable)}`;
  const blocked = overlapping(othersAmong(notifications), dataPath(report));
  if (blocked.length > 0) return `the bucket’s notification ${blocked.join(', ')} could not be put back beside its own`;
  return undefined;
}

/** The notifications to save before they are erased, unless that is done or there are none. */
function snapshot(notifications: Notifications, notes: Notes): Notes {
  const saved = othersAmong(notifications);
  return notes.saved || isEmpty(saved) ? {} : { saved };
}

async function createStack(
  cx: StepContext,
  client: CloudFormationClient,
  StackName: string,
  { kind, body }: Extract<Change, { action: 'create-stack' }>,
): Promise<void> {
  try {
    await client.send(
      new CreateStackCommand({
        StackName,
        TemplateBody: body,
        Capabilities: ['CAPABILITY_IAM'],
        TimeoutInMinutes: createMinutes,
        ClientRequestToken: `${cx.run.runId}-${cx.run.attempt}-${kind}`,
        Tags: toTagList({ ...ownerTags(cx.owner), crawler: kind }),
      }),
    );
  } catch (error) {
    if (!isAwsError(error, 'AlreadyExistsException')) throw error;
  }
}

function isComplete({ status }: Stack): boolean {
  return ['CREATE_COMPLETE', 'UPDATE_COMPLETE', 'UPDATE_ROLLBACK_COMPLETE', 'IMPORT_COMPLETE'].includes(status);
}

export const handler = stepHandler(crawlerStack);
