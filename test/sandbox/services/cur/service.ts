import { AwsError, type CallContext, type Operation, operation, type Service } from '../../service.ts';
import type { World } from '../../world.ts';
import { latestRuntime } from './crawler-template.ts';
import { checkCreation, verifyBucket } from './creation.ts';
import { deliver, deliverAtOnce, type DeliveryLayout, type File } from './delivery.ts';
import type { Bill } from './report-data.ts';
import { checkedDefinition } from './validation.ts';

/** The newest API; the SDK's CUR client of 2023 has no `ReportStatus` and no tags, and passes them through. */
export interface ReportDefinition {
  ReportName: string;
  TimeUnit: string;
  Format: string;
  Compression: string;
  AdditionalSchemaElements: string[];
  S3Bucket: string;
  S3Prefix: string;
  S3Region: string;
  AdditionalArtifacts: string[];
  ReportVersioning: string;
  RefreshClosedReports?: boolean;
  BillingViewArn?: string;
}

export interface ReportStatus {
  /** `20261123T101112Z` */
  lastDelivery?: string;
  lastStatus?: 'SUCCESS' | 'ERROR_PERMISSIONS' | 'ERROR_NO_BUCKET' | undefined;
}

interface Tag {
  Key: string;
  Value: string;
}

export interface Report {
  accountId: string;
  definition: ReportDefinition;
  tags: Tag[];
  status: ReportStatus;
  /** Start of the first month the report covers. */
  dataSince: number;
  deliveredUntil?: number;
  /** The template that AWS delivers with the report. */
  templateRuntime: string;
  editTemplate: (template: string) => string;
  stopDeliveries: () => void;
}

interface SeedReport {
  accountId: string;
  definition: Pick<ReportDefinition, 'ReportName' | 'S3Bucket' | 'S3Prefix' | 'S3Region'> & Partial<ReportDefinition>;
  /** Months from this instant on are in the bucket already; absent for a report that waits for its first delivery. */
  deliveredSince?: number;
  tags?: Record<string, string>;
  templateRuntime?: string;
}

const DAY = 86_400_000;

export class CurState {
  readonly reports = new Map<string, Report>();
  /** Virtual hours until the first delivery, if not 7.5. */
  readonly firstDeliveryHours = new Map<string, number>();
  /** Runtime of the Lambda functions in the template, per account: old reports keep old templates. */
  readonly templateRuntimes = new Map<string, string>();
  /** How AWS refuses a new report of an account that may not have one, such as a new customer. */
  readonly refusals = new Map<string, { code: string; message: string }>();
  /** True: a refused bucket permission comes without a text. */
  refusesWithoutText = false;
  /** True: AWS sends the name of the report in its source ARN instead of a literal `*`. */
  sendsReportName = false;
  /** AWS's user guide says 10, its API reference 5. */
  reportLimit = 10;
  /** What AWS changed in the template of an account's reports. */
  readonly templateEdits = new Map<string, (template: string) => string>();
  /** Per account, what AWS delivers instead of the usual objects. */
  readonly deliveryEdits = new Map<string, (files: File[]) => File[]>();
  /** Per account, what its deliveries have elsewhere than usual. */
  readonly layouts = new Map<string, Partial<DeliveryLayout>>();
  readonly bills = new Map<string, Bill>();
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  find(accountId: string, name: string): Report | undefined {
    return this.reports.get(`${accountId}/${name}`);
  }

  ofAccount(accountId: string): Report[] {
    return [...this.reports.values()].filter((report) => report.accountId === accountId);
  }

  add(accountId: string, definition: ReportDefinition, tags: Tag[] = []): Report {
    const report: Report = {
      accountId,
      definition,
      tags,
      status: {},
      dataSince: this.#world.clock.now(),
      templateRuntime: this.templateRuntimes.get(accountId) ?? latestRuntime,
      editTemplate: this.templateEdits.get(accountId) ?? ((template) => template),
      stopDeliveries: () => undefined,
    };
    this.reports.set(`${accountId}/${definition.ReportName}`, report);
    this.#deliverIn(report, (this.firstDeliveryHours.get(accountId) ?? 7.5) * 3_600_000);
    return report;
  }

