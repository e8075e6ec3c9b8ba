import {
  CostAndUsageReportServiceClient,
  DeleteReportDefinitionCommand,
  DescribeReportDefinitionsCommand,
  PutReportDefinitionCommand,
  type PutReportDefinitionCommandInput,
} from '@aws-sdk/client-cost-and-usage-report-service';
import type { ClientConfig } from '../aws/clients.ts';
import { ownerTags, toTagList } from '../aws/tags.ts';
import type { TargetAccount } from '../aws/target-account.ts';
import { absentIf } from '../errors/errors.ts';
import type { Owner } from '../model/ownership.ts';
import type { ReportPlace } from './report-location.ts';

/** The API as it is today: the newest SDK client served (2023) knows neither `ReportStatus` nor tags, and passes both through. */
export interface Report extends ReportPlace {
  region: string;
  timeUnit: string;
  format: string;
  compression: string;
  schemaElements: string[];
  artifacts: string[];
  versioning: string;
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

/** That old client ignores AWS_ENDPOINT_URL, and its config names the types of its own time. */
class CurClient extends CostAndUsageReportServiceClient {
  constructor(config: ClientConfig) {
    const endpoint = process.env.AWS_ENDPOINT_URL_COST_AND_USAGE_REPORT_SERVICE ?? process.env.AWS_ENDPOINT_URL;
    super({ ...config, ...(endpoint && { endpoint }) });
  }
}

/** CUR answers in us-east-1 only; the SDK does not redirect. */
function curClient(payer: TargetAccount): CurClient {
  return payer.client(CurClient, 'us-east-1');
}

export function reportArn(accountId: string, reportName: string): string {
  return `arn:aws:cur:us-east-1:${accountId}:definition/${reportName}`;
}

/** Every report of the account. The API has no read by name, and its pages hold five. */
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

function toReport(definition: object): Report {
  const text: Record<string, string | undefined> = { ...definition };
  const { AdditionalSchemaElements, AdditionalArtifacts, ReportStatus } = definition as {
    AdditionalSchemaElements?: string[];
    AdditionalArtifacts?: string[];
    ReportStatus?: { lastDelivery?: string; lastStatus?: string };
  };
  return {
    reportName: text.ReportName ?? '',
    bucket: text.S3Bucket ?? '',
    prefix: text.S3Prefix ?? '',
    region: text.S3Region ?? '',
    timeUnit: text.TimeUnit ?? '',
    format: text.Format ?? '',
    compression: text.Compression ?? '',
    schemaElements: AdditionalSchemaElements ?? [],
    artifacts: AdditionalArtifacts ?? [],
    versioning: text.ReportVersioning ?? '',
    ...(ReportStatus?.lastDelivery && { lastDelivery: ReportStatus.lastDelivery }),
    ...(ReportStatus?.lastStatus && { lastStatus: ReportStatus.lastStatus }),
  };
}

export async function putReport(
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
  await curClient(payer).send(new PutReportDefinitionCommand(input as PutReportDefinitionCommandInput));
}

/** What AWS has delivered stays. A report that is gone already is no error. */
export async function deleteReport(payer: TargetAccount, reportName: string): Promise<void> {
  const gone = new DeleteReportDefinitionCommand({ ReportName: reportName });
  await absentIf(['ValidationException'], () => curClient(payer).send(gone));
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

/** Why Kubecost could not use the report's settings; empty if it can. They cannot be changed after the fact. */
export function settingProblems(report: Report): string[] {
  const { artifacts, schemaElements, format, compression, versioning, timeUnit } = report;
  return [
    ...(artifacts.length === 1 && artifacts[0] === 'ATHENA' ? [] : ['it is not made for Athena']),
    ...(format === 'Parquet' && compression === 'Parquet' ? [] : [`its format is ${format}, not Parquet`]),
    ...(schemaElements.includes('RESOURCES') ? [] : ['it has no resource ids']),
    ...(versioning === 'OVERWRITE_REPORT' ? [] : ['it keeps every version, so rows would count twice']),
    ...(['DAILY', 'HOURLY'].includes(timeUnit) ? [] : [`its time unit is ${timeUnit}`]),
  ];
}
