import {
  CostAndUsageReportServiceClient,
  DeleteReportDefinitionCommand,
  DescribeReportDefinitionsCommand,
  PutReportDefinitionCommand,
} from '@aws-sdk/client-cost-and-usage-report-service';
import * as z from 'zod';
import type { ClientConfig } from '../aws/clients.ts';
import { ownerTags, toTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { Permission } from '../step/contract.ts';
import type { ReportPlace } from './report-location.ts';
import { creationRefusal } from './report-refusal.ts';

const definitions = 'arn:${AWS::Partition}:cur:us-east-1:${AWS::AccountId}:definition/*';

export const reportPermissions = {
  /** The API has no read by name, so the permission cannot name a resource. */
  list: { actions: ['cur:DescribeReportDefinitions'], resources: ['*'] },
  /** The definition is created with its tags, which needs `cur:TagResource`. */
  create: { actions: ['cur:PutReportDefinition', 'cur:TagResource'], resources: [definitions] },
  delete: { actions: ['cur:DeleteReportDefinition'], resources: [definitions] },
} as const satisfies Record<string, Permission>;

/** A report as the API describes it. The newest SDK client (2023) has no types for `ReportStatus` and tags, but passes both through. */
export interface Report extends ReportPlace {
  region: string;
  timeUnit: string;
  format: string;
  compression: string;
  schemaElements: string[];
  artifacts: string[];
  versioning: string;
  /** Set if the report shows a billing view of AWS Billing Conductor or of a transfer instead of the account's own bill. */
  billingView?: string;
  /** `20261123T101112Z`; absent before the first delivery. */
  lastDelivery?: string;
  /** `SUCCESS` or `ERROR_…`; absent before the first delivery. */
  lastStatus?: string;
}

/** The tutorial's choices; Athena allows only this format with this versioning. */
const reportSettings = {
  TimeUnit: 'DAILY',
  Format: 'Parquet',
  Compression: 'Parquet',
  AdditionalSchemaElements: ['RESOURCES'],
  AdditionalArtifacts: ['ATHENA'],
  RefreshClosedReports: true,
  ReportVersioning: 'OVERWRITE_REPORT',
};

/** The old client ignores AWS_ENDPOINT_URL, and its config has the types of its time. */
export class CurClient extends CostAndUsageReportServiceClient {
  constructor(config: ClientConfig) {
    const endpoint = process.env.AWS_ENDPOINT_URL_COST_AND_USAGE_REPORT_SERVICE ?? process.env.AWS_ENDPOINT_URL;
    super({ ...config, ...(endpoint && { endpoint }) });
  }
}

/** CUR has an endpoint in us-east-1 only; the SDK does not redirect. */
function curClient(payer: TargetAccount): CurClient {
  return payer.client(CurClient, 'us-east-1');
}

export function reportArn(accountId: string, reportName: string): string {
  return `arn:aws:cur:us-east-1:${accountId}:definition/${reportName}`;
}

/** Every report of the account; a page of the API holds five. */
export async function listReports(payer: TargetAccount): Promise<Report[]> {
  const client = curClient(payer);
  const reports: Report[] = [];
  let token: string | undefined;
  do {
    const page = await client.send(new DescribeReportDefinitionsCommand(token ? { NextToken: token } : {}));
    reports.push(...(page.ReportDefinitions ?? []).map(toReport));
    token = page.NextToken;
  } while (token);
  return reports;
}

/** The API leaves out what a report does not have. */
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const list = z
  .array(z.string())
  .nullish()
  .transform((value) => value ?? []);
const ReportDefinition = z.object({
  ReportName: text,
  S3Bucket: text,
  S3Prefix: text,
  S3Region: text,
  TimeUnit: text,
  Format: text,
  Compression: text,
  AdditionalSchemaElements: list,
  AdditionalArtifacts: list,
  ReportVersioning: text,
  BillingViewArn: text,
  ReportStatus: z.object({ lastDelivery: text, lastStatus: text }).nullish(),
});

function toReport(answer: object): Report {
  const definition = ReportDefinition.parse(answer);
  const { lastDelivery, lastStatus } = definition.ReportStatus ?? {};
  return {
    reportName: definition.ReportName,
    bucket: definition.S3Bucket,
    prefix: definition.S3Prefix,
    region: definition.S3Region,
    timeUnit: definition.TimeUnit,
    format: definition.Format,
    compression: definition.Compression,
    schemaElements: definition.AdditionalSchemaElements,
    artifacts: definition.AdditionalArtifacts,
    versioning: definition.ReportVersioning,
    ...(isOtherView(definition.BillingViewArn) && { billingView: definition.BillingViewArn }),
    ...(lastDelivery && { lastDelivery }),
    ...(lastStatus && { lastStatus }),
  };
}

/** `arn:aws:billing::111122223333:billingview/primary` is the account's own bill; every other view has pro forma or partial costs. */
function isOtherView(arn: string): boolean {
  return arn !== '' && !arn.endsWith(':billingview/primary');
}

/**
 * `exists` and `bucket-not-seen` as in `creationRefusal`.
 * @throws UserError report-limit-reached | report-not-allowed | report-arguments-rejected
 */
export async function createReport(
  payer: TargetAccount,
  place: ReportPlace & { region: string },
  owner: Owner,
): Promise<'created' | 'exists' | 'bucket-not-seen'> {
  try {
    await putReport(payer, place, owner);
    return 'created';
  } catch (error) {
    const refusal = creationRefusal(error) ?? error;
    if (refusal === 'exists' || refusal === 'bucket-not-seen') return refusal;
    throw refusal;
  }
}

async function putReport(
  payer: TargetAccount,
  { reportName, bucket, prefix, region }: ReportPlace & { region: string },
  owner: Owner,
): Promise<void> {
  const input = {
    ReportDefinition: {
      ...reportSettings,
      ReportName: reportName,
      S3Bucket: bucket,
      S3Prefix: prefix,
      S3Region: region,
    },
    Tags: toTagList(ownerTags(owner)),
  };
  await curClient(payer).send(new PutReportDefinitionCommand(input));
}

/** Deletes the definition; the data that AWS delivered stays. */
export async function deleteReport(payer: TargetAccount, reportName: string): Promise<void> {
  const command = new DeleteReportDefinitionCommand({ ReportName: reportName });
  await absentIf(['ValidationException'], () => curClient(payer).send(command));
}

/** `20261123T101112Z` or with an offset, not ISO: `new Date` cannot read it. @returns milliseconds since the epoch */
export function deliveryTime(lastDelivery: string): number {
  const iso = lastDelivery.replace(
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(Z|[+-]\d\d)(\d\d)?$/,
    (_, y, m, d, H, M, S, zone: string, minutes?: string) =>
      `${y}-${m}-${d}T${H}:${M}:${S}${zone}${minutes === undefined ? '' : `:${minutes}`}`,
  );
  return Date.parse(iso);
}

/** True if the report delivers to this place. */
export function deliversTo(report: Report, { bucket, prefix, region }: ReportPlace & { region: string }): boolean {
  return report.bucket === bucket && report.prefix === prefix && report.region === region;
}

/** Why Kubecost cannot use the report; empty if it can. The settings of a report cannot be changed later. */
export function settingProblems(report: Report): string[] {
  const { artifacts, schemaElements, format, compression, versioning, timeUnit, billingView } = report;
  return [
    ...(billingView ? [`it shows billing view ${billingView}, not the bill of the account`] : []),
    ...(artifacts.length === 1 && artifacts[0] === 'ATHENA' ? [] : ['it is not made for Athena']),
    ...(format === 'Parquet' && compression === 'Parquet' ? [] : [`its format is ${format}, not Parquet`]),
    ...(schemaElements.includes('RESOURCES') ? [] : ['it has no resource ids']),
    ...(versioning === 'OVERWRITE_REPORT' ? [] : ['it keeps every version, so costs would count twice']),
    ...(['DAILY', 'HOURLY'].includes(timeUnit) ? [] : [`its time unit is ${timeUnit}`]),
  ];
}