  remove(report: Report): void {
    report.stopDeliveries();
    this.reports.delete(`${report.accountId}/${report.definition.ReportName}`);
  }

  /** Makes a delivered report look as if AWS had stopped this many days ago. */
  stopDelivering(report: Report, daysAgo: number): void {
    const at = this.#world.clock.now() - daysAgo * DAY;
    const { S3Bucket, S3Prefix, ReportName } = report.definition;
    report.stopDeliveries();
    report.status = { ...report.status, lastDelivery: compactTime(at) };
    for (const object of this.#world.s3.buckets.get(S3Bucket)?.objects.values() ?? [])
      if (object.key.startsWith(`${S3Prefix}/${ReportName}/`)) object.lastModified = at;
  }

  /** A report that exists from the start, with its bucket and bucket policy. @default as in the tutorial */
  seedReport({ accountId, definition, deliveredSince, tags = {}, templateRuntime }: SeedReport): Report {
    const { s3 } = this.#world;
    if (!s3.buckets.has(definition.S3Bucket)) {
      s3.createBucket(accountId, definition.S3Region, definition.S3Bucket);
      s3.setPolicy(definition.S3Bucket, billingPolicy(accountId, definition.S3Bucket));
    }
    const tutorial = {
      TimeUnit: 'DAILY',
      Format: 'Parquet',
      Compression: 'Parquet',
      AdditionalSchemaElements: ['RESOURCES'],
      AdditionalArtifacts: ['ATHENA'],
      ReportVersioning: 'OVERWRITE_REPORT',
      RefreshClosedReports: true,
    };
    const tagList = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    const report = this.add(accountId, checkedDefinition({ ...tutorial, ...definition }), tagList);
    if (templateRuntime) report.templateRuntime = templateRuntime;
    s3.put(definition.S3Bucket, 'aws-programmatic-access-test-object', '');
    if (deliveredSince === undefined) return report;
    report.dataSince = deliveredSince;
    deliverAtOnce(this.#world, report);
    this.#deliverIn(report, DAY);
    return report;
  }

  #deliverIn(report: Report, ms: number): void {
    report.stopDeliveries();
    report.stopDeliveries = this.#world.clock.after(ms, () => {
      deliver(this.#world, report);
      this.#deliverIn(report, DAY);
    });
  }
}

function billingPolicy(accountId: string, bucket: string): string {
  const statement = (Action: string[], Resource: string) => ({
    Effect: 'Allow',
    Principal: { Service: 'billingreports.amazonaws.com' },
    Action,
    Resource,
    Condition: {
      StringEquals: {
        'aws:SourceArn': `arn:aws:cur:us-east-1:${accountId}:definition/*`,
        'aws:SourceAccount': accountId,
      },
    },
  });
  const Statement = [
    statement(['s3:GetBucketAcl', 's3:GetBucketPolicy'], `arn:aws:s3:::${bucket}`),
    statement(['s3:PutObject'], `arn:aws:s3:::${bucket}/*`),
  ];
  return JSON.stringify({ Version: '2012-10-17', Statement });
}

interface ByName {
  ReportName?: string;
}

interface PutReport {
  ReportDefinition?: Partial<ReportDefinition>;
  Tags?: Tag[];
}

/** CUR exists only in us-east-1; its host names of other regions do not resolve, so a call gets no answer. */
function inUsEast1<Input>(
  access: 'read' | 'write',
  actions: (input: Input) => { action: string; report?: string | undefined }[],
  run: (input: Input, cx: CallContext) => object,
): Operation {
  return operation<Input, object>({
    writes: access === 'write',
    permissions: (input, { caller }) =>
      actions(input).map(({ action, report }) => ({
        action,
        resources: [report === undefined ? '*' : `arn:aws:cur:us-east-1:${caller.accountId}:definition/${report}`],
      })),
    run(input, cx) {
      if (cx.region !== 'us-east-1')
        throw new AwsError('UnknownEndpoint', `getaddrinfo ENOTFOUND cur.${cx.region}.amazonaws.com`, 404);
      return run(input, cx);
    },
  });
}

