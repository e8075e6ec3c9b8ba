import { createHash } from 'node:crypto';

/** First 8 hex digits of SHA-256 over the parts, joined by a character that none of them may contain. */
export function shortHash(...parts: string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 8);
}

export const defaultReportName = 'kubecost_cur';
/** Defaults of the tutorial in the payer account. */
export const payerRoleName = 'kubecost-cur-access';
export const dataPolicyName = 'kubecost-payer-account-cur-athena-glue-s3-access';
export const tagsPolicyName = 'kubecost-payer-account-list-tags-policy';
/** The names of the pod role's policies start with it. */
export const podPolicyPrefix = 'kubecost-access-cur-in-payer-account-';

/** ARNs as permissions name them: CloudFormation Sub strings, whose parameters are in functions/deployment/access-templates.ts. */
export const clusterPattern = 'arn:${AWS::Partition}:eks:*:${AWS::AccountId}:cluster/${Cluster}';
export const payerRolePattern = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PayerRole}';
export const podRolePattern = 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/${PodRole}';
export const podPolicyPattern = `arn:\${AWS::Partition}:iam::\${AWS::AccountId}:policy/${podPolicyPrefix}*`;

export function curBucketName(payerAccountId: string, region: string): string {
  return `kubecost-cur-${payerAccountId}-${region}`;
}

export function athenaResultsBucketName(payerAccountId: string, region: string): string {
  return `kubecost-athena-results-${payerAccountId}-${region}`;
}

/** Regions without account-regional bucket names. Source: S3 User Guide, "Namespaces for general purpose buckets". */
const withoutNamespace = ['me-central-1', 'me-south-1'];

/**
 * The name that replaces a default bucket name of another owner; the same one each time. With `-an` at the end it is in the namespace
 * of the account, in which nobody else can create a bucket.
 */
export function secondBucketName(defaultName: string, region: string): string {
  return withoutNamespace.includes(region) ? `${defaultName}-${shortHash(defaultName)}` : `${defaultName}-an`;
}

/** True if S3 creates a bucket of this name in the account's own namespace only. */
export function isAccountRegionalName(name: string, accountId: string, region: string): boolean {
  return name.endsWith(`-${accountId}-${region}-an`);
}

/** Stack names are letters, digits and hyphens, at most 128; report names may hold more, so the hash keeps them apart. */
export function crawlerStackName(reportName: string): string {
  return `kubecost-crawler-${reportName.replace(/[^0-9A-Za-z]+/g, '-').slice(0, 64)}-${shortHash(reportName)}`;
}

/** Two clusters may share an account, so names in it end in a hash of (cluster, namespace, service account); at most 64. */
export function podRoleName(clusterArn: string, namespace: string, serviceAccount: string): string {
  return `kubecost-${serviceAccount.replace(/[^0-9A-Za-z-]/g, '-').slice(0, 40)}-${shortHash(clusterArn, namespace, serviceAccount)}`;
}

export function grantPolicyName(clusterArn: string, namespace: string, serviceAccount: string): string {
  return `${podPolicyPrefix}${shortHash(clusterArn, namespace, serviceAccount)}`;
}

/**
 * AWS's rule for database and columns of a report: `_` before each capital, lower case, one `_` for other characters than letters and
 * digits. Source: CUR User Guide, "Column names"; seen in every published crawler-cfn.yml.
 */
export function snakeCase(name: string): string {
  return name
    .replace(/[A-Z]/g, '_$&')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}
