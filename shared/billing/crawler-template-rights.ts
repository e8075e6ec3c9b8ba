import { isMap, type Json, listOf } from './crawler-template-document.ts';
import {
  forbidden,
  harmless,
  harmlessTags,
  listIn,
  mapOf,
  only,
  refuse,
  type Rule,
  type TemplateFacts,
  textIn,
} from './crawler-template-values.ts';
import { reportRoot } from './report-location.ts';

type Service = 'glue.amazonaws.com' | 'lambda.amazonaws.com';

/** Whether a resource of an allowed action may be named. */
type Resources = (resource: string, facts: TemplateFacts) => boolean;

const inGlue: Resources = (resource, { accountId }) => {
  const [prefix, partition, service, , account = ''] = resource.split(':');
  return (
    resource === '*' || ([prefix, partition, service].join() === 'arn,aws,glue' && ['*', accountId].includes(account))
  );
};
const logs: Resources = (resource) => resource === '*' || resource.startsWith('arn:aws:logs:');
const anyResource: Resources = (resource) => resource === '*';
const ownKey: Resources = (resource, { accountId }) =>
  resource === '*' || new RegExp(`^arn:aws:kms:[^:]*:(\\*|${accountId.replaceAll(/\W/g, '\\$&')}):`).test(resource);
const ownBucket: Resources = (resource, { report: { bucket } }) => resource === `arn:aws:s3:::${bucket}`;
/** Of the report's own folder: a wildcard may follow it, never stand before it. */
const ownPath: Resources = (resource, { report }) =>
  resource.startsWith(`arn:aws:s3:::${report.bucket}/${reportRoot(report)}`);
const bucketOrPath: Resources = (resource, facts) => ownBucket(resource, facts) || ownPath(resource, facts);

const writeLogs: [RegExp, Resources] = [
  /^logs:(CreateLogGroup|CreateLogStream|PutLogEvents|DescribeLogStreams)$/i,
  logs,
];

/**
 * What a role may allow, by the service that may assume it. The code of a function is not read, so these rights must be harmless in
 * any code: start a crawler, set the notifications of the report's bucket.
 */
const functionRights: [RegExp, Resources][] = [
  writeLogs,
  [/^glue:(StartCrawler|GetCrawler|GetCrawlers|GetCrawlerMetrics|ListCrawlers)$/i, inGlue],
  [/^s3:(Put|Get)BucketNotification$/i, ownBucket],
  [/^s3:GetBucketLocation$/i, ownBucket],
  [/^xray:(PutTraceSegments|PutTelemetryRecords)$/i, anyResource],
];

/** A crawler runs no code of the template. AWS's policy for crawlers gives more than these. */
const crawlerRights: [RegExp, Resources][] = [
  writeLogs,
  [/^glue:(Get|BatchGet|List|Search)([A-Za-z]*|\*)$/i, inGlue],
  [
    /^glue:(Create|Update|Delete|BatchCreate|BatchUpdate|BatchDelete)(Database|Partition|PartitionIndex|Table|TableVersion|ColumnStatisticsFor(Table|Partition))$/i,
    inGlue,
  ],
  [/^glue:(ImportCatalogToGlue|StartCrawler)$/i, inGlue],
  [/^s3:(GetObject([A-Za-z]*|\*)|PutObject|ListMultipartUploadParts)$/i, ownPath],
  [/^s3:(ListBucket(Versions|MultipartUploads)?|GetBucket(Location|Acl))$/i, bucketOrPath],
  [/^kms:(Decrypt|DescribeKey)$/i, ownKey],
  [/^lakeformation:GetDataAccess$/i, anyResource],
  [/^cloudwatch:PutMetricData$/i, anyResource],
];

const managed = (name: string) => `arn:aws:iam::aws:policy/service-role/${name}`;
const functionPolicies = [managed('AWSLambdaBasicExecutionRole')];
const crawlerPolicies = [managed('AWSGlueServiceRole'), ...functionPolicies];