function existing(
  { ReportName: name = '' }: ByName,
  { world, caller }: CallContext,
  code = 'ValidationException',
): Report {
  const report = world.cur.find(caller.accountId, name);
  if (!report) throw new AwsError(code, `Report ${name} does not exist`);
  return report;
}

/** `20261123T101112Z` */
function compactTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
}

export const curService: Service = {
  signingName: 'cur',
  operations: {
    PutReportDefinition: inUsEast1<PutReport>(
      'write',
      ({ ReportDefinition: wanted, Tags = [] }) => [
        { action: 'cur:PutReportDefinition', report: wanted?.ReportName ?? '' },
        ...(Tags.length > 0 ? [{ action: 'cur:TagResource', report: wanted?.ReportName ?? '' }] : []),
      ],
      ({ ReportDefinition: wanted, Tags }, { world, caller }) => {
        world.cur.add(caller.accountId, checkCreation(world, caller.accountId, wanted), Tags);
        return {};
      },
    ),

    DescribeReportDefinitions: inUsEast1<{ MaxResults?: number; NextToken?: string }>(
      'read',
      () => [{ action: 'cur:DescribeReportDefinitions' }],
      ({ MaxResults = 5, NextToken = '0' }, { world, caller }) => {
        if (MaxResults !== 5 || !/^\d+$/.test(NextToken))
          throw new AwsError(
            'ValidationException',
            "1 validation error detected: Value at 'maxResults' failed to satisfy constraint: Member must have value between 5 and 5",
          );
        const all = world.cur.ofAccount(caller.accountId);
        const end = Number(NextToken) + MaxResults;
        return {
          ReportDefinitions: all
            .slice(Number(NextToken), end)
            .map(({ definition, status }) => ({ ...definition, ReportStatus: status })),
          ...(end < all.length && { NextToken: String(end) }),
        };
      },
    ),

    ModifyReportDefinition: inUsEast1<ByName & PutReport>(
      'write',
      ({ ReportName }) => [{ action: 'cur:ModifyReportDefinition', report: ReportName ?? '' }],
      (input, cx) => {
        const report = existing(input, cx);
        const definition = checkedDefinition(input.ReportDefinition);
        if (definition.ReportName !== report.definition.ReportName) throw new AwsError('ValidationException', '');
        verifyBucket(cx.world, cx.caller.accountId, definition);
        report.definition = definition;
        return {};
      },
    ),

    DeleteReportDefinition: inUsEast1<ByName>(
      'write',
      ({ ReportName }) => [{ action: 'cur:DeleteReportDefinition', report: ReportName ?? '' }],
      (input, cx) => {
        cx.world.cur.remove(existing(input, cx));
        return { ResponseMessage: 'Report deleted' };
      },
    ),

    TagResource: inUsEast1<ByName & { Tags?: Tag[] }>(
      'write',
      ({ ReportName }) => [{ action: 'cur:TagResource', report: ReportName ?? '' }],
      (input, cx) => {
        const report = existing(input, cx, 'ResourceNotFoundException');
        const added = input.Tags ?? [];
        report.tags = [...report.tags.filter(({ Key }) => !added.some((tag) => tag.Key === Key)), ...added];
        return {};
      },
    ),

    UntagResource: inUsEast1<ByName & { TagKeys?: string[] }>(
      'write',
      ({ ReportName }) => [{ action: 'cur:UntagResource', report: ReportName ?? '' }],
      (input, cx) => {
        const report = existing(input, cx, 'ResourceNotFoundException');
        report.tags = report.tags.filter(({ Key }) => !input.TagKeys?.includes(Key));
        return {};
      },
    ),

    ListTagsForResource: inUsEast1<ByName>(
      'read',
      ({ ReportName }) => [{ action: 'cur:ListTagsForResource', report: ReportName ?? '' }],
      (input, cx) => ({ Tags: existing(input, cx, 'ResourceNotFoundException').tags }),
    ),
  },
};
