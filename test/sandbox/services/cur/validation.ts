import { AwsError } from '../../service.ts';
import type { ReportDefinition } from './service.ts';

const regions =
  'af-south-1 ap-east-1 ap-south-1 ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-northeast-1 ap-northeast-2 ap-northeast-3 ca-central-1 eu-central-1 eu-central-2 eu-west-1 eu-west-2 eu-west-3 eu-north-1 eu-south-1 eu-south-2 me-central-1 me-south-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2 cn-north-1 cn-northwest-1'.split(
    ' ',
  );

const enums: Partial<Record<keyof ReportDefinition, readonly string[]>> = {
  TimeUnit: ['HOURLY', 'DAILY', 'MONTHLY'],
  Format: ['textORcsv', 'Parquet'],
  Compression: ['ZIP', 'GZIP', 'Parquet'],
  S3Region: regions,
  AdditionalSchemaElements: ['RESOURCES', 'SPLIT_COST_ALLOCATION_DATA', 'MANUAL_DISCOUNT_COMPATIBILITY'],
  AdditionalArtifacts: ['REDSHIFT', 'QUICKSIGHT', 'ATHENA'],
  ReportVersioning: ['CREATE_NEW_REPORT', 'OVERWRITE_REPORT'],
};

const patterns: Partial<Record<keyof ReportDefinition, RegExp>> = {
  ReportName: /^[0-9A-Za-z!\-_.*'()]{1,256}$/,
  S3Bucket: /^[A-Za-z0-9_.-]{1,256}$/,
  S3Prefix: /^[0-9A-Za-z!\-_.*'()/]{0,256}$/,
};

const required = [
  'ReportName',
  'TimeUnit',
  'Format',
  'Compression',
  'AdditionalSchemaElements',
  'S3Bucket',
  'S3Prefix',
  'S3Region',
] as const;

export function checkedDefinition(wanted: Partial<ReportDefinition> = {}): ReportDefinition {
  for (const field of required) if (wanted[field] === undefined) throw constraint(field, 'Member must not be null');
  for (const [field, pattern] of Object.entries(patterns)) {
    const value = String(wanted[field as keyof ReportDefinition]);
    if (!pattern.test(value))
      throw constraint(field, `Member must satisfy regular expression pattern: ${pattern.source}`);
  }
  for (const [field, allowed] of Object.entries(enums)) {
    const value = wanted[field as keyof ReportDefinition] as string | string[] | undefined;
    if ([value ?? []].flat().some((member) => !allowed.includes(member)))
      throw constraint(field, `Member must satisfy enum value set: [${allowed.join(', ')}]`);
  }
  const definition = { AdditionalArtifacts: [], ReportVersioning: 'CREATE_NEW_REPORT', ...wanted } as ReportDefinition;
  // AWS refuses an invalid combination with an empty message.
  if (!isValidCombination(definition)) throw new AwsError('ValidationException', '');
  return definition;
}

function isValidCombination(definition: ReportDefinition): boolean {
  const { AdditionalArtifacts: artifacts, Format, Compression, ReportVersioning, S3Prefix } = definition;
  if ((Format === 'Parquet') !== (Compression === 'Parquet')) return false;
  if (artifacts.includes('ATHENA'))
    return artifacts.length === 1 && Format === 'Parquet' && ReportVersioning === 'OVERWRITE_REPORT' && S3Prefix !== '';
  return artifacts.length === 0 || Format !== 'Parquet';
}

function constraint(field: string, rule: string): AwsError {
  const member = field.charAt(0).toLowerCase() + field.slice(1);
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value at 'reportDefinition.${member}' failed to satisfy constraint: ${rule}`,
  );
}
