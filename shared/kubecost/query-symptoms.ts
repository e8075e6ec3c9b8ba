import type { ErrorCode } from '../errors/catalogue.ts';

/** What an error text of Athena or of the consumer's AWS client means for this product. */
export interface Symptom {
  pattern: RegExp;
  means: string;
  /** True if somebody has to change something; other errors may pass while IAM and credentials take effect. */
  lasting: boolean;
  /** If there is a more precise code than that of a failed connection. */
  code?: ErrorCode;
}

/**
 * The most specific first. Sources: Kubecost's AWS troubleshooting guide; opencost issues 2697 (endpoints), 2898 (engine), 3076
 * (resource ids), 3204 (names), 3257 (managed results), 3904 (denied sessions); aws/eks-pod-identity-agent 80 (session tags).
 */
const symptoms: readonly Symptom[] = [
  {
    pattern: /line_item_resource_id' cannot be resolved/,
    means: 'the report has no resource ids, so a new report is needed',
    lasting: true,
  },
  {
    pattern: /Column '(year|month)' cannot be resolved|HIVE_/,
    means: 'AWS’s crawler did not create the table',
    lasting: true,
  },
  { pattern: /Lake Formation/, means: 'Lake Formation withholds the table from the payer role', lasting: true },
  {
    pattern: /TABLE_NOT_FOUND|SCHEMA_NOT_FOUND|does not exist/,
    means: 'database or table is not in this account and region',
    lasting: true,
  },
  {
    pattern: /Queries of this type are not supported/,
    means: 'Athena could not set up the engine: deploy the crawler stack again',
    lasting: true,
  },
  { pattern: /ManagedQueryResults/, means: 'the workgroup keeps results in Athena’s own storage', lasting: true },
  { pattern: /WorkGroup is not found/, means: 'the workgroup is not in this account and region', lasting: true },
  { pattern: /outputLocation is not a valid S3 path/, means: 'the location lacks s3://', lasting: true },
  { pattern: /ResolveEndpointV2/, means: 'the consumer’s AWS client is broken: upgrade the chart', lasting: true },
  {
    pattern: /Unable to verify\/create output bucket/,
    means: 'the results bucket is missing, is in another region or denies the payer role',
    lasting: false,
  },
  {
    pattern: /Permission denied on S3 path/,
    means: 'the payer role’s policy does not cover the report’s bucket',
    lasting: false,
  },
  {
    pattern: /sts:TagSession/,
    means: 'a trust policy does not allow the session tags of EKS Pod Identity',
    lasting: false,
    code: 'tag-session-missing',
  },
  {
    pattern: /AssumeRoleWithWebIdentity|No OpenIDConnect provider found/,
    means: 'the pod cannot assume its role',
    lasting: false,
    code: 'web-identity-denied',
  },
  {
    pattern: /AssumeRole\b|get credentials/,
    means: 'the pod role cannot assume the payer role',
    lasting: false,
    code: 'payer-role-denied',
  },
  {
    pattern: /INTERNAL_ERROR_QUERY_ENGINE/,
    means: 'Athena’s engine failed; the next try may succeed',
    lasting: false,
  },
  { pattern: /dial tcp|no such host/, means: 'the pod does not reach AWS’s endpoints', lasting: false },
  {
    pattern: /no query results available for query/,
    means: 'see Athena’s query history in the payer account for the reason',
    lasting: false,
  },
];

export function symptomOf(text: string): Symptom | undefined {
  return symptoms.find(({ pattern }) => pattern.test(text));
}

/** True if IAM denied a call of the query; the denial may pass while IAM shows a new policy. Lake Formation's denials last. */
export function isDenial(text: string): boolean {
  if (text.includes('Lake Formation')) return false;
  return /access ?denied|not authorized|permission denied|do not seem to have access|unable to verify\/create/i.test(
    text,
  );
}

/** The text, with its meaning in brackets where that is known. */
export function explained(text: string): string {
  const means = symptomOf(text)?.means;
  return means === undefined ? text : `${text} (${means})`;
}
