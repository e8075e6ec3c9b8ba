import { listOf, type PolicyDocument, type Statement } from '../aws/policy-document.ts';

const service = 'billingreports.amazonaws.com';
/** AWS's billing service before it had a service principal; old policies name its root, and AWS still delivers under them. */
const serviceAccount = '386209384616';

export const billingSids = ['KubecostBillingReportsRead', 'KubecostBillingReportsWrite'] as const;

/**
 * The permissions that AWS needs to deliver a report. AWS sends the literal `definition/*` as source ARN, so a policy that names
 * one report may never match; StringLike matches the literal and a concrete ARN. The permissions must cover the whole bucket,
 * because AWS verifies them with an object at the root. Source: CUR User Guide, "Setting up an Amazon S3 bucket".
 */
export function billingStatements(bucket: string, accountId: string): Statement[] {
  const Condition = {
    StringLike: {
      'aws:SourceAccount': accountId,
      'aws:SourceArn': `arn:aws:cur:us-east-1:${accountId}:definition/*`,
    },
  };
  const Principal = { Service: service };
  return [
    {
      Sid: billingSids[0],
      Effect: 'Allow',
      Principal,
      Action: ['s3:GetBucketAcl', 's3:GetBucketPolicy'],
      Resource: `arn:aws:s3:::${bucket}`,
      Condition,
    },
    {
      Sid: billingSids[1],
      Effect: 'Allow',
      Principal,
      Action: 's3:PutObject',
      Resource: `arn:aws:s3:::${bucket}/*`,
      Condition,
    },
  ];
}

/** Actions that AWS needs and the policy does not allow. A statement with a condition other than AWS's own two does not count. */
export function missingBillingRights(policy: PolicyDocument | undefined, bucket: string, accountId: string): string[] {
  const needed = [
    ['s3:GetBucketPolicy', `arn:aws:s3:::${bucket}`],
    ['s3:PutObject', `arn:aws:s3:::${bucket}/aws-programmatic-access-test-object`],
  ] as const;
  const statements = policy?.Statement ?? [];
  const covers = (effect: Statement['Effect'], action: string, resource: string) =>
    statements.some(
      (statement) =>
        statement.Effect === effect &&
        namesBilling(statement) &&
        matchesAny(listOf(statement.Action), action.toLowerCase(), true) &&
        matchesAny(listOf(statement.Resource), resource) &&
        conditionsHold(statement, accountId),
    );
  return needed
    .filter(([action, resource]) => !covers('Allow', action, resource) || covers('Deny', action, resource))
    .map(([action]) => action);
}

function namesBilling({ Principal }: Statement): boolean {
  if (Principal === '*') return true;
  const accounts = ['*', serviceAccount, `arn:aws:iam::${serviceAccount}:root`];
  return listOf(Principal?.Service).includes(service) || listOf(Principal?.AWS).some((name) => accounts.includes(name));
}

/**
 * False if no statement can be meant for AWS, whatever its conditions are: each one is for the account itself or for another service.
 * Only then an earlier delivery says nothing about the next one.
 */
export function mayAllowBilling(policy: PolicyDocument | undefined, accountId: string): boolean {
  return (policy?.Statement ?? []).some((statement) => {
    if (statement.Effect !== 'Allow') return false;
    if (statement.Principal === undefined || namesBilling(statement)) return true;
    const { AWS, Service, ...others } = statement.Principal === '*' ? {} : statement.Principal;
    const isForOthers = listOf(AWS).some((name) => name !== accountId && name.split(':')[4] !== accountId);
    return isForOthers || Object.keys(others).length > 0 || listOf(Service).some((name) => /[*?]/.test(name));
  });
}

function conditionsHold({ Condition = {} }: Statement, accountId: string): boolean {
  const sent: Record<string, string> = {
    'aws:sourceaccount': accountId,
    'aws:sourcearn': `arn:aws:cur:us-east-1:${accountId}:definition/*`,
  };
  return Object.entries(Condition).every(
    ([operator, keys]) =>
      /^(String|Arn)(Equals|Like)$/.test(operator) &&
      Object.entries(keys).every(([key, wanted]) => {
        const value = sent[key.toLowerCase()];
        return value !== undefined && matchesAny(listOf(wanted), value);
      }),
  );
}

function matchesAny(patterns: string[], value: string, ignoreCase = false): boolean {
  return patterns.some((pattern) => {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    return new RegExp(`^${source}$`, ignoreCase ? 'is' : 's').test(value);
  });
}
