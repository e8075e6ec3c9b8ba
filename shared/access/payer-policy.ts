import { listOf, mergeStatements, type PolicyDocument, policyOf, type Statement } from '../aws/policy-document.ts';
import { dataPath } from '../billing/report-location.ts';
import { outputOf, type RunRecord } from '../model/run.ts';

/** The names that limit the payer role's permissions. */
export interface PayerData {
  accountId: string;
  region: string;
  workgroup: string;
  database: string;
  table: string;
  curBucket: string;
  /** Folder of the report's data, without a slash at the end. */
  curPath: string;
  curKeyArn: string | null;
  resultsBucket: string;
  /** `s3://bucket[/path]` */
  resultsLocation: string;
  /** ARNs of the keys of workgroup and results bucket. */
  resultsKeyArns: readonly string[];
  catalogKeyArn: string | null;
}

export function payerDataOf(run: RunRecord): PayerData {
  const { bucket: curBucket, kmsKeyArn: curKeyArn } = outputOf(run, 'cur-bucket');
  const { athenaDatabase: database, athenaTable: table } = outputOf(run, 'crawler-table');
  const results = outputOf(run, 'athena-results');
  return {
    accountId: run.request.payerAccountId,
    region: results.athenaRegion,
    workgroup: results.athenaWorkgroup,
    database,
    table,
    curBucket,
    curPath: dataPath(outputOf(run, 'cur-report')),
    curKeyArn,
    resultsBucket: results.athenaResultsBucket,
    resultsLocation: results.athenaResultsLocation,
    resultsKeyArns:
      results.kmsKeyArn === null ? results.keyArns : [...new Set([results.kmsKeyArn, ...results.keyArns])],
    catalogKeyArn: results.catalogKeyArn,
  };
}

/**
 * Allows what Kubecost does as the payer role, and what Athena does on its behalf. The tutorial's policy lacks GetTables,
 * BatchGetPartition, the default database, multipart uploads and KMS, and lets Kubecost write into the report's bucket; this one does not.
 */
export function dataPolicy(data: PayerData): PolicyDocument {
  const { accountId, region, workgroup, database, table, curBucket, curPath, resultsBucket } = data;
  const glue = (path: string) => `arn:aws:glue:${region}:${accountId}:${path}`;
  const resultsPath = data.resultsLocation.replace(/^s3:\/\//, '');
  const inAccount = { StringEquals: { 'aws:ResourceAccount': accountId } };
  return policyOf(
    {
      Sid: 'KubecostAthena',
      Effect: 'Allow',
      Action: [
        'athena:GetQueryExecution',
        'athena:GetQueryResults',
        'athena:GetWorkGroup',
        'athena:StartQueryExecution',
        'athena:StopQueryExecution',
      ],
      Resource: `arn:aws:athena:${region}:${accountId}:workgroup/${workgroup}`,
    },
    {
      Sid: 'KubecostGlue',
      Effect: 'Allow',
      Action: [
        'glue:BatchGetPartition',
        'glue:GetDatabase',
        'glue:GetDatabases',
        'glue:GetPartition',
        'glue:GetPartitions',
        'glue:GetTable',
        'glue:GetTables',
      ],
      Resource: [
        glue('catalog'),
        glue('database/default'),
        glue(`database/${database}`),
        glue(`table/${database}/${table}`),
      ],
    },
    {
      Sid: 'KubecostBuckets',
      Effect: 'Allow',
      Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
      Resource: [`arn:aws:s3:::${curBucket}`, `arn:aws:s3:::${resultsBucket}`],
      Condition: inAccount,
    },
    {
      Sid: 'KubecostReport',
      Effect: 'Allow',
      Action: 's3:GetObject',
      Resource: `arn:aws:s3:::${curBucket}/${curPath}/*`,
      Condition: inAccount,
    },
    {
      Sid: 'KubecostResults',
      Effect: 'Allow',
      Action: ['s3:AbortMultipartUpload', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
      Resource: `arn:aws:s3:::${resultsPath}/*`,
      Condition: inAccount,
    },
    ...keyStatement('KubecostReportKey', ['kms:Decrypt'], data.curKeyArn ?? []),
    ...keyStatement('KubecostResultsKey', ['kms:Decrypt', 'kms:GenerateDataKey'], data.resultsKeyArns),
    // Athena's guide asks for all three in every policy that queries an encrypted catalog.
    ...keyStatement(
      'KubecostCatalogKey',
      ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey'],
      data.catalogKeyArn ?? [],
    ),
  );
}

function keyStatement(Sid: string, Action: string[], keys: string | readonly string[]): Statement[] {
  const [first, ...others] = typeof keys === 'string' ? [keys] : keys;
  if (first === undefined) return [];
  return [{ Sid, Effect: 'Allow', Action, Resource: others.length === 0 ? first : [first, ...others] }];
}

/** Names and tags of the organisation's accounts, which Kubecost shows; IAM supports no resources for these actions. */
export const tagsPolicy = policyOf({
  Sid: 'KubecostListTags',
  Effect: 'Allow',
  Action: ['organizations:ListAccounts', 'organizations:ListTagsForResource'],
  Resource: '*',
});

/**
 * The union with the existing policy: another cluster of this payer may query another table or workgroup through the same role, so
 * resources are only added to our statements, and other statements stay.
 */
export function unionWith(existing: PolicyDocument | undefined, wanted: PolicyDocument): PolicyDocument {
  const before = new Map(existing?.Statement.map((statement) => [statement.Sid, statement]));
  const statements = wanted.Statement.map((statement) => {
    const resources = new Set([...listOf(before.get(statement.Sid)?.Resource), ...listOf(statement.Resource)]);
    return { ...statement, Resource: [...resources] };
  });
  return mergeStatements(existing, statements);
}

/** The policy without our statements; undefined if no other statement remains. */
export function withoutOurs(policy: PolicyDocument): PolicyDocument | undefined {
  const others = policy.Statement.filter(({ Sid = '' }) => !ourSids.has(Sid));
  return others.length > 0 ? { ...policy, Statement: others } : undefined;
}

const ourSids = new Set([
  'KubecostAthena',
  'KubecostGlue',
  'KubecostBuckets',
  'KubecostReport',
  'KubecostResults',
  'KubecostReportKey',
  'KubecostResultsKey',
  'KubecostCatalogKey',
  'KubecostListTags',
]);
