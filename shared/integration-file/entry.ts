import { outputOf, type RunRecord } from '../model/run.ts';
import type { JsonObject } from '../text/json-text-editing.ts';
import { type Draft, draftOf, newDocument, type Plain, writeDraft } from '../text/json-text-layout.ts';
import { fold, type Integration, type IntegrationFormat } from './parser.ts';
import { legacyLists } from './schema.ts';

/** The entry of one payer. */
export interface IntegrationEntry {
  payerAccountId: string;
  /** `s3://bucket[/path]`, unchanged: it is part of the entry's key. */
  athenaResultsLocation: string;
  athenaRegion: string;
  athenaDatabase: string;
  athenaTable: string;
  athenaWorkgroup: string;
  payerRoleArn: string;
}

/** The entry of the run's payer, from the outputs of its steps. */
export function entryOf(run: RunRecord): IntegrationEntry {
  const { athenaWorkgroup, athenaResultsLocation, athenaRegion } = outputOf(run, 'athena-results');
  const { athenaDatabase, athenaTable } = outputOf(run, 'crawler-table');
  return {
    payerAccountId: run.request.payerAccountId,
    athenaResultsLocation,
    athenaRegion,
    athenaDatabase,
    athenaTable,
    athenaWorkgroup,
    payerRoleArn: outputOf(run, 'payer-role').payerRoleArn,
  };
}

/** The key under which the consumer stores and reports the entry. */
export function entryKey(entry: Pick<IntegrationEntry, 'payerAccountId' | 'athenaResultsLocation'>): string {
  return `${entry.payerAccountId}/${entry.athenaResultsLocation}`;
}

/** One entry as JSON text. */
export function renderEntry(entry: IntegrationEntry, format: IntegrationFormat): string {
  return writeDraft(entryDraft(entry, format), newDocument);
}

export function entryDraft(entry: IntegrationEntry, format: IntegrationFormat): { members: [string, Draft][] } {
  const fields = format === 'legacy' ? legacyEntry(entry) : configurationsEntry(entry);
  return { members: Object.entries(fields).map(([key, value]) => [key, draftOf(value)]) };
}

/** The entry that replaces `existing`. Fields that no version of the consumer reads stay unchanged. */
export function replacementDraft(
  text: string,
  existing: JsonObject,
  entry: IntegrationEntry,
  format: IntegrationFormat,
): Draft {
  const draft = entryDraft(entry, format);
  const kept = existing.children.filter(({ key }) => !isEntryField(key, format));
  return {
    members: [
      ...draft.members,
      ...kept.map(({ key, value }): [string, Draft] => [key, text.slice(value.start, value.end)]),
    ],
  };
}

/** True if the consumer treats both the same. A missing field equals its default in Athena. */
export function hasContent({ kind, values, authorizer }: Integration, entry: IntegrationEntry): boolean {
  return (
    kind === 'athena' &&
    values['account'] === entry.payerAccountId &&
    values['bucket'] === entry.athenaResultsLocation &&
    values['region'] === entry.athenaRegion &&
    values['database'] === entry.athenaDatabase &&
    values['table'] === entry.athenaTable &&
    (values['workgroup'] || 'primary') === entry.athenaWorkgroup &&
    (values['catalog'] || 'AwsDataCatalog') === 'AwsDataCatalog' &&
    authorizer?.type === 'AWSAssumeRole' &&
    authorizer.roleArn === entry.payerRoleArn &&
    authorizer.base?.type === 'AWSServiceAccount'
  );
}

/** Without serviceKey fields: with one of them the consumer uses access keys instead of the pod's role. */
function legacyEntry(entry: IntegrationEntry): Record<string, Plain> {
  return {
    athenaBucketName: entry.athenaResultsLocation,
    athenaRegion: entry.athenaRegion,
    athenaDatabase: entry.athenaDatabase,
    athenaTable: entry.athenaTable,
    athenaWorkgroup: entry.athenaWorkgroup,
    projectID: entry.payerAccountId,
    masterPayerARN: entry.payerRoleArn,
  };
}

function configurationsEntry(entry: IntegrationEntry): Record<string, Plain> {
  return {
    bucket: entry.athenaResultsLocation,
    region: entry.athenaRegion,
    database: entry.athenaDatabase,
    table: entry.athenaTable,
    workgroup: entry.athenaWorkgroup,
    account: entry.payerAccountId,
    authorizer: {
      authorizerType: 'AWSAssumeRole',
      roleARN: entry.payerRoleArn,
      authorizer: { authorizerType: 'AWSServiceAccount' },
    },
  };
}

const configurationsFields = new Set([
  'bucket',
  'region',
  'database',
  'catalog',
  'table',
  'workgroup',
  'account',
  'authorizer',
]);
const legacyFields = new Set(legacyLists['aws']?.fields.map(fold));

function isEntryField(key: string, format: IntegrationFormat): boolean {
  return format === 'legacy' ? legacyFields.has(fold(key)) : configurationsFields.has(key);
}