/** Services that may assume the role. @throws TemplateProblem if anybody else may */
export function trustedServices(role: Json | undefined, facts: TemplateFacts, path: string): Service[] {
  return statementsOf(role, path).flatMap((statement) => {
    if (statement.Effect === 'Deny') return [];
    const expected = ['Sid', 'Effect', 'Principal', 'Action', 'Condition'];
    const unknown = Object.keys(statement).find((name) => !expected.includes(name));
    if (unknown !== undefined) refuse(path, `has ${unknown}`);
    only('Allow')(statement.Effect ?? null, facts, `${path}.Effect`);
    listIn(only('sts:AssumeRole'))(statement.Action ?? null, facts, `${path}.Action`);
    const principal = statement.Principal ?? null;
    if (!isMap(principal) || Object.keys(principal).join() !== 'Service')
      refuse(path, 'trusts others than AWS services');
    return listOf(principal.Service ?? null).map((service): Service => {
      const name = textIn(service, facts);
      if (name === 'glue.amazonaws.com' || name === 'lambda.amazonaws.com') return name;
      return refuse(path, `trusts ${name ?? 'others'}`);
    });
  });
}

function statementsOf(policy: Json | undefined, path: string): { [key: string]: Json }[] {
  if (!isMap(policy)) refuse(path, 'is not a policy');
  const unknown = Object.keys(policy).find((name) => !['Version', 'Id', 'Statement'].includes(name));
  if (unknown !== undefined) refuse(path, `has ${unknown}`);
  return listOf(policy.Statement ?? null).map((statement) =>
    isMap(statement) ? statement : refuse(path, 'has no statement'),
  );
}

const boundedPolicy =
  (rights: readonly [RegExp, Resources][]): Rule =>
  (policy, facts, path) => {
    for (const statement of statementsOf(policy, path)) {
      if (statement.Effect === 'Deny') continue;
      only('Allow')(statement.Effect ?? null, facts, `${path}.Effect`);
      // A condition narrows the statement. NotAction, NotResource and principals are not among these.
      const expected = ['Sid', 'Effect', 'Action', 'Resource', 'Condition'];
      const unknown = Object.keys(statement).find((name) => !expected.includes(name));
      if (unknown !== undefined) refuse(path, `has ${unknown}`);
      for (const action of listOf(statement.Action ?? null)) {
        const [, allowed] = rights.find(([pattern]) => pattern.test(textIn(action, facts) ?? '')) ?? [];
        if (!allowed) refuse(path, `allows ${textIn(action, facts) ?? 'an action that is no text'}`);
        for (const resource of listOf(statement.Resource ?? null)) {
          const text = textIn(resource, facts);
          if (text === undefined || !allowed(text, facts))
            refuse(path, `allows ${textIn(action, facts) ?? ''} on ${text ?? JSON.stringify(resource)}`);
        }
      }
    }
  };

/** A role that only Glue or Lambda may assume, with no more rights than these need. A role that Lambda may assume counts as a function's. */
export const boundedRole: Rule = (role, facts, path) => {
  if (!isMap(role)) refuse(path, 'has no properties');
  const services = trustedServices(role.AssumeRolePolicyDocument, facts, `${path}.AssumeRolePolicyDocument`);
  const runsCode = services.includes('lambda.amazonaws.com');
  const rules: Record<string, Rule> = {
    AssumeRolePolicyDocument: () => undefined,
    ManagedPolicyArns: listIn(only(...(runsCode ? functionPolicies : crawlerPolicies))),
    MaxSessionDuration: harmless,
    Path: only('/'),
    // A boundary is a policy of others, and a name needs another capability.
    PermissionsBoundary: forbidden,
    Policies: listIn(
      mapOf({ PolicyName: harmless, PolicyDocument: boundedPolicy(runsCode ? functionRights : crawlerRights) }, 'none'),
    ),
    RoleName: forbidden,
    Tags: harmlessTags,
  };
  mapOf(rules, 'none')(role, facts, path);
};
